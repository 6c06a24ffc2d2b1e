"""Trouble by mail: a plain message, finished at once, that waits in the outbox like an invite."""

from datetime import datetime

ADVICE = "`smartcharge status` says what stands, `smartcharge doctor` what to mend."


def alert_message(*, sender: str, recipient: str, line: str, at: datetime, key: str) -> bytes:
    """A mail that says one line. key: names it, so that a repeat is recognised; at: when it was said (UTC)."""
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP

    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("smartcharge", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = " ".join(line.split())[:120]
    mail["Date"] = at
    mail["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    mail.set_content(
        f"{line}\n\n`smartcharge status` says what stands, `smartcharge doctor` what to mend.\n", cte="8bit"
    )
    return mail.as_bytes()

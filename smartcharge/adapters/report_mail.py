"""A report by mail: one message with the text for every reader, and the page for those that show pages."""

from datetime import datetime


def report_message(*, sender: str, recipient: str, subject: str, text: str, page: str, at: datetime, key: str) -> bytes:
    """A finished mail. key: names it, so that a repeat is recognised; at: when it was made (UTC)."""
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP

    mail = EmailMessage(policy=SMTP)
    mail["From"] = Address("smartcharge", addr_spec=sender)
    mail["To"] = Address(addr_spec=recipient)
    mail["Subject"] = subject
    mail["Date"] = at
    mail["Message-ID"] = f"<{key}@{sender.rpartition('@')[2]}>"
    mail.set_content(f"{text}\n", cte="quoted-printable")
    mail.add_alternative(page, subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{key}")
    return mail.as_bytes()

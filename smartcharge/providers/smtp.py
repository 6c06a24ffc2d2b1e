"""SMTP as Gmail and its like speak it: verified TLS or nothing, one message per session.

The server's own words never leave this module, only its codes: a server may quote what it was sent. Codes and
what they mean at Gmail: support.google.com/a/answer/3726730; the reply classes: RFC 5321, section 4.2.1.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.deadline import service_boundary
from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.policy.polling import DeliveryResult, DeliveryStatus
from smartcharge.providers.connection import use_happy_eyeballs

if TYPE_CHECKING:
    from smtplib import SMTP
    from ssl import SSLContext


MAIL_SERVICE = "mail"
IMPLICIT_TLS_PORT = 465
SMTP_TIMEOUT_SECONDS = 7.0
"""For each read; the caller bounds the whole session."""
EHLO_HOSTNAME = "[127.0.0.1]"
"""What the client calls itself: the library would ask the resolver for a name, which takes as long as it likes."""
DAILY_LIMIT_RETRY_AFTER = timedelta(hours=24)
DAILY_LIMIT_CODE = "5.4.5"
AUTHENTICATION_REQUIRED_CODE = 530
PERMANENT_FAILURE_CODES = range(500, 600)
MAIL_SIGN_IN_FIX = (
    "Make an App Password for this account (for Gmail: myaccount.google.com/apppasswords) and put it in gcal.smtp_pass"
)
MAIL_TLS_FIX = (
    "Nothing was sent. Check gcal.smtp_host and gcal.smtp_port, and the computer's clock; a certificate authority of "
    "your own goes into SSL_CERT_FILE"
)


class SmtpMailer:
    """An account on a mail server; nothing is sent before `send` or `check`.

    port: 465 for TLS from the start, any other for STARTTLS. user: the sender's address.
    """

    def __init__(self, *, host: str, port: int, user: str, password: str) -> None:
        self._host = host
        self._port = port
        self._user = user
        self._password = password

    def send(self, message: bytes, recipient: str) -> DeliveryResult:
        """Post one message. What is raised means that it was certainly not taken."""
        with service_boundary(MAIL_SERVICE, "the mail server"), self._signed_in() as smtp:
            _require_sender_accepted(*smtp.mail(self._user))
            refused = _check_reply(*smtp.rcpt(recipient), DeliveryStatus.NO_SUCH_ADDRESS)
            return refused or _send_data(smtp, message)

    def check(self) -> None:
        """Sign in and say good-bye; nothing is posted. Raises as `send` does."""
        with service_boundary(MAIL_SERVICE, "the mail server"), self._signed_in():
            return

    @contextmanager
    def _signed_in(self) -> Iterator["SMTP"]:
        """A session up to and including the password, and a short good-bye; errors become ours."""
        import smtplib
        import ssl

        use_happy_eyeballs()
        try:
            smtp = self._connect()
            try:
                self._sign_in(smtp)
                yield smtp
            finally:
                with suppress(OSError):
                    smtp.putcmd("quit")  # the answer changes nothing any more
                smtp.close()
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate of {self._host} was not accepted: {error.verify_message}"
            raise UnreachableError(problem, fix=MAIL_TLS_FIX, service=MAIL_SERVICE) from error
        except smtplib.SMTPResponseException as error:
            raise self._unreachable_error(f"answers {_format_reply_code(error.smtp_code, error.smtp_error)}") from error
        except smtplib.SMTPServerDisconnected as error:
            is_silent = "timed out" in str(error)  # the library makes one error of both
            raise self._unreachable_error("does not answer" if is_silent else "ended the session") from error
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self._unreachable_error(f"could not be reached: {reason}") from error
        except (ValueError, MemoryError) as error:  # an ill-formed challenge, a reply without end
            raise self._unreachable_error("gave an answer that cannot be read") from error

    def _connect(self) -> "SMTP":
        import smtplib

        context = _create_tls_context()
        if self._port == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(
                self._host, self._port, EHLO_HOSTNAME, timeout=SMTP_TIMEOUT_SECONDS, context=context
            )
        smtp = smtplib.SMTP(self._host, self._port, EHLO_HOSTNAME, timeout=SMTP_TIMEOUT_SECONDS)
        try:
            smtp.starttls(context=context)
        except smtplib.SMTPNotSupportedError as error:
            smtp.close()
            raise UnreachableError(
                f"the mail server {self._host} offers no encryption on port {self._port}",
                fix=MAIL_TLS_FIX,
                service=MAIL_SERVICE,
            ) from error
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _sign_in(self, smtp: "SMTP") -> None:
        import smtplib

        try:
            smtp.login(self._user, self._password)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code in PERMANENT_FAILURE_CODES:
                code = _format_reply_code(error.smtp_code, error.smtp_error)
                raise SignInRefusedError(
                    f"the mail server refused the sign-in of {self._user} ({code})",
                    fix=MAIL_SIGN_IN_FIX,
                    service=MAIL_SERVICE,
                ) from error
            raise
        except UnicodeError as error:
            problem = "the mail password holds characters that no mail server accepts"
            raise SignInRefusedError(problem, fix=MAIL_SIGN_IN_FIX, service=MAIL_SERVICE) from error
        except smtplib.SMTPNotSupportedError as error:
            raise self._unreachable_error("offers no way to sign in") from error

    def _unreachable_error(self, what: str) -> UnreachableError:
        return UnreachableError(f"the mail server {self._host} {what}", service=MAIL_SERVICE)


def _send_data(smtp: "SMTP", message: bytes) -> DeliveryResult:
    """Send the message itself; a link lost meanwhile leaves it unknown whether it was taken (RFC 1047)."""
    import smtplib

    try:
        code, text = smtp.data(message)
    except smtplib.SMTPDataError as error:
        return _check_reply(error.smtp_code, error.smtp_error, DeliveryStatus.REFUSED) or DeliveryResult(
            DeliveryStatus.ACCEPTED
        )
    except (OSError, MemoryError):
        return DeliveryResult(DeliveryStatus.UNKNOWN)
    return _check_reply(code, text, DeliveryStatus.REFUSED) or DeliveryResult(DeliveryStatus.ACCEPTED)


def _check_reply(code: int, text: bytes | str, if_refused: DeliveryStatus) -> DeliveryResult | None:
    """None where the server goes along; a receipt where it never will; raises where it may later."""
    if code // 100 == 2:  # noqa: PLR2004  # the class of success
        return None
    words = _format_reply_code(code, text)
    if DAILY_LIMIT_CODE in words:
        raise ThrottledError(
            f"the mail account's daily limit is used up ({words})",
            retry_after=DAILY_LIMIT_RETRY_AFTER,
            fix="It is tried again tomorrow",
            service=MAIL_SERVICE,
        )
    if code == AUTHENTICATION_REQUIRED_CODE:
        raise SignInRefusedError(
            f"the mail server wants another sign-in ({words})", fix=MAIL_SIGN_IN_FIX, service=MAIL_SERVICE
        )
    if code not in PERMANENT_FAILURE_CODES:
        raise UnreachableError(f"the mail server asks to try later ({words})", service=MAIL_SERVICE)
    return DeliveryResult(if_refused, words)


def _require_sender_accepted(code: int, text: bytes | str) -> None:
    """What is said of the sender concerns the account, not this message: it is never lost for that."""
    if refused := _check_reply(code, text, DeliveryStatus.REFUSED):
        raise UnreachableError(f"the mail server refuses the sender ({refused.code})", service=MAIL_SERVICE)


def _format_reply_code(code: int, text: bytes | str) -> str:
    """The reply's code, with the enhanced one (RFC 3463) where it has one; nothing else of its text."""
    found = re.match(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}", text if isinstance(text, bytes) else text.encode())
    return f"{code} {found[0].decode()}" if found else str(code)


def _create_tls_context() -> "SSLContext":
    """The usual certificate authorities, and those that the usual variables name."""
    import ssl

    context = ssl.create_default_context()
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle and not os.environ.get("SSL_CERT_FILE"):
        if Path(bundle).is_dir():
            context.load_verify_locations(capath=bundle)
        else:
            context.load_verify_locations(cafile=bundle)
    return context


ALERT_ADVICE = "`smartcharge status` says what is going on, `smartcharge doctor` what to fix."


def build_alert_email(*, sender: str, recipient: str, line: str, at: datetime, key: str) -> bytes:
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
        f"{line}\n\n`smartcharge status` says what is going on, `smartcharge doctor` what to fix.\n", cte="8bit"
    )
    return mail.as_bytes()


def build_report_email(
    *, sender: str, recipient: str, subject: str, text: str, page: str, at: datetime, key: str
) -> bytes:
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

"""SMTP as Gmail and its like speak it: verified TLS or nothing, one message per conversation.

The server's own words never leave this module, only its codes: a server may quote what it was sent. Codes and
what they mean at Gmail: support.google.com/a/answer/3726730; the reply classes: RFC 5321, section 4.2.1.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from smartcharge.core.posting import Fate, Receipt
from smartcharge.errors import SignInRefused, Throttled, Unreachable

if TYPE_CHECKING:
    from smtplib import SMTP
    from ssl import SSLContext

SERVICE = "mail"
IMPLICIT_TLS_PORT = 465
TIMEOUT_SECONDS = 7.0
"""For each read; the caller bounds the whole conversation."""
GREETING_NAME = "[127.0.0.1]"
"""What the client calls itself: the library would ask the resolver for a name, which takes as long as it likes."""
DAY = timedelta(hours=24)
DAILY_LIMIT = "5.4.5"
SIGN_IN_FIRST = 530
PERMANENT = range(500, 600)
REFUSED_MEND = (
    "Make an App Password for this account (for Gmail: myaccount.google.com/apppasswords) and put it in gcal.smtp_pass"
)
UNVERIFIED_MEND = (
    "Nothing was sent. Check gcal.smtp_host and gcal.smtp_port, and the computer's clock; a certificate authority of "
    "your own goes into SSL_CERT_FILE"
)


class SmtpMailer:
    """An account on a mail server; nobody is spoken to before `send` or `check`.

    port: 465 for TLS from the start, any other for STARTTLS. user: the sender's address.
    """

    def __init__(self, *, host: str, port: int, user: str, password: str) -> None:
        self._host = host
        self._port = port
        self._user = user
        self._password = password

    def send(self, message: bytes, recipient: str) -> Receipt:
        """Post one message. What is raised means that it was certainly not taken."""
        with self._signed_in() as smtp:
            _insist(*smtp.mail(self._user))
            refused = _verdict(*smtp.rcpt(recipient), Fate.NO_SUCH_ADDRESS)
            return refused or _hand_over(smtp, message)

    def check(self) -> None:
        """Sign in and say good-bye; nothing is posted. Raises as `send` does."""
        with self._signed_in():
            return

    @contextmanager
    def _signed_in(self) -> Iterator["SMTP"]:
        """A conversation up to and including the password, and a short good-bye; errors become ours."""
        import smtplib
        import ssl

        try:
            smtp = self._connected()
            try:
                self._sign_in(smtp)
                yield smtp
            finally:
                with suppress(OSError):
                    smtp.putcmd("quit")  # nobody waits for the answer: it changes nothing any more
                smtp.close()
        except ssl.SSLCertVerificationError as error:
            problem = f"the certificate of {self._host} was not accepted: {error.verify_message}"
            raise Unreachable(problem, hint=UNVERIFIED_MEND, service=SERVICE) from error
        except smtplib.SMTPResponseException as error:
            raise self._unreachable(f"answers {_code(error.smtp_code, error.smtp_error)}") from error
        except smtplib.SMTPServerDisconnected as error:
            is_silent = "timed out" in str(error)  # the library makes one error of both
            raise self._unreachable("does not answer" if is_silent else "ended the conversation") from error
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise self._unreachable(f"could not be reached: {reason}") from error
        except (ValueError, MemoryError) as error:  # an ill-formed challenge, a reply without end
            raise self._unreachable("answers in a way that nobody can read") from error

    def _connected(self) -> "SMTP":
        import smtplib

        context = _trust()
        if self._port == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(self._host, self._port, GREETING_NAME, timeout=TIMEOUT_SECONDS, context=context)
        smtp = smtplib.SMTP(self._host, self._port, GREETING_NAME, timeout=TIMEOUT_SECONDS)
        try:
            smtp.starttls(context=context)
        except smtplib.SMTPNotSupportedError as error:
            smtp.close()
            raise Unreachable(
                f"the mail server {self._host} offers no encryption on port {self._port}",
                hint=UNVERIFIED_MEND,
                service=SERVICE,
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
            if error.smtp_code in PERMANENT:
                code = _code(error.smtp_code, error.smtp_error)
                raise SignInRefused(
                    f"the mail server refused the sign-in of {self._user} ({code})", hint=REFUSED_MEND, service=SERVICE
                ) from error
            raise
        except UnicodeError as error:
            problem = "the mail password holds signs that no mail server takes"
            raise SignInRefused(problem, hint=REFUSED_MEND, service=SERVICE) from error
        except smtplib.SMTPNotSupportedError as error:
            raise self._unreachable("offers no way to sign in") from error

    def _unreachable(self, what: str) -> Unreachable:
        return Unreachable(f"the mail server {self._host} {what}", service=SERVICE)


def _hand_over(smtp: "SMTP", message: bytes) -> Receipt:
    """Send the message itself; a link lost meanwhile leaves it unknown whether it was taken (RFC 1047)."""
    import smtplib

    try:
        code, text = smtp.data(message)
    except smtplib.SMTPDataError as error:
        return _verdict(error.smtp_code, error.smtp_error, Fate.REFUSED) or Receipt(Fate.ACCEPTED)
    except (OSError, MemoryError):
        return Receipt(Fate.UNKNOWN)
    return _verdict(code, text, Fate.REFUSED) or Receipt(Fate.ACCEPTED)


def _verdict(code: int, text: bytes | str, if_refused: Fate) -> Receipt | None:
    """None where the server goes along; a receipt where it never will; raises where it may later."""
    if code // 100 == 2:  # noqa: PLR2004  # the class of success
        return None
    words = _code(code, text)
    if DAILY_LIMIT in words:
        raise Throttled(
            f"the mail account's daily limit is used up ({words})",
            retry_after=DAY,
            hint="It is tried again tomorrow",
            service=SERVICE,
        )
    if code == SIGN_IN_FIRST:
        raise SignInRefused(f"the mail server wants another sign-in ({words})", hint=REFUSED_MEND, service=SERVICE)
    if code not in PERMANENT:
        raise Unreachable(f"the mail server asks to try later ({words})", service=SERVICE)
    return Receipt(if_refused, words)


def _insist(code: int, text: bytes | str) -> None:
    """What is said of the sender concerns the account, not this message: it is never lost for that."""
    if refused := _verdict(code, text, Fate.REFUSED):
        raise Unreachable(f"the mail server refuses the sender ({refused.code})", service=SERVICE)


def _code(code: int, text: bytes | str) -> str:
    """The reply's code, with the enhanced one (RFC 3463) where it has one; nothing else of its text."""
    found = re.match(rb"[245]\.[0-9]{1,3}\.[0-9]{1,3}", text if isinstance(text, bytes) else text.encode())
    return f"{code} {found[0].decode()}" if found else str(code)


def _trust() -> "SSLContext":
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

"""The post office: SMTP with STARTTLS and AUTH, and every way a mail can fail.

The protocol itself is aiosmtpd's, so that our client meets a server that was not written by us.
"""

import asyncio
import ssl
from collections.abc import Callable
from datetime import datetime

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from smartcharge.world.faults import Trouble
from smartcharge.world.house import House
from smartcharge.world.visits import Mail

Note = Callable[[str, str, int], None]
"""Remembers one event: SMTP verb, whom it concerns, status told."""

AUTH_FAULTS = {
    "auth-535": "535 5.7.8 Username and Password not accepted",
    "auth-454": "454 4.7.0 Too many login attempts, please try again later",
}
RCPT_FAULTS = {
    "rcpt-450": "450 4.2.1 The user is receiving mail at a rate that prevents delivery",
    "rcpt-550": "550 5.1.1 The email account does not exist",
}


class _Busy(asyncio.Protocol):
    """Says 421 for a greeting and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 Service not available, try again later\r\n")
            transport.close()


class PostOffice:
    """Accepts mails of the house's sender into `mails`."""

    name = "mail"

    def __init__(self, house: House, trouble: Trouble, clock: Callable[[], datetime], note: Note) -> None:
        self.mails: list[Mail] = []
        self._house = house
        self._trouble = trouble
        self._clock = clock
        self._note = note

    def connection(self, tls: ssl.SSLContext, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """Make the protocol for one connection."""
        if self._trouble.strikes(self.name, "greeting-421"):
            self._note("GREETING", "", 421)
            return _Busy()
        has_tls = self._trouble.strikes(self.name, "no-starttls") is None
        return SMTP(
            self,
            hostname="localhost",
            ident="pretend post office",
            tls_context=tls if has_tls else None,
            require_starttls=has_tls,
            auth_required=True,
            authenticator=self._authenticated,
            loop=loop,
        )

    def _authenticated(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, auth_data: object
    ) -> AuthResult:
        user = auth_data.login.decode("utf-8", "replace") if isinstance(auth_data, LoginPassword) else ""
        told = self._auth_refusal(auth_data)
        self._note("AUTH", user, int(told[:3]) if told else 235)
        # A refusal marked as handled would leave the client waiting for its answer.
        return AuthResult(success=False, handled=False, message=told) if told else AuthResult(success=True)

    def _auth_refusal(self, auth_data: object) -> str | None:
        if trouble := self._trouble.strikes(self.name, "|".join(AUTH_FAULTS)):
            return AUTH_FAULTS[trouble.kind]
        right = LoginPassword(self._house.mail_user.encode(), self._house.mail_password.encode())
        return None if auth_data == right else AUTH_FAULTS["auth-535"]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if trouble := self._trouble.strikes(self.name, "|".join(RCPT_FAULTS)):
            told = RCPT_FAULTS[trouble.kind]
            self._note("RCPT", address, int(told[:3]))
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take a mail, refuse it, or take it and be gone before saying so."""
        if self._trouble.strikes(self.name, "data-550"):
            self._note("DATA", "", 550)
            return "550 5.7.1 Message rejected"
        self.mails.append(Mail(self._clock(), tuple(envelope.rcpt_tos), bytes(envelope.original_content or b"")))
        if self._trouble.strikes(self.name, "cut-after-dot"):
            self._note("DATA", "", 0)
            transport = server.transport
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        else:
            self._note("DATA", "", 250)
        return "250 OK"

"""What the simulator remembers of its visitors: requests and accepted mails."""

import asyncio
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from smartcharge.simulator.faults import ActiveFaults
from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.http_messages import (
    Delivery,
    HttpReply,
    HttpRequest,
    encode_reply,
    html_reply,
    read_request,
    send_quick_ack,
)


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request that reached the simulator.

    service: kraken, kraken-auth, myenergi, tesla, tesla-auth or mail.
    operation: what was asked, in the service's words: root fields, CGI name, Tesla command, SMTP verb.
    status: HTTP or SMTP status sent; 0 where none was (hung, cut).  host: by name, "" for mail.
    value: the setting that a command to Tesla asks for.
    """

    at: datetime
    service: str
    method: str
    path: str
    operation: str
    status: int
    host: str = ""
    value: object = None


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One mail the simulator accepted, byte for byte as it came."""

    at: datetime
    recipients: tuple[str, ...]
    raw: bytes


DRIP_INTERVAL_S = 0.5
PADDING_CHUNK = b"x" * 65_536

RequestHandler = Callable[[HttpRequest], HttpReply]
"""Answers a request; synchronous, because the simulator has nothing to wait for."""


class ProxyServer:
    """Serves the named hosts, refuses and remembers all others, so that nothing leaves the loopback.

    refused: the hosts that were asked for in vain.  drip_s: real seconds between the bytes of a drip.
    """

    def __init__(self, tls: ssl.SSLContext, hosts: dict[str, RequestHandler]) -> None:
        self.refused: list[str] = []
        self.drip_interval_s = DRIP_INTERVAL_S
        self._tls = tls
        self._hosts = hosts
        self._connections: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        """Cut every session; each then ends by itself."""
        for writer in self._connections:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one client from CONNECT to its leaving."""
        self._connections.add(writer)
        # A client may leave at any moment, in mid-handshake too; that is its right and no news.
        with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            if host := await self._accept_connect(reader, writer):
                await writer.start_tls(self._tls)
                send_quick_ack(writer)
                await self._serve_requests(reader, writer, host)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
        self._connections.discard(writer)

    async def _accept_connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        request = await read_request(reader, writer, "")
        if request is None:
            return None
        host = request.path.rpartition(":")[0] if request.method == "CONNECT" else request.headers.get("host", "")
        if request.method == "CONNECT" and host in self._hosts:
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            return host
        self.refused.append(host)
        writer.write(encode_reply(html_reply(403, "Not in this simulator")))
        await writer.drain()
        return None

    async def _serve_requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        while (request := await read_request(reader, writer, host)) is not None:
            reply = self._hosts[host](request)
            if reply.delivery is Delivery.DROP:
                writer.transport.abort()
                return
            if reply.delivery is Delivery.HANG:
                await reader.read()  # until the client loses wait
                return
            await self._send_reply(writer, reply)

    async def _send_reply(self, writer: asyncio.StreamWriter, reply: HttpReply) -> None:
        encoded = encode_reply(replace(reply, delivery=Delivery.WHOLE))
        if reply.delivery is Delivery.WHOLE:
            writer.write(encoded)
            await writer.drain()
            await _send_padding(writer, reply.padding_bytes)
            return
        for index in range(len(encoded)):
            writer.write(encoded[index : index + 1])
            await writer.drain()
            await asyncio.sleep(self.drip_interval_s)


async def _send_padding(writer: asyncio.StreamWriter, count: int) -> None:
    """Send so many bytes, in chunks and only as fast as the client reads."""
    for start in range(0, count, len(PADDING_CHUNK)):
        writer.write(PADDING_CHUNK[: count - start])
        await writer.drain()


SmtpEventRecorder = Callable[[str, str, int], None]
"""Remembers one event: SMTP verb, whom it concerns, status told."""

AUTH_REPLIES = {
    "auth-535": "535 5.7.8 Username and Password not accepted",
    "auth-454": "454 4.7.0 Too many login attempts, please try again later",
}
RCPT_REPLIES = {
    "rcpt-450": "450 4.2.1 The user is receiving mail at a rate that prevents delivery",
    "rcpt-550": "550 5.1.1 The email account does not exist",
}


class _BusyProtocol(asyncio.Protocol):
    """Says 421 for a greeting and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.write(b"421 4.3.2 Service not available, try again later\r\n")
            transport.close()


class MailServer:
    """Accepts mails of the house's sender into `mails`."""

    name = "mail"

    def __init__(
        self,
        house: SimulatedHouse,
        active_faults: ActiveFaults,
        clock: Callable[[], datetime],
        record_event: SmtpEventRecorder,
    ) -> None:
        self.mails: list[ReceivedMail] = []
        self._house = house
        self._active_faults = active_faults
        self._clock = clock
        self._record_event = record_event

    def connection(self, tls: ssl.SSLContext, loop: asyncio.AbstractEventLoop) -> asyncio.BaseProtocol:
        """Make the protocol for one connection."""
        if self._active_faults.trigger(self.name, "greeting-421"):
            self._record_event("GREETING", "", 421)
            return _BusyProtocol()
        has_tls = self._active_faults.trigger(self.name, "no-starttls") is None
        return SMTP(
            self,
            hostname="localhost",
            ident="simulated mail server",
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
        reply = self._auth_refusal(auth_data)
        self._record_event("AUTH", user, int(reply[:3]) if reply else 235)
        # A refusal marked as handled would leave the client waiting for its answer.
        return AuthResult(success=False, handled=False, message=reply) if reply else AuthResult(success=True)

    def _auth_refusal(self, auth_data: object) -> str | None:
        if active_faults := self._active_faults.trigger(self.name, "|".join(AUTH_REPLIES)):
            return AUTH_REPLIES[active_faults.kind]
        right = LoginPassword(self._house.mail_user.encode(), self._house.mail_password.encode())
        return None if auth_data == right else AUTH_REPLIES["auth-535"]

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        if active_faults := self._active_faults.trigger(self.name, "|".join(RCPT_REPLIES)):
            reply = RCPT_REPLIES[active_faults.kind]
            self._record_event("RCPT", address, int(reply[:3]))
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take a mail, refuse it, or take it and be gone before saying so."""
        if self._active_faults.trigger(self.name, "data-550"):
            self._record_event("DATA", "", 550)
            return "550 5.7.1 Message rejected"
        self.mails.append(
            ReceivedMail(self._clock(), tuple(envelope.rcpt_tos), bytes(envelope.original_content or b""))
        )
        if self._active_faults.trigger(self.name, "cut-after-dot"):
            self._record_event("DATA", "", 0)
            transport = server.transport
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        else:
            self._record_event("DATA", "", 250)
        return "250 OK"


LOOPBACK_ADDRESS = "127.0.0.1"
SHUTDOWN_TIMEOUT_S = 1.0


def create_tls_context(hosts: tuple[str, ...], ca_file: Path) -> ssl.SSLContext:
    """Make a throw-away certificate authority, write it down, and let it vouch for these hosts and loopback."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*hosts, "localhost", LOOPBACK_ADDRESS).configure_cert(context)
    context.num_tickets = 0
    return context


class ServerThread:
    """The proxy and the mail server, served between `start` and `stop`."""

    def __init__(self, proxy_server: ProxyServer, post: MailServer, tls: ssl.SSLContext) -> None:
        self._door = proxy_server
        self._post = post
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._servers: list[asyncio.Server] = []

    @property
    def proxy_port(self) -> int:
        """The proxy's port."""
        return self._port(0)

    @property
    def smtp_port(self) -> int:
        """The mail server's port."""
        return self._port(1)

    def _port(self, place: int) -> int:
        port: int = self._servers[place].sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Open both on ports of the kernel's choice."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def stop(self) -> None:
        """Cut every session, and return when the thread has ended."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        def connection() -> asyncio.BaseProtocol:
            return self._post.connection(self._tls, self._loop)

        self._servers = [
            await asyncio.start_server(self._door.serve, LOOPBACK_ADDRESS, 0),
            await self._loop.create_server(connection, LOOPBACK_ADDRESS, 0),
        ]

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        self._door.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            _, waiting = await asyncio.wait(others, timeout=SHUTDOWN_TIMEOUT_S)
            for task in waiting:  # a mail client that never said QUIT
                task.cancel()

"""A mail server that does as it is told at every step, over real TLS on loopback; it remembers what it heard."""

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import trustme

CUT_REPLY, STALL_REPLY = "cut", "stall"
"""Instead of a reply: hang up, or say nothing until the client loses wait."""
DEFAULT_REPLIES = {
    "connect": "220 localhost ready",
    "EHLO": "250-localhost\r\n250-STARTTLS\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 2.7.0 accepted",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "dot": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}
LONGEST_SECONDS = 300
"""That a client is waited for; each of them is less patient."""
EHLO_WITHOUT_STARTTLS = "250-localhost\r\n250 8BITMIME"


def create_tls_files(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's context for these names, and the file of the authority that vouches for it."""
    authority = trustme.CA()
    file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context, file


@dataclass
class ScriptedMailServer:
    """The server. script: replies by step, in place of the usual ones; implicit: TLS from the start.

    reached: every step that was answered, or not. heard: every command line, without what follows AUTH; that is
    in secrets. mails: the messages, with their dots unstuffed. before_stalling: is called when a step stalls.
    """

    context: ssl.SSLContext
    script: dict[str, str] = field(default_factory=dict)
    implicit: bool = False
    reached: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    before_stalling: Callable[[], object] = lambda: None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self._done.set()
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while not self._done.is_set():
            link, _ = self._listener.accept()
            if self._done.is_set():
                link.close()
                return
            link.settimeout(LONGEST_SECONDS)
            with ExitStack() as links, suppress(OSError):
                links.callback(link.close)
                self._converse(self._secured(link, links) if self.implicit else link, links)

    def _secured(self, link: socket.socket, links: ExitStack) -> socket.socket:
        secured = self.context.wrap_socket(link, server_side=True, do_handshake_on_connect=False)
        links.callback(secured.close)
        secured.do_handshake()
        return secured

    def _converse(self, link: socket.socket, links: ExitStack) -> None:
        if not self._say(link, "connect"):
            return
        while line := _read_line(link):
            verb, _, rest = line.decode().strip().partition(" ")
            verb = verb.upper()
            self.heard.append(verb if verb == "AUTH" else f"{verb} {rest}".strip())
            if verb == "AUTH":
                self.secrets.append(rest)
            if not self._say(link, verb):
                return
            if verb == "STARTTLS":
                link = self._secured(link, links)
            if verb == "DATA" and self._reply("DATA").startswith("354"):
                self.mails.append(_read_mail(link))
                if not self._say(link, "dot"):
                    return

    def _reply(self, step: str) -> str:
        return self.script.get(step, self.script.get(step.lower())) or DEFAULT_REPLIES.get(step, "502 what?")

    def _say(self, link: socket.socket, step: str) -> bool:
        reply = self._reply(step)
        self.reached.append(step)
        if reply == STALL_REPLY:
            self.before_stalling()
            link.recv(1)  # until the client has gone
        if reply in {CUT_REPLY, STALL_REPLY}:
            return False
        link.sendall(f"{reply}\r\n".encode())
        return True


def _read_line(link: socket.socket) -> bytes:
    line = b""
    while not line.endswith(b"\n"):
        octet = link.recv(1)
        if not octet:
            return b""
        line += octet
    return line


def _read_mail(link: socket.socket) -> bytes:
    mail = b""
    while not mail.endswith(b"\r\n.\r\n"):
        octets = link.recv(4096)
        if not octets:
            raise ConnectionError("the client left in mid-mail")
        mail += octets
    return mail.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")

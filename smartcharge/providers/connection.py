"""Connections that do not depend on the first address of a host, nor on a name server that answers.

Where IPv6 is broken, or one server of several is dead, packets to the first address vanish, and the libraries wait
there for the whole of their time-out, once for each such address and each connection.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from errno import EINPROGRESS
from ipaddress import ip_address
from itertools import chain, zip_longest
from selectors import EVENT_WRITE, DefaultSelector
from typing import Any

ATTEMPT_DELAY_SECONDS = 0.25
"""How long one address has before the next is tried beside it (RFC 8305, section 5)."""
DEFAULT_CONNECT_SECONDS = 10.0

AddressInfo = tuple[int, int, int, str, Any]
"""One item of `socket.getaddrinfo`: family, type, protocol, canonical name, address."""
SocketOptions = Sequence[tuple[int, int, int | bytes]]


def use_happy_eyeballs() -> None:
    """Let every library in this process connect with `connect`: smtplib, http.client, httpcore; urllib3 if loaded.

    httpx does so by itself where it is asynchronous. May be called again, after another library was imported.
    """
    for name in ("socket", "urllib3.util.connection"):
        if module := sys.modules.get(name):
            module.create_connection = connect  # type: ignore[attr-defined]


def connect(
    address: tuple[str, int],
    timeout: object = None,
    source_address: tuple[str, int] | None = None,
    socket_options: SocketOptions | None = None,
    *,
    all_errors: bool = False,  # noqa: ARG001  # of the function that this one stands in for
) -> socket.socket:
    """Connect to whichever address of a host answers first (RFC 8305, "Happy Eyeballs").

    timeout: seconds for the look-up of the name and all addresses together, and later for each operation of the socket;
    where it is no number, the default of sockets. Raises `OSError`.
    """
    host, port = address
    seconds = timeout if isinstance(timeout, int | float) else socket.getdefaulttimeout()
    ends_at = time.monotonic() + (DEFAULT_CONNECT_SECONDS if seconds is None else seconds)
    found = look_up(host.strip("[]"), port, ends_at)
    connected = _Race(interleave_families(found), source_address, socket_options or ()).run(ends_at)
    connected.settimeout(seconds)
    return connected


def look_up(host: str, port: int, ends_at: float) -> Sequence[AddressInfo]:
    """Look up the addresses of a host in a thread, which no signal interrupts but which need not be waited for.

    ends_at: on the monotonic clock. Raises `TimeoutError`, or what the resolver raises.
    """
    answers: list[Sequence[AddressInfo] | Exception] = []
    is_done = threading.Event()

    def ask() -> None:
        try:
            answers.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, MemoryError) as failure:
            answers.append(failure)
        finally:
            is_done.set()

    with suppress(ValueError):
        ip_address(host)
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    threading.Thread(target=ask, name=f"look-up of {host}", daemon=True).start()
    if not is_done.wait(max(ends_at - time.monotonic(), 0)):
        raise TimeoutError("the look-up of a name timed out")
    answer = answers[0] if answers else OSError("the look-up of a name failed")
    if isinstance(answer, Exception):
        raise answer
    return answer


def interleave_families(found: Sequence[AddressInfo]) -> list[AddressInfo]:
    """Let the families (IPv6, IPv4) take turns, beginning with the system's first choice (RFC 8305, section 4)."""
    families = list(dict.fromkeys(item[0] for item in found))
    columns = [[item for item in found if item[0] == family] for family in families]
    return [item for item in chain.from_iterable(zip_longest(*columns)) if item is not None]


class _Race:
    """Attempts to connect to one host, started one after the other and under way beside each other."""

    def __init__(
        self, found: Sequence[AddressInfo], source_address: tuple[str, int] | None, options: SocketOptions
    ) -> None:
        self._waiting = list(found)
        self._source_address = source_address
        self._options = options
        self._selector = DefaultSelector()
        self._failures: list[OSError] = []

    def run(self, ends_at: float) -> socket.socket:
        """Give the first socket that is connected; close all others."""
        with ExitStack() as stack:
            stack.callback(self._close)
            next_at = now = time.monotonic()
            while self._waiting or self._selector.get_map():
                if now >= ends_at:
                    raise TimeoutError("timed out")
                if self._waiting and (now >= next_at or not self._selector.get_map()):
                    self._start(self._waiting.pop(0))
                    next_at = now + ATTEMPT_DELAY_SECONDS
                until = min(next_at, ends_at) if self._waiting else ends_at
                for winner in self._connected(max(until - time.monotonic(), 0)):
                    return winner
                now = time.monotonic()
        raise self._failures[0] if self._failures else OSError("the host has no address")

    def _start(self, info: AddressInfo) -> None:
        family, kind, protocol, _, address = info
        try:
            attempt = socket.socket(family, kind, protocol)
        except OSError as failure:  # a family that this system does not have
            self._failures.append(failure)
            return
        self._selector.register(attempt, EVENT_WRITE)
        try:
            for option in self._options:
                attempt.setsockopt(*option)
            if self._source_address:
                attempt.bind(self._source_address)
            attempt.setblocking(False)  # noqa: FBT003
            if (code := attempt.connect_ex(address)) not in {0, EINPROGRESS}:
                raise OSError(code, "could not connect")  # noqa: TRY301
        except OSError as failure:
            self._fail(attempt, failure)

    def _connected(self, seconds: float) -> Iterator[socket.socket]:
        if not self._selector.get_map():
            return
        for key, _ in self._selector.select(seconds):
            attempt: Any = key.fileobj
            if code := attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self._fail(attempt, OSError(code, "could not connect"))
                continue
            self._selector.unregister(attempt)
            yield attempt

    def _fail(self, attempt: socket.socket, failure: OSError) -> None:
        self._failures.append(failure)
        self._selector.unregister(attempt)
        attempt.close()

    def _close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

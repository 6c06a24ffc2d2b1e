"""A host whose first addresses swallow every packet, or whose name nobody looks up, costs moments and not the run."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from hostile_server import http_head, serve_bytes
from scripted_mail_server import create_tls_files

from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import UnreachableError
from smartcharge.providers.connection import AddressInfo, connect, interleave_families, use_happy_eyeballs
from smartcharge.providers.http import limit_http_libraries
from smartcharge.providers.smtp import SmtpMailer

DEAD_ADDRESSES = 8
"""More than fit into the limit one after the other, with any library's time-out of seconds."""
LIMIT_SECONDS = 30.0
HOST = "localhost"


@pytest.fixture
def black_hole() -> Iterator[tuple[str, int]]:
    """A port whose queue is full, so that the kernel drops whatever else is sent to connect."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.2", 0))
        server.listen(0)
        for _ in range(3):
            filler = stack.enter_context(closing(socket.socket()))
            filler.settimeout(0)
            filler.connect_ex(server.getsockname())
        yield server.getsockname()


@pytest.fixture
def lame_name(monkeypatch: pytest.MonkeyPatch, black_hole: tuple[str, int]) -> None:
    """The name of this machine leads to black holes first."""
    real = socket.getaddrinfo

    def getaddrinfo(host: str | bytes, port: int, *given: int, **named: int) -> list[AddressInfo]:
        found: list[AddressInfo] = list(real("127.0.0.1", port, type=socket.SOCK_STREAM))
        is_named = host in {HOST, HOST.encode()}
        dead: list[AddressInfo] = [(*found[0][:4], black_hole)] * DEAD_ADDRESSES
        return [*dead, *found] if is_named else list(real(host, port, *given, **named))

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for this machine that everybody trusts."""
    context, file = create_tls_files(tmp_path, HOST)
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(file))
    return context


@pytest.mark.usefixtures("lame_name")
def test_requests_reaches_a_host_behind_dead_addresses(tls: ssl.SSLContext) -> None:
    import requests  # noqa: PLC0415

    limit_http_libraries()
    with serve_bytes(lambda: [http_head("Content-Length: 0")], tls) as port, time_limit(LIMIT_SECONDS):
        answer = requests.get(f"https://{HOST}:{port}/x", timeout=5)
    assert answer.status_code == 200


@pytest.mark.usefixtures("lame_name")
def test_httpx_reaches_a_host_behind_dead_addresses(tls: ssl.SSLContext) -> None:
    import httpx  # noqa: PLC0415  # as the libraries that use it

    limit_http_libraries()
    with serve_bytes(lambda: [http_head("Content-Length: 0")], tls) as port, time_limit(LIMIT_SECONDS):
        answer = httpx.get(f"https://{HOST}:{port}/x", timeout=5, verify=ssl.create_default_context())
    assert answer.status_code == 200


@pytest.mark.usefixtures("lame_name")
def test_asynchronous_httpx_reaches_a_host_behind_dead_addresses(tls: ssl.SSLContext) -> None:
    import asyncio  # noqa: PLC0415

    import httpx  # noqa: PLC0415

    async def ask(port: int) -> int:
        async with httpx.AsyncClient(verify=ssl.create_default_context(), timeout=5) as client:
            return (await client.get(f"https://{HOST}:{port}/x")).status_code

    with serve_bytes(lambda: [http_head("Content-Length: 0")], tls) as port, time_limit(LIMIT_SECONDS):
        assert asyncio.run(ask(port)) == 200


@pytest.mark.usefixtures("lame_name")
def test_mail_reaches_a_host_behind_dead_addresses() -> None:
    """The server is reached, and speaks; that it offers no encryption is another matter."""
    lines = [b"220 ready\r\n", b"250 hello\r\n"]
    with serve_bytes(lambda: lines, first=True) as port, time_limit(LIMIT_SECONDS):
        mailer = SmtpMailer(host=HOST, port=port, user="a@example.com", password="x")
        with pytest.raises(UnreachableError, match="no encryption"):
            mailer.check()


def test_a_host_of_dead_addresses_alone_is_given_up_in_time(lame_name: None, black_hole: tuple[str, int]) -> None:
    with pytest.raises(TimeoutError), time_limit(LIMIT_SECONDS):
        connect(black_hole, 0.3)
    assert lame_name is None


def test_a_refusal_is_told_when_every_address_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        connect(address, 5)


def test_a_look_up_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_named: let_go.wait())

    with pytest.raises(TimeoutError):
        connect(("a.name", 443), 0.05)
    with pytest.raises(DeadlineExceeded), time_limit(0.05):
        connect(("a.name", 443), 600)
    let_go.set()


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "no such name"), UnicodeError("a name that is none")])
def test_what_the_resolver_raises_is_raised(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def getaddrinfo(*_given: object, **_named: object) -> object:
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with pytest.raises(type(failure)):
        connect(("a.name", 443), 5)


def test_the_families_take_turns() -> None:
    four, six = socket.AF_INET, socket.AF_INET6
    found = [(family, 1, 6, "", (str(n), 443)) for n, family in enumerate((six, six, six, four, four))]

    assert [item[4][0] for item in interleave_families(found)] == ["0", "3", "1", "4", "2"]


def test_every_library_connects_so() -> None:
    import urllib3.util.connection  # noqa: PLC0415  # loaded by requests

    use_happy_eyeballs()

    assert socket.create_connection is connect
    assert urllib3.util.connection.create_connection is connect

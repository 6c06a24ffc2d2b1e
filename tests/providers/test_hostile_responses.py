"""Answers without end, packed to burst, or cut into impossible pieces: each is refused soon, and fills no memory."""

import gzip
import importlib
import ssl
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from fake_kraken import ACCOUNT_NUMBER, EMAIL, NOW, authorization_header
from hostile_server import MEBIBYTE, ByteChunks, http_head, make_compressed_bomb, repeat_forever, serve_bytes
from scripted_mail_server import create_tls_files
from zappi_hub import ACTIVE_SERVER, SetHubReply, make_charger, read_error

from smartcharge.deadline import limit_memory, time_limit
from smartcharge.errors import ThrottledError, UnreachableError
from smartcharge.providers.healthchecks import ping_healthcheck
from smartcharge.providers.http import limit_http_libraries
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.auth import KrakenTokenFile, StoredSignIn
from smartcharge.providers.myenergi import MAX_HUB_RESPONSE_BYTES, truncate_body
from smartcharge.providers.smtp import SmtpMailer
from smartcharge.simulator.http_messages import HttpReply
from smartcharge.simulator.simulator import Simulator

BOMB = make_compressed_bomb(64)
PACKED = ("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}")
MOST_MB = 8


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A certificate for localhost that everybody trusts."""
    context, file = create_tls_files(tmp_path, "localhost")
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(file))
    return context


@contextmanager
def bounded() -> Iterator[None]:
    """Fail where the block takes more memory than any true answer could."""
    tracemalloc.start()
    try:
        yield
        peak_mb = tracemalloc.get_traced_memory()[1] / MEBIBYTE
    finally:
        tracemalloc.stop()
    assert peak_mb < MOST_MB


# -- Kraken and E.ON's sign-in, which are asked over the same wire ---------------------------------------------

ENDLESS_BODY = repeat_forever(http_head("Content-Length: 9999999999"), b"x" * MEBIBYTE)
BODIES: dict[str, tuple[ByteChunks, str]] = {
    "a body without end": (
        repeat_forever(http_head("Content-Length: 9999999999"), b"x" * MEBIBYTE),
        "larger than 4 MB",
    ),
    "chunks without end": (
        repeat_forever(http_head("Transfer-Encoding: chunked"), b"4000\r\n" + b"x" * 0x4000 + b"\r\n"),
        "larger than 4 MB",
    ),
    "a body packed to burst": (lambda: [http_head(*PACKED), BOMB], "was packed"),
    "headers without end": (repeat_forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "could not be reached"),
    "a header without end": (repeat_forever(b"HTTP/1.1 200 OK\r\nX: ", b"y" * MEBIBYTE), "could not be reached"),
    "a chunk of less than nothing": (
        lambda: [http_head("Transfer-Encoding: chunked"), b"-5\r\n{}\r\n"],
        "could not be",
    ),
    "a body of less than nothing": (
        lambda: [http_head("Content-Length: -5"), b"{}"],
        "no ID token|could not be reached|was empty",
    ),
}
"""The last is read until the server hangs up, which may arrive in order or as a reset."""


@pytest.mark.parametrize(("pieces", "words"), BODIES.values(), ids=BODIES)
def test_a_supplier_s_hostile_answer_is_refused_soon(
    tls: ssl.SSLContext, tmp_path: Path, pieces: ByteChunks, words: str
) -> None:
    with serve_bytes(pieces, tls) as port:
        account = KrakenAccount(
            "eon-next", ACCOUNT_NUMBER, tmp_path / ".kraken.json", EMAIL, auth_url=f"https://localhost:{port}"
        )
        kept = StoredSignIn("auth0", "eon-next", EMAIL, "old", NOW, "refresh-token-of-the-house")
        KrakenTokenFile(account.token_file).write(kept)
        with bounded(), pytest.raises(UnreachableError, match=words):
            authorization_header(account)


# -- myenergi -----------------------------------------------------------------------------------------------


async def without_end() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 10_000


@pytest.mark.parametrize("status", [200, 401, 503])
def test_of_a_body_without_end_the_beginning_is_read(status: int) -> None:
    async def read() -> httpx.Response:
        answer = httpx.Response(status, content=without_end(), headers={"Content-Encoding": "gzip"})
        await truncate_body(answer)
        await answer.aread()
        return answer

    import asyncio  # noqa: PLC0415

    answer = asyncio.run(read())

    assert answer.status_code == status
    assert MAX_HUB_RESPONSE_BYTES <= len(answer.content) < MAX_HUB_RESPONSE_BYTES * 2


@pytest.mark.parametrize("status", [200, 401, 429, 503])
def test_what_the_hub_packs_is_not_unpacked(simulator: Simulator, scripted: SetHubReply, status: int) -> None:
    """The statuses keep their meaning, whatever the body is."""
    digest = ("WWW-Authenticate", 'Digest realm="x", nonce="y", qop="auth"')
    scripted(HttpReply(status, BOMB, (("Content-Encoding", "gzip"), digest, ("Retry-After", "30"))))

    make_charger(simulator).prepare()

    with bounded():
        trouble = read_error(simulator, host=ACTIVE_SERVER)

    assert trouble.exit_code == (5 if status == 401 else 3)
    assert not isinstance(trouble, ThrottledError) or trouble.retry_after == timedelta(seconds=30)


DEEP = {"a list": b"[" * 100_000, "a closed list": b"[" * 20_000 + b"]" * 20_000, "objects": b'{"zappi":' * 50_000}


@pytest.mark.parametrize("body", DEEP.values(), ids=DEEP)
def test_what_the_hub_nests_deeply_is_no_json(simulator: Simulator, scripted: SetHubReply, body: bytes) -> None:
    scripted(HttpReply(200, body))

    assert "not JSON" in str(read_error(simulator, host=ACTIVE_SERVER))


def test_a_serial_that_is_none_is_not_repeated(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator.myenergi.zappis[0], "serial", "\x1b[2J\ud800")

    (reading,) = make_charger(simulator).read_each(simulator.now)

    assert reading.serials == ()


@pytest.mark.parametrize("told", ["999999", "Fri, 31 Dec 9999 23:59:59 -2300", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_wait_is_longer_than_an_hour(simulator: Simulator, scripted: SetHubReply, told: str) -> None:
    scripted(HttpReply(429, b"", (("Retry-After", told),)))

    trouble = read_error(simulator)

    assert isinstance(trouble, ThrottledError)
    assert trouble.retry_after == timedelta(hours=1)


# -- the watchdog ----------------------------------------------------------------------------------------------

PINGS: dict[str, tuple[ByteChunks, bool]] = {
    "a body without end": (ENDLESS_BODY, True),
    "a body packed to burst": (lambda: [http_head(*PACKED), BOMB], True),
    "a redirection elsewhere": (lambda: [http_head("Location: http://elsewhere.example/", status=302)], False),
    "a refusal": (lambda: [http_head("Content-Length: 0", status=404)], False),
    "headers without end": (repeat_forever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), False),
}


@pytest.mark.parametrize(("pieces", "heard"), PINGS.values(), ids=PINGS)
def test_of_a_watchdog_s_answer_only_the_status_counts(tls: ssl.SSLContext, pieces: ByteChunks, *, heard: bool) -> None:
    with serve_bytes(pieces, tls) as port, bounded():
        assert ping_healthcheck(f"https://localhost:{port}/secret", "start") is heard


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", None])
def test_a_watchdog_of_one_s_own_authority_is_trusted_where_it_is_named_and_only_there(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    for name in {"REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"} - {variable}:
        monkeypatch.delenv(name)

    with serve_bytes(lambda: [http_head("Content-Length: 0")], tls) as port:
        assert ping_healthcheck(f"https://localhost:{port}/secret", "") is (variable is not None)


# -- mail -------------------------------------------------------------------------------------------------------


def test_a_mail_server_s_reply_without_end_fills_no_memory() -> None:
    """The library keeps every line of a reply; how many there are is bounded by what the process may have."""
    line = b"250-" + b"x" * 4000 + b"\r\n"
    with serve_bytes(repeat_forever(b"220 ready\r\n", line * 100), first=True) as port, limit_memory(2**25):
        mailer = SmtpMailer(host="127.0.0.1", port=port, user="a@example.com", password="x")
        with pytest.raises(UnreachableError, match="cannot be read"), time_limit(120):
            mailer.check()


# -- the vendors' libraries, which read every answer whole ---------------------------------------------------------

LARGE_BODIES: dict[str, ByteChunks] = {
    "a body without end": ENDLESS_BODY,
    "chunks without end": BODIES["chunks without end"][0],
    "a body packed to burst": lambda: [http_head(*PACKED), BOMB],
    "a body of unknown length": repeat_forever(http_head(), b"x" * MEBIBYTE),
}


@pytest.mark.parametrize("pieces", LARGE_BODIES.values(), ids=LARGE_BODIES)
@pytest.mark.parametrize("name", ["requests", "httpx"])
def test_a_library_s_answer_is_cut_off(tls: ssl.SSLContext, name: str, pieces: ByteChunks) -> None:
    library = importlib.import_module(name)
    limit_http_libraries()
    verify = ssl.create_default_context() if name == "httpx" else None

    with (
        serve_bytes(pieces, tls) as port,
        bounded(),
        pytest.raises(library.RequestException if name == "requests" else library.HTTPError, match="larger than 4 MB"),
    ):
        library.get(f"https://localhost:{port}/", timeout=60, verify=verify)


@pytest.mark.parametrize("name", ["requests", "httpx"])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_answer_of_usual_size_is_read(tls: ssl.SSLContext, name: str, encoding: str) -> None:
    body = b'{"response": "' + b"x" * 50_000 + b'"}'
    packed = zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
    head = http_head(f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}")
    library = importlib.import_module(name)
    limit_http_libraries()
    verify = ssl.create_default_context() if name == "httpx" else None

    with serve_bytes(lambda: [head, packed], tls) as port:
        answer = library.get(f"https://localhost:{port}/", timeout=60, verify=verify)

    assert answer.content == body
    assert len(answer.json()["response"]) == 50_000


TESLA = """
import sys
from datetime import datetime
from pathlib import Path
from smartcharge.errors import UnreachableError
from smartcharge.providers.tesla import BatteryAddress, connect_battery
backend, folder, email, now = sys.argv[1:]
address = BatteryAddress(backend=backend, auth_folder=Path(folder), account_email=email)
try:
    with connect_battery(address, datetime.fromisoformat(now)):
        pass
except UnreachableError as trouble:
    print(trouble)
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)
"""
LARGE_ANSWERS = {
    "packed": (make_compressed_bomb(160), ("Content-Encoding", "gzip")),
    "plain": (b" " * 100 * MEBIBYTE, ("X", "x")),
}
MOST_RESIDENT_MB = 120
"""The program with its libraries takes some 90."""


@pytest.mark.parametrize(("body", "header"), LARGE_ANSWERS.values(), ids=LARGE_ANSWERS)
@pytest.mark.parametrize("backend", ["cloud", "fleetapi"])
def test_what_tesla_answers_beyond_the_limit_ends_the_session_and_fills_no_memory(
    simulator: Simulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    backend: str,
    body: bytes,
    header: tuple[str, str],
) -> None:
    reply = HttpReply(200, body, (header, ("Content-Type", "application/json")))
    for server in (simulator.tesla, simulator.fleet):
        monkeypatch.setattr(server, "answer", lambda _asked, _now: reply)
    simulator.sign_in_to_tesla(tmp_path, backend)

    command = [
        sys.executable,
        "-c",
        TESLA,
        backend,
        str(tmp_path),
        simulator.house.tesla_email,
        simulator.now.isoformat(),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    said, peak_mb = ended.stdout.splitlines()
    assert "Tesla" in said
    assert int(peak_mb) < MOST_RESIDENT_MB
    assert ended.stderr == ""

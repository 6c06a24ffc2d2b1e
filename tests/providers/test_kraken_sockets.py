"""What only real sockets, processes and signals show: locks, private authorities, and tokens that stay whole."""

import contextlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme
from controlled_time_limit import Share
from fake_kraken import ACCOUNT_NUMBER, EMAIL, NOW, authorization_header, make_jwt

from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import UnreachableError
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.auth import KrakenTokenFile, StoredSignIn

PATIENCE_SECONDS = 120.0
"""For what comes in a moment, unless something is broken."""


class Exchange(BaseHTTPRequestHandler):
    """A sign-in service that takes its time: think is what it does before it answers."""

    seen: list[dict[str, str]]
    think: Callable[[], object] = staticmethod(lambda: None)
    status = 200

    def do_POST(self) -> None:
        """Rotate the token."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.seen.append({"body": body, "authorization": self.headers.get("Authorization", "")})
        self.think()
        answer = json.dumps(
            {"id_token": make_jwt(id=len(self.seen)), "refresh_token": f"next-{len(self.seen)}"}
        ).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Location", "/elsewhere")
        with contextlib.suppress(ConnectionError):  # whoever asked may be dead by now
            self.end_headers()
            self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(
    authority: trustme.CA | None = None, *, think: Callable[[], object] = lambda: None, status: int = 200
) -> Iterator[tuple[str, list[dict[str, str]]]]:
    seen: list[dict[str, str]] = []
    handler = type("Handler", (Exchange,), {"seen": seen, "think": staticmethod(think), "status": status})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert("localhost").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        scheme, name = ("https", "localhost") if authority else ("http", "127.0.0.1")
        try:
            yield f"{scheme}://{name}:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def account(tmp_path: Path) -> KrakenAccount:
    found = KrakenAccount("eon-next", ACCOUNT_NUMBER, tmp_path / ".kraken.json", EMAIL)
    ends = NOW + timedelta(minutes=4)
    KrakenTokenFile(found.token_file).write(
        StoredSignIn("auth0", "eon-next", EMAIL, make_jwt(), ends, "first-refresh-token")
    )
    return found


RUN = """
import sys
from datetime import datetime
from pathlib import Path
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.auth import KrakenAuth
from smartcharge.providers.http import HttpClient
url, token_file, now = sys.argv[1:]
account = KrakenAccount("eon-next", "A-1", Path(token_file), auth_url=url)
with HttpClient(datetime.fromisoformat(now), "Kraken") as wire:
    KrakenAuth(account, wire).authorization()
"""


def test_runs_at_the_same_moment_refresh_exactly_once(account: KrakenAccount) -> None:
    with serving(think=partial(time.sleep, 0.6)) as (url, seen):
        command = [sys.executable, "-c", RUN, url, str(account.token_file), NOW.isoformat()]
        runs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(4)]
        outcomes = [(run.wait(PATIENCE_SECONDS), (run.stderr or sys.stdin).read()) for run in runs]
        for run in runs:
            assert run.stderr is not None
            run.stderr.close()

    assert outcomes == [(0, b"")] * 4
    assert len(seen) == 1
    assert json.loads(account.token_file.read_text())["refresh_token"] == "next-1"


def test_a_run_killed_while_it_waits_leaves_the_sign_in_as_it_was(account: KrakenAccount) -> None:
    before = account.token_file.read_text()
    is_asked, is_dead = threading.Event(), threading.Event()

    def think() -> None:
        is_asked.set()
        is_dead.wait(PATIENCE_SECONDS)

    with serving(think=think) as (url, _):
        run = subprocess.Popen([sys.executable, "-c", RUN, url, str(account.token_file), NOW.isoformat()])
        was_asked = is_asked.wait(PATIENCE_SECONDS)
        run.kill()
        run.wait()
        is_dead.set()

    assert was_asked

    assert json.loads(account.token_file.read_text()) == json.loads(before)
    with KrakenTokenFile(account.token_file).exclusive_lock() as kept:
        assert kept is not None


def test_a_full_disk_is_told_before_a_single_use_token_is_spent(account: KrakenAccount) -> None:
    with serving() as (url, seen):
        full = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        command = [sys.executable, "-c", full + RUN, url, str(account.token_file), NOW.isoformat()]
        run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "ConfigurationError" in run.stderr
    assert "cannot be written" in run.stderr
    assert seen == []
    assert json.loads(account.token_file.read_text())["refresh_token"] == "first-refresh-token"


def test_the_budgets_alarm_waits_until_a_token_is_on_disk(
    account: KrakenAccount, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync, is_over = os.fsync, threading.Event()

    def sync_too_long(handle: int) -> None:
        share.use_up()
        sync(handle)

    monkeypatch.setattr(os, "fsync", sync_too_long)
    bystander = threading.Thread(target=is_over.wait)  # a signal that is merely blocked here goes there
    bystander.start()

    with pytest.raises(DeadlineExceeded), time_limit(share.ROOMY_SECONDS):
        KrakenTokenFile(account.token_file).write(StoredSignIn("auth0", "eon-next", refresh_token="next-refresh-token"))

    is_over.set()
    bystander.join()
    assert json.loads(account.token_file.read_text())["refresh_token"] == "next-refresh-token"


def test_a_budget_that_is_used_up_ends_the_wait_for_an_answer(account: KrakenAccount, share: Share) -> None:
    is_over = threading.Event()

    def think() -> None:
        share.use_up()
        is_over.wait(PATIENCE_SECONDS)

    with serving(think=think) as (url, seen):
        with pytest.raises(DeadlineExceeded), time_limit(share.ROOMY_SECONDS):
            authorization_header(replace(account, auth_url=url))
        is_over.set()

    assert len(seen) == 1


def test_a_lock_that_another_run_holds_for_long_is_told(
    account: KrakenAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartcharge.providers.kraken.auth.TOKEN_LOCK_TIMEOUT_SECONDS", 0.1)

    with KrakenTokenFile(account.token_file).exclusive_lock(), pytest.raises(UnreachableError, match="another run"):
        authorization_header(account)


def test_a_redirection_is_not_followed(account: KrakenAccount) -> None:
    with serving(status=307) as (url, seen), pytest.raises(UnreachableError, match="HTTP 307"):
        authorization_header(replace(account, auth_url=url))

    assert len(seen) == 1


def test_a_netrc_adds_nothing(account: KrakenAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))

    with serving() as (url, seen):
        authorization_header(replace(account, auth_url=url))

    assert seen[0]["authorization"] == ""


AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@pytest.mark.parametrize("variable", [None, *AUTHORITIES])
def test_a_private_authority_is_trusted_where_it_is_named_and_only_there(
    account: KrakenAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str | None
) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in AUTHORITIES:
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "ca.pem"))

    with serving(authority) as (url, seen):
        here = replace(account, auth_url=url)
        if variable:
            authorization_header(here)
        else:
            with pytest.raises(UnreachableError, match="SSLError"):
                authorization_header(here)

    assert len(seen) == (1 if variable else 0)


def test_an_authority_file_that_is_missing_is_no_reason_to_trust_everybody(
    account: KrakenAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")

    with pytest.raises(UnreachableError):
        authorization_header(replace(account, auth_url="https://localhost:1"))


def test_naming_the_adapter_does_not_import_requests() -> None:
    code = "import sys, smartcharge.providers.kraken; print('requests' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)

    assert found.stdout == "False\n"

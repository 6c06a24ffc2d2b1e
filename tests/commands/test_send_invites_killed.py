"""Runs that are killed, or come in pairs: processes of their own, a scripted mail server, and always one event."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ics_linter import check_mail
from scripted_mail_server import STALL_REPLY, ScriptedMailServer, create_tls_files

import smartcharge
from smartcharge.policy.model import Dispatch, Hold, Reason, RegisteredDevice
from smartcharge.policy.plan import PlanChanges
from smartcharge.store.control import set_hold
from smartcharge.store.database import open_store, transaction
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes
from smartcharge.store.outbox import OutboxCounts, count_outbox

ONE = datetime(2026, 12, 9, 13, 0, 2, tzinfo=UTC)
PATIENCE_SECONDS = 120.0
"""For what comes in a moment, unless something is broken."""
RUN_AT = f"""
import sys
from datetime import datetime
from smartcharge import deadline
from smartcharge.providers import smtp
from smartcharge.cli import run_cli as main
deadline.MAIL_LIMIT_SECONDS = deadline.COMMAND_LIMIT_SECONDS = {PATIENCE_SECONDS}
deadline.HARD_LIMIT_SECONDS = 180.0
smtp.SMTP_TIMEOUT_SECONDS = {PATIENCE_SECONDS}
sys.exit(main(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1])))
"""
"""A command line at a moment, by somebody who waits for a silent server longer than any other run takes here."""
HOME = Path(smartcharge.__file__).parent.parent
CONFIG = """
eon_next: {{email: owner@example.com, password: "not a real one", import_account: A-12345678}}
myenergi: {{hub_serial: "12345678", api_key: not-a-real-one}}
database: {{path: smartcharge.db}}
gcal: {{smtp_user: house@example.com, smtp_pass: "abcd efgh ijkl mnop", invite_to: family@example.com,
        smtp_host: localhost, smtp_port: {port}}}
"""


class Post:
    """A house that charges since one o'clock, and the mail server it posts to."""

    def __init__(self, folder: Path, served: ScriptedMailServer, authority: Path) -> None:
        self.folder, self.served = folder, served
        self._environment = {**os.environ, "PYTHONPATH": str(HOME), "SSL_CERT_FILE": str(authority)}
        (folder / "config.yaml").write_text(CONFIG.format(port=served.port))
        (folder / "config.yaml").chmod(0o600)
        window = Dispatch(ONE.replace(second=0), ONE.replace(second=0) + timedelta(hours=3), 21.6)
        with closing(open_store(folder / "smartcharge.db")) as db, transaction(db):
            record_devices(db, [RegisteredDevice("car", watched=True)])
            record_plan_fetch(db, "car", ONE, ok=True)
            apply_plan_changes(db, "car", PlanChanges(new=(window,)), ONE)
            set_hold(db, Hold(window.starts_at + timedelta(minutes=30)), Reason.CHARGING_IN_WINDOW, ONE)

    def start(self, minutes: int = 0) -> "subprocess.Popen[str]":
        """A run, some minutes after one."""
        at = (ONE + timedelta(minutes=minutes)).isoformat()
        command = [sys.executable, "-c", RUN_AT, at, "--config", str(self.folder / "config.yaml"), "send-invites"]
        return subprocess.Popen(
            command, env=self._environment, cwd="/", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, minutes: int = 0) -> tuple[int, str, str]:
        """A run to its end: exit code and words."""
        with self.start(minutes) as child:
            out, err = child.communicate(timeout=PATIENCE_SECONDS)
            return child.returncode, out, err

    def wait_for(self, step: str) -> None:
        """Until the server has heard this step."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while step not in self.served.reached:
            assert time.monotonic() < deadline, self.served.reached
            time.sleep(0.02)

    def counts(self) -> OutboxCounts:
        with closing(open_store(self.folder / "smartcharge.db", read_only=True)) as db:
            return count_outbox(db)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    context, authority = create_tls_files(tmp_path, "localhost")
    with ScriptedMailServer(context) as served:
        yield Post(tmp_path, served, authority)


@pytest.mark.parametrize("step", ["connect", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "dot"])
def test_killed_anywhere_the_next_run_posts_the_same_mail(post: Post, step: str) -> None:
    post.served.script[step] = STALL_REPLY
    with post.start() as child:
        post.wait_for(step)
        child.kill()
    before = list(post.served.mails)
    post.served.script.clear()

    assert post.run(1) == (0, "invite sent: Wed 13:00-16:00\n", "")
    assert len(before) == (step == "dot")
    assert len({*post.served.mails}) == 1
    assert check_mail(post.served.mails[-1]).sequence == 0
    assert post.counts() == OutboxCounts(sent=1)
    assert post.run(2) == (0, "", "")


def test_of_two_runs_at_once_one_posts_and_the_other_goes_home(post: Post) -> None:
    post.served.script["dot"] = STALL_REPLY
    with post.start() as first:
        post.wait_for("dot")
        connections = post.served.reached.count("connect")
        assert post.run() == (0, "", "")
        assert post.served.reached.count("connect") == connections
        first.kill()


def test_two_runs_that_start_together_post_one_mail(post: Post) -> None:
    with post.start() as one, post.start() as other:
        codes = {child.wait(PATIENCE_SECONDS) for child in (one, other)}

    assert codes == {0}
    assert len(post.served.mails) == 1
    assert post.counts() == OutboxCounts(sent=1)

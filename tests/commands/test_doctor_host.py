"""What the doctor finds on the host around the program: who holds a lock, and what starts it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from doctor_case import Patient, healthy
from town_case import Town

from smartcharge.act.doctor import crontabs, locks

HOLD = """
import fcntl, sqlite3, sys
lock, database = sys.argv[1:]
file = open(lock, "w")
fcntl.flock(file, fcntl.LOCK_EX)
db = sqlite3.connect(database, isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("SELECT COUNT(*) FROM holds").fetchall()
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def patient(town: Town, monkeypatch: pytest.MonkeyPatch) -> Patient:
    """A healthy house on a host whose crontabs are none of the test's business."""
    monkeypatch.setattr(crontabs, "SYSTEM_TABLES", ())
    monkeypatch.setattr(crontabs, "UNITS", ())
    monkeypatch.setenv("PATH", str(town.folder))
    return healthy(town)


@pytest.fixture
def stuck(patient: Patient) -> Iterator["subprocess.Popen[str]"]:
    """A process that keeps the lock, and the database open in write-ahead mode."""
    folder = patient.folder
    command = [sys.executable, "-c", HOLD, str(folder / "smartcharge.lock"), str(folder / "smartcharge.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.skipif(not (locks.PROC / "locks").exists(), reason="this system tells nothing of its locks")
def test_who_holds_a_lock_for_long_is_named_with_the_mend(
    patient: Patient, stuck: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert patient.visit("--offline").verdicts("locks") == {"ok"}

    monkeypatch.setattr(locks, "LONG", timedelta(0))
    visit = patient.visit("--offline")

    assert f"process {stuck.pid} (python" in visit.told("locks", "held")
    assert f"`kill {stuck.pid}`" in visit.told("locks", "held")
    assert f"process {stuck.pid} (python" in visit.told("locks", "database")
    assert visit.verdicts("locks") == visit.verdicts("database", "mode") == {"warning"}
    assert visit.exit_code == 0


def test_a_lock_nobody_holds_is_none(tmp_path: Path) -> None:
    (tmp_path / "smartcharge.lock").touch()

    assert locks.holders(tmp_path / "smartcharge.lock") == locks.holders(tmp_path / "nothing") == ()


OURS = "* * * * * /opt/smartcharge/bin/smartcharge --config {config} tick"
THEIRS = """
# {ours}
* * * * * /opt/smartcharge/bin/smartcharge --config /elsewhere/config.yaml tick
* * * * * /opt/smartcharge/bin/smartcharge --config {config} send-invites
"""


def with_crontab(folder: Path, text: str) -> None:
    says = f'#!/bin/sh\n[ "$1" = -l ] && while read -r line; do echo "$line"; done <<\'END\'\n{text}\nEND\n'
    executable(folder / "crontab", says)


def executable(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def with_table(folder: Path, text: str) -> None:
    (folder / "tables").mkdir()
    (folder / "tables" / "house").write_text(text.replace("* * * * *", "* * * * * pi"))


def with_timer(folder: Path, text: str) -> None:
    (folder / "units").mkdir()
    (folder / "units" / "house.timer").write_text("[Timer]\n")
    (folder / "units" / "house.service").write_text(f"[Service]\nExecStart={text.removeprefix('* * * * * ')}\n")


PLACES: dict[str, tuple[Callable[[Path, str], None], str]] = {
    "a crontab of one's own": (with_crontab, "this user's crontab should start it"),
    "a table of the system's": (with_table, "/tables/house should start it"),
    "a timer of systemd's": (with_timer, "/units/house.timer should start it"),
}


@pytest.mark.parametrize(("write", "words"), PLACES.values(), ids=PLACES)
def test_what_starts_a_silent_installation_is_found(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, str], None], words: str
) -> None:
    folder, later = patient.folder, patient.now + timedelta(hours=2)
    monkeypatch.setattr(crontabs, "SYSTEM_TABLES", (folder / "tables",))
    monkeypatch.setattr(crontabs, "UNITS", (folder / "units",))
    ours = OURS.format(config=folder / "config.yaml")
    missing = "no crontab and no systemd timer that this user can read starts it"
    assert missing in patient.visit("--offline", at=later).told("runs", "cron")

    write(folder, ours)

    assert words in patient.visit("--offline", at=later).told("runs", "cron")


def test_a_line_that_is_another_house_s_or_brings_no_battery_back_is_none(patient: Patient) -> None:
    config = patient.folder / "config.yaml"
    with_crontab(patient.folder, THEIRS.format(ours=OURS.format(config=config), config=config))

    assert crontabs.told(config).startswith("no crontab")


def test_a_crontab_that_hangs_is_not_waited_for(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crontabs, "PATIENCE_SECONDS", 0.1)
    executable(patient.folder / "crontab", f"#!{sys.executable}\nimport time\ntime.sleep(20)\n")

    assert crontabs.told(patient.folder / "config.yaml").startswith("no crontab")


def test_while_runs_leave_signs_nobody_looks_for_crontabs(patient: Patient) -> None:
    executable(patient.folder / "crontab", f"#!/bin/sh\n: > {patient.folder / 'asked'}\n")

    visit = patient.visit("--offline", at=patient.now + timedelta(minutes=2))

    assert visit.told("runs", "cron").startswith("Kraken was asked 2 min ago, so cron is firing |")
    assert not (patient.folder / "asked").exists()

"""What the doctor finds on the host around the program: who holds a lock, and what starts it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from doctor_installation import DoctorInstallation, healthy_installation
from simulation import Simulation

from smartcharge.doctor import host, installation
from smartcharge.doctor.host import PROC_FOLDER, find_lock_holders
from smartcharge.doctor.installation import describe_schedule

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
def doctor_installation(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> DoctorInstallation:
    """A healthy house on a host whose crontabs are none of the test's business."""
    monkeypatch.setattr(installation, "SYSTEM_CRONTABS", ())
    monkeypatch.setattr(installation, "SYSTEMD_UNIT_FOLDERS", ())
    monkeypatch.setenv("PATH", str(simulation.folder))
    return healthy_installation(simulation)


@pytest.fixture
def stuck(doctor_installation: DoctorInstallation) -> Iterator["subprocess.Popen[str]"]:
    """A process that keeps the lock, and the database open in write-ahead mode."""
    folder = doctor_installation.folder
    command = [sys.executable, "-c", HOLD, str(folder / "smartcharge.lock"), str(folder / "smartcharge.db")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


@pytest.mark.skipif(not (PROC_FOLDER / "locks").exists(), reason="this system tells nothing of its locks")
def test_who_holds_a_lock_for_long_is_named_with_the_mend(
    doctor_installation: DoctorInstallation, stuck: "subprocess.Popen[str]", monkeypatch: pytest.MonkeyPatch
) -> None:
    assert doctor_installation.visit("--offline").verdicts("locks") == {"ok"}

    monkeypatch.setattr(host, "LONG_LOCK_AGE", timedelta(0))
    visit = doctor_installation.visit("--offline")

    assert f"process {stuck.pid} (python" in visit.told("locks", "held")
    assert f"`kill {stuck.pid}`" in visit.told("locks", "held")
    assert f"process {stuck.pid} (python" in visit.told("locks", "database")
    assert visit.verdicts("locks") == visit.verdicts("database", "mode") == {"warning"}
    assert visit.exit_code == 0


def test_a_lock_nobody_holds_is_none(tmp_path: Path) -> None:
    (tmp_path / "smartcharge.lock").touch()

    assert find_lock_holders(tmp_path / "smartcharge.lock") == find_lock_holders(tmp_path / "nothing") == ()


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
    "a crontab of one's own": (with_crontab, "this user's crontab should start smartcharge"),
    "a table of the system's": (with_table, "/tables/house should start smartcharge"),
    "a timer of systemd's": (with_timer, "/units/house.timer should start smartcharge"),
}


@pytest.mark.parametrize(("write", "words"), PLACES.values(), ids=PLACES)
def test_what_starts_a_silent_installation_is_found(
    doctor_installation: DoctorInstallation,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path, str], None],
    words: str,
) -> None:
    folder, later = doctor_installation.folder, doctor_installation.now + timedelta(hours=2)
    monkeypatch.setattr(installation, "SYSTEM_CRONTABS", (folder / "tables",))
    monkeypatch.setattr(installation, "SYSTEMD_UNIT_FOLDERS", (folder / "units",))
    ours = OURS.format(config=folder / "config.yaml")
    missing = "no crontab or systemd timer that this user can read starts smartcharge"
    assert missing in doctor_installation.visit("--offline", at=later).told("runs", "cron")

    write(folder, ours)

    assert words in doctor_installation.visit("--offline", at=later).told("runs", "cron")


def test_a_line_that_is_another_house_s_or_brings_no_battery_back_is_none(
    doctor_installation: DoctorInstallation,
) -> None:
    config = doctor_installation.folder / "config.yaml"
    with_crontab(doctor_installation.folder, THEIRS.format(ours=OURS.format(config=config), config=config))

    assert describe_schedule(config).startswith("no crontab")


def test_a_crontab_that_hangs_is_not_waited_for(
    doctor_installation: DoctorInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "CRONTAB_TIMEOUT_SECONDS", 0.1)
    executable(doctor_installation.folder / "crontab", f"#!{sys.executable}\nimport time\ntime.sleep(20)\n")

    assert describe_schedule(doctor_installation.folder / "config.yaml").startswith("no crontab")


def test_while_runs_leave_signs_nobody_looks_for_crontabs(doctor_installation: DoctorInstallation) -> None:
    executable(doctor_installation.folder / "crontab", f"#!/bin/sh\n: > {doctor_installation.folder / 'asked'}\n")

    visit = doctor_installation.visit("--offline", at=doctor_installation.now + timedelta(minutes=2))

    assert visit.told("runs", "cron").startswith("E.ON Next was last asked 2 min ago, so cron works |")
    assert not (doctor_installation.folder / "asked").exists()

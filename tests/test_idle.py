"""An idle run is skipped only where a full run would find nothing to do; any doubt means a full run."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import smartcharge
from smartcharge.app import App
from smartcharge.config.load import load_config
from smartcharge.idle import CRON_COMMANDS, can_skip, fingerprint_path
from smartcharge.jobs import idle_forecast
from smartcharge.jobs.idle_forecast import forecast_basis, update_forecast
from smartcharge.policy.model import RegisteredDevice
from smartcharge.store.database import transaction
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal
from smartcharge.store.services import count_alert_failure, record_service_failure

NOW = datetime(2026, 11, 22, 12, 0, 2, tzinfo=UTC)
SOON = NOW + timedelta(minutes=1)
CONFIG = """
eon_next: {email: owner@example.com, password_file: password, import_account: A-12345678}
myenergi: {hub_serial: "12345678", api_key: not-a-real-one}
tesla: {account_email: owner@example.com}
gcal: {feed_path: feed.ics}
"""
CHILD = """
import os, sys
from datetime import datetime
from smartcharge import __main__
__main__.utc_now = lambda: datetime.fromisoformat(os.environ["AT"])
try:
    __main__.main()
finally:
    print("loaded", *sys.modules, file=sys.stderr)
"""


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Take every setting out of the environment."""
    for name in [name for name in os.environ if name.startswith("SMARTCHARGE_")]:
        monkeypatch.delenv(name)
    return dict(os.environ)


@pytest.fixture
def house(tmp_path: Path, environment: dict[str, str]) -> Path:
    """Make an installation whose supplier has just answered that nothing is planned, with its idle forecast."""
    (tmp_path / "password").write_text("not a real one")
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "feed.ics").write_text("")
    for name in ("password", "config.yaml"):
        (tmp_path / name).chmod(0o600)
    fetch_answer(tmp_path, environment)
    return tmp_path


def fetch_answer(
    house: Path,
    environment: dict[str, str],
    failure: Callable[[sqlite3.Connection], None] | None = None,
    meanwhile: Callable[[Path], None] = Path.exists,
    device: str = "car",
) -> None:
    """Store an answer of the supplier as a fetch does. failure: stored with it; meanwhile: done before."""
    with closing(App(load_config(house / "config.yaml", environment), NOW)) as app:
        meanwhile(house)
        based_on = forecast_basis(app) if app.db else None
        with transaction(app.db):
            record_devices(app.db, [RegisteredDevice(device, watched=True)])
            record_plan_fetch(app.db, device, NOW, ok=True)
            if failure:
                failure(app.db)
            update_forecast(app, based_on)


def is_skipped(house: Path, command: str = "reconcile", at: datetime = SOON, **more: str) -> bool:
    """Whether this installation's command would be skipped. more: variables of the environment."""
    return can_skip(["--config", str(house / "config.yaml"), command], {**os.environ, **more}, at)


def open_database(house: Path) -> sqlite3.Connection:
    """Open the database as another program would."""
    return sqlite3.connect(house / "data" / "smartcharge.db", isolation_level=None)


@pytest.mark.parametrize("command", CRON_COMMANDS)
def test_every_command_of_cron_is_skipped_while_there_is_nothing_to_do(house: Path, command: str) -> None:
    assert is_skipped(house, command)


def test_a_fetch_is_skipped_until_the_next_is_due_and_the_others_a_while_longer(house: Path) -> None:
    later = NOW + timedelta(minutes=3)
    assert [command for command in CRON_COMMANDS if is_skipped(house, command, later)] == [
        "reconcile",
        "midnight-reset",
        "send-invites",
    ]


def test_nothing_is_skipped_beyond_the_forecast(house: Path) -> None:
    assert [command for command in CRON_COMMANDS if is_skipped(house, command, NOW + timedelta(minutes=16))] == []


def test_nothing_is_skipped_by_a_clock_that_has_jumped_back(house: Path) -> None:
    assert not is_skipped(house, at=NOW - timedelta(seconds=1))


@pytest.mark.parametrize("line", ["-v reconcile", "reconcile --dry-run", "status", "--help", "reconcile reconcile", ""])
def test_any_other_command_line_than_cron_s_is_a_full_run(house: Path, line: str) -> None:
    config = ["--config", str(house / "config.yaml")]
    assert not can_skip([*config, *line.split()], os.environ, SOON)


def change_the_configuration(house: Path) -> None:
    (house / "config.yaml").write_text(f"{CONFIG}\n")


def touch_the_configuration(house: Path) -> None:
    os.utime(house / "config.yaml", ns=(1, 1))


def change_the_file_of_a_value(house: Path) -> None:
    (house / "password").write_text("not a real one!")


def delete_the_feed(house: Path) -> None:
    (house / "feed.ics").unlink()


def make_the_configuration_unreadable(house: Path) -> None:
    (house / "config.yaml").chmod(0o000)


def change_a_letter_and_restore_the_time(house: Path) -> None:
    """Change the content but not the length, and restore the time, as some copying programs do."""
    before = (house / "password").stat()
    (house / "password").write_text("not a real two")
    os.utime(house / "password", ns=(before.st_atime_ns, before.st_mtime_ns))


def change_any_row(house: Path) -> None:
    with closing(open_database(house)) as db:
        db.execute("UPDATE owner SET paused_since = NULL")
        db.execute("INSERT INTO services (service) VALUES ('mail')")


def delete_the_database(house: Path) -> None:
    (house / "data" / "smartcharge.db").unlink()


def replace_the_database(house: Path) -> None:
    (house / "data" / "smartcharge.db").write_bytes(b"x" * 4096)


def damage_the_fingerprint(house: Path) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).write_text("nonsense\n")


def truncate_the_fingerprint(house: Path) -> None:
    file = Path(fingerprint_path(str(house / "config.yaml")))
    file.write_text(file.read_text()[:-10])


def upgrade_the_program(house: Path) -> None:
    file = Path(fingerprint_path(str(house / "config.yaml")))
    file.write_text(file.read_text().replace(f"smartcharge {smartcharge.__version__}", "smartcharge 1999.1"))


CHANGES = (
    *(change_the_configuration, touch_the_configuration, change_the_file_of_a_value, delete_the_feed),
    *(make_the_configuration_unreadable, change_a_letter_and_restore_the_time),
    *(change_any_row, delete_the_database, replace_the_database),
    *(damage_the_fingerprint, truncate_the_fingerprint, upgrade_the_program),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.replace("_", " "))
def test_any_change_means_a_full_run(house: Path, change: Callable[[Path], None]) -> None:
    assert is_skipped(house)
    change(house)
    assert not is_skipped(house)


@pytest.mark.parametrize("change", [change_the_configuration, change_the_file_of_a_value])
def test_a_change_during_the_request_makes_the_forecast_void(
    house: Path, environment: dict[str, str], change: Callable[[Path], None]
) -> None:
    fetch_answer(house, environment, meanwhile=change)
    assert not is_skipped(house)
    fetch_answer(house, environment)
    assert is_skipped(house)


def test_a_damaged_fingerprint_is_written_again(house: Path, environment: dict[str, str]) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).write_bytes(b"\xff\x00")
    assert not is_skipped(house)
    fetch_answer(house, environment)
    assert is_skipped(house)


def test_a_file_name_that_is_not_text_only_costs_the_fast_path(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", os.fsdecode(b"/home/j\xf6rg"))
    fetch_answer(house, environment)
    assert not is_skipped(house)


def test_only_the_latest_answer_counts(house: Path, environment: dict[str, str]) -> None:
    fetch_answer(house, environment, device="another car")
    assert is_skipped(house)
    with closing(open_database(house)) as db:
        assert db.execute("SELECT COUNT(forecast) FROM fetches").fetchone()[0] == 1


def test_a_new_variable_of_the_environment_means_a_full_run(house: Path) -> None:
    assert not is_skipped(house, SMARTCHARGE_CONTROL_EXTENSION="false")


def test_a_variable_of_the_environment_counts_like_a_value_in_the_file(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTCHARGE_MYENERGI_API_KEY", "one-nobody-guesses")
    fetch_answer(house, environment | {"SMARTCHARGE_MYENERGI_API_KEY": "one-nobody-guesses"})
    assert is_skipped(house)
    assert not is_skipped(house, SMARTCHARGE_MYENERGI_API_KEY="another-nobody-guesses")
    assert "nobody-guesses" not in Path(fingerprint_path(str(house / "config.yaml"))).read_text(encoding="utf-8")


def test_another_home_folder_means_a_full_run(house: Path) -> None:
    assert not is_skipped(house, HOME="/nowhere")


def test_a_copied_installation_does_not_use_the_forecast_of_the_original(
    house: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy") / "house"
    shutil.copytree(house, copy)
    assert is_skipped(house)
    assert not is_skipped(copy)


def fail_a_service(db: sqlite3.Connection) -> None:
    record_service_failure(db, "zappi", NOW, "no answer", None)


def open_an_alert(db: sqlite3.Connection) -> None:
    count_alert_failure(db, "reconcile", "tesla", NOW)


@pytest.mark.parametrize("failure", [fail_a_service, open_an_alert])
def test_while_anything_fails_there_is_no_forecast(
    house: Path, environment: dict[str, str], failure: Callable[[sqlite3.Connection], None]
) -> None:
    fetch_answer(house, environment, failure)
    assert not is_skipped(house)


def test_a_read_only_folder_only_costs_the_fast_path(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).unlink()

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(path, len(content))

    monkeypatch.setattr(idle_forecast, "write_private_file", refuse)
    fetch_answer(house, environment)
    assert not is_skipped(house)


def test_a_journal_row_of_another_run_makes_the_forecast_void(house: Path, environment: dict[str, str]) -> None:
    with closing(App(load_config(house / "config.yaml", environment), NOW)) as app, transaction(app.db):
        append_journal(app.db, at=NOW, command="reconcile", outcome=Event.DECIDED)
    assert not is_skipped(house)


def test_an_idle_run_loads_no_library_and_prints_nothing(house: Path) -> None:
    package = str(Path(smartcharge.__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-c", CHILD, "tick"],
        env={**os.environ, "PYTHONPATH": package, "AT": SOON.isoformat()},
        cwd=house,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    loaded = set(ran.stderr.splitlines()[-1].split())
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (0, "", 1)
    assert {"smartcharge.idle", "sqlite3"} <= loaded
    assert not {"click", "yaml", "msgspec", "pathlib", "zoneinfo", "dataclasses", "smartcharge.cli"} & loaded

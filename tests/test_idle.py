"""An idle minute passed over: only where a full run would find nothing to do, and whatever is in doubt means a run."""

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
    """Nothing of the configuration comes from the environment."""
    for name in [name for name in os.environ if name.startswith("SMARTCHARGE_")]:
        monkeypatch.delenv(name)
    return dict(os.environ)


@pytest.fixture
def house(tmp_path: Path, environment: dict[str, str]) -> Path:
    """The supplier has just answered that nothing is planned, and it was looked ahead."""
    (tmp_path / "password").write_text("not a real one")
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "feed.ics").write_text("")
    for name in ("password", "config.yaml"):
        (tmp_path / name).chmod(0o600)
    answered(tmp_path, environment)
    return tmp_path


def answered(
    house: Path,
    environment: dict[str, str],
    trouble: Callable[[sqlite3.Connection], None] | None = None,
    meanwhile: Callable[[Path], None] = Path.exists,
    device: str = "car",
) -> None:
    """Keep an answer of the supplier as a fetch does. meanwhile: happens while the supplier is being asked."""
    with closing(App(load_config(house / "config.yaml", environment), NOW)) as app:
        meanwhile(house)
        based_on = forecast_basis(app) if app.db else None
        with transaction(app.db):
            record_devices(app.db, [RegisteredDevice(device, watched=True)])
            record_plan_fetch(app.db, device, NOW, ok=True)
            if trouble:
                trouble(app.db)
            update_forecast(app, based_on)


def quiet(house: Path, command: str = "reconcile", at: datetime = SOON, **more: str) -> bool:
    """Whether this house's command would be passed over."""
    return can_skip(["--config", str(house / "config.yaml"), command], {**os.environ, **more}, at)


def database(house: Path) -> sqlite3.Connection:
    """The database, for a stranger's hands."""
    return sqlite3.connect(house / "data" / "smartcharge.db", isolation_level=None)


@pytest.mark.parametrize("command", CRON_COMMANDS)
def test_every_command_of_cron_is_passed_over_while_nothing_is_to_be_done(house: Path, command: str) -> None:
    assert quiet(house, command)


def test_a_fetch_is_passed_over_until_the_next_is_due_and_the_others_a_while_longer(house: Path) -> None:
    later = NOW + timedelta(minutes=3)
    assert [command for command in CRON_COMMANDS if quiet(house, command, later)] == [
        "reconcile",
        "midnight-reset",
        "send-invites",
    ]


def test_nothing_is_passed_over_beyond_what_was_looked_at(house: Path) -> None:
    assert [command for command in CRON_COMMANDS if quiet(house, command, NOW + timedelta(minutes=16))] == []


def test_nothing_is_passed_over_by_a_clock_that_has_jumped_back(house: Path) -> None:
    assert not quiet(house, at=NOW - timedelta(seconds=1))


@pytest.mark.parametrize("line", ["-v reconcile", "reconcile --dry-run", "status", "--help", "reconcile reconcile", ""])
def test_who_asks_for_more_than_cron_does_gets_a_full_run(house: Path, line: str) -> None:
    config = ["--config", str(house / "config.yaml")]
    assert not can_skip([*config, *line.split()], os.environ, SOON)


def change_the_configuration(house: Path) -> None:
    (house / "config.yaml").write_text(f"{CONFIG}\n")


def touch_the_configuration(house: Path) -> None:
    os.utime(house / "config.yaml", ns=(1, 1))


def change_the_file_of_a_value(house: Path) -> None:
    (house / "password").write_text("not a real one!")


def take_the_feed_away(house: Path) -> None:
    (house / "feed.ics").unlink()


def take_the_right_to_read_away(house: Path) -> None:
    (house / "config.yaml").chmod(0o000)


def change_a_letter_in_secret(house: Path) -> None:
    """As some copying programs do: the same length, in the same place, and the time put back."""
    before = (house / "password").stat()
    (house / "password").write_text("not a real two")
    os.utime(house / "password", ns=(before.st_atime_ns, before.st_mtime_ns))


def change_any_row(house: Path) -> None:
    with closing(database(house)) as db:
        db.execute("UPDATE owner SET paused_since = NULL")
        db.execute("INSERT INTO services (service) VALUES ('mail')")


def take_the_database_away(house: Path) -> None:
    (house / "data" / "smartcharge.db").unlink()


def put_another_database_there(house: Path) -> None:
    (house / "data" / "smartcharge.db").write_bytes(b"x" * 4096)


def spoil_the_note(house: Path) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).write_text("nonsense\n")


def cut_the_note_short(house: Path) -> None:
    note = Path(fingerprint_path(str(house / "config.yaml")))
    note.write_text(note.read_text()[:-10])


def upgrade_the_program(house: Path) -> None:
    note = Path(fingerprint_path(str(house / "config.yaml")))
    note.write_text(note.read_text().replace(f"smartcharge {smartcharge.__version__}", "smartcharge 1999.1"))


CHANGES = (
    *(change_the_configuration, touch_the_configuration, change_the_file_of_a_value, take_the_feed_away),
    *(take_the_right_to_read_away, change_a_letter_in_secret),
    *(change_any_row, take_the_database_away, put_another_database_there),
    *(spoil_the_note, cut_the_note_short, upgrade_the_program),
)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.replace("_", " "))
def test_whatever_changes_means_a_full_run(house: Path, change: Callable[[Path], None]) -> None:
    assert quiet(house)
    change(house)
    assert not quiet(house)


@pytest.mark.parametrize("change", [change_the_configuration, change_the_file_of_a_value])
def test_what_changes_while_the_supplier_is_asked_was_not_looked_ahead_with(
    house: Path, environment: dict[str, str], change: Callable[[Path], None]
) -> None:
    answered(house, environment, meanwhile=change)
    assert not quiet(house)
    answered(house, environment)
    assert quiet(house)


def test_a_spoilt_note_is_written_anew(house: Path, environment: dict[str, str]) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).write_bytes(b"\xff\x00")
    assert not quiet(house)
    answered(house, environment)
    assert quiet(house)


def test_a_name_that_is_no_text_costs_the_short_way_and_nothing_else(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", os.fsdecode(b"/home/j\xf6rg"))
    answered(house, environment)
    assert not quiet(house)


def test_only_the_latest_answer_counts(house: Path, environment: dict[str, str]) -> None:
    answered(house, environment, device="another car")
    assert quiet(house)
    with closing(database(house)) as db:
        assert db.execute("SELECT COUNT(foreseen) FROM fetches").fetchone()[0] == 1


def test_a_value_that_appears_in_the_environment_means_a_full_run(house: Path) -> None:
    assert not quiet(house, SMARTCHARGE_CONTROL_EXTENSION="false")


def test_a_value_in_the_environment_is_as_good_as_one_in_the_file_until_it_changes(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMARTCHARGE_MYENERGI_API_KEY", "one-nobody-guesses")
    answered(house, environment | {"SMARTCHARGE_MYENERGI_API_KEY": "one-nobody-guesses"})
    assert quiet(house)
    assert not quiet(house, SMARTCHARGE_MYENERGI_API_KEY="another-nobody-guesses")
    assert "nobody-guesses" not in Path(fingerprint_path(str(house / "config.yaml"))).read_text(encoding="utf-8")


def test_another_home_folder_means_a_full_run(house: Path) -> None:
    assert not quiet(house, HOME="/nowhere")


def test_a_copied_installation_does_not_live_by_the_other_one_s_memory(
    house: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("copy") / "house"
    shutil.copytree(house, copy)
    assert quiet(house)
    assert not quiet(copy)


def trouble_with_a_service(db: sqlite3.Connection) -> None:
    record_service_failure(db, "zappi", NOW, "no answer", None)


def an_open_episode(db: sqlite3.Connection) -> None:
    count_alert_failure(db, "reconcile", "tesla", NOW)


@pytest.mark.parametrize("trouble", [trouble_with_a_service, an_open_episode])
def test_while_there_is_trouble_nothing_is_foreseen(
    house: Path, environment: dict[str, str], trouble: Callable[[sqlite3.Connection], None]
) -> None:
    answered(house, environment, trouble)
    assert not quiet(house)


def test_a_folder_that_may_not_be_written_costs_the_short_way_and_nothing_else(
    house: Path, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(fingerprint_path(str(house / "config.yaml"))).unlink()

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(path, len(content))

    monkeypatch.setattr(idle_forecast, "write_private_file", refuse)
    answered(house, environment)
    assert not quiet(house)


def test_a_journal_row_of_another_run_ends_the_quiet(house: Path, environment: dict[str, str]) -> None:
    with closing(App(load_config(house / "config.yaml", environment), NOW)) as app, transaction(app.db):
        append_journal(app.db, at=NOW, command="reconcile", outcome="decided")
    assert not quiet(house)


def test_an_idle_minute_loads_no_library_and_says_nothing(house: Path) -> None:
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

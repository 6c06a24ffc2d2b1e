"""What a command imports and touches: an idle run costs next to nothing, and wears out no memory card."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import smartcharge
from smartcharge.policy.battery import BatteryMemory, BatterySettings
from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, Hold, Reason, RegisteredDevice
from smartcharge.policy.plan import PlanChanges
from smartcharge.store.control import save_battery_memory, set_hold
from smartcharge.store.database import open_store, transaction
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes
from smartcharge.store.hold_file import HoldFile, write_hold_file
from smartcharge.store.readings import record_charger_reading

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DATABASE = "data/smartcharge.db"
NOW = NOON + timedelta(minutes=70, seconds=2)
CHILD = """
import sys
before = set(sys.modules)
from datetime import datetime
from smartcharge.cli import run_cli
code = run_cli(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1]))
print("loaded", *sorted(set(sys.modules) - before), file=sys.stderr)
sys.exit(code)
"""
LIBRARIES = (
    *("requests", "urllib3", "httpx", "httpcore", "h2", "pypowerwall", "pymyenergi", "pycognito", "boto3", "botocore"),
    *("cryptography", "icalendar", "sqlite_utils", "jinja2", "graphql", "trustme", "aiosmtpd", "yaml", "msgspec"),
)
STANDARD = ("asyncio", "ssl", "smtplib", "email", "http", "logging", "unittest", "concurrent", "multiprocessing", "csv")
PROVIDERS = tuple(f"smartcharge.providers.{name}" for name in ("kraken", "myenergi", "tesla", "smtp", "ical"))
OURS = (*PROVIDERS, "smartcharge.simulator", "smartcharge.store.migrations")
HEAVY = (*LIBRARIES, *STANDARD, *OURS, "sqlite3", "smartcharge.app", "smartcharge.commands")
"""Watched; by `ALLOWED` an idle run may load a few of them, and --help none."""
ALLOWED = {"msgspec", "smartcharge.commands", "smartcharge.app", "sqlite3", "yaml"}
CONFIG = """
eon_next: {email: owner@example.com, password: "not a real one", import_account: A-12345678}
myenergi: {hub_serial: "12345678", api_key: not-a-real-one}
tesla: {account_email: owner@example.com}
"""
INVITES = """
gcal: {smtp_user: owner@example.com, smtp_pass: "abcd efgh ijkl mnop"}
"""


def store_recent_answer(house: Path) -> None:
    """Store that nothing is planned, as answered a minute ago; with a mail account."""
    write_config(house, CONFIG + INVITES)
    with closing(open_store(house / DATABASE)) as db, transaction(db):
        record_devices(db, [RegisteredDevice("car", watched=True)])
        record_plan_fetch(db, "car", NOW - timedelta(minutes=1), ok=True)


def store_confirmed_hold(house: Path) -> None:
    """Store that the car charges in a slot and the battery is confirmed to be held; the car was asked a moment ago."""
    store_recent_answer(house)
    write_config(house, CONFIG)
    window = Dispatch(NOON + timedelta(hours=1), NOON + timedelta(hours=2), 7.0)
    with closing(open_store(house / DATABASE)) as db, transaction(db):
        apply_plan_changes(db, "car", PlanChanges(new=(window,)), NOON)
        set_hold(db, Hold(NOON + timedelta(minutes=90)), Reason.CHARGING_IN_WINDOW, NOW - timedelta(minutes=5))
        record_charger_reading(db, ChargerReading(ChargerState.CHARGING, NOW - timedelta(seconds=30), 7200))
        held = BatteryMemory(
            owned_since=NOON,
            owns_mode=True,
            owns_reserve=True,
            settings_before=BatterySettings("autonomous", 20),
            confirmed_mode="backup",
            confirmed_reserve_pct=100,
        )
        save_battery_memory(db, held)
    file = HoldFile(backend="cloud", until=NOON + timedelta(minutes=90), written_at=NOW - timedelta(minutes=5))
    write_hold_file((house / DATABASE).parent, file)


def check_empty_folder(house: Path) -> None:
    """Make sure that there is neither a configuration nor a database."""
    assert not list(house.iterdir())


def write_config(house: Path, text: str) -> None:
    """Write a configuration, readable by its owner only."""
    (house / "config.yaml").write_text(text, encoding="utf-8")
    (house / "config.yaml").chmod(0o600)


State = Callable[[Path], None]
IDLE: dict[str, tuple[State, str, set[str]]] = {
    "help": (check_empty_folder, "--help", set()),
    "the version": (check_empty_folder, "--version", set()),
    "status": (store_recent_answer, "status", ALLOWED),
    "status for programs": (store_confirmed_hold, "status --json", ALLOWED),
    "history": (store_recent_answer, "history", {*ALLOWED, "csv"}),
    "metrics": (store_confirmed_hold, "metrics", ALLOWED),
    "a fetch that is not due": (store_recent_answer, "fetch-dispatches", ALLOWED),
    "a reconcile with nothing planned": (store_recent_answer, "reconcile", ALLOWED),
    "a reconcile during a confirmed hold": (store_confirmed_hold, "reconcile", ALLOWED),
    "a midnight reset by day": (store_recent_answer, "midnight-reset", ALLOWED),
    "invites where none waits": (store_recent_answer, "send-invites", ALLOWED),
    "a tick with nothing planned": (store_recent_answer, "tick", ALLOWED),
    "a tick during a confirmed hold": (store_confirmed_hold, "tick", ALLOWED),
}
TICKS = [name for name in IDLE if "tick" in name]


def run(house: Path, command: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own, which prints at its end what it loaded."""
    package = str(Path(smartcharge.__file__).parent.parent)
    quiet = {"PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1", "HTTPS_PROXY": "http://127.0.0.1:9"}
    child = [*before, sys.executable, "-c", CHILD, NOW.isoformat(), "--config", str(house / "config.yaml")]
    return subprocess.run(
        [*child, *command.split()],
        env={**os.environ, **quiet},
        cwd=house,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def loaded(ran: subprocess.CompletedProcess[str]) -> set[str]:
    """Which of the watched modules a process loaded."""
    names = ran.stderr.splitlines()[-1].split()
    assert names[0] == "loaded", ran.stderr
    return {heavy for heavy in HEAVY for name in names if name == heavy or name.startswith(f"{heavy}.")}


@pytest.mark.parametrize(("prepare", "command", "allowed"), IDLE.values(), ids=IDLE)
def test_an_idle_run_loads_nothing_heavy(tmp_path: Path, prepare: State, command: str, allowed: set[str]) -> None:
    prepare(tmp_path)
    ran = run(tmp_path, command)
    assert ran.returncode == 0, ran.stderr
    assert sorted(loaded(ran) - allowed) == []


def test_a_fetch_loads_what_kraken_needs_and_no_more(tmp_path: Path) -> None:
    store_recent_answer(tmp_path)
    ran = run(tmp_path, "fetch-dispatches --now")
    assert ran.returncode == 3, ran.stderr
    assert {"requests", "smartcharge.providers.kraken"} <= loaded(ran)
    assert not {"pypowerwall", "pymyenergi", "httpx", "icalendar", "asyncio"} & loaded(ran)


def strace_works() -> bool:
    """Whether system calls can be watched here; containers often forbid it."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False)
    return tried.returncode == 0


@pytest.mark.skipif(not strace_works(), reason="strace is not here, or not permitted")
@pytest.mark.parametrize("name", TICKS)
def test_an_idle_tick_writes_no_file_and_opens_no_socket(tmp_path: Path, name: str) -> None:
    IDLE[name][0](tmp_path)
    trace = tmp_path / "trace"
    ran = run(tmp_path, "tick", before=("strace", "-f", "-e", "trace=%file,%network", "-o", str(trace)))
    calls = trace.read_text(encoding="utf-8", errors="replace")
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    assert re.search(r'open(at)?\(.*"[^"]*/smartcharge\.db", O_RDONLY', calls)
    assert re.findall(r".*O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND).*", calls) == []
    assert (
        re.findall(r".* (?:socket|connect|mkdir|rename|unlink|chmod|truncate|link|symlink)(?:at2?)?\(.*", calls) == []
    )

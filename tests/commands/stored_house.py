"""A house that remembers what a test has written down for it; nobody outside is asked anything."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smartcharge.cli import run_cli
from smartcharge.config.load import load_config
from smartcharge.policy.battery import BatteryMemory, BatterySettings
from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, Hold, Reason, RegisteredDevice
from smartcharge.policy.plan import PlanChanges
from smartcharge.report.snapshot import SIGN_IN_FINGERPRINTS
from smartcharge.simulator.scenario_runner import CommandResult
from smartcharge.store.control import mark_hold_confirmed, save_battery_memory, set_hold
from smartcharge.store.database import StoreConnection, open_store, transaction
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal
from smartcharge.store.readings import record_battery_level, record_charger_reading
from smartcharge.store.services import record_sign_in_refusal

NOW = datetime(2026, 12, 9, 13, 6, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONFIG_TEXT = """
eon_next: {email: owner@example.com, password: "a word to hide", import_account: A-12345678}
myenergi: {hub_serial: "12345678", api_key: not-a-real-one}
tesla: {account_email: owner@example.com}
gcal: {smtp_user: sender@example.com, smtp_pass: "abcd efgh ijkl mnop"}
database: {path: smartcharge.db}
"""


def record_refused_sign_in(db: StoreConnection, service: str, at: datetime) -> None:
    """Let a service have refused the sign-in that is configured."""
    config = load_config(db.path.parent / "config.yaml", {})
    record_sign_in_refusal(db, service, at, SIGN_IN_FINGERPRINTS[service](config), "said no")


class TerminalOutput(io.StringIO):
    """A standard output that somebody looks at."""

    def isatty(self) -> bool:
        return True


@dataclass
class StoredHouse:
    """The house's folder, and commands run at 13:06 on a Wednesday, or at another moment."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "smartcharge.db"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def configure(self, text: str = CONFIG_TEXT) -> None:
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)

    @contextmanager
    def writing(self) -> Iterator[StoreConnection]:
        with closing(open_store(self.database)) as db, transaction(db):
            yield db

    def run(self, *arguments: str, at: datetime = NOW, out: io.StringIO | None = None) -> CommandResult:
        told, err = out or io.StringIO(), io.StringIO()
        with redirect_stdout(told), redirect_stderr(err):
            code = run_cli(["--config", str(self.config), *arguments], clock=lambda: at)
        return CommandResult(code, told.getvalue(), err.getvalue())


def make_stored_house(folder: Path) -> StoredHouse:
    """A house whose supplier has answered a minute ago, with nothing planned."""
    memory = StoredHouse(folder)
    memory.configure()
    with memory.writing() as db:
        record_devices(db, [RegisteredDevice("car", watched=True)])
        record_plan_fetch(db, "car", NOW - MINUTE, ok=True)
    return memory


def store_planned_window(db: StoreConnection, starts_at: datetime = NOW - 6 * MINUTE, hours: float = 1.5) -> None:
    """A window is planned; it is open unless another start is given."""
    window = Dispatch(starts_at.replace(second=0), starts_at.replace(second=0) + timedelta(hours=hours), 10.8)
    apply_plan_changes(db, "car", PlanChanges(new=(window,)), NOW - 60 * MINUTE)


def store_charger_reading(db: StoreConnection, state: ChargerState, watts: float | None = None) -> None:
    """The charger was asked a minute ago."""
    record_charger_reading(db, ChargerReading(state, NOW - MINUTE, watts, why="as the test says"))


def store_open_hold(
    db: StoreConnection, *, confirmed: bool = True, mode: str = "backup", reserve_pct: int = 100
) -> None:
    """A hold until 13:30 stands, and the battery has confirmed it, or not."""
    store_planned_window(db)
    store_charger_reading(db, ChargerState.CHARGING, 7200)
    record_battery_level(db, NOW - MINUTE, 50.0)
    set_hold(db, Hold(NOW.replace(minute=30, second=0)), Reason.CHARGING_IN_WINDOW, NOW - MINUTE)
    save_battery_memory(
        db,
        BatteryMemory(
            owned_since=NOW - MINUTE,
            owns_mode=True,
            owns_reserve=True,
            settings_before=BatterySettings("autonomous", 20),
            confirmed_mode=mode if confirmed else None,
            confirmed_reserve_pct=reserve_pct if confirmed else None,
            in_doubt_since=None if confirmed else NOW - MINUTE,
        ),
    )
    if confirmed:
        mark_hold_confirmed(db, NOW - MINUTE)
        store_journal_entry(
            db,
            "reconcile",
            "confirmed",
            "charging from the grid (Backup Reserve 100 %) until 13:30",
            reason=Reason.CHARGING_IN_WINDOW,
        )


def store_journal_entry(
    db: StoreConnection,
    command: str,
    outcome: str,
    detail: EventDetail | str | None = None,
    *,
    error: str | None = None,
    reason: Reason | None = None,
    at: datetime = NOW - MINUTE,
) -> None:
    """An entry of the journal."""
    append_journal(db, at=at, command=command, outcome=Event(outcome), detail=detail, error=error, reason=reason)

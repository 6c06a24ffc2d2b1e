"""A house that remembers what a test has written down for it; nobody outside is asked anything."""

import io
from collections.abc import Iterator
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from smartcharge.act.show.overview import SIGN_INS
from smartcharge.cli import main
from smartcharge.config import load_config
from smartcharge.core.answers import ChargerReading, Device, Dispatch
from smartcharge.core.dispatches import Changes
from smartcharge.core.model import Because, ChargerState, Hold
from smartcharge.core.stance import BatteryMemory, Stance
from smartcharge.store import battery, dispatches, fetches, holds, journal, open_store, readings, services, transaction
from smartcharge.store.border import Connection
from smartcharge.world.player import Outcome

NOW = datetime(2026, 12, 9, 13, 6, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CONFIG = """
eon_next: {email: owner@example.com, password: "a word to hide", import_account: A-12345678}
myenergi: {hub_serial: "12345678", api_key: not-a-real-one}
tesla: {account_email: owner@example.com}
gcal: {smtp_user: sender@example.com, smtp_pass: "abcd efgh ijkl mnop"}
database: {path: smartcharge.db}
"""


def refuse(db: Connection, service: str, at: datetime) -> None:
    """Let a service have refused the sign-in that is configured."""
    config = load_config(db.path.parent / "config.yaml", {})
    services.refused(db, service, at, SIGN_INS[service](config), "said no")


class Terminal(io.StringIO):
    """A standard output that somebody looks at."""

    def isatty(self) -> bool:
        return True


@dataclass
class Memory:
    """The house's folder, and commands run at 13:06 on a Wednesday, or at another moment."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "smartcharge.db"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def configure(self, text: str = CONFIG) -> None:
        self.config.write_text(text, encoding="utf-8")
        self.config.chmod(0o600)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with closing(open_store(self.database)) as db, transaction(db):
            yield db

    def run(self, *arguments: str, at: datetime = NOW, out: io.StringIO | None = None) -> Outcome:
        told, err = out or io.StringIO(), io.StringIO()
        with redirect_stdout(told), redirect_stderr(err):
            code = main(["--config", str(self.config), *arguments], clock=lambda: at)
        return Outcome(code, told.getvalue(), err.getvalue())


def remembered(folder: Path) -> Memory:
    """A house whose supplier has answered a minute ago, with nothing planned."""
    memory = Memory(folder)
    memory.configure()
    with memory.writing() as db:
        fetches.record_devices(db, [Device("car", watched=True)])
        fetches.record_answer(db, "car", NOW - MINUTE, ok=True)
    return memory


def planned(db: Connection, starts_at: datetime = NOW - 6 * MINUTE, hours: float = 1.5) -> None:
    """A window is planned; it is open unless another start is given."""
    window = Dispatch(starts_at.replace(second=0), starts_at.replace(second=0) + timedelta(hours=hours), 10.8)
    dispatches.apply(db, "car", Changes(new=(window,)), NOW - 60 * MINUTE)


def car(db: Connection, state: ChargerState, watts: float | None = None) -> None:
    """The charger was asked a minute ago."""
    readings.record_charger(db, ChargerReading(state, NOW - MINUTE, watts, why="as the test says"))


def held(db: Connection, *, confirmed: bool = True, mode: str = "backup", reserve_pct: int = 100) -> None:
    """A hold until 13:30 stands, and the battery has confirmed it, or not."""
    planned(db)
    car(db, ChargerState.CHARGING, 7200)
    readings.record_battery(db, NOW - MINUTE, 50.0)
    holds.change(db, Hold(NOW.replace(minute=30, second=0)), Because.CHARGING_IN_WINDOW, NOW - MINUTE)
    battery.save(
        db,
        BatteryMemory(
            owned_since=NOW - MINUTE,
            owns_mode=True,
            owns_reserve=True,
            before=Stance("autonomous", 20),
            confirmed_mode=mode if confirmed else None,
            confirmed_reserve_pct=reserve_pct if confirmed else None,
            in_doubt_since=None if confirmed else NOW - MINUTE,
        ),
    )
    if confirmed:
        noted(db, "reconcile", "confirmed", "backup, reserve 100 % until 13:30", because=Because.CHARGING_IN_WINDOW)


def noted(
    db: Connection,
    command: str,
    outcome: str,
    detail: str | None = None,
    *,
    error: str | None = None,
    because: Because | None = None,
    at: datetime = NOW - MINUTE,
) -> None:
    """An entry of the journal."""
    journal.append(db, at=at, command=command, outcome=outcome, detail=detail, error=error, because=because)

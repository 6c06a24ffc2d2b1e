"""Houses to measure in: one simulator that serves them all, and each house in the state that a case needs.

The processes measured go by the real clock, so the cheap period of these houses lies half a day away.
"""

import io
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from smartcharge.cli import run_cli
from smartcharge.commands.demo import override_environment
from smartcharge.idle import fingerprint_path
from smartcharge.policy.model import ChargerReading, ChargerState
from smartcharge.simulator import kraken_account
from smartcharge.simulator.scenario_runner import write_simulator_config
from smartcharge.simulator.simulator import Simulator
from smartcharge.store.database import open_store, transaction
from smartcharge.store.readings import record_charger_reading

DATABASE = "smartcharge.db"
HALF_HOUR = timedelta(minutes=30)
NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"
"""With it every start would compile the program anew, which no house does."""


class BenchHouse:
    """A folder with a configuration, tokens and a database, and the simulator around it."""

    def __init__(self, folder: Path, simulator: Simulator) -> None:
        folder.mkdir()
        self.folder, self.simulator = folder, simulator
        self.config = write_simulator_config(folder, simulator)
        settings = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        noon = (datetime.now(UTC) + timedelta(hours=12)).astimezone()
        night = [f"{noon:%H:00}", f"{noon + timedelta(hours=1):%H:00}"]
        settings["control"] = {"cheap_period": night, "timezone": "UTC"}
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        simulator.write_tesla_tokens(folder)

    def line(self, *words: str) -> tuple[str, ...]:
        """The arguments of a process that runs a command here."""
        return ("-m", "smartcharge", "--config", str(self.config), *words)

    def run(self, *words: str) -> None:
        """Run a command here and now, unmeasured; RuntimeError where it fails."""
        now = datetime.now(UTC)
        self.simulator.set_time(now)
        with redirect_stdout(io.StringIO()):
            code = run_cli(["--config", str(self.config), *words], clock=lambda: now)
        if code:
            raise RuntimeError(f"{' '.join(words)} ended with {code}")

    def plan(self, *, charging: bool | None) -> None:
        """Let a window lie around now in which the car charges or idles; None: nothing is planned."""
        now = datetime.now(UTC)
        self.simulator.set_time(now)
        window = {"start": f"{now - HALF_HOUR:%FT%T+00:00}", "end": f"{now + 3 * HALF_HOUR:%FT%T+00:00}"}
        items: list[dict[str, object] | None] = []
        if charging is not None:
            items.append({**window, "type": "SMART", "energyAddedKwh": "-7.2"})
        self.simulator.account.plans[self.simulator.house.device_id] = items
        for zappi in self.simulator.myenergi.zappis:
            zappi.watts, zappi.pst = (7200, "C2") if charging else (0, "B2")

    def answered(self, *, charging: bool | None = None) -> None:
        """The supplier has just answered; nothing else has been asked yet."""
        self.plan(charging=charging)
        self.simulator.powerwall.set_manually(mode="autonomous", reserve_pct=20)
        for left in self.folder.glob(f"{DATABASE}*"):
            left.unlink()
        self.run("fetch-dispatches", "--now")

    def seen_charging(self) -> None:
        """The supplier and the charger have just answered, and the battery is still at rest."""
        self.answered(charging=True)
        with closing(open_store(self.folder / DATABASE)) as db, transaction(db):
            record_charger_reading(db, ChargerReading(ChargerState.CHARGING, datetime.now(UTC), 7200))

    def without_the_shortcut(self) -> None:
        """As after an answer, but what was foreseen then is void: any change of the database does that."""
        self.answered()
        self.forget_the_shortcut()

    def forget_the_shortcut(self) -> None:
        """Leave everything else as it is."""
        with closing(sqlite3.connect(self.folder / DATABASE)) as db, db:
            db.execute("UPDATE fetches SET forecast = NULL")

    def copy_database(self, other: Path) -> None:
        """Take another database in place of one's own."""
        shutil.copyfile(other, self.folder / DATABASE)
        Path(fingerprint_path(str(self.config))).unlink(missing_ok=True)


@contextmanager
def bench_simulator(folder: Path, names: Sequence[str]) -> Iterator[tuple[dict[str, BenchHouse], dict[str, str]]]:
    """Houses by name, and the environment in which a process finds the simulator."""
    kraken_account.MAX_FLEX_CALLS_PER_MINUTE = 1_000_000  # a round asks far more often than a house may
    with Simulator(folder) as simulator, override_environment(simulator.environment, simulator.unset):
        simulator.set_time(datetime.now(UTC))
        processes = {name: value for name, value in os.environ.items() if name != NO_BYTE_CODE}
        yield {name: BenchHouse(folder / name, simulator) for name in names}, processes

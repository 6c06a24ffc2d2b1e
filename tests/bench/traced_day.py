"""Plays a whole day in a folder, for `disk.py` to watch: `python tests/bench/traced_day.py STORY FOLDER tick|four`."""

import os
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import msgspec
from strace_reader import MINUTE_MARK
from whole_days import CRONTAB_LINES, cron_runner, load_whole_day

from smartcharge.commands.demo import start_simulator
from smartcharge.idle import database_change_count
from smartcharge.simulator.scenario_runner import CommandResult, CommandRunner, check_expectations, run_scenario
from smartcharge.store.database import open_store

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


DATABASE = "smartcharge.db"


class TracedDay(msgspec.Struct, frozen=True):
    """What a trace cannot tell of a day.

    asked: when a request reached which service. resets: when the midnight reset was done. transactions: how many have
    changed the database. odd: what of the scenario's end is not as it should be.
    """

    asked: tuple[tuple[str, str], ...]
    resets: tuple[str, ...]
    transactions: int
    odd: tuple[str, ...]


def mark_minutes(run: CommandRunner) -> CommandRunner:
    """Before each command, let the trace know that its moment has come."""

    def marked(arguments: list[str], at: datetime) -> CommandResult:
        with suppress(FileNotFoundError):
            os.close(os.open(f"{MINUTE_MARK}{at.isoformat()}", os.O_RDONLY))
        return run(arguments, at)

    return marked


def find_reset_times(database: Path) -> tuple[str, ...]:
    """In which moments the midnight reset had something to do."""
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT at FROM journal WHERE command = 'midnight-reset'").fetchall()
    return tuple(datetime.fromisoformat(at).isoformat() for (at,) in rows)


def main() -> int:
    """Play, and tell as JSON what came of it."""
    name, folder, lines = sys.argv[1], Path(sys.argv[2]), CRONTAB_LINES[sys.argv[3]]
    scenario, database = load_whole_day(name), folder / DATABASE
    with start_simulator(folder, scenario) as (simulation, run):
        open_store(database).close()  # once in a house's life, so no part of any day
        before = database_change_count(str(database))
        played = run_scenario(scenario, simulation, mark_minutes(cron_runner(folder, run, lines)))
    told = TracedDay(
        asked=tuple((each.at.isoformat(), each.service) for each in played.requests),
        resets=find_reset_times(database),
        transactions=database_change_count(str(database)) - before,
        odd=tuple(check_expectations(played, scenario)),
    )
    print(msgspec.json.encode(told).decode())  # noqa: T201  # tells by printing
    return 0


if __name__ == "__main__":
    sys.exit(main())

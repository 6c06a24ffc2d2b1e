"""Plays a whole day in a folder, for `disk.py` to watch: `python tests/bench/traced_day.py STORY FOLDER tick|four`."""

import os
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from days import LINES, as_cron_does, day  # the paths come first
from straced import MINUTE

from smartcharge.commands.demo import street
from smartcharge.quiet import change_count
from smartcharge.store import open_store
from smartcharge.world.checks import check
from smartcharge.world.player import Outcome, Run, play

DATABASE = "smartcharge.db"


class Told(msgspec.Struct, frozen=True):
    """What a trace cannot tell of a day.

    asked: when a request reached which service. resets: when the midnight reset was done. transactions: how many have
    changed the database. odd: what of the story's end is not as it should be.
    """

    asked: tuple[tuple[str, str], ...]
    resets: tuple[str, ...]
    transactions: int
    odd: tuple[str, ...]


def marking(run: Run) -> Run:
    """Before each command, let the trace know that its moment has come."""

    def marked(arguments: list[str], at: datetime) -> Outcome:
        with suppress(FileNotFoundError):
            os.close(os.open(f"{MINUTE}{at.isoformat()}", os.O_RDONLY))
        return run(arguments, at)

    return marked


def resets(database: Path) -> tuple[str, ...]:
    """In which moments the midnight reset had something to do."""
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT at FROM journal WHERE command = 'midnight-reset'").fetchall()
    return tuple(datetime.fromisoformat(at).isoformat() for (at,) in rows)


def main() -> int:
    """Play, and tell as JSON what came of it."""
    name, folder, lines = sys.argv[1], Path(sys.argv[2]), LINES[sys.argv[3]]
    story, database = day(name), folder / DATABASE
    with street(folder, story) as (town, run):
        open_store(database).close()  # once in a house's life, so no part of any day
        before = change_count(str(database))
        played = play(story, town, marking(as_cron_does(folder, run, lines)))
    told = Told(
        asked=tuple((each.at.isoformat(), each.service) for each in played.requests),
        resets=resets(database),
        transactions=change_count(str(database)) - before,
        odd=tuple(check(played, story)),
    )
    print(msgspec.json.encode(told).decode())  # noqa: T201  # tells by printing
    return 0


if __name__ == "__main__":
    sys.exit(main())

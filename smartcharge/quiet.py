"""An idle minute is recognised before anything heavy is loaded.

The run that keeps a supplier's answer works out, with the rules themselves, until when each command will have nothing
to do (`act.foresight`). That holds for exactly this database, configuration and program: all three are compared, to
the byte, and whatever differs or cannot be read means a full run. Only light modules may be imported here.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from smartcharge import __version__
from smartcharge.places import config_places

COMMANDS = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites", "tick")
"""What cron runs; each has its column in the table `quiet`."""
CHANGE_COUNTER = slice(24, 28)
"""Of the header: counts the transactions that ever changed the file. Source: sqlite.org/fileformat2.html, 1.3.7."""
READ_VERSION, WRITE_AHEAD = 19, 2
PREFIX = "SMARTCHARGE_"
DATABASE, FILE = "database ", "file "
SPELLING = "%Y-%m-%dT%H:%M:%SZ"
"""As in the database, where text order is time order."""


def is_quiet(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> bool:
    """Whether a full run of this command line, now, would find nothing to do. now: UTC."""
    command, explicit = _asked(arguments)
    if command is None:
        return False
    try:
        config = _config(explicit, environment)
        with open(note_path(config), encoding="utf-8") as file:
            note = file.read()
        lines = note.splitlines()
        database = next(line.removeprefix(DATABASE) for line in lines if line.startswith(DATABASE))
        files = [line.split(" ", 4)[4] for line in lines if line.startswith(FILE)]
        is_valid = os.path.samefile(config, files[0]) and note == make_note(database, files, environment)
        return is_valid and _is_quiet_in(database, note, command, now)
    except (OSError, ValueError, IndexError, StopIteration):
        return False


def note_path(config: str) -> str:
    """Where it is noted, beside the configuration file, what a run depends on besides the database's content."""
    folder, name = os.path.split(config)
    return os.path.join(folder, f".{name}.quiet")


def make_note(database: str, files: Iterable[str], environment: Mapping[str, str]) -> str:
    """What a run depends on, as it is now. files: the configuration and all that it names; OSError if one is gone."""
    stats = ((os.stat(path), path) for path in files)
    return "\n".join(
        (
            f"smartcharge {__version__}",
            f"{DATABASE}{database}",
            f"home {environment.get('HOME')}",
            f"variables {' '.join(sorted(name for name in environment if name.startswith(PREFIX)))}",
            *(f"{FILE}{stat.st_mtime_ns} {stat.st_size} {stat.st_ino} {path}" for stat, path in stats),
            "",
        )
    )


def config_in(note: str) -> str | None:
    """The configuration that a note is about."""
    files = (line.split(" ", 4) for line in note.splitlines() if line.startswith(FILE))
    return next((words[-1] for words in files if len(words) == 5), None)  # noqa: PLR2004  # as `make_note` writes them


def change_count(database: str) -> int:
    """How many transactions have changed the database so far; OSError in write-ahead mode, where nobody counts them."""
    with open(database, "rb") as file:
        header = file.read(CHANGE_COUNTER.stop)
    if header[READ_VERSION] == WRITE_AHEAD:
        raise OSError("another program keeps the database in write-ahead mode")
    return int.from_bytes(header[CHANGE_COUNTER], "big")


def _asked(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """The command, and the configuration named; None where more is asked for than what cron asks."""
    match list(arguments):
        case [command]:
            explicit = None
        case ["--config", explicit, command]:
            pass
        case _:
            return None, None
    return (command, explicit) if command in COMMANDS else (None, None)


def _config(explicit: str | None, environment: Mapping[str, str]) -> str:
    places = config_places(explicit, environment, os.getcwd(), os.path.expanduser("~"))
    return next(place for place in places if os.path.exists(place))


def _is_quiet_in(database: str, note: str, command: str, now: datetime) -> bool:
    import sqlite3

    at, column = now.strftime(SPELLING), command.replace("-", "_")
    place = database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    query = f"SELECT 1 FROM quiet WHERE of = ? AND since <= ? AND {column} >= ?"  # noqa: S608  # one of COMMANDS
    try:
        db = sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=0)
        try:
            return db.execute(query, (f"{change_count(database)} {note}", at, at)).fetchone() is not None
        finally:
            db.close()
    except sqlite3.Error:
        return False

"""An idle minute is recognised before anything heavy is loaded.

The run that keeps a supplier's answer works out, with the rules themselves, until when each command will have nothing
to do (`act.foresight`). That holds for exactly this database, configuration and program: all three are compared, to
the byte, and whatever differs or cannot be read means a full run. Only light modules may be imported here.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from smartcharge import __version__
from smartcharge.config.find import config_file_candidates, file_signature
from smartcharge.regular_file import open_regular_file, read_regular_file
from smartcharge.store import HOLD_FILE_NAME

CRON_COMMANDS = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites", "tick")
"""What cron runs, in the order in which it is kept how long each has nothing to do."""
CHANGE_COUNTER_BYTES = slice(24, 28)
"""Of the header: counts the transactions that ever changed the file. Source: sqlite.org/fileformat2.html, 1.3.7."""
READ_VERSION_OFFSET, WAL_READ_VERSION = 19, 2
CONFIG_ENV_PREFIX = "SMARTCHARGE_"
DATABASE_LINE, FILE_LINE = "database ", "file "
FILE_LINE_WORDS = 6
TIMESTAMP_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
"""As in the database, where text order is time order."""
FORECAST_QUERY = "SELECT forecast FROM fetches WHERE forecast IS NOT NULL"
"""As `store.fetches` keeps it, in one device's row."""
BUSY_NOW = "-"
"""Sorts before every moment: the last quiet minute of a command that has something to do at once."""


def can_skip(arguments: Sequence[str], environment: Mapping[str, str], now: datetime) -> bool:
    """Whether a full run of this command line, now, would find nothing to do. now: UTC."""
    command, explicit = _parse_arguments(arguments)
    if command is None:
        return False
    try:
        config = _find_config_path(explicit, environment)
        note = read_regular_file(fingerprint_path(config)).decode()
        database = next(line.removeprefix(DATABASE_LINE) for line in note.split("\n") if line.startswith(DATABASE_LINE))
        files = [path for line in note.split("\n") if (path := _file_in_line(line)) is not None]
        marks = map(file_signature, files)
        is_valid = os.path.samefile(config, files[0]) and note == make_fingerprint(database, marks, environment)
        return is_valid and not _is_holding(database) and _is_idle_by_forecast(database, note, command, now)
    except (OSError, ValueError, IndexError, StopIteration):
        return False


def fingerprint_path(config: str) -> str:
    """Where it is noted, beside the configuration file, what a run depends on besides the database's content."""
    folder, name = os.path.split(config)
    return os.path.join(folder, f".{name}.quiet")


def make_fingerprint(database: str, marks: Iterable[str], environment: Mapping[str, str]) -> str:
    """What a run depends on. marks: of the configuration and of all that it names, in this order."""
    return "\n".join(
        (
            f"smartcharge {__version__}",
            f"{DATABASE_LINE}{database}",
            f"home {environment.get('HOME')}",
            f"variables {_environment_digest(environment)}",
            *(f"{FILE_LINE}{mark}" for mark in marks),
            "",
        )
    )


def format_forecast(since: str, until: Iterable[str], of: str) -> str:
    """What was foreseen, as one text. until: each command's last quiet minute; of: what it was worked out from."""
    return " ".join((since, *until, of))


def parse_forecast(forecast: str) -> tuple[str, Sequence[str], str]:
    """The same again, as moment, minutes and arguments; ValueError where it is nothing of the kind."""
    since, *until, of = forecast.split(" ", len(CRON_COMMANDS) + 1)
    return since, until, of


def fingerprint_config_path(note: str) -> str | None:
    """The configuration that a note is about."""
    return next((path for line in note.split("\n") if (path := _file_in_line(line)) is not None), None)


def database_change_count(database: str) -> int:
    """How many transactions have changed the database so far; OSError in write-ahead mode, where nobody counts them.

    Never to be asked inside a transaction of this process: closing any handle of a file gives up all of the process's
    locks on it, SQLite's too, and another run could write in between. Source: sqlite.org/howtocorrupt.html, 2.2.
    """
    handle = open_regular_file(database)
    try:
        header = os.read(handle, CHANGE_COUNTER_BYTES.stop)
    finally:
        os.close(handle)
    if header[READ_VERSION_OFFSET] == WAL_READ_VERSION:
        raise OSError("another program keeps the database in write-ahead mode")
    return int.from_bytes(header[CHANGE_COUNTER_BYTES], "big")


def _file_in_line(line: str) -> str | None:
    """The file that a line of a note is about."""
    words = line.split(" ", FILE_LINE_WORDS - 1)
    return words[-1] if line.startswith(FILE_LINE) and len(words) == FILE_LINE_WORDS else None


def _parse_arguments(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """The command, and the configuration named; None where more is asked for than what cron asks."""
    match list(arguments):
        case [command]:
            explicit = None
        case ["--config", explicit, command]:
            pass
        case _:
            return None, None
    return (command, explicit) if command in CRON_COMMANDS else (None, None)


def _find_config_path(explicit: str | None, environment: Mapping[str, str]) -> str:
    places = config_file_candidates(explicit, environment, os.getcwd(), os.path.expanduser("~"))
    return next(place for place in places if os.path.exists(place))


def _is_holding(database: str) -> bool:
    """Whether there is a hold file, whatever it holds; `OSError` where that cannot be known."""
    try:
        os.stat(os.path.join(os.path.dirname(database), HOLD_FILE_NAME))
    except FileNotFoundError:
        return False
    return True


def _is_idle_by_forecast(database: str, note: str, command: str, now: datetime) -> bool:
    import sqlite3

    at = now.strftime(TIMESTAMP_FORMAT)
    place = database.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    changes = database_change_count(database)  # opened before SQLite does so: it would wait for a pipe's writer
    try:
        db = sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=0)
        try:
            (forecast,) = db.execute(FORECAST_QUERY).fetchone() or ("",)
            since, until, of = parse_forecast(forecast)
            return of == f"{changes} {note}" and since <= at <= until[CRON_COMMANDS.index(command)]
        finally:
            db.close()
    except sqlite3.Error:
        return False


def _environment_digest(environment: Mapping[str, str]) -> str:
    """Four bytes for what the environment says of the configuration: a change shows.

    No secret can be read from them, but a guess be checked by whoever may read the note; its owner alone may.
    """
    named = sorted(f"{name}={value}" for name, value in environment.items() if name.startswith(CONFIG_ENV_PREFIX))
    if not named:
        return "none"
    import zlib

    return f"{zlib.crc32(os.fsencode(chr(0).join(named))):08x}"

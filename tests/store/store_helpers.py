"""What the tests of the store share: a day in November, old databases, and a look at what lies on the disk."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, time
from pathlib import Path

from hypothesis import settings

from smartcharge.policy.model import Policy
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.database import open_store

POLICY = Policy(CheapPeriod(time(0), time(6), "Europe/London"))

LEGACY_SCHEMAS = {
    "the documented form": """
        CREATE TABLE dispatches (start TEXT, end TEXT, delta_kwh REAL, type TEXT, source TEXT, location TEXT,
            gcal_event_id TEXT, gcal_sequence INT, fetched_at TEXT, UNIQUE(start, end));
    """,
    "the running form": """
        CREATE TABLE dispatches (id INTEGER PRIMARY KEY AUTOINCREMENT, start TEXT NOT NULL, end TEXT NOT NULL,
            delta_kwh REAL, type TEXT, source TEXT, location TEXT, gcal_event_id TEXT,
            gcal_sequence INTEGER NOT NULL DEFAULT 0, fetched_at TEXT NOT NULL, UNIQUE(start, end));
        CREATE INDEX idx_dispatches_start ON dispatches(start);
    """,
    "the first form": """
        CREATE TABLE dispatches (id INTEGER PRIMARY KEY AUTOINCREMENT, start TEXT NOT NULL, end TEXT NOT NULL,
            delta_kwh REAL, type TEXT, source TEXT, location TEXT, fetched_at TEXT NOT NULL, UNIQUE(start));
    """,
}


NO_DEADLINE = settings(deadline=None)
"""For laws whose every example makes a database."""
WHOLE_CENTURY = (datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2100-01-01"))
"""First and last moment of the times that are tried; without a zone, as `hypothesis` wants its bounds."""


def at(clock: str, day: int = 22) -> datetime:
    """A moment of a November day, UTC: "13:05" or "13:05:30"."""
    return datetime.combine(datetime(2026, 11, day, tzinfo=UTC), time.fromisoformat(clock), UTC)


def make_legacy_database(path: Path, form: str, rows: Iterable[dict[str, object]] = ()) -> Path:
    """A database as the service before this program left it."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(LEGACY_SCHEMAS[form])
        insert_legacy_rows(db, "dispatches", rows)
    return path


def insert_legacy_rows(db: sqlite3.Connection, table: str, rows: Iterable[dict[str, object]]) -> None:
    """Old rows, committed."""
    for row in rows:
        places = ", ".join("?" for _ in row)
        db.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", tuple(row.values()))  # noqa: S608
    db.commit()


def memory_database() -> sqlite3.Connection:
    """An empty database that is quick to make and may be written."""
    db = open_store(Path("/nowhere/at/all.db"), read_only=True)
    db.execute("PRAGMA query_only = OFF")
    return db


def files_on_disk(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's time of change and content."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}


def query_tuples(db: sqlite3.Connection, sql: str) -> list[tuple[object, ...]]:
    """Rows as plain tuples."""
    return [tuple(row) for row in db.execute(sql)]

"""Trouble that goes on: counted at every attempt, told once."""

import sqlite3
from datetime import datetime

from msgspec import Struct

from smartcharge.store.times import from_text, from_text_or_none, to_text


class Episode(Struct, frozen=True):
    """Failures of one kind running. told_at: when the owner heard of it, None if not yet."""

    command: str
    kind: str
    since: datetime
    count: int
    told_at: datetime | None = None


def count_failure(db: sqlite3.Connection, command: str, kind: str, now: datetime) -> Episode:
    """Begin an episode, or count one more failure in the one that goes on."""
    (row,) = db.execute(
        """
        INSERT INTO episodes (command, kind, since, count) VALUES (?, ?, ?, 1)
        ON CONFLICT (command, kind) DO UPDATE SET count = count + 1 RETURNING *
        """,
        (command, kind, to_text(now)),
    ).fetchall()
    return _episode(row)


def mark_told(db: sqlite3.Connection, command: str, kind: str, now: datetime) -> None:
    """Note that the owner has heard of an episode."""
    db.execute("UPDATE episodes SET told_at = ? WHERE command = ? AND kind = ?", (to_text(now), command, kind))


def end(db: sqlite3.Connection, command: str, kind: str) -> Episode | None:
    """End an episode and give it back; without one, nothing is written."""
    row = db.execute("SELECT * FROM episodes WHERE command = ? AND kind = ?", (command, kind)).fetchone()
    if row is None:
        return None
    db.execute("DELETE FROM episodes WHERE command = ? AND kind = ?", (command, kind))
    return _episode(row)


def open_episodes(db: sqlite3.Connection) -> tuple[Episode, ...]:
    """Give what goes on, the oldest first."""
    return tuple(_episode(row) for row in db.execute("SELECT * FROM episodes ORDER BY since, command, kind"))


def _episode(row: sqlite3.Row) -> Episode:
    return Episode(
        command=row["command"],
        kind=row["kind"],
        since=from_text(row["since"]),
        count=row["count"],
        told_at=from_text_or_none(row["told_at"]),
    )


def is_open(db: sqlite3.Connection, command: str, kind: str) -> bool:
    """Whether this trouble goes on."""
    query = "SELECT 1 FROM episodes WHERE command = ? AND kind = ?"
    return db.execute(query, (command, kind)).fetchone() is not None

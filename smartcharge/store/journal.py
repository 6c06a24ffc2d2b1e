"""The journal: what was decided anew, done, or failed, with all that the decision knew."""

import sqlite3
from datetime import datetime

from msgspec import Struct, json

from smartcharge.core.model import Because, Situation
from smartcharge.errors import one_line
from smartcharge.store.times import from_text, from_text_or_none, to_text

EVER = ("", "~")
"""Texts before and after any time."""


class JournalRow(Struct, frozen=True):
    """One entry. situation_json: what the decision knew, None where nothing was decided."""

    id: int
    at: datetime
    command: str
    outcome: str
    because: Because | None = None
    situation_json: str | None = None
    error: str | None = None
    detail: str | None = None

    @property
    def situation(self) -> Situation | None:
        """What the decision knew, equal to what it was then."""
        return None if self.situation_json is None else json.decode(self.situation_json, type=Situation)


def append(
    db: sqlite3.Connection,
    *,
    at: datetime,
    command: str,
    because: Because | None = None,
    situation: Situation | None = None,
    outcome: str,
    error: str | None = None,
    detail: str | None = None,
) -> None:
    """Add an entry. outcome, error, detail: for people, without secrets; a line each is made of them."""
    db.execute(
        "INSERT INTO journal (at, command, because, situation, outcome, error, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            to_text(at),
            command,
            because,
            None if situation is None else _to_json(situation),
            outcome,
            _line(error),
            _line(detail),
        ),
    )


def rows(
    db: sqlite3.Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    command: str | None = None,
    limit: int | None = None,
) -> tuple[JournalRow, ...]:
    """Give the entries in [since, until), oldest first; limit: only so many, the newest."""
    found = db.execute(
        """
        SELECT * FROM journal WHERE at >= :since AND at < :until AND (:command IS NULL OR command = :command)
        ORDER BY at DESC, id DESC LIMIT :limit
        """,
        {
            "since": EVER[0] if since is None else to_text(since),
            "until": EVER[1] if until is None else to_text(until),
            "command": command,
            "limit": -1 if limit is None else limit,
        },
    ).fetchall()
    return tuple(_row(row) for row in reversed(found))


def newest_at(db: sqlite3.Connection, before: datetime) -> datetime | None:
    """Give the newest stamp up to a moment, whichever run wrote it; a migration dates its row by what it found."""
    query = "SELECT MAX(at) AS at FROM journal WHERE at <= ? AND command <> 'migration'"
    row = db.execute(query, (to_text(before),)).fetchone()
    return None if row is None else from_text_or_none(row["at"])


def last_decided(db: sqlite3.Connection, until: datetime) -> JournalRow | None:
    """Give the newest entry, up to and including a moment, in which something was decided."""
    query = "SELECT * FROM journal WHERE at <= ? AND situation IS NOT NULL ORDER BY at DESC, id DESC LIMIT 1"
    row = db.execute(query, (to_text(until),)).fetchone()
    return None if row is None else _row(row)


def last(db: sqlite3.Connection, command: str) -> JournalRow | None:
    """Give the entry a command wrote last, whatever the clock said then."""
    row = db.execute("SELECT * FROM journal WHERE command = ? ORDER BY id DESC LIMIT 1", (command,)).fetchone()
    return None if row is None else _row(row)


def _line(text: str | None) -> str | None:
    return None if text is None else one_line(text)


def _row(row: sqlite3.Row) -> JournalRow:
    return JournalRow(
        id=row["id"],
        at=from_text(row["at"]),
        command=row["command"],
        outcome=row["outcome"],
        because=None if row["because"] is None else Because[row["because"]],
        situation_json=row["situation"],
        error=row["error"],
        detail=row["detail"],
    )


def _to_json(situation: Situation) -> str:
    return json.encode(situation).decode()

"""The holds: at most one is open, and a closed one stays."""

import sqlite3
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.model import Because, Hold, HoldKind
from smartcharge.store.times import from_text, from_text_or_none, to_text, to_text_or_none


class OpenHold(Struct, frozen=True):
    """A hold as stored, open or closed.

    because: the rule that opened it or last changed it. window_start: start of the contiguous window it
    belongs to, where known. closed_at: None while it is open.
    """

    id: int
    hold: Hold
    opened_at: datetime
    because: Because
    window_start: datetime | None = None
    closed_at: datetime | None = None
    closed_because: Because | None = None


def current(db: sqlite3.Connection) -> OpenHold | None:
    """Give the open hold, if there is one."""
    row = db.execute("SELECT * FROM holds WHERE closed_at IS NULL").fetchone()
    return None if row is None else _hold(row)


def change(
    db: sqlite3.Connection, to: Hold | None, because: Because, now: datetime, window_start: datetime | None = None
) -> None:
    """Open, change in place, or close: afterwards `to` is what is held; if it already is, nothing is written."""
    was = current(db)
    if was is None and to is not None:
        _open(db, to, because, now, window_start)
    elif was is not None and to is None:
        _close(db, was.id, because, now)
    elif was is not None and to is not None and was.hold != to:
        _alter(db, was.id, to, because, window_start)


def held_since(db: sqlite3.Connection, since: datetime, now: datetime) -> timedelta:
    """Add up how long was held between `since` and `now`; an open hold counts up to now."""
    spans = ((max(h.opened_at, since), min(h.closed_at or now, now)) for h in history(db, since, now))
    return sum((end - start for start, end in spans if start < end), timedelta(0))


def history(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[OpenHold, ...]:
    """Give the holds that stood at any time in [since, until), the open one among them, oldest first."""
    rows = db.execute(
        "SELECT * FROM holds WHERE COALESCE(closed_at, '~') > ? AND opened_at < ? ORDER BY opened_at, id",
        (to_text(since), to_text(until)),
    )
    return tuple(_hold(row) for row in rows)


def _open(db: sqlite3.Connection, to: Hold, because: Because, now: datetime, window_start: datetime | None) -> None:
    db.execute(
        "INSERT INTO holds (opened_at, until, kind, because, window_start) VALUES (?, ?, ?, ?, ?)",
        (to_text(now), to_text(to.until), to.kind, because, to_text_or_none(window_start)),
    )


def _alter(db: sqlite3.Connection, row: int, to: Hold, because: Because, window_start: datetime | None) -> None:
    db.execute(
        "UPDATE holds SET until = ?, kind = ?, because = ?, window_start = COALESCE(?, window_start) WHERE id = ?",
        (to_text(to.until), to.kind, because, to_text_or_none(window_start), row),
    )


def _close(db: sqlite3.Connection, row: int, because: Because, now: datetime) -> None:
    db.execute("UPDATE holds SET closed_at = ?, closed_because = ? WHERE id = ?", (to_text(now), because, row))


def _hold(row: sqlite3.Row) -> OpenHold:
    return OpenHold(
        id=row["id"],
        hold=Hold(from_text(row["until"]), HoldKind(row["kind"])),
        opened_at=from_text(row["opened_at"]),
        because=Because[row["because"]],
        window_start=from_text_or_none(row["window_start"]),
        closed_at=from_text_or_none(row["closed_at"]),
        closed_because=None if row["closed_because"] is None else Because[row["closed_because"]],
    )

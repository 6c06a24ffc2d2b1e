"""The owner's hand: the pause, and the window that is left to whoever set the battery."""

import sqlite3
from datetime import datetime

from smartcharge.core.model import Pause, StandDown
from smartcharge.store.times import from_text, from_text_or_none, to_text, to_text_or_none


def pause(db: sqlite3.Connection, now: datetime, until: datetime | None) -> None:
    """Let nothing new begin until then; None: until resumed."""
    db.execute(
        """
        INSERT INTO owner (id, paused_since, paused_until) VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET paused_since = excluded.paused_since, paused_until = excluded.paused_until
        """,
        (to_text(now), to_text_or_none(until)),
    )


def resume(db: sqlite3.Connection) -> None:
    """End the pause and the stand-down."""
    db.execute("DELETE FROM owner")


def stand_down(db: sqlite3.Connection, at: datetime, until: datetime) -> None:
    """Leave the window that `at` lies in to whoever set the battery, at least until then."""
    db.execute(
        """
        INSERT INTO owner (id, stood_down_at, stood_down_until) VALUES (1, ?, ?)
        ON CONFLICT (id) DO UPDATE SET
            stood_down_at = excluded.stood_down_at, stood_down_until = excluded.stood_down_until
        """,
        (to_text(at), to_text(until)),
    )


def paused(db: sqlite3.Connection) -> Pause | None:
    """Give the pause, over or not."""
    row = db.execute("SELECT paused_until FROM owner WHERE paused_since IS NOT NULL").fetchone()
    return None if row is None else Pause(from_text_or_none(row["paused_until"]))


def stood_down(db: sqlite3.Connection) -> StandDown | None:
    """Give the stand-down, over or not."""
    row = db.execute("SELECT stood_down_at, stood_down_until FROM owner WHERE stood_down_at IS NOT NULL").fetchone()
    return None if row is None else StandDown(from_text(row["stood_down_at"]), from_text(row["stood_down_until"]))

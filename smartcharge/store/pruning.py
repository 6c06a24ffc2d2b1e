"""What is old enough is forgotten, a little at a time: the journal and the readings, nothing else.

It is done where an answer of the supplier is kept, by night: a clock that has jumped years ahead gets no such answer,
for no certificate is valid then. The file is never rewritten; its freed pages are used again.
"""

import sqlite3
from datetime import datetime

from smartcharge.store.times import to_text

AT_ONCE = 200
"""Rows of each table: many times what a night's answers come to in a day, and a few pages of the disk."""


def prune(db: sqlite3.Connection, before: datetime) -> None:
    """Delete some of the oldest rows that are older than that; where there are none, nothing is written."""
    for table in ("journal", "readings"):
        db.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ? ORDER BY at LIMIT ?)",  # noqa: S608
            (to_text(before), AT_ONCE),
        )

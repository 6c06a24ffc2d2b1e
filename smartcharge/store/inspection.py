"""The tables as they lie there, for whoever looks for a fault: how many rows, and the newest of them."""

import sqlite3
from collections.abc import Mapping

Row = Mapping[str, str | int | float | None]

NEWEST: dict[str, str] = {
    "episodes": "SELECT * FROM episodes ORDER BY since DESC, command, kind LIMIT ?",
    "services": "SELECT * FROM services ORDER BY service LIMIT ?",
    "devices": "SELECT * FROM fetches ORDER BY device LIMIT ?",
    "battery": "SELECT * FROM battery LIMIT ?",
    "owner": "SELECT * FROM owner LIMIT ?",
    "holds": "SELECT * FROM holds ORDER BY id DESC LIMIT ?",
    "journal": "SELECT at, command, because, outcome, detail, error FROM journal ORDER BY id DESC LIMIT ?",
}
"""What is looked at, and how it is found; no mail, and nothing that a decision knew."""


def schema_version(db: sqlite3.Connection) -> int:
    """Give the number of the last migration step."""
    version: int = db.execute("PRAGMA user_version").fetchone()["user_version"]
    return version


def row_counts(db: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of every table, by its name."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    counts = {row["name"]: f'SELECT COUNT(*) AS rows FROM "{row["name"]}"' for row in tables}  # noqa: S608  # our own
    return {name: db.execute(count).fetchone()["rows"] for name, count in counts.items()}


def newest(db: sqlite3.Connection, what: str, limit: int) -> list[Row]:
    """Give the newest rows of one of `NEWEST`, the newest first, by their columns."""
    return [dict(row) for row in db.execute(NEWEST[what], (limit,)).fetchall()]

"""What the charger and the battery read, kept where they were asked anyway."""

import sqlite3
from datetime import datetime

from msgspec import Struct

from smartcharge.core.answers import BatteryLevel, ChargerReading
from smartcharge.core.model import ChargerState
from smartcharge.store.times import from_text, to_text


class ChargerRow(Struct, frozen=True):
    """A stored reading of the charger; error: why there was no answer, where there was none."""

    reading: ChargerReading
    error: str | None = None


def record_charger(db: sqlite3.Connection, reading: ChargerReading, error: str | None = None) -> None:
    """Keep a reading. error: why it is none, one line, without secrets."""
    db.execute(
        """
        INSERT INTO readings (at, kind, state, watts, session_kwh, serials, why, error)
        VALUES (?, 'charger', ?, ?, ?, ?, ?, ?)
        """,
        (
            to_text(reading.at),
            reading.state,
            reading.watts,
            reading.session_kwh,
            " ".join(reading.serials),
            reading.why,
            error,
        ),
    )


def last_charger(db: sqlite3.Connection) -> ChargerRow | None:
    """Give the reading that was kept last, whatever the clock said then."""
    row = db.execute("SELECT * FROM readings WHERE kind = 'charger' ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else ChargerRow(_charger(row), row["error"])


def chargers(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[ChargerReading, ...]:
    """Give the charger's readings in [since, until) in the order of time, failures among them."""
    return tuple(_charger(row) for row in _between(db, "charger", since, until))


def record_battery(
    db: sqlite3.Connection, at: datetime, soe_pct: float | None, capacity_kwh: float | None = None
) -> None:
    """Keep the battery's state of energy, 0-100 %, and what it holds when full (kWh), where that is known."""
    db.execute(
        "INSERT INTO readings (at, kind, soe_pct, capacity_kwh) VALUES (?, 'battery', ?, ?)",
        (to_text(at), soe_pct, capacity_kwh),
    )


def last_battery(db: sqlite3.Connection) -> BatteryLevel | None:
    """Give the reading that was kept last, whatever the clock said then."""
    row = db.execute("SELECT * FROM readings WHERE kind = 'battery' ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else _battery(row)


def batteries(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[BatteryLevel, ...]:
    """Give the battery's readings in [since, until) in the order of time."""
    return tuple(_battery(row) for row in _between(db, "battery", since, until))


def _between(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    """Rows of a kind, found by time; the plus keeps SQLite from looking through all that are of the kind."""
    return db.execute(
        "SELECT * FROM readings WHERE at >= ? AND at < ? AND +kind = ? ORDER BY at, id",
        (to_text(since), to_text(until), kind),
    )


def _charger(row: sqlite3.Row) -> ChargerReading:
    return ChargerReading(
        state=ChargerState(row["state"]),
        at=from_text(row["at"]),
        watts=row["watts"],
        why=row["why"],
        session_kwh=row["session_kwh"],
        serials=tuple(row["serials"].split()),
    )


def _battery(row: sqlite3.Row) -> BatteryLevel:
    return BatteryLevel(from_text(row["at"]), row["soe_pct"], row["capacity_kwh"])

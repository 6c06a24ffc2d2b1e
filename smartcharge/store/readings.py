"""What the charger and the battery read, kept where they were asked anyway."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import ChargerState
from smartcharge.store.times import from_text, to_text


@dataclass(frozen=True, slots=True)
class ChargerRow:
    """A stored reading of the charger; error: why there was no answer, where there was none."""

    reading: ChargerReading
    error: str | None = None


@dataclass(frozen=True, slots=True)
class BatteryRow:
    """A stored reading of the battery; soe_pct: state of energy, 0-100 %, None where it was missing."""

    at: datetime
    soe_pct: float | None


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
    if row is None:
        return None
    reading = ChargerReading(
        state=ChargerState(row["state"]),
        at=from_text(row["at"]),
        watts=row["watts"],
        why=row["why"],
        session_kwh=row["session_kwh"],
        serials=tuple(row["serials"].split()),
    )
    return ChargerRow(reading, row["error"])


def record_battery(db: sqlite3.Connection, at: datetime, soe_pct: float | None) -> None:
    """Keep the battery's state of energy, 0-100 %."""
    db.execute("INSERT INTO readings (at, kind, soe_pct) VALUES (?, 'battery', ?)", (to_text(at), soe_pct))


def last_battery(db: sqlite3.Connection) -> BatteryRow | None:
    """Give the reading that was kept last, whatever the clock said then."""
    row = db.execute("SELECT at, soe_pct FROM readings WHERE kind = 'battery' ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else BatteryRow(from_text(row["at"]), row["soe_pct"])

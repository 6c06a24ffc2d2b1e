"""What the charger and the battery read, kept where they were asked anyway."""

import sqlite3
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import CompletedDispatch, LedgerInputs, PlannedDispatch
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import DAY, CheapPeriod, Span
from smartcharge.store.control import load_hold_history
from smartcharge.store.dispatches import LOCATION_AWAY
from smartcharge.store.times import format_instant, parse_instant, parse_optional_instant


class ChargerRow(Struct, frozen=True):
    """A stored reading of the charger; error: why there was no answer, where there was none."""

    reading: ChargerReading
    error: str | None = None


def record_charger_reading(db: sqlite3.Connection, reading: ChargerReading, error: str | None = None) -> None:
    """Keep a reading. error: why it is none, one line, without secrets."""
    db.execute(
        """
        INSERT INTO readings (at, kind, state, watts, session_kwh, serials, why, error)
        VALUES (?, 'charger', ?, ?, ?, ?, ?, ?)
        """,
        (
            format_instant(reading.at),
            reading.state,
            reading.watts,
            reading.session_kwh,
            " ".join(reading.serials),
            reading.why,
            error,
        ),
    )


def load_last_charger_reading(db: sqlite3.Connection) -> ChargerRow | None:
    """Give the reading that was kept last, whatever the clock said then."""
    row = db.execute("SELECT * FROM readings WHERE kind = 'charger' ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else ChargerRow(_charger_reading(row), row["error"])


def load_charger_readings(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[ChargerReading, ...]:
    """Give the charger's readings in [since, until) in the order of time, failures among them."""
    return tuple(_charger_reading(row) for row in _select_readings(db, "charger", since, until))


def record_battery_level(
    db: sqlite3.Connection, at: datetime, soe_pct: float | None, capacity_kwh: float | None = None
) -> None:
    """Keep the battery's state of energy, 0-100 %, and what it holds when full (kWh), where that is known."""
    db.execute(
        "INSERT INTO readings (at, kind, soe_pct, capacity_kwh) VALUES (?, 'battery', ?, ?)",
        (format_instant(at), soe_pct, capacity_kwh),
    )


def load_last_battery_level(db: sqlite3.Connection) -> BatteryLevel | None:
    """Give the reading that was kept last, whatever the clock said then."""
    row = db.execute("SELECT * FROM readings WHERE kind = 'battery' ORDER BY id DESC LIMIT 1").fetchone()
    return None if row is None else _battery_level(row)


def load_battery_levels(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[BatteryLevel, ...]:
    """Give the battery's readings in [since, until) in the order of time."""
    return tuple(_battery_level(row) for row in _select_readings(db, "battery", since, until))


def _select_readings(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    """Rows of a kind, found by time; the plus keeps SQLite from looking through all that are of the kind."""
    return db.execute(
        "SELECT * FROM readings WHERE at >= ? AND at < ? AND +kind = ? ORDER BY at, id",
        (format_instant(since), format_instant(until), kind),
    )


def _charger_reading(row: sqlite3.Row) -> ChargerReading:
    return ChargerReading(
        state=ChargerState(row["state"]),
        at=parse_instant(row["at"]),
        watts=row["watts"],
        why=row["why"],
        session_kwh=row["session_kwh"],
        serials=tuple(row["serials"].split()),
    )


def _battery_level(row: sqlite3.Row) -> BatteryLevel:
    return BatteryLevel(parse_instant(row["at"]), row["soe_pct"], row["capacity_kwh"])


MAX_DISPATCH_LENGTH = timedelta(days=7)
"""No dispatch lasts longer; so a span of ends bounds the span of those that matter."""


def load_ledger_facts(db: sqlite3.Connection, span: Span, now: datetime, cheap_period: CheapPeriod) -> LedgerInputs:
    """Give all that bears on the half hours of a span, and on a day around them."""
    since, until = span.starts_at - DAY, span.ends_at + DAY
    return LedgerInputs(
        now=now,
        cheap_period=cheap_period,
        planned=tuple(
            PlannedDispatch(
                parse_instant(row["start"]), parse_instant(row["end"]), parse_optional_instant(row["withdrawn_at"])
            )
            for row in _select_dispatches(db, "planned", since, until)
        ),
        completed=tuple(_completed_dispatch(row) for row in _select_dispatches(db, "completed", since, until)),
        holds=tuple(HoldRecord(h.opened_at, h.hold.until, h.closed_at) for h in load_hold_history(db, since, until)),
        chargers=load_charger_readings(db, since, until),
        batteries=load_battery_levels(db, since, until),
    )


def _select_dispatches(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    return db.execute(
        """
        SELECT start, end, delta_kwh, location, fetched_at, first_seen_at, withdrawn_at FROM dispatches
        WHERE kind = :kind AND end > :since AND end < :longest AND start < :until ORDER BY start, end
        """,
        {
            "kind": kind,
            "since": format_instant(since),
            "until": format_instant(until),
            "longest": format_instant(until + MAX_DISPATCH_LENGTH),
        },
    )


def _completed_dispatch(row: sqlite3.Row) -> CompletedDispatch:
    return CompletedDispatch(
        starts_at=parse_instant(row["start"]),
        ends_at=parse_instant(row["end"]),
        first_reported_at=parse_instant(row["first_seen_at"]),
        last_reported_at=parse_instant(row["fetched_at"]),
        energy_kwh=None if row["delta_kwh"] is None else abs(row["delta_kwh"]),
        at_home=row["location"] != LOCATION_AWAY,
    )

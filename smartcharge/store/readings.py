"""What the charger and the battery read, kept where they were asked anyway."""

import sqlite3
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import CompletedDispatch, LedgerInputs, PlannedDispatch
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import DAY, CheapPeriod, Span
from smartcharge.store.control import load_hold_history
from smartcharge.store.dispatches import LOCATION_AWAY, energy_from_row
from smartcharge.store.rows import MAX_ENERGY_KWH, StoreRow, parse_first, parse_rows
from smartcharge.store.times import format_instant

MAX_CHARGER_WATTS = 1_000_000.0
MAX_PCT = 1000.0
"""Beyond these a figure was not measured at a house."""


class ChargerRow(Struct, frozen=True):
    """A stored reading of the charger; error: why there was no answer, where there was none."""

    reading: ChargerReading
    error: str | None = None


def record_charger_reading(db: sqlite3.Connection, reading: ChargerReading, error: str | None = None) -> None:
    """Keep a reading. error: why it is none, one line, without secrets."""
    db.execute(
        """
        INSERT INTO readings (at, kind, state, watts, session_kwh, serials, why, solar_only, error)
        VALUES (?, 'charger', ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            format_instant(reading.at),
            reading.state,
            reading.watts,
            reading.session_kwh,
            " ".join(reading.serials),
            reading.why,
            reading.solar_only,
            error,
        ),
    )


def load_last_charger_reading(db: sqlite3.Connection) -> ChargerRow | None:
    """Give the reading that was kept last, whatever the clock said then."""
    rows = db.execute("SELECT * FROM readings WHERE kind = 'charger' ORDER BY id DESC")
    return parse_first(db, "readings", rows, charger_row_from_row)


def load_charger_readings(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[ChargerReading, ...]:
    """Give the charger's readings in [since, until) in the order of time, failures among them."""
    return parse_rows(db, "readings", _select_readings(db, "charger", since, until), charger_reading_from_row)


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
    rows = db.execute("SELECT * FROM readings WHERE kind = 'battery' ORDER BY id DESC")
    return parse_first(db, "readings", rows, battery_level_from_row)


def load_battery_levels(db: sqlite3.Connection, since: datetime, until: datetime) -> tuple[BatteryLevel, ...]:
    """Give the battery's readings in [since, until) in the order of time."""
    return parse_rows(db, "readings", _select_readings(db, "battery", since, until), battery_level_from_row)


def _select_readings(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    """Rows of a kind, found by time; the plus keeps SQLite from looking through all that are of the kind."""
    return db.execute(
        "SELECT * FROM readings WHERE at >= ? AND at < ? AND +kind = ? ORDER BY at, id",
        (format_instant(since), format_instant(until), kind),
    )


def charger_row_from_row(row: StoreRow) -> ChargerRow:
    """Parse a row of the table `readings` whose kind is charger."""
    reading = ChargerReading(
        state=row.member("state", ChargerState),
        at=row.instant("at"),
        watts=row.optional_number("watts", lowest=-MAX_CHARGER_WATTS, highest=MAX_CHARGER_WATTS),
        why=row.optional_text("why") or "",
        session_kwh=row.optional_number("session_kwh", lowest=-MAX_ENERGY_KWH, highest=MAX_ENERGY_KWH),
        serials=tuple((row.optional_text("serials") or "").split()),
        solar_only=row.flag("solar_only"),
    )
    return ChargerRow(reading, row.optional_text("error"))


def charger_reading_from_row(row: StoreRow) -> ChargerReading:
    """Parse the reading alone."""
    return charger_row_from_row(row).reading


def battery_level_from_row(row: StoreRow) -> BatteryLevel:
    """Parse a row of the table `readings` whose kind is battery."""
    return BatteryLevel(
        row.instant("at"),
        row.optional_number("soe_pct", lowest=-MAX_PCT, highest=MAX_PCT),
        row.optional_number("capacity_kwh", lowest=0, highest=MAX_ENERGY_KWH),
    )


MAX_DISPATCH_LENGTH = timedelta(days=7)
"""No dispatch lasts longer; so a span of ends bounds the span of those that matter."""


def load_ledger_facts(db: sqlite3.Connection, span: Span, now: datetime, cheap_period: CheapPeriod) -> LedgerInputs:
    """Give all that bears on the half hours of a span, and on a day around them."""
    since, until = span.starts_at - DAY, span.ends_at + DAY
    holds = load_hold_history(db, since, until)
    return LedgerInputs(
        now=now,
        cheap_period=cheap_period,
        planned=parse_rows(db, "dispatches", _select_dispatches(db, "planned", since, until), _planned_dispatch),
        completed=parse_rows(db, "dispatches", _select_dispatches(db, "completed", since, until), _completed_dispatch),
        holds=tuple(HoldRecord(h.confirmed_at, h.hold.until, h.closed_at) for h in holds if h.confirmed_at),
        unconfirmed_holds=tuple(
            HoldRecord(h.opened_at, h.hold.until, h.closed_at) for h in holds if h.confirmed_at is None
        ),
        chargers=load_charger_readings(db, since, until),
        batteries=load_battery_levels(db, since, until),
    )


def _select_dispatches(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    return db.execute(
        """
        SELECT id, start, end, delta_kwh, location, fetched_at, first_seen_at, withdrawn_at FROM dispatches
        WHERE kind = :kind AND end > :since AND end < :longest AND start < :until ORDER BY start, end
        """,
        {
            "kind": kind,
            "since": format_instant(since),
            "until": format_instant(until),
            "longest": format_instant(until + MAX_DISPATCH_LENGTH),
        },
    )


def _planned_dispatch(row: StoreRow) -> PlannedDispatch:
    return PlannedDispatch(*row.span("start", "end"), row.optional_instant("withdrawn_at"))


def _completed_dispatch(row: StoreRow) -> CompletedDispatch:
    starts_at, ends_at = row.span("start", "end")
    return CompletedDispatch(
        starts_at=starts_at,
        ends_at=ends_at,
        first_reported_at=row.instant("first_seen_at"),
        last_reported_at=row.instant("fetched_at"),
        energy_kwh=energy_from_row(row),
        at_home=row.optional_text("location") != LOCATION_AWAY,
    )

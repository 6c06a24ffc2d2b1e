"""What the ledger is made from, found by its time: however long the history grows, a month costs the same."""

import sqlite3
from datetime import datetime, timedelta

from smartcharge.core.calendar import Held
from smartcharge.core.ledger.facts import CompletedDispatch, LedgerFacts, PlannedDispatch
from smartcharge.core.slots import DAY, CheapPeriod, Span
from smartcharge.store import holds, readings
from smartcharge.store.dispatches import AWAY
from smartcharge.store.times import from_text, from_text_or_none, to_text

LONGEST = timedelta(days=7)
"""No dispatch lasts longer; so a span of ends bounds the span of those that matter."""


def facts(db: sqlite3.Connection, span: Span, now: datetime, cheap_period: CheapPeriod) -> LedgerFacts:
    """Give all that bears on the half hours of a span, and on a day around them."""
    since, until = span.starts_at - DAY, span.ends_at + DAY
    return LedgerFacts(
        now=now,
        cheap_period=cheap_period,
        planned=tuple(
            PlannedDispatch(from_text(row["start"]), from_text(row["end"]), from_text_or_none(row["withdrawn_at"]))
            for row in _dispatches(db, "planned", since, until)
        ),
        completed=tuple(_completed(row) for row in _dispatches(db, "completed", since, until)),
        holds=tuple(Held(h.opened_at, h.hold.until, h.closed_at) for h in holds.history(db, since, until)),
        chargers=readings.chargers(db, since, until),
        batteries=readings.batteries(db, since, until),
    )


def _dispatches(db: sqlite3.Connection, kind: str, since: datetime, until: datetime) -> sqlite3.Cursor:
    return db.execute(
        """
        SELECT start, end, delta_kwh, location, fetched_at, first_seen_at, withdrawn_at FROM dispatches
        WHERE kind = :kind AND end > :since AND end < :longest AND start < :until ORDER BY start, end
        """,
        {"kind": kind, "since": to_text(since), "until": to_text(until), "longest": to_text(until + LONGEST)},
    )


def _completed(row: sqlite3.Row) -> CompletedDispatch:
    return CompletedDispatch(
        starts_at=from_text(row["start"]),
        ends_at=from_text(row["end"]),
        first_told_at=from_text(row["first_seen_at"]),
        told_at=from_text(row["fetched_at"]),
        energy_kwh=None if row["delta_kwh"] is None else abs(row["delta_kwh"]),
        at_home=row["location"] != AWAY,
    )

"""A database after ten years of use, in the shapes that the program itself writes."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from msgspec import json

from smartcharge.policy.model import DispatchWindow, Policy, State
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.database import open_store, transaction

YEARS = 10
DISPATCHES, JOURNAL, OUTBOX, READINGS, HOLDS = 73_000, 500_000, 30_000, 300_000, 15_000
SAMPLE_MAIL = b"x" * 2500
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def make_ten_year_database(path: Path, until: datetime) -> None:
    """Fill a new database with ten years that end ten days before `until` (UTC)."""
    with closing(open_store(path)) as db, transaction(db):
        _fill_tables(db, until - timedelta(days=10))


def make_ten_year_legacy_database(path: Path, until: datetime) -> None:
    """As an installation of the service before this program would have left it."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "CREATE TABLE dispatches (start TEXT, end TEXT, delta_kwh REAL, type TEXT, source TEXT, location TEXT, "
            "gcal_event_id TEXT, gcal_sequence INTEGER, fetched_at TEXT, PRIMARY KEY (start, end))"
        )
        rows = (
            (at, end, -7.2, "SMART_FLEX", "smart-charge", "AT_HOME", None, 0, at)
            for at, end in _spread_spans(until, DISPATCHES)
        )
        db.executemany("INSERT INTO dispatches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def _fill_tables(db: sqlite3.Connection, until: datetime) -> None:
    db.execute(
        "INSERT INTO fetches (device, watched, asked_at, last_ok_at) VALUES ('car', 1, ?, ?)",
        (f"{until:{TIME_FORMAT}}",) * 2,
    )
    db.executemany(
        "INSERT INTO dispatches (kind, device, start, end, delta_kwh, type, fetched_at, first_seen_at, withdrawn_at) "
        "VALUES (?, ?, ?, ?, -7.2, 'SMART', ?, ?, ?)",
        (
            ("completed", "", at, end, at, at, None)
            if n % 3 == 0
            else ("planned", "car", at, end, at, at, at if n % 3 == 1 else None)
            for n, (at, end) in enumerate(_spread_spans(until, DISPATCHES))
        ),
    )
    window = DispatchWindow(until, until + timedelta(hours=1), until, device="car")
    policy = Policy(CheapPeriod(time(0), time(6), "Europe/London"))
    state = json.encode(State(until, policy, windows=(window,) * 8)).decode()
    db.executemany(
        "INSERT INTO journal (at, command, because, situation, outcome) "
        "VALUES (?, ?, 'CHARGING_IN_WINDOW', ?, 'decided')",
        (
            (at, ("reconcile", "fetch-dispatches", "midnight-reset")[n % 3], state if n % 3 == 0 else None)
            for n, (at, _) in enumerate(_spread_spans(until, JOURNAL))
        ),
    )
    db.executemany(
        "INSERT INTO readings (at, kind, state, watts, session_kwh, serials, why) "
        "VALUES (?, 'charger', 'CHARGING', 7200, 1, '1', '')",
        ((at,) for at, _ in _spread_spans(until, READINGS)),
    )
    db.executemany(
        "INSERT INTO holds (opened_at, until, kind, because, closed_at, closed_because) "
        "VALUES (?, ?, 'WINDOW', 'CHARGING_IN_WINDOW', ?, 'SLOT_ENDS')",
        ((at, end, end) for at, end in _spread_spans(until, HOLDS)),
    )
    db.executemany(
        "INSERT INTO events (uid, sequence, method, first_start, starts_at, ends_at, energy_kwh, stamped_at) "
        "VALUES (?, 0, 'REQUEST', ?, ?, ?, 7.2, ?)",
        ((f"e{n}", at, at, end, at) for n, (at, end) in enumerate(_spread_spans(until, OUTBOX))),
    )
    db.executemany(
        "INSERT INTO outbox "
        "(uid, sequence, method, message, recipient, state, attempts, created_at, sent_at, tried_at) "
        "VALUES (?, 0, 'REQUEST', ?, 'calendar@example.com', 'sent', 1, ?, ?, ?)",
        ((f"e{n}", SAMPLE_MAIL, at, at, at) for n, (at, _) in enumerate(_spread_spans(until, OUTBOX))),
    )


def _spread_spans(until: datetime, count: int) -> Iterator[tuple[str, str]]:
    """So many half hours, spread evenly over the years."""
    apart = timedelta(days=365.25 * YEARS) / count
    for n in range(count, 0, -1):
        at = (until - n * apart).astimezone(UTC).replace(microsecond=0)
        yield f"{at:{TIME_FORMAT}}", f"{at + timedelta(minutes=30):{TIME_FORMAT}}"

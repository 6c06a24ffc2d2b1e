"""However long the history grows, a tick reads only what matters: every query finds its rows by an index."""

import sqlite3
from collections.abc import Callable

import pytest
from store_helpers import POLICY, at, query_tuples

from smartcharge.store.control import hold_duration, load_open_hold, load_state
from smartcharge.store.dispatches import load_planned_dispatches, load_recent_dispatches, load_windows
from smartcharge.store.journal import load_journal, load_last_decision, load_last_journal_row
from smartcharge.store.outbox import count_outbox
from smartcharge.store.readings import load_last_charger_reading

GROWING = {"dispatches", "d", "holds", "journal", "outbox", "readings"}
QUERIES: dict[str, Callable[[sqlite3.Connection], object]] = {
    "the situation": lambda db: load_state(db, at("13:05"), POLICY),
    "the windows": lambda db: load_windows(db, at("13:05")),
    "what is remembered of a device": lambda db: load_planned_dispatches(db, "car", at("13:05")),
    "what the status lists": lambda db: load_recent_dispatches(db, at("13:05")),
    "the open hold": load_open_hold,
    "the hours held": lambda db: hold_duration(db, at("12:00"), at("13:05")),
    "a day of the journal": lambda db: load_journal(db, since=at("00:00"), until=at("13:05")),
    "a command's last entry": lambda db: load_last_journal_row(db, "reconcile"),
    "the newest decision": lambda db: load_last_decision(db, at("13:05")),
    "the outbox": count_outbox,
}


def plans(db: sqlite3.Connection, query: Callable[[sqlite3.Connection], object]) -> list[str]:
    """How SQLite goes about each statement of a query."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    query(db)
    db.set_trace_callback(None)
    return [str(step[3]) for sql in statements for step in query_tuples(db, f"EXPLAIN QUERY PLAN {sql}")]


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_it_is_found_by_an_index(db: sqlite3.Connection, query: Callable[[sqlite3.Connection], object]) -> None:
    steps = plans(db, query)

    assert any("INDEX" in step for step in steps)
    scans = [step for step in steps if step.startswith("SCAN") and step.split()[1] in GROWING]
    assert [scan for scan in scans if "USING" not in scan] == []


def test_unsent_mail_is_found_by_its_own_index(db: sqlite3.Connection) -> None:
    unsent = (
        "SELECT id FROM outbox WHERE state IN ('queued', 'inflight') AND (not_before IS NULL OR not_before <= 'now')"
    )

    assert "outbox_unsent" in str(plans(db, lambda db: db.execute(unsent).fetchall()))


def test_the_last_reading_is_looked_for_from_the_end(db: sqlite3.Connection) -> None:
    assert not any("B-TREE" in step for step in plans(db, load_last_charger_reading))

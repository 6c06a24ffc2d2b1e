"""The journal and the readings are forgotten by age, a little at a time; everything else stays."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smartcharge.idle import database_change_count
from smartcharge.policy.model import ChargerReading, ChargerState
from smartcharge.store.database import open_store, transaction
from smartcharge.store.events import Event
from smartcharge.store.journal import PRUNE_BATCH_ROWS, append_journal, load_journal, prune_history
from smartcharge.store.readings import record_charger_reading

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
DAYS = 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "smartcharge.db"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    """A row a day in both tables, for three hundred days."""
    with closing(open_store(path)) as db:
        with transaction(db):
            for days in range(DAYS):
                at = NOW - timedelta(days=days)
                append_journal(db, at=at, command="reconcile", outcome=Event.DECIDED)
                record_charger_reading(db, ChargerReading(ChargerState.IDLE, at))
        yield db


def counts(db: sqlite3.Connection) -> list[int]:
    return [db.execute(f"SELECT COUNT(*) AS n FROM {table}").fetchone()["n"] for table in ("journal", "readings")]  # noqa: S608


def test_what_is_older_goes_and_the_rest_stays(db: sqlite3.Connection) -> None:
    prune_history(db, NOW - timedelta(days=200))
    assert counts(db) == [201, 201]
    assert load_journal(db)[0].at == NOW - timedelta(days=200)


def test_so_many_go_at_once_and_the_next_time_the_others(db: sqlite3.Connection) -> None:
    prune_history(db, NOW - timedelta(days=10))
    assert counts(db) == [DAYS - PRUNE_BATCH_ROWS] * 2
    assert load_journal(db)[0].at == NOW - timedelta(days=DAYS - PRUNE_BATCH_ROWS - 1)
    prune_history(db, NOW - timedelta(days=10))
    assert counts(db) == [11, 11]


def test_where_nothing_is_old_nothing_is_written(db: sqlite3.Connection, path: Path) -> None:
    before = database_change_count(str(path))
    with transaction(db):
        prune_history(db, NOW - timedelta(days=DAYS))
    assert database_change_count(str(path)) == before


def test_the_file_is_not_rewritten_but_its_pages_are_used_again(db: sqlite3.Connection, path: Path) -> None:
    size = path.stat().st_size
    prune_history(db, NOW)
    assert path.stat().st_size == size
    free = db.execute("SELECT freelist_count AS n FROM pragma_freelist_count").fetchone()["n"]
    assert free > 0

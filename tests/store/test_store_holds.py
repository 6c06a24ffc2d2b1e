"""The holds: one open at most, and the hours that were held."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from store_helpers import at, files_on_disk

from smartcharge.errors import StoreError
from smartcharge.policy.model import Hold, HoldKind, Reason
from smartcharge.store.control import HoldRow, hold_duration, load_hold_history, load_open_hold, set_hold

HELD = Hold(at("13:30"))


def hold(db: sqlite3.Connection, opened_at: datetime, closed_at: datetime | None = None) -> None:
    """One hold, opened and, where it was, closed."""
    set_hold(db, HELD, Reason.CHARGING_IN_WINDOW, opened_at)
    if closed_at is not None:
        set_hold(db, None, Reason.SLOT_ENDS, closed_at)


def test_nothing_is_held_at_first(db: sqlite3.Connection) -> None:
    assert load_open_hold(db) is None


def test_an_opened_hold_is_found_again(db: sqlite3.Connection) -> None:
    set_hold(db, HELD, Reason.CHARGING_IN_WINDOW, at("13:05"), window_start=at("13:00"))

    found = load_open_hold(db)

    assert found == HoldRow(1, HELD, at("13:05"), Reason.CHARGING_IN_WINDOW, at("13:00"))


def test_a_longer_hold_is_the_same_hold(db: sqlite3.Connection) -> None:
    extended = Hold(at("14:00"), HoldKind.EXTENSION)
    set_hold(db, HELD, Reason.CHARGING_IN_WINDOW, at("13:05"), window_start=at("13:00"))
    set_hold(db, extended, Reason.OVERRUN, at("13:29"))

    assert load_open_hold(db) == HoldRow(1, extended, at("13:05"), Reason.OVERRUN, at("13:00"))


def test_a_closed_hold_stays_with_its_reason(db: sqlite3.Connection) -> None:
    hold(db, at("13:05"), at("13:29"))

    (closed,) = load_hold_history(db, at("13:00"), at("14:00"))

    assert load_open_hold(db) is None
    assert (closed.hold, closed.closed_at, closed.closed_reason) == (HELD, at("13:29"), Reason.SLOT_ENDS)


@pytest.mark.parametrize("held", [None, HELD])
def test_what_is_held_already_is_not_written_again(db: sqlite3.Connection, path: Path, held: Hold | None) -> None:
    set_hold(db, held, Reason.CHARGING_IN_WINDOW, at("13:05"))
    before = files_on_disk(path.parent)

    set_hold(db, held, Reason.SLOT_ALREADY_CHEAP, at("13:06"))

    assert files_on_disk(path.parent) == before


def test_the_database_itself_refuses_a_second_open_hold(db: sqlite3.Connection) -> None:
    hold(db, at("13:05"))

    with pytest.raises(StoreError, match="UNIQUE"):
        db.execute(
            "INSERT INTO holds (opened_at, until, kind, because) SELECT opened_at, until, kind, because FROM holds"
        )


HOURS = {
    "nothing held": ([], 0),
    "a closed hold": ([("13:05", "13:29")], 24),
    "an open hold counts up to now": ([("13:50", None)], 10),
    "a hold from before counts from then": ([("11:30", "12:10")], 10),
    "a hold that ended before does not count": ([("11:00", "12:00")], 0),
    "several holds add up": ([("12:10", "12:20"), ("13:05", "13:29"), ("13:50", None)], 44),
}


@pytest.mark.parametrize(("held", "minutes"), HOURS.values(), ids=HOURS)
def test_hours_held_since_noon(db: sqlite3.Connection, held: list[tuple[str, str | None]], minutes: int) -> None:
    for opened, closed in held:
        hold(db, at(opened), None if closed is None else at(closed))

    assert hold_duration(db, at("12:00"), at("14:00")) == timedelta(minutes=minutes)


def test_a_clock_that_was_set_back_never_makes_time_negative(db: sqlite3.Connection) -> None:
    hold(db, at("15:00"))

    assert hold_duration(db, at("12:00"), at("14:00")) == timedelta(0)


def test_history_gives_the_holds_of_a_span_oldest_first(db: sqlite3.Connection) -> None:
    hold(db, at("09:00"), at("10:00"))
    hold(db, at("11:00"), at("12:00"))
    hold(db, at("13:00"))

    assert [h.opened_at for h in load_hold_history(db, at("11:30"), at("14:00"))] == [at("11:00"), at("13:00")]
    assert [h.opened_at for h in load_hold_history(db, at("09:30"), at("11:00"))] == [at("09:00")]

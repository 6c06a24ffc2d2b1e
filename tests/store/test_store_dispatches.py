"""The plan as it is remembered: what an answer changes, what may be held for, and what the owner is shown."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import NO_DEADLINE, at, memory_database, query_tuples

from smartcharge.policy.model import Dispatch, RegisteredDevice
from smartcharge.policy.plan import KnownDispatch, PlanChanges, diff_plan
from smartcharge.store.database import transaction
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import (
    apply_plan_changes,
    load_dispatch_history,
    load_planned_dispatches,
    load_recent_dispatches,
    load_windows,
    record_completed_dispatches,
)
from smartcharge.store.times import UNIX_EPOCH

NIGHT = Dispatch(at("20:00"), at("21:30"), 10.5, source="smart-charge", location="AT_HOME")
LONGER = Dispatch(at("20:00"), at("22:00"), 14.0)
MINUTE = timedelta(minutes=1)


def answer(db: sqlite3.Connection, now: datetime, *planned: Dispatch, device: str = "car") -> PlanChanges:
    """What a run does with a good answer."""
    with transaction(db):
        changes = diff_plan(load_planned_dispatches(db, device, now), planned, now)
        apply_plan_changes(db, device, changes, now)
        record_plan_fetch(db, device, now, ok=True)
    return changes


def spans(db: sqlite3.Connection, now: datetime) -> list[tuple[datetime, datetime]]:
    """The windows that stand."""
    return [(window.starts_at, window.ends_at) for window in load_windows(db, now) if window.live]


def test_a_new_dispatch_is_a_window_with_its_devices_freshness(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    record_plan_fetch(db, "car", at("13:03"), ok=True)

    (window,) = load_windows(db, at("13:04"))

    assert (window.starts_at, window.ends_at, window.device, window.energy_kwh) == (
        at("20:00"),
        at("21:30"),
        "car",
        10.5,
    )
    assert (window.seen_at, window.live, window.boosting) == (at("13:03"), True, False)


def test_energy_is_stored_as_older_installations_do(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)

    assert query_tuples(db, "SELECT start, delta_kwh, type, source, location FROM dispatches") == [
        ("2026-11-22T20:00:00Z", -10.5, "SMART", "smart-charge", "AT_HOME")
    ]


def test_a_failed_answer_leaves_the_window_as_old_as_it_is(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    record_plan_fetch(db, "car", at("13:03"), ok=False, error="no answer")

    assert load_windows(db, at("13:04"))[0].seen_at == at("13:00")


def test_a_steady_answer_changes_one_row_of_freshness_and_nothing_else(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    changes, before = db.total_changes, query_tuples(db, "SELECT * FROM dispatches")

    answer(db, at("13:03"), NIGHT)

    assert db.total_changes == changes + 1
    assert query_tuples(db, "SELECT * FROM dispatches") == before


def test_a_missing_window_is_remembered_as_missing_before_it_is_withdrawn(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:03"))
    assert [row.missing_since for row in load_planned_dispatches(db, "car", at("13:03"))] == [at("13:03")]
    assert spans(db, at("13:03"))

    answer(db, at("13:06"))

    assert [row.withdrawn_at for row in load_planned_dispatches(db, "car", at("13:06"))] == [at("13:06")]
    assert spans(db, at("13:06")) == []


def test_a_window_that_comes_back_is_the_same_row_and_live(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:03"))
    answer(db, at("13:06"))
    answer(db, at("13:09"), NIGHT)

    (row,) = load_dispatch_history(db, at("13:00"), at("23:00"), at("13:09"))

    assert (row.live, row.withdrawn_at, row.first_seen_at) == (True, None, at("13:00"))
    assert load_planned_dispatches(db, "car", at("13:09")) == (KnownDispatch(row.id, at("20:00"), at("21:30"), 10.5),)


def test_a_revision_takes_the_place_of_what_it_revises(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:03"), LONGER)

    old, new = load_dispatch_history(db, at("13:00"), at("23:00"), at("13:09"))

    assert (old.superseded_by, old.withdrawn_at, old.live) == (new.id, at("13:03"), False)
    assert (new.superseded_by, new.withdrawn_at, new.live) == (None, None, True)
    assert [window.superseded for window in load_windows(db, at("13:04"))] == [True, False]


def test_a_revision_taken_back_makes_the_first_one_live_again(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:03"), LONGER)
    answer(db, at("13:06"), NIGHT)

    assert spans(db, at("13:06")) == [(NIGHT.starts_at, NIGHT.ends_at)]


def test_another_energy_is_kept(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:03"), Dispatch(NIGHT.starts_at, NIGHT.ends_at, None))

    assert load_windows(db, at("13:03"))[0].energy_kwh is None


def test_parts_of_a_second_do_not_make_a_window_withdraw_itself(db: sqlite3.Connection) -> None:
    half = timedelta(microseconds=500_000)
    for minute in range(3):
        answer(db, at("13:00") + minute * MINUTE, Dispatch(NIGHT.starts_at + half, NIGHT.ends_at + half))

    assert spans(db, at("13:03")) == [(NIGHT.starts_at, NIGHT.ends_at)]


def test_two_runs_with_the_same_answer_store_it_once(db: sqlite3.Connection) -> None:
    changes = diff_plan((), [NIGHT], at("13:00"))

    apply_plan_changes(db, "car", changes, at("13:00"))
    apply_plan_changes(db, "car", changes, at("13:00"))

    assert len(spans(db, at("13:00"))) <= 1
    assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(1,)]


def test_two_devices_may_plan_the_same_span(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    answer(db, at("13:01"), NIGHT, device="second car")
    answer(db, at("13:04"), device="second car")

    assert [(w.device, w.seen_at) for w in load_windows(db, at("13:04"))] == [
        ("car", at("13:00")), ("second car", at("13:04")),
    ]  # fmt: skip
    assert [row.missing_since for row in load_planned_dispatches(db, "car", at("13:04"))] == [None]


def test_the_windows_of_a_device_that_is_no_longer_watched_do_not_stand(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    record_devices(db, [RegisteredDevice("car", watched=False, state="SUSPENDED")])
    assert spans(db, at("13:01")) == []
    assert [row.live for row in load_recent_dispatches(db, at("13:01"))] == [False]

    record_devices(db, [RegisteredDevice("car", watched=True, boosting=True)])

    assert spans(db, at("13:02"))
    assert [window.boosting for window in load_windows(db, at("13:02"))] == [True]


def test_a_window_of_a_device_never_asked_about_is_not_fresh(db: sqlite3.Connection) -> None:
    apply_plan_changes(db, "stranger", PlanChanges(new=(NIGHT,)), at("13:00"))

    assert [(w.seen_at, w.live) for w in load_windows(db, at("13:00"))] == [(UNIX_EPOCH, False)]


def test_ended_windows_are_not_remembered_but_seen_for_a_day(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)

    assert load_planned_dispatches(db, "car", at("21:29"))
    assert load_planned_dispatches(db, "car", at("21:30")) == ()
    assert load_windows(db, at("21:29", day=23))
    assert load_windows(db, at("21:30", day=23)) == ()


def test_completed_dispatches_are_kept_once_and_are_no_windows(db: sqlite3.Connection) -> None:
    done = [
        Dispatch(at("09:00"), at("10:00"), 7.0),
        Dispatch(at("09:00"), at("10:00"), 7.0),
        Dispatch(at("11:00"), at("11:30")),
    ]

    assert record_completed_dispatches(db, done, at("13:00")) == 2
    assert record_completed_dispatches(db, done, at("13:03")) == 0
    assert load_windows(db, at("13:03")) == ()
    assert [(row.kind, row.energy_kwh, row.live) for row in load_recent_dispatches(db, at("13:03"))] == [
        ("completed", 7.0, False), ("completed", None, False),
    ]  # fmt: skip


LISTED = {
    "a window ahead": (at("13:00"), None, True),
    "a window that ended within the day": (at("20:00", day=23), None, True),
    "a window that ended longer ago": (at("22:00", day=23), None, False),
    "a window withdrawn today that would lie ahead": (at("13:00"), at("12:00"), True),
    "a window withdrawn long ago that would lie ahead": (at("13:00"), at("12:00", day=20), True),
    "a window withdrawn within the day that would be over": (at("08:00", day=23), at("10:00"), True),
    "a window withdrawn long ago that would be over": (at("20:00", day=23), at("12:00", day=20), False),
}


@pytest.mark.parametrize(("now", "withdrawn_at", "shown"), LISTED.values(), ids=LISTED)
def test_the_status_shows(db: sqlite3.Connection, now: datetime, withdrawn_at: datetime | None, *, shown: bool) -> None:
    answer(db, at("11:00", day=20), NIGHT)
    if withdrawn_at is not None:
        (row,) = load_planned_dispatches(db, "car", withdrawn_at)
        apply_plan_changes(db, "car", PlanChanges(withdrawn=(row.id,)), withdrawn_at)

    assert [row.withdrawn_at for row in load_recent_dispatches(db, now)] == ([withdrawn_at] if shown else [])


def test_live_in_the_status_means_planned_and_neither_withdrawn_nor_ended(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)

    assert [row.live for row in load_recent_dispatches(db, at("21:29"))] == [True]
    assert [row.live for row in load_recent_dispatches(db, at("21:30"))] == [False]


def test_history_gives_what_touches_the_span(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)

    assert load_dispatch_history(db, at("21:30"), at("23:00"), at("13:09")) == ()
    assert load_dispatch_history(db, at("13:00"), at("20:00"), at("13:09")) == ()
    assert [row.starts_at for row in load_dispatch_history(db, at("21:29"), at("23:00"), at("13:09"))] == [at("20:00")]


def test_a_failing_change_changes_nothing(db: sqlite3.Connection) -> None:
    answer(db, at("13:00"), NIGHT)
    changes = PlanChanges(new=(LONGER, Dispatch(at("20:00").replace(tzinfo=None), at("21:00"))))

    with pytest.raises(ValueError, match="without a time zone"):
        apply_plan_changes(db, "car", changes, at("13:03"))

    assert len(load_dispatch_history(db, at("13:00"), at("23:00"), at("13:09"))) == 1


slots = st.integers(0, 8).map(lambda n: at("14:00") + n * 30 * MINUTE)
planned = st.builds(
    lambda start, length, kwh: Dispatch(start, start + length * 30 * MINUTE, kwh),
    slots,
    st.integers(1, 4),
    st.none() | st.floats(0, 100),
)
answers = st.lists(st.lists(planned, max_size=3, unique_by=lambda d: (d.starts_at, d.ends_at)), min_size=1, max_size=6)


@NO_DEADLINE
@given(answers, st.integers(1, 60))
def test_after_any_answers_the_live_windows_are_the_last_answer_or_merely_missing(
    answers: list[list[Dispatch]], minutes: int
) -> None:
    with closing(memory_database()) as db:
        now = at("13:00")
        for told in answers:
            now += minutes * MINUTE
            answer(db, now, *told)
        assert not answer(db, now, *answers[-1])

        ahead = {(d.starts_at, d.ends_at) for d in answers[-1] if d.ends_at > now}
        missing = {
            row.span for row in load_planned_dispatches(db, "car", now) if row.missing_since and not row.withdrawn_at
        }
        assert {span for span in spans(db, now) if span[1] > now} - missing == ahead
        assert query_tuples(db, "PRAGMA foreign_key_check") == []

"""What the ledger is made from: completed dispatches that change, and facts that are found by their time."""

import sqlite3
from datetime import datetime, timedelta

import pytest
from store_helpers import POLICY, at, query_tuples

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import CompletedDispatch, PlannedDispatch
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState, Dispatch, Hold, Reason
from smartcharge.policy.plan import PlanChanges
from smartcharge.policy.slots import Span
from smartcharge.store.control import mark_hold_confirmed, set_hold
from smartcharge.store.dispatches import apply_plan_changes, record_completed_dispatches
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal
from smartcharge.store.readings import load_ledger_facts, record_battery_level, record_charger_reading

TODAY = Span(at("00:00"), at("00:00", day=23))


def done(span: str, energy_kwh: float | None = None, location: str | None = "AT_HOME") -> Dispatch:
    """A completed dispatch, such as 13:00-13:30."""
    starts, ends = span.split("-")
    return Dispatch(at(starts), at(ends), energy_kwh, location=location)


def told(db: sqlite3.Connection) -> list[tuple[datetime, datetime, float | None, bool]]:
    """Start, last change, energy and place of every completed dispatch of the day."""
    rows = load_ledger_facts(db, TODAY, at("23:59"), POLICY.cheap_period).completed
    return [(row.starts_at, row.last_reported_at, row.energy_kwh, row.at_home) for row in rows]


CHANGES = {
    "the energy is corrected": ([done("13:00-13:30", 3.4)], (at("15:00"), 3.4, True), 1),
    "the energy is told again": ([done("13:00-13:30", 3.5)], (at("14:00"), 3.5, True), 0),
    "the supplier falls silent about the energy": ([done("13:00-13:30")], (at("14:00"), 3.5, True), 0),
    "the charge turns out to be elsewhere": ([done("13:00-13:30", 3.5, "AWAY")], (at("15:00"), 3.5, False), 1),
    "the supplier falls silent about the place": ([done("13:00-13:30", 3.5, None)], (at("14:00"), 3.5, True), 0),
    "the dispatch is listed no more": ([], (at("14:00"), 3.5, True), 0),
    "the same half hour elsewhere and at home": (
        [done("13:00-13:30", 3.5), done("13:00-13:30", 9.9, "AWAY")], (at("14:00"), 3.5, True), 0
    ),
    "the same half hour at home and elsewhere": (
        [done("13:00-13:30", 9.9, "AWAY"), done("13:00-13:30", 3.5)], (at("14:00"), 3.5, True), 0
    ),
}  # fmt: skip


@pytest.mark.parametrize(("answer", "known", "written"), CHANGES.values(), ids=CHANGES)
def test_a_completed_dispatch_may_change(
    db: sqlite3.Connection, answer: list[Dispatch], known: tuple[datetime, float | None, bool], written: int
) -> None:
    record_completed_dispatches(db, [done("13:00-13:30", 3.5)], at("14:00"))

    assert record_completed_dispatches(db, answer, at("15:00")) == written
    assert record_completed_dispatches(db, answer, at("15:02")) == 0
    assert told(db) == [(at("13:00"), *known)]
    assert query_tuples(db, "SELECT DISTINCT first_seen_at FROM dispatches") == [("2026-11-22T14:00:00Z",)]


def test_a_dispatch_that_is_cut_back_to_what_it_was_is_told_anew(db: sqlite3.Connection) -> None:
    whole, half = [done("13:00-14:00", 6.0)], [done("13:00-13:30", 2.9)]
    for minute, answer in enumerate((whole, whole, half, half, whole, whole)):
        record_completed_dispatches(db, answer, at("15:00") + minute * timedelta(minutes=1))

    assert told(db) == [(at("13:00"), at("15:02"), 2.9, True), (at("13:00"), at("15:04"), 6.0, True)]


def test_overlapping_dispatches_of_one_answer_settle(db: sqlite3.Connection) -> None:
    both = [done("13:00-14:00", 6.0), done("13:30-14:00", 2.9)]

    assert [record_completed_dispatches(db, both, at(clock)) for clock in ("15:00", "15:02", "15:04")] == [2, 0, 0]


def test_the_facts_are_what_was_written_down(db: sqlite3.Connection) -> None:
    apply_plan_changes(db, "car", PlanChanges(new=(done("13:00-14:00", 7.2), done("16:00-17:00", 7.2))), at("12:00"))
    apply_plan_changes(db, "car", PlanChanges(withdrawn=(2,)), at("15:00"))
    record_completed_dispatches(db, [done("13:00-13:30", 3.5)], at("15:00"))
    set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))
    mark_hold_confirmed(db, at("13:07"))
    set_hold(db, None, Reason.SLOT_ENDS, at("13:29"))
    set_hold(db, Hold(at("14:00")), Reason.CHARGING_IN_WINDOW, at("13:35"))
    reading = ChargerReading(ChargerState.CHARGING, at("13:05"), 7200.0, "as told", 1.5, ("17000001",), solar_only=True)
    record_charger_reading(db, reading)
    record_battery_level(db, at("13:05"), 55.0, 13.2)

    known = load_ledger_facts(db, TODAY, at("13:40"), POLICY.cheap_period)

    assert (known.now, known.cheap_period) == (at("13:40"), POLICY.cheap_period)
    assert known.planned == (
        PlannedDispatch(at("13:00"), at("14:00")), PlannedDispatch(at("16:00"), at("17:00"), at("15:00")),
    )  # fmt: skip
    assert known.completed == (CompletedDispatch(at("13:00"), at("13:30"), at("15:00"), at("15:00"), 3.5),)
    assert known.holds == (HoldRecord(at("13:07"), at("13:30"), at("13:29")),)
    assert known.unconfirmed_holds == (HoldRecord(at("13:35"), at("14:00")),)
    assert known.chargers == (reading,)
    assert known.batteries == (BatteryLevel(at("13:05"), 55.0, 13.2),)


def test_the_facts_reach_a_day_around_and_no_further(db: sqlite3.Connection) -> None:
    for day in range(19, 27):
        record_battery_level(db, at("12:00", day), float(day))
        record_completed_dispatches(db, [Dispatch(at("12:00", day), at("12:30", day))], at("13:00", day))

    known = load_ledger_facts(db, TODAY, at("23:59"), POLICY.cheap_period)

    assert [level.soe_pct for level in known.batteries] == [21.0, 22.0, 23.0]
    assert [row.starts_at.day for row in known.completed] == [21, 22, 23]


def test_a_month_of_the_ledger_is_found_by_time_alone(db: sqlite3.Connection) -> None:
    append_journal(db, at=at("12:00"), command="tick", outcome=Event.CHANGED)
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    load_ledger_facts(db, TODAY, at("23:59"), POLICY.cheap_period)
    db.set_trace_callback(None)
    steps = [str(step[3]) for sql in statements for step in query_tuples(db, f"EXPLAIN QUERY PLAN {sql}")]

    assert [step for step in steps if "TEMP B-TREE" not in step] == [
        "SEARCH holds USING INDEX holds_by_close (<expr>>?)",
        *["SEARCH dispatches USING INDEX dispatches_by_end (kind=? AND end>? AND end<?)"] * 2,
        *["SEARCH readings USING INDEX readings_by_time (at>? AND at<?)"] * 2,
    ]

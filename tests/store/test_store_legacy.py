"""Rows of the service before this program: one spelling, one row each, nothing lost, and never a reason to act."""

from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_helpers import NO_DEADLINE, POLICY, WHOLE_CENTURY, at, make_legacy_database, memory_database, query_tuples

from smartcharge.policy.model import Dispatch, RegisteredDevice
from smartcharge.policy.plan import PlanChanges
from smartcharge.store.control import load_state
from smartcharge.store.database import open_store
from smartcharge.store.devices import record_devices
from smartcharge.store.dispatches import (
    apply_plan_changes,
    load_planned_dispatches,
    load_recent_dispatches,
    load_windows,
    record_completed_dispatches,
)
from smartcharge.store.journal import load_last_journal_row
from smartcharge.store.migrations import import_legacy_dispatches, parse_legacy_instant, parse_legacy_row
from smartcharge.store.times import format_instant

HALF_PAST_ONE = [
    "2026-11-22T13:30:00Z",
    "2026-11-22T13:30:00+00:00",
    "2026-11-22T13:30:00+0000",
    "2026-11-22T14:30:00+01:00",
    "2026-11-22T13:30:00",
    "2026-11-22T13:30:00.250000+00:00",
    "2026-11-22 13:30:00Z",
]
TWO = "2026-11-22T14:00:00Z"


def old(**values: object) -> dict[str, object]:
    """A planned row of an afternoon, seen for the last time at ten to two."""
    row = {"start": HALF_PAST_ONE[0], "end": TWO, "type": "SMART_FLEX", "fetched_at": "2026-11-22T13:50:00Z"}
    return {**row, **values}


def taken_over(path: Path, *rows: dict[str, object]) -> list[dict[str, object]]:
    """What the rows become."""
    make_legacy_database(path, "the documented form", rows)
    with closing(open_store(path)) as db:
        return [dict(row) for row in db.execute("SELECT * FROM dispatches ORDER BY start, kind")]


@pytest.mark.parametrize("spelling", HALF_PAST_ONE)
def test_every_spelling_of_an_instant_is_understood(spelling: str) -> None:
    assert parse_legacy_instant(spelling) == datetime(2026, 11, 22, 13, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "nonsense", [None, "", "soon", "25:00", 1_700_000_000, b"2026-11-22T13:30:00Z", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_instant_is_not_guessed(nonsense: object) -> None:
    assert parse_legacy_instant(nonsense) is None


@given(st.datetimes(*WHOLE_CENTURY), st.integers(-14, 14))
def test_the_offset_never_changes_the_instant(moment: datetime, hours: int) -> None:
    utc = moment.replace(tzinfo=UTC)
    spelt = utc.astimezone(timezone(timedelta(hours=hours))).isoformat()

    assert parse_legacy_instant(spelt) == utc.replace(microsecond=0)


def test_spellings_of_one_dispatch_become_one_row(path: Path) -> None:
    rows = taken_over(path, *(old(start=spelling) for spelling in HALF_PAST_ONE))

    assert [(row["start"], row["end"]) for row in rows] == [("2026-11-22T13:30:00Z", "2026-11-22T14:00:00Z")]


def test_a_merged_row_keeps_the_event_and_the_highest_sequence(path: Path) -> None:
    (row,) = taken_over(
        path,
        old(gcal_event_id="sent@house", gcal_sequence=3, delta_kwh=-7.0, fetched_at="2026-11-22T13:10:00Z"),
        old(start=HALF_PAST_ONE[1], gcal_event_id=None, gcal_sequence=0, delta_kwh=-6.0, source="smart-charge"),
    )

    assert (row["gcal_event_id"], row["gcal_sequence"]) == ("sent@house", 3)
    assert (row["delta_kwh"], row["source"]) == (-6.0, "smart-charge")
    assert (row["first_seen_at"], row["fetched_at"]) == ("2026-11-22T13:10:00Z", "2026-11-22T13:50:00Z")


def test_of_two_events_the_one_with_the_higher_sequence_is_kept(path: Path) -> None:
    (row,) = taken_over(
        path,
        old(gcal_event_id="older@house", gcal_sequence=1),
        old(start=HALF_PAST_ONE[1], gcal_event_id="newer@house", gcal_sequence=2, fetched_at="2026-11-22T13:10:00Z"),
    )

    assert (row["gcal_event_id"], row["gcal_sequence"]) == ("newer@house", 2)


KINDS = {
    "a typed row is planned": (old(), "planned"),
    "a typed row stays planned when it is over": (old(fetched_at="2026-11-22T15:00:00Z"), "planned"),
    "an untyped row seen after its end is completed": (old(type=None, fetched_at="2026-11-22T15:00:00Z"), "completed"),
    "an untyped row last seen before its end was planned": (old(type=None), "planned"),
    "an untyped row nobody knows when it was seen is completed": (old(type=None, fetched_at=None), "completed"),
}


@pytest.mark.parametrize(("row", "kind"), KINDS.values(), ids=KINDS)
def test_a_row_is_planned_or_completed(path: Path, row: dict[str, object], kind: str) -> None:
    assert [(new["kind"], new["type"]) for new in taken_over(path, row)] == [(kind, row["type"])]


def test_a_plan_that_was_over_when_the_old_service_stopped_is_not_called_withdrawn(path: Path) -> None:
    over, ahead = taken_over(
        path,
        old(start="2026-11-22T09:00:00Z", end="2026-11-22T10:00:00Z", fetched_at="2026-11-22T09:59:00Z"),
        old(),
    )

    assert over["withdrawn_at"] is None
    assert ahead["withdrawn_at"] == "2026-11-22T13:50:00Z"


UNCLEAR = {
    "no start": old(start=None),
    "no end": old(end=None),
    "words": old(start="soon"),
    "upside down": old(end="2026-11-22T13:00:00Z"),
    "no length": old(end=HALF_PAST_ONE[1]),
}


@pytest.mark.parametrize("row", UNCLEAR.values(), ids=UNCLEAR)
def test_a_row_with_unclear_times_stays_where_it_was_and_is_counted(path: Path, row: dict[str, object]) -> None:
    make_legacy_database(path, "the documented form", [row, old()])

    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(1,)]
        assert query_tuples(db, "SELECT COUNT(*) FROM legacy_dispatches") == [(2,)]
        entry = load_last_journal_row(db, "migration")
    assert entry
    assert entry.detail.text == "2 older rows became 1 dispatches; 1 with unclear times stay in legacy_dispatches"
    assert entry.at == at("13:50")


def test_values_of_the_wrong_kind_are_left_out_not_fatal(path: Path) -> None:
    (row,) = taken_over(path, old(delta_kwh="much", source=b"\x00", gcal_sequence="first", fetched_at="yesterday"))

    assert (row["delta_kwh"], row["source"], row["gcal_sequence"]) == (None, None, 0)
    assert (row["fetched_at"], row["withdrawn_at"]) == (row["start"], row["start"])


@pytest.mark.parametrize("fetched_at", ["2026-11-22T13:50:00Z", "2099-01-01T00:00:00Z", None, "?"])
@pytest.mark.parametrize("kind", ["SMART_FLEX", None])
def test_no_old_row_is_ever_live(path: Path, fetched_at: str | None, kind: str | None) -> None:
    make_legacy_database(path, "the documented form", [old(fetched_at=fetched_at, type=kind)])

    with closing(open_store(path)) as db:
        seen = load_state(db, at("13:51"), POLICY)
        assert not any(window.live for window in seen.windows)
        assert not seen.is_covered(at("13:51"))
        assert not any(dispatch.live for dispatch in load_recent_dispatches(db, at("13:51")))
        assert load_planned_dispatches(db, "car", at("13:51")) == ()


def test_a_completed_dispatch_that_is_told_again_is_known(path: Path) -> None:
    make_legacy_database(
        path, "the documented form", [old(type=None, fetched_at="2026-11-22T15:00:00+00:00", gcal_event_id="kept")]
    )

    with closing(open_store(path)) as db:
        told = [Dispatch(at("13:30"), at("14:00"))]
        assert record_completed_dispatches(db, told, at("16:00")) == 0
        assert query_tuples(db, "SELECT gcal_event_id FROM dispatches") == [("kept",)]


def test_the_same_window_planned_anew_is_another_row(path: Path) -> None:
    make_legacy_database(path, "the documented form", [old()])

    with closing(open_store(path)) as db:
        record_devices(db, [RegisteredDevice("car", watched=True)])
        apply_plan_changes(db, "car", PlanChanges(new=(Dispatch(at("13:30"), at("14:00")),)), at("13:52"))
        assert [(w.device, w.live) for w in load_windows(db, at("13:52"))] == [("", False), ("car", True)]


spellings = st.sampled_from([*HALF_PAST_ONE, TWO, "2026-11-22T15:00:00Z", "2026-11-22T15:00:00+00:00", "soon"])
rows = st.builds(
    old,
    start=spellings,
    end=spellings,
    type=st.sampled_from(["SMART_FLEX", None]),
    fetched_at=spellings,
    gcal_event_id=st.none() | st.text("abc", min_size=1),
    gcal_sequence=st.integers(0, 9),
)


@NO_DEADLINE
@given(st.lists(rows))
def test_every_understood_row_and_its_sequence_is_found_again(rows: list[dict[str, object]]) -> None:
    with closing(memory_database()) as db:
        db.execute("CREATE TABLE old (start, end, type, fetched_at, gcal_event_id, gcal_sequence)")
        for row in rows:
            db.execute(
                "INSERT INTO old VALUES (:start, :end, :type, :fetched_at, :gcal_event_id, :gcal_sequence)",
                row,
            )
        import_legacy_dispatches(db, ["old"])
        found = {(row["start"], row["end"], row["kind"]): row for row in db.execute("SELECT * FROM dispatches")}

    known = [known for row in rows if (known := parse_legacy_row(row))]
    assert {(format_instant(row.start), format_instant(row.end), row.kind) for row in known} == set(found)
    for was in known:
        new = found[format_instant(was.start), format_instant(was.end), was.kind]
        assert new["gcal_sequence"] >= was.gcal_sequence
        assert new["gcal_event_id"] or was.gcal_event_id is None

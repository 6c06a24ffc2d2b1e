"""Kraken's lists as core values: what counts, what is dropped, and that nothing hostile does harm."""

from datetime import UTC, datetime

import pytest
from fake_kraken import KrakenInstallation, older_dispatch, planned_dispatch

from smartcharge.policy.model import Dispatch


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}+00:00")


@pytest.fixture(autouse=True)
def _signed_in(house: KrakenInstallation) -> None:
    house.keep()


def test_times_are_utc_and_energy_is_a_magnitude(house: KrakenInstallation) -> None:
    plan = house.planned([planned_dispatch("2026-07-08T12:30:00+00:00", "2026-07-08T14:00:00+00:00", "-7.9")])

    assert plan.planned["ev-a"] == (Dispatch(at("12:30:00"), at("14:00:00"), 7.9),)


SPELLINGS = [
    "2026-07-08T12:30:00Z",
    "2026-07-08T13:30:00+01:00",
    "2026-07-08T12:30:00.000000+00:00",
    "2026-07-08T12:30:00+0000",
    "2026-07-08T07:30:00-05:00",
]


@pytest.mark.parametrize("start", SPELLINGS)
def test_every_spelling_of_an_instant_is_the_same_instant(house: KrakenInstallation, start: str) -> None:
    (dispatch,) = house.planned([planned_dispatch(start, "14:00")]).planned["ev-a"] or ()

    assert dispatch.starts_at == at("12:30:00")
    assert dispatch.starts_at.tzinfo is UTC


ENERGIES: dict[str, tuple[object, float | None]] = {
    "nothing": (None, None),
    "zero as text": ("0", 0.0),
    "zero as decimal text": ("0.0", 0.0),
    "a number": (3.1, 3.1),
    "an integer": (-4, 4.0),
    "a word": ("much", None),
    "not a number": ("NaN", None),
    "beyond all numbers": ("-1e999", None),
    "a truth": (True, None),
    "a list": ([1], None),
    "digits without end": ("9" * 5000, None),
}


@pytest.mark.parametrize(("given", "kwh"), ENERGIES.values(), ids=ENERGIES)
def test_energy_is_information_and_never_a_filter(house: KrakenInstallation, given: object, kwh: float | None) -> None:
    (dispatch,) = house.planned([planned_dispatch("12:30", "14:00", given)]).planned["ev-a"] or ()

    assert dispatch.energy_kwh == kwh


def test_a_missing_energy_is_unknown(house: KrakenInstallation) -> None:
    item = planned_dispatch("12:30", "14:00")
    del item["energyAddedKwh"]

    assert house.planned([item]).planned["ev-a"] == (Dispatch(at("12:30:00"), at("14:00:00")),)


NOT_CHEAP = {
    "a forced charge": ("BOOST", ()),
    "a test": ("TEST", ()),
    "a type that nobody knows": ("SUPERSMART", ("a dispatch of the unknown type SUPERSMART is ignored",)),
    "no type": (None, ("a dispatch of the unknown type (odd) is ignored",)),
    "a type of another type": (["SMART"], ("a dispatch of the unknown type (odd) is ignored",)),
    "a type that would speak": ("A-1\r\nSet-Cookie", ("a dispatch of the unknown type (odd) is ignored",)),
}


@pytest.mark.parametrize(("kind", "remarks"), NOT_CHEAP.values(), ids=NOT_CHEAP)
def test_only_what_the_supplier_charges_of_its_own_accord_counts(
    house: KrakenInstallation, kind: object, remarks: tuple[str, ...]
) -> None:
    plan = house.planned([planned_dispatch("12:00", "13:00") | {"type": kind}, planned_dispatch("15:00", "16:00")])

    assert plan.planned["ev-a"] == (Dispatch(at("15:00:00"), at("16:00:00"), 4.6),)
    assert plan.remarks == remarks


SOURCES: dict[str, tuple[str | None, int, int]] = {
    "silence": (None, 1, 0),
    "smart-charge": ("smart-charge", 1, 0),
    "smart": ("smart", 1, 0),
    "bump-charge": ("bump-charge", 0, 0),
    "boost": ("boost", 0, 0),
    "test-charge": ("test-charge", 0, 0),
    "a stranger": ("grid-event", 0, 1),
}


@pytest.mark.parametrize(("source", "count", "remarks"), SOURCES.values(), ids=SOURCES)
def test_the_older_query_names_a_source(
    house: KrakenInstallation, source: str | None, count: int, remarks: int
) -> None:
    house.keep(flex_refused_on="2026-07-08")
    house.kraken.old_planned = [older_dispatch("12:30", "14:00", source)]

    plan = house.plan("ev-a")

    assert len(plan.planned["ev-a"] or ()) == count
    assert len(plan.remarks) == 1 + remarks


def test_an_older_dispatch_without_a_source_part_counts(house: KrakenInstallation) -> None:
    house.keep(flex_refused_on="2026-07-08")
    house.kraken.old_planned = [older_dispatch("12:30", "14:00") | {"meta": None}]

    assert house.plan("ev-a").planned["ev-a"] == (Dispatch(at("12:30:00"), at("14:00:00"), 3.37),)


ODD = {
    "a start without an offset": planned_dispatch("2026-07-08T12:30:00", "14:00"),
    "a start that is a day": planned_dispatch("2026-07-08", "14:00"),
    "a start that is a number": planned_dispatch("12:30", "14:00") | {"start": 1783513800},
    "a start at the end of all times": planned_dispatch("9999-12-31T23:59:59-23:59", "14:00"),
    "no end": planned_dispatch("12:30", "14:00") | {"end": None},
    "an end at the start": planned_dispatch("12:30", "12:30"),
    "an end before the start": planned_dispatch("14:00", "12:30"),
    "three days": planned_dispatch("2026-07-08T12:00:00Z", "2026-07-11T12:00:00Z"),
    "next month": planned_dispatch("2026-08-08T12:00:00Z", "2026-08-08T13:00:00Z"),
    "last month": planned_dispatch("2026-06-08T12:00:00Z", "2026-06-08T13:00:00Z"),
    "null": None,
    "a word": "12:30-14:00",
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_an_odd_dispatch_is_dropped_with_a_remark_and_the_rest_is_kept(house: KrakenInstallation, odd: object) -> None:
    plan = house.planned([odd, planned_dispatch("15:00", "16:00")])

    assert plan.planned["ev-a"] == (Dispatch(at("15:00:00"), at("16:00:00"), 4.6),)
    assert len(plan.remarks) == 1
    assert plan.trouble is None


def test_raw_times_are_kept_as_they_are(house: KrakenInstallation) -> None:
    plan = house.planned([planned_dispatch("2026-07-08T17:11:09Z", "2026-07-08T17:12:31Z")])

    assert plan.planned["ev-a"] == (Dispatch(at("17:11:09"), at("17:12:31"), 4.6),)


def test_touching_overlapping_and_repeated_dispatches_are_passed_on(house: KrakenInstallation) -> None:
    items = [
        planned_dispatch("13:30", "15:00"),
        planned_dispatch("12:30", "13:30"),
        planned_dispatch("13:30", "15:00"),
        planned_dispatch("14:10", "16:00"),
    ]

    assert len(house.planned(items).planned["ev-a"] or ()) == 4


def test_a_forced_charge_over_a_window_is_remarked_and_leaves_it_as_it_is(house: KrakenInstallation) -> None:
    plan = house.planned([planned_dispatch("12:00", "14:00"), planned_dispatch("12:30", "13:00", kind="BOOST")])

    assert plan.planned["ev-a"] == (Dispatch(at("12:00:00"), at("14:00:00"), 4.6),)
    assert plan.remarks == ("a forced charge overlaps a planned window",)


def test_unknown_keys_are_ignored(house: KrakenInstallation) -> None:
    extra: dict[str, object] = {f"extra{n}": {"deep": [n]} for n in range(400)}

    assert house.planned([planned_dispatch("12:30", "14:00") | extra]).planned["ev-a"] == (
        Dispatch(at("12:30:00"), at("14:00:00"), 4.6),
    )

"""What each half hour was, held and cost; the expected values were computed by hand."""

from datetime import date, datetime, timedelta

import pytest
from ledger_words import WHOLE_DAY, build_facts, describe_half_hour
from msgspec.structs import replace
from state_words import LONDON, OCTOPUS_CHEAP_PERIOD, at

from smartcharge.policy.energy import Basis, Energy, LedgerInputs
from smartcharge.policy.ledger import (
    LedgerEntry,
    LedgerTotals,
    TariffRates,
    build_ledger,
    local_days_span,
    mark_shadow_entries,
    sum_entries,
)
from smartcharge.policy.slots import Span

RATES = TariffRates(cheap_pence=6.0, standard_pence=26.0)
PLAN, HELD = "13:00-14:00", "13:05-13:59 14:00"
CAR = "13:04 idle 1.00, 13:05 charging 1.00, 13:29 charging 3.40, 13:59 idle 6.40"
BATTERY = "13:05 50 13.5, 13:29 62 13.5, 13:59 77 13.5"

CASES = {
    "a car charges through a window": (
        build_facts(plan=PLAN, held=HELD, car=CAR, battery=BATTERY),
        {"12:30": "", "13:00": "planned, started, cheap, held 25, car 2.50 measured, battery 1.69 measured",
         "13:30": "planned, started, cheap, held 29, car 2.90 measured, battery 1.96 measured", "14:00": ""}),
    "the supplier confirms it in the evening": (
        build_facts(plan=PLAN, held=HELD, car=CAR, told="13:00-13:30 2.61 18:00, 13:30-14:00 2.87 18:00"),
        {"13:00": "planned, started, completed, cheap, held 25, car 2.61 reported",
         "13:30": "planned, started, completed, cheap, held 29, car 2.87 reported"}),
    "the supplier confirms, but not how much": (
        build_facts(plan=PLAN, held=HELD, car=CAR, told="13:00-13:30 - 18:00"),
        {"13:00": "planned, started, completed, cheap, held 25, car 2.50 measured"}),
    "a later half hour is confirmed, and this one is not": (
        build_facts(plan=PLAN, held=HELD, car=CAR, told="13:30-14:00 2.87 18:00", battery=BATTERY),
        {"06:00": "denied", "05:30": "night",
         "13:00": "planned, started, denied, held 25, car 2.50 measured, battery 1.69 measured, held at peak rate",
         "13:30": "planned, started, completed, cheap, held 29, car 2.87 reported, battery 1.96 measured"}),
    "the car charged elsewhere": (
        build_facts(plan=PLAN, told="13:00-13:30 9.90 18:00 away"), {"13:00": "planned, denied"}),
    "no car": (build_facts(plan=PLAN, car="13:00 idle -, 13:02 idle -"), {"13:00": "planned, car 0.00 estimated"}),
    "a withdrawal in mid-slot leaves the half hour cheap": (
        build_facts(plan="13:00-15:00 13:40", held=HELD, car=CAR),
        {"13:30": "planned, started, cheap, held 29, car 2.90 measured", "14:00": ""}),
    "after a withdrawal the charger is not asked again": (
        build_facts(plan="13:00-15:00 13:40", held=HELD, car="13:05 charging 1.0, 13:29 charging 3.4"),
        {"13:00": "planned, started, cheap, held 25, car 2.40 measured",
         "13:30": "planned, started, cheap, held 29, car 3.60 estimated", "14:00": ""}),
    "a charger without a counter charges just before a half hour": (
        build_facts(plan=PLAN, held=HELD, car="13:29 charging -, 13:59 idle -"),
        {"13:30": "planned, started, cheap, held 29, car 1.74 estimated"}),
    "the counter shows that the car stopped before the half hour": (
        build_facts(plan=PLAN, held=HELD, car="13:29 charging 3.4, 13:59 idle 3.45",
         battery="13:29 60 10, 13:59 75 10"),
        {"13:30": "planned, held 29, car 0.05 measured, battery 1.45 measured, held at peak rate"}),
    "a release as the car still charges": (
        build_facts(plan="13:00-13:30", held="13:05-13:29 13:30", car="13:05 charging 1.0, 13:29 charging 3.4"),
        {"13:00": "planned, started, cheap, held 24, car 2.40 measured", "13:30": ""}),
    "a withdrawal before it begins": (
        build_facts(plan="13:00-14:00 12:59, 13:10-13:40 13:05"), {"13:00": "", "13:30": ""}),
    "a window that is moved while it runs": (
        build_facts(plan="13:00-13:30 13:20, 13:00-14:00"), {"13:00": "planned", "13:30": "planned"}),
    "a window touches a half hour by a minute": (
        build_facts(plan="13:29-13:31"), {"13:00": "planned", "13:30": "planned"}),
    "an extension counts at the standard rate": (
        build_facts(plan="13:00-13:30", held="13:05-13:48 14:00",
         car="13:05 charging 0, 13:29 charging 2.4, 13:47 charging 4.2, 13:48 idle 4.3",
         battery="13:05 50 10, 13:29 74 10, 13:48 93 10"),
        {"13:00": "planned, started, cheap, held 25, car 2.50 measured, battery 2.50 measured",
         "13:30": "started, extension, held 18, car 1.80 measured, battery 1.80 measured, held at peak rate"}),
    "an extension that the supplier completed after all": (
        build_facts(plan="13:00-13:30", held="13:05-13:48 14:00", told="13:30-13:47 2.04 15:00"),
        {"13:30": "extension, completed, cheap, held 18, car 2.04 reported"}),
    "a window is planned over an extension": (
        build_facts(plan="13:00-13:30, 13:40-14:30", held="13:05-14:29 14:30"), {"13:30": "planned, held 30"}),
    "a release that comes late": (
        build_facts(plan="13:00-13:30", held="13:05-14:10 13:30", car="13:05 charging 0",
         battery="13:05 40 10, 14:10 92 10"),
        {"13:00": "planned, started, cheap, held 25, car 3.00 estimated, battery 2.00 estimated",
         "13:30": "held 30, battery 2.40 estimated, held at peak rate",
         "14:00": "held 10, battery 0.80 estimated, held at peak rate"}),
    "a hold that is open now": (
        build_facts("13:20", plan=PLAN, held="13:05-now 13:30", car="13:05 charging 0", battery="13:05 50 10"),
        {"13:00": "planned, started, cheap, held 15, car 1.80 estimated", "13:30": "planned"}),
    "a hold of which most of the half hour is still to come": (
        build_facts("13:10", plan=PLAN, held="13:05-now 13:30", car="13:05 charging 0"),
        {"13:00": "planned, started, cheap, held 5, car 0.60 estimated"}),
    "a car that starts at the very end": (
        build_facts(plan="13:00-13:30", car="13:27 idle 0, 13:28 charging 0.05, 13:29 charging 0.17"),
        {"13:00": "planned, started, cheap, car 0.17 measured, slot missed"}),
    "a dispatch that was never planned": (
        build_facts(told="13:00-13:30 3.5 15:00"),
        {"13:00": "completed, cheap, car 3.50 reported, slot missed"}),
    "the night is cheap anyway": (
        build_facts(plan="02:00-04:00", told="02:00-02:30 3.5 03:30"),
        {"02:00": "night, planned, completed, car 3.50 reported", "05:30": "night", "06:00": ""}),
    "the night of another supplier": (
        build_facts(night=OCTOPUS_CHEAP_PERIOD), {"05:00": "night", "05:30": "", "23:00": "", "23:30": "night"}),
}  # fmt: skip


@pytest.mark.parametrize(("known", "expected"), CASES.values(), ids=CASES)
def test_the_ledger(known: LedgerInputs, expected: dict[str, str]) -> None:
    entries = {entry.starts_at: entry for entry in build_ledger(known, WHOLE_DAY)}

    assert {clock: describe_half_hour(entries[at(clock)]) for clock in expected} == expected


DAYS = {
    "an ordinary day": (date(2026, 11, 22), 48, 12),
    "the day the clocks go back": (date(2026, 10, 25), 50, 14),
    "the day the clocks go forward": (date(2026, 3, 29), 46, 10),
}


@pytest.mark.parametrize(("day", "half_hours", "at_night"), DAYS.values(), ids=DAYS)
def test_a_local_day_has_all_its_half_hours(day: date, half_hours: int, at_night: int) -> None:
    entries = build_ledger(build_facts(), local_days_span(day, day, LONDON))

    assert (len(entries), sum(entry.night for entry in entries)) == (half_hours, at_night)
    assert [e.starts_at for e in entries[1:]] == [e.ends_at for e in entries[:-1]]
    assert Span(entries[0].starts_at, entries[-1].ends_at) == local_days_span(day, day, LONDON)


def test_a_future_half_hour_is_planned_and_nothing_else() -> None:
    entries = build_ledger(build_facts("12:59", plan=PLAN), WHOLE_DAY)

    ahead = next(entry for entry in entries if entry.starts_at == at("13:00"))
    assert ahead == LedgerEntry(at("13:00"), planned=True, is_over=False)


def test_a_hold_across_midnight_counts_in_both_days() -> None:
    known = build_facts(
        plan="23:30-24:30",
        held="23:35-24:29 24:30",
        car="23:35 charging 0, 23:59 charging 2.4, 24:29 idle 2.7",
        battery="23:35 50 10, 23:59 74 10, 24:29 89 10",
        night=replace(OCTOPUS_CHEAP_PERIOD, starts=at("02:00").time()),
    )
    tomorrow = Span(at("24:00"), at("48:00"))

    assert describe_half_hour(build_ledger(known, WHOLE_DAY)[-1]) == (
        "planned, started, cheap, held 25, car 2.41 measured, battery 2.45 measured"
    )
    assert describe_half_hour(build_ledger(known, tomorrow)[0]) == (
        "planned, started, cheap, held 29, car 0.29 measured, battery 1.45 measured"
    )


@pytest.fixture(scope="module")
def told() -> LedgerEntry:
    """A half hour of which everything is known."""
    return LedgerEntry(
        at("13:00"),
        started=True,
        held=timedelta(minutes=25),
        completed=True,
        cheap=True,
        car=Energy(3.0, Basis.REPORTED),
        battery=Energy(2.0, Basis.MEASURED),
    )


def test_money_is_counted_at_the_rate_that_applied(told: LedgerEntry) -> None:
    dear = replace(told, cheap=False, completed=False)

    assert (told.cost_pence(RATES), told.cost_at_standard_rate_pence(RATES), told.saving_pence(RATES)) == (
        30.0,
        130.0,
        100.0,
    )
    assert (dear.cost_pence(RATES), dear.saving_pence(RATES), dear.loss_pence(RATES)) == (130.0, 0.0, 40.0)


def test_the_cheap_period_saves_nothing(told: LedgerEntry) -> None:
    night = replace(told, night=True, held=timedelta(0))

    assert (night.cost_pence(RATES), night.saving_pence(RATES), night.loss) == (30.0, 0.0, None)


BASES = {
    "energy as billed, in the battery as measured": ({}, Basis.MEASURED),
    "all as billed": ({"battery": None}, Basis.REPORTED),
    "an estimate": ({"battery": Energy(2.0, Basis.ESTIMATED)}, Basis.ESTIMATED),
    "a half hour that the supplier has not reported": ({"completed": None}, Basis.ESTIMATED),
    "a half hour of the cheap period, not reported": ({"completed": None, "night": True}, Basis.MEASURED),
    "no energy at all": ({"car": None, "battery": None}, None),
}  # fmt: skip


@pytest.mark.parametrize(("change", "basis"), BASES.values(), ids=BASES)
def test_the_cost_is_as_reliable_as_its_least_reliable_part(
    told: LedgerEntry, change: dict[str, object], basis: Basis | None
) -> None:
    assert replace(told, **change).basis is basis  # type: ignore[arg-type]


def test_totals_have_one_sum_for_each_basis(told: LedgerEntry) -> None:
    missed = replace(told, held=timedelta(0), battery=None, car=Energy(1.0, Basis.MEASURED))
    extended = replace(told, extension=True, cheap=False, completed=None, car=Energy(0.5, Basis.REPORTED))

    assert sum_entries([told, missed, extended], RATES) == LedgerTotals(
        held=timedelta(minutes=50),
        cheap=2,
        extensions=1,
        car=(Energy(3.5, Basis.REPORTED), Energy(1.0, Basis.MEASURED)),
        battery=(Energy(4.0, Basis.MEASURED),),
        basis=Basis.ESTIMATED,
        held_at_standard_rate=1,
        held_at_standard_rate_kwh=2.0,
        cheap_slots_missed=1,
        cost_pence=30.0 + 6.0 + 65.0,
        cost_at_standard_rate_pence=130.0 + 26.0 + 65.0,
        saving_pence=120.0,
        loss_pence=40.0,
    )
    assert sum_entries([told, missed, extended], RATES).kwh == 8.5


def test_without_prices_there_is_no_money(told: LedgerEntry) -> None:
    without = sum_entries([told], None)

    assert (without.saving_pence, without.cost_pence, without.cost_at_standard_rate_pence, without.loss_pence) == (
        None,
    ) * 4
    assert without.kwh == 5.0
    assert sum_entries([], RATES) == LedgerTotals(
        cost_pence=0, cost_at_standard_rate_pence=0, saving_pence=0, loss_pence=0
    )
    assert told.loss is None


SHADOW_MODE = {
    "a check in each": (("13:05", "13:35", "14:05"), (), "13:00 13:30 14:00 14:30"),
    "never checked": ((), ("13:05",), ""),
    "Tesla gave no answer for a while": (("12:35", "14:35"), (), "13:00 13:30 14:00 14:30"),
    "set again after shadow mode": (("13:05",), ("13:40",), "13:00"),
    "restored as shadow mode began": (("14:05",), ("13:29",), "14:00 14:30"),
    "set, restored and checked in one half hour": (("13:29",), ("13:05", "13:29"), "13:30 14:00 14:30"),
    "checked and set in one half hour": (("13:05",), ("13:20",), "13:00"),
    "a check of the day before": (("14:00 -1",), (), "13:00 13:30"),
    "a future check": (("15:05",), (), ""),
}


@pytest.mark.parametrize(("checks", "settings", "in_shadow"), SHADOW_MODE.values(), ids=SHADOW_MODE)
def test_a_check_in_shadow_mode_counts_until_the_battery_is_set(
    checks: tuple[str, ...], settings: tuple[str, ...], in_shadow: str
) -> None:
    half_hours = [LedgerEntry(at(clock)) for clock in ("13:00", "13:30", "14:00", "14:30")]

    found = mark_shadow_entries(half_hours, [_moment(each) for each in checks], [_moment(each) for each in settings])

    assert " ".join(f"{each.starts_at:%H:%M}" for each in found if each.in_shadow) == in_shadow


def test_holds_and_savings_in_shadow_mode_are_in_no_other_sum(told: LedgerEntry) -> None:
    dear = replace(told, cheap=False, completed=False, extension=True)
    shadowed = [replace(each, in_shadow=True) for each in (told, told, dear)]

    sums = sum_entries([told, *shadowed], RATES)

    assert (sums.held, sums.saving_pence, sums.extensions, sums.loss_pence) == (told.held, 100.0, 0, 0.0)
    assert (sums.in_shadow, sums.would_have_held, sums.shadow_saving_pence) == (True, 3 * told.held, 200.0)
    assert (sums.cheap, sums.kwh, sums.cost_pence) == (3, 20.0, 3 * 30.0 + 130.0)


def _moment(words: str) -> datetime:
    clock, _, day = words.partition(" ")
    return at(clock) + timedelta(days=int(day or 0))

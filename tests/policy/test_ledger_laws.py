"""What holds of every ledger, whatever happened: nothing is lost, nothing is counted twice."""

import math
from datetime import datetime, timedelta
from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st
from ledger_words import WHOLE_DAY
from state_words import CHEAP_PERIOD, at

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import Basis, CompletedDispatch, LedgerInputs, PlannedDispatch
from smartcharge.policy.ledger import TariffRates, build_ledger, resolve_overlaps, sum_entries
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import SLOT, Span

RATES = TariffRates(6.19, 26.073)
STARTS = at("06:00")
minutes = st.integers(0, 15 * 60).map(lambda number: STARTS + timedelta(minutes=number))
gaps = st.lists(st.timedeltas(timedelta(seconds=1), timedelta(minutes=45)), min_size=1, max_size=12)
kwh = st.floats(0, 8, allow_subnormal=False)


def _moments(first_at: datetime, apart: list[timedelta]) -> list[datetime]:
    """One moment more than there are gaps."""
    return [first_at + gone for gone in accumulate(apart, initial=timedelta(0))]


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    start = draw(minutes)
    return start, start + timedelta(minutes=draw(st.integers(1, 150)))


@st.composite
def readings(draw: st.DrawFn) -> tuple[ChargerReading, ...]:
    """A charger that was asked every now and then; sometimes it begins a new session."""
    moments = _moments(draw(minutes), draw(gaps))
    counters = [draw(st.floats(0, 30)) for _ in moments]
    states = [draw(st.sampled_from((ChargerState.CHARGING, ChargerState.IDLE))) for _ in moments]
    return tuple(
        ChargerReading(state, moment, 7200.0 if state is ChargerState.CHARGING else 0.0, "", counter, ("1",))
        for moment, state, counter in zip(moments, states, counters, strict=True)
    )


completed = st.builds(
    lambda span, told, energy, at_home: CompletedDispatch(span[0], span[1], told, told, energy, at_home=at_home),
    spans(), minutes, st.none() | kwh, st.booleans(),
)  # fmt: skip
planned = st.builds(lambda span, withdrawn: PlannedDispatch(span[0], span[1], withdrawn), spans(), st.none() | minutes)


@st.composite
def holds(draw: st.DrawFn) -> tuple[HoldRecord, ...]:
    """Holds one after the other, the last perhaps open."""
    edges = sorted(draw(st.lists(minutes, min_size=2, max_size=8, unique=True)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return tuple(HoldRecord(opened, closed + draw(st.timedeltas(-SLOT, SLOT)), closed) for opened, closed in pairs)


@st.composite
def days(draw: st.DrawFn) -> LedgerInputs:
    levels = [BatteryLevel(moment, draw(st.floats(0, 100)), 13.5) for moment in draw(st.lists(minutes, unique=True))]
    return LedgerInputs(
        now=draw(minutes),
        cheap_period=CHEAP_PERIOD,
        planned=tuple(draw(st.lists(planned, max_size=5))),
        completed=tuple(draw(st.lists(completed, max_size=5))),
        holds=draw(holds()),
        chargers=draw(readings()),
        batteries=tuple(sorted(levels, key=lambda level: level.at)),
    )


@given(minutes, gaps, st.data())
def test_what_was_measured_is_shared_out_exactly(
    first_at: datetime, apart: list[timedelta], data: st.DataObject
) -> None:
    """A counter that only rises, as one car's does: its half hours add up to what it rose by."""
    moments = _moments(first_at, apart)
    most = [22 * (after - before) / timedelta(hours=1) for before, after in pairwise(moments)]
    counters = list(accumulate((data.draw(st.floats(0, each)) for each in most), initial=3.0))
    seen = tuple(
        ChargerReading(ChargerState.IDLE, moment, 0.0, "", counter, ("1",))
        for moment, counter in zip(moments, counters, strict=True)
    )

    entries = build_ledger(LedgerInputs(at("24:00"), CHEAP_PERIOD, chargers=seen), Span(at("06:00"), at("36:00")))
    energies = [entry.car for entry in entries if entry.car]

    assert {energy.basis for energy in energies} == {Basis.MEASURED}
    assert math.isclose(sum(energy.kwh for energy in energies), counters[-1] - counters[0], abs_tol=1e-9)


@given(st.lists(completed, max_size=8))
def test_what_was_billed_is_shared_out_exactly(told: list[CompletedDispatch]) -> None:
    stands = resolve_overlaps(told)
    at_home = [each.energy_kwh for each in stands if each.at_home and each.energy_kwh is not None]
    entries = build_ledger(
        LedgerInputs(at("24:00"), CHEAP_PERIOD, completed=tuple(told)), Span(at("06:00"), at("24:00"))
    )
    billed = [entry.car for entry in entries if entry.car]

    assert {energy.basis for energy in billed} <= {Basis.REPORTED}
    assert math.isclose(sum(energy.kwh for energy in billed), sum(at_home), abs_tol=1e-9)


@given(st.lists(completed, max_size=8))
def test_no_moment_is_billed_twice_and_the_last_word_stands(told: list[CompletedDispatch]) -> None:
    stands = sorted(resolve_overlaps(told), key=lambda each: each.starts_at)

    assert all(before.ends_at <= after.starts_at for before, after in pairwise(stands))
    assert not told or max(each.last_reported_at for each in told) == max(each.last_reported_at for each in stands)
    assert resolve_overlaps(stands) == tuple(stands)
    for each in told:
        assert any(each.starts_at < other.ends_at and other.starts_at < each.ends_at for other in stands)


@given(days())
def test_the_money_adds_up(known: LedgerInputs) -> None:
    entries = build_ledger(known, WHOLE_DAY)
    sums = sum_entries(entries, RATES)
    night = sum(e.kwh for e in entries if e.night) * RATES.difference_pence

    assert sums.cost_pence is not None
    assert sums.cost_at_standard_rate_pence is not None
    assert sums.saving_pence is not None
    assert math.isclose(sums.cost_at_standard_rate_pence - sums.cost_pence, sums.saving_pence + night, abs_tol=1e-6)
    assert math.isclose(sums.kwh, sum(entry.kwh for entry in entries), abs_tol=1e-9)
    assert all(entry.loss is None or not entry.night for entry in entries)
    assert math.isclose(sums.loss_pence or 0.0, sums.held_at_standard_rate_kwh * RATES.difference_pence, abs_tol=1e-6)


@given(days(), minutes)
def test_a_day_cut_in_two_is_the_same_day(known: LedgerInputs, noon: datetime) -> None:
    cut = noon.replace(minute=0)

    before, after = Span(WHOLE_DAY.starts_at, cut), Span(cut, WHOLE_DAY.ends_at)

    assert build_ledger(known, before) + build_ledger(known, after) == build_ledger(known, WHOLE_DAY)


@given(days())
def test_every_minute_of_a_hold_is_in_one_half_hour(known: LedgerInputs) -> None:
    entries = build_ledger(known, WHOLE_DAY)
    stood = sum(((held.closed_at or known.now) - held.opened_at for held in known.holds), timedelta(0))

    assert len(entries) == 48
    assert sum((entry.held for entry in entries), timedelta(0)) == stood
    assert all(entry.held <= SLOT for entry in entries)
    assert all(entry.battery is None or entry.battery.kwh >= 0 for entry in entries)


@given(days())
def test_an_unplanned_half_hour_is_cheap_only_by_the_supplier_or_the_night(known: LedgerInputs) -> None:
    unplanned = [entry for entry in build_ledger(known, WHOLE_DAY) if not entry.planned]

    assert [e.starts_at for e in unplanned if e.cheap and not (e.completed or e.night)] == []
    assert [e.starts_at for e in unplanned if e.extension and (e.night or not e.held)] == []

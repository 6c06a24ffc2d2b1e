"""The ledger: for each half hour what was planned and held, the energy, where the figures come from, and the cost."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import chain
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import (
    Basis,
    CompletedDispatch,
    Energy,
    EnergyFlow,
    LedgerInputs,
    battery_flows,
    charged_half_hours,
    energy_by_half_hour,
    half_hour_starts,
    metered_flows,
    overlap_with_half_hour,
    presumed_flows,
    usable_readings,
    weakest_basis,
)
from smartcharge.policy.polling import MINUTE
from smartcharge.policy.replay import ReplayedMinute
from smartcharge.policy.slots import DAY, SLOT, Span, slot_start

SAVING_DEFINITION = (
    "The saving: for each half hour at the off-peak rate outside the off-peak hours, the kWh into the car and the "
    "Powerwall, times the difference between the peak and the off-peak rate."
)
"""Printed wherever a saving is shown."""


class Loss(StrEnum):
    """What went wrong in a half hour: charged at the peak rate, or not charged at the off-peak rate."""

    HELD_AT_STANDARD_RATE = "charged at the peak rate"
    CHEAP_SLOT_MISSED = "off-peak half hour missed"


class TariffRates(Struct, frozen=True):
    """Prices of the tariff, pence per kWh."""

    cheap_pence: float
    standard_pence: float

    @property
    def difference_pence(self) -> float:
        """How much cheaper a kWh is off-peak."""
        return self.standard_pence - self.cheap_pence


class LedgerEntry(Struct, frozen=True):
    """One settlement half hour, UTC.

    planned: a planned window covered part of it, and was not withdrawn before that part began. started: the car
    charged in it, according to its charger. held: how long a confirmed hold was open in it. unconfirmed: how long one
    was that no read-back ever showed. extension: held without a plan,
    because the car still charged. completed: whether the supplier reports a dispatch; None if it has not reported yet.
    night: inside the cheap period. cheap: paid at the off-peak rate, as far as is known. car: energy into the car;
    battery: energy into the house battery while held; None if not measured. is_over: it has passed, so it can be
    judged. in_shadow: in shadow mode, where another controller set the battery: held is what would have been held.
    """

    starts_at: datetime
    planned: bool = False
    started: bool = False
    held: timedelta = timedelta(0)
    unconfirmed: timedelta = timedelta(0)
    extension: bool = False
    completed: bool | None = None
    night: bool = False
    cheap: bool = False
    car: Energy | None = None
    battery: Energy | None = None
    is_over: bool = True
    in_shadow: bool = False

    @property
    def ends_at(self) -> datetime:
        """When it ends, UTC."""
        return self.starts_at + SLOT

    @property
    def kwh(self) -> float:
        """Energy into the car and the house battery together, as far as is known."""
        return sum(energy.kwh for energy in (self.car, self.battery) if energy is not None)

    @property
    def basis(self) -> Basis | None:
        """How reliable the cost is; None if no energy is known.

        Outside the cheap period the rate is known only when the supplier has reported whether it dispatched.
        """
        known = [energy.basis for energy in (self.car, self.battery) if energy is not None]
        if known and self.completed is None and not self.night:
            return Basis.ESTIMATED
        return weakest_basis(known)

    @property
    def saves(self) -> bool:
        """Whether it was off-peak although it lies outside the cheap period."""
        return self.cheap and not self.night

    @property
    def loss(self) -> Loss | None:
        """What went wrong in it, if anything; never in shadow mode, where another controller set the battery."""
        if self.in_shadow:
            return None
        if self.battery is not None and self.battery.kwh > 0 and not self.cheap:
            return Loss.HELD_AT_STANDARD_RATE
        if self.saves and self.is_over and self.held < SLOT / 2:
            return Loss.CHEAP_SLOT_MISSED
        return None

    def cost_pence(self, rates: TariffRates) -> float:
        """The cost of its energy at the rate that applied."""
        return self.kwh * (rates.cheap_pence if self.cheap else rates.standard_pence)

    def cost_at_standard_rate_pence(self, rates: TariffRates) -> float:
        """The cost of the same energy at the peak rate."""
        return self.kwh * rates.standard_pence

    def saving_pence(self, rates: TariffRates) -> float:
        """What it saved, by `SAVING_DEFINITION`."""
        return self.kwh * rates.difference_pence if self.saves else 0.0

    @property
    def loss_kwh(self) -> float:
        """Energy that the battery took at the peak rate. It is unknown what a missed half hour would have given."""
        return self.battery.kwh if self.battery is not None and self.loss is Loss.HELD_AT_STANDARD_RATE else 0.0

    def loss_pence(self, rates: TariffRates) -> float:
        """The extra cost of charging the battery at the peak rate."""
        return self.loss_kwh * rates.difference_pence


class LedgerTotals(Struct, frozen=True):
    """Sums over half hours. car, battery: one sum for each basis that occurs, the most reliable first.

    cheap: half hours paid at the off-peak rate outside the cheap period. basis: how reliable the money is, None if no
    energy is known. held_at_standard_rate, cheap_slots_missed: half hours in which that went wrong. Pence are None if
    no prices are configured. in_shadow: whether some of them were in shadow mode; what would have been held and saved
    in those is in `would_have_held` and `shadow_saving_pence`, and in no other sum.
    """

    held: timedelta = timedelta(0)
    cheap: int = 0
    extensions: int = 0
    car: tuple[Energy, ...] = ()
    battery: tuple[Energy, ...] = ()
    basis: Basis | None = None
    held_at_standard_rate: int = 0
    held_at_standard_rate_kwh: float = 0.0
    cheap_slots_missed: int = 0
    cost_pence: float | None = None
    cost_at_standard_rate_pence: float | None = None
    saving_pence: float | None = None
    loss_pence: float | None = None
    in_shadow: bool = False
    would_have_held: timedelta = timedelta(0)
    shadow_saving_pence: float | None = None

    @property
    def kwh(self) -> float:
        """Energy into the car and the house battery together, whatever the basis."""
        return sum(energy.kwh for energy in (*self.car, *self.battery))


def sum_entries(entries: Iterable[LedgerEntry], rates: TariffRates | None) -> LedgerTotals:
    """Add up half hours. rates: None leaves the money out."""
    found = tuple(entries)
    ours, others = _split_by_shadow(found)
    leaks = [each.loss for each in found]
    sums = LedgerTotals(
        held=sum((each.held for each in ours), timedelta(0)),
        cheap=sum(each.saves for each in found),
        extensions=sum(each.extension for each in ours),
        car=_sum_by_basis(each.car for each in found),
        battery=_sum_by_basis(each.battery for each in found),
        basis=weakest_basis(each.basis for each in found if each.kwh > 0),
        held_at_standard_rate=leaks.count(Loss.HELD_AT_STANDARD_RATE),
        held_at_standard_rate_kwh=sum(each.loss_kwh for each in found),
        cheap_slots_missed=leaks.count(Loss.CHEAP_SLOT_MISSED),
        in_shadow=bool(others),
        would_have_held=sum((each.held for each in others), timedelta(0)),
    )
    return sums if rates is None else _with_prices(sums, found, rates)


def _with_prices(sums: LedgerTotals, entries: Iterable[LedgerEntry], rates: TariffRates) -> LedgerTotals:
    found = tuple(entries)
    ours, others = _split_by_shadow(found)
    return replace(
        sums,
        cost_pence=sum(each.cost_pence(rates) for each in found),
        cost_at_standard_rate_pence=sum(each.cost_at_standard_rate_pence(rates) for each in found),
        saving_pence=sum(each.saving_pence(rates) for each in ours),
        shadow_saving_pence=sum(each.saving_pence(rates) for each in others) if others else None,
        loss_pence=sum(each.loss_pence(rates) for each in found),
    )


def _split_by_shadow(entries: Iterable[LedgerEntry]) -> tuple[list[LedgerEntry], list[LedgerEntry]]:
    """Return the entries outside shadow mode, and those in it."""
    parts: tuple[list[LedgerEntry], list[LedgerEntry]] = [], []
    for each in entries:
        parts[each.in_shadow].append(each)
    return parts


def local_days_span(first: date, last: date, zone: str) -> Span:
    """Return the span of local days, both included. A day has 46, 48 or 50 half hours."""
    begins, ends = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last + DAY))
    return Span(begins.astimezone(UTC), ends.astimezone(UTC))


def _sum_by_basis(energies: Iterable[Energy | None]) -> tuple[Energy, ...]:
    known = [energy for energy in energies if energy is not None]
    found = {basis: [each.kwh for each in known if each.basis is basis] for basis in Basis}
    return tuple(Energy(sum(amounts), basis) for basis, amounts in found.items() if amounts)


def reported_flows(dispatches: Iterable[CompletedDispatch]) -> Iterator[EnergyFlow]:
    """Yield the energy of completed dispatches at home, where the supplier reports it."""
    for each in dispatches:
        if each.at_home and each.energy_kwh is not None:
            yield EnergyFlow(each.span, each.energy_kwh, Basis.REPORTED)


def resolve_overlaps(completed: Iterable[CompletedDispatch]) -> tuple[CompletedDispatch, ...]:
    """Remove overlaps: the dispatch that was reported last replaces all that it overlaps.

    The supplier changes the spans while it reports more. Of one answer, the longer dispatch is kept.
    """
    return tuple(each for overlapping in _group_overlapping(completed) for each in _pick_latest(overlapping))


def _group_overlapping(completed: Iterable[CompletedDispatch]) -> Iterator[list[CompletedDispatch]]:
    """Yield groups of dispatches that overlap."""
    group: list[CompletedDispatch] = []
    for each in sorted(completed, key=lambda each: (each.starts_at, each.ends_at)):
        if group and each.starts_at >= max(other.ends_at for other in group):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _pick_latest(overlapping: Iterable[CompletedDispatch]) -> list[CompletedDispatch]:
    kept: list[CompletedDispatch] = []
    for each in sorted(overlapping, key=_precedence, reverse=True):
        if not any(each.starts_at < other.ends_at and other.starts_at < each.ends_at for other in kept):
            kept.append(each)
    return kept


def _precedence(each: CompletedDispatch) -> tuple[datetime, timedelta, datetime]:
    return each.last_reported_at, each.ends_at - each.starts_at, each.starts_at


COMPLETED_LISTED_FOR = timedelta(hours=12)
"""How far back the supplier's list of completed dispatches reaches."""
ZERO_DURATION = timedelta(0)


def build_ledger(facts: LedgerInputs, span: Span) -> tuple[LedgerEntry, ...]:
    """Compute one entry for every half hour that the span touches, in the order of time."""
    within = Span(slot_start(span.starts_at), span.ends_at)
    readings, promised = usable_readings(facts.chargers), _intended_half_hours(facts, within)
    planned, charged, held = (
        _planned_half_hours(facts, within),
        charged_half_hours(readings, promised),
        _held_by_half_hour(facts.holds, facts.now, within),
    )
    unconfirmed = _held_by_half_hour(facts.unconfirmed_holds, facts.now, within)
    completed_in = _completed_half_hours(facts.completed, within)
    car = energy_by_half_hour(chain(metered_flows(readings), presumed_flows(readings, promised, facts.now)), within)
    car |= energy_by_half_hour(reported_flows(resolve_overlaps(facts.completed)), within)
    battery = energy_by_half_hour(battery_flows(facts.holds, facts.batteries, facts.now), within)

    def entry(start: datetime) -> LedgerEntry:
        night, completed = facts.cheap_period.containing(start) is not None, completed_in.get(start)
        assumed = completed is None and start in planned and start in charged
        return LedgerEntry(
            starts_at=start,
            planned=start in planned,
            started=start in charged,
            held=held.get(start, ZERO_DURATION),
            unconfirmed=unconfirmed.get(start, ZERO_DURATION),
            extension=start in promised and start not in planned and not night,
            completed=completed,
            night=night,
            cheap=night or completed is True or assumed,
            car=car.get(start),
            battery=battery.get(start),
            is_over=start + SLOT <= facts.now,
        )

    return tuple(entry(start) for start in half_hour_starts(within, within))


def _planned_half_hours(facts: LedgerInputs, within: Span) -> set[datetime]:
    """Return the half hours that a window covered, if it was still planned when its part of them began."""
    return {
        start
        for each in facts.planned
        for start in half_hour_starts(Span(each.starts_at, each.ends_at), within)
        if each.withdrawn_at is None or each.withdrawn_at > max(each.starts_at, start)
    }


def _held_by_half_hour(holds: Iterable[HoldRecord], now: datetime, within: Span) -> dict[datetime, timedelta]:
    """Return how long a hold was open in each half hour; a late release counts to its end."""
    held: dict[datetime, timedelta] = {}
    for each in holds:
        stood = Span(each.opened_at, each.closed_at or now)
        for start in half_hour_starts(stood, within):
            held[start] = held.get(start, ZERO_DURATION) + overlap_with_half_hour(stood, start)
    return held


def _intended_half_hours(facts: LedgerInputs, within: Span) -> set[datetime]:
    """Return the half hours that holds were decided for; what a late release adds is left out."""
    holds = (*facts.holds, *facts.unconfirmed_holds)
    ends = ((each.opened_at, min(each.until, each.closed_at or facts.now)) for each in holds)
    return {start for opened_at, end in ends for start in half_hour_starts(Span(opened_at, end), within)}


def _completed_half_hours(told: Sequence[CompletedDispatch], within: Span) -> dict[datetime, bool]:
    """Return whether the supplier reports a dispatch at home, for the half hours that its reports cover.

    It reports a dispatch an hour or more after it, and lists it for twelve hours.
    """
    denied = {start: False for each in told for start in _skipped_half_hours(each, within)}
    elsewhere = {start: False for each in told if not each.at_home for start in half_hour_starts(each.span, within)}
    here = {
        start: True for each in resolve_overlaps(told) if each.at_home for start in half_hour_starts(each.span, within)
    }
    return denied | elsewhere | here


def _skipped_half_hours(later: CompletedDispatch, within: Span) -> Iterator[datetime]:
    """Yield the half hours without a dispatch that the list covered when a later dispatch was first reported."""
    reach = Span(later.first_reported_at - COMPLETED_LISTED_FOR, later.starts_at)
    return (start for start in half_hour_starts(reach, within) if reach.starts_at <= start <= later.starts_at - SLOT)


SHADOW_CHECK_VALID_FOR = DAY
"""How long a reading in shadow mode counts for later half hours without a reading."""


def mark_shadow_entries(
    entries: Iterable[LedgerEntry], checked_at: Iterable[datetime], set_at: Iterable[datetime]
) -> Iterator[LedgerEntry]:
    """Yield the entries, which are sorted by time, with those marked that were in shadow mode.

    checked_at: when shadow mode read the battery, or tried to. set_at: when this program set the battery, or tried to.
    The first of these in a half hour decides for all of it; without one, the latest before it does.
    """
    pending = sorted([*((at, True) for at in checked_at), *((at, False) for at in set_at)], reverse=True)
    latest: tuple[datetime, bool] | None = None
    for each in entries:
        while pending and pending[-1][0] < each.starts_at:
            latest = pending.pop()
        if pending and pending[-1][0] < each.ends_at:
            latest = pending.pop()
        at, is_check = latest or (each.starts_at, False)
        yield _mark_entry(each, in_shadow=is_check and each.ends_at - at <= SHADOW_CHECK_VALID_FOR)


def _mark_entry(entry: LedgerEntry, *, in_shadow: bool) -> LedgerEntry:
    """Mark an entry; beside another controller nothing is ever confirmed, so what was asked for counts there."""
    held = entry.held + entry.unconfirmed if in_shadow else entry.held
    return replace(entry, held=held, in_shadow=in_shadow)


class SavingsDifference(Struct, frozen=True):
    """The estimated difference between two courses of the same day.

    kwh: how much more the house battery would have taken, pence: how much more would have been saved; negative for
    less. usual: whether the day's average was used for a half hour whose own energy is unknown.
    """

    kwh: float
    pence: float
    usual: bool


def savings_difference(
    entries: Sequence[LedgerEntry], was: Iterable[ReplayedMinute], now: Iterable[ReplayedMinute], rates: TariffRates
) -> SavingsDifference | None:
    """Estimate what the minutes that are held in only one of two courses are worth; None if no energy is known.

    A kWh into the house battery saves the difference of the rates in a half hour that is off-peak outside the cheap
    period, loses as much at the peak rate, and changes nothing in the cheap period. The car's energy is the same.
    """
    more = _held_minutes_by_slot(now)
    more.subtract(_held_minutes_by_slot(was))
    usual_kwh = _kwh_per_held_minute(entries)
    kwh = pence = 0.0
    guessed = False
    for entry in entries:
        if not (count := more[entry.starts_at]):
            continue
        own_kwh = _kwh_per_held_minute([entry])
        guessed = guessed or own_kwh is None
        each_kwh = usual_kwh if own_kwh is None else own_kwh
        if each_kwh is None:
            return None
        kwh += count * each_kwh
        pence += count * each_kwh * rates.difference_pence * _savings_sign(entry)
    return SavingsDifference(kwh, pence, guessed)


def _held_minutes_by_slot(ticks: Iterable[ReplayedMinute]) -> Counter[datetime]:
    """Count the held minutes of each half hour."""
    return Counter(slot_start(tick.at) for tick in ticks if tick.hold is not None)


def _kwh_per_held_minute(entries: Iterable[LedgerEntry]) -> float | None:
    """Return what the house battery took in a held minute (kWh), None if it was not measured."""
    known = [(each.battery.kwh, each.held) for each in entries if each.battery is not None and each.held]
    held = sum((held for _, held in known), timedelta(0))
    return sum(kwh for kwh, _ in known) / (held / MINUTE) if known else None


def _savings_sign(entry: LedgerEntry) -> int:
    if entry.night:
        return 0
    return 1 if entry.cheap else -1

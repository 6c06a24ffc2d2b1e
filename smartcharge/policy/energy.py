"""Energy of half hours, computed from stored readings, holds and dispatches. Input of the ledger."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, pairwise, zip_longest

from msgspec import Struct

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import SLOT, CheapPeriod, Span, slot_end, slot_start


class Basis(StrEnum):
    """Where a figure comes from, the most reliable first. A sum is as reliable as its least reliable part."""

    REPORTED = "reported"
    MEASURED = "measured"
    ESTIMATED = "estimated"


class Energy(Struct, frozen=True):
    """An amount of energy (kWh, >= 0) and where the figure comes from."""

    kwh: float
    basis: Basis


def weakest_basis(bases: Iterable[Basis | None]) -> Basis | None:
    """Return the least reliable of several, None if there is none."""
    order = list(Basis)
    return max((basis for basis in bases if basis is not None), key=order.index, default=None)


class PlannedDispatch(Struct, frozen=True):
    """A planned window of any device, UTC, half-open. withdrawn_at: None if it was planned until its end."""

    starts_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None = None


class CompletedDispatch(Struct, frozen=True):
    """A dispatch that the supplier reports as completed, UTC, half-open.

    first_reported_at: when it was first reported. last_reported_at: when the report last changed. energy_kwh: into the
    car, None if not reported. at_home: False if the car charged elsewhere, which this house did not pay for.
    """

    starts_at: datetime
    ends_at: datetime
    first_reported_at: datetime
    last_reported_at: datetime
    energy_kwh: float | None = None
    at_home: bool = True

    @property
    def span(self) -> Span:
        """Start and end as a span."""
        return Span(self.starts_at, self.ends_at)


class LedgerInputs(Struct, frozen=True):
    """Everything that a ledger is computed from.

    now: an open hold counts up to it, and later half hours are not judged. The data begin a day before the requested
    half hours and end a day after them, so that energy between two readings is found. Readings are sorted by time.
    holds: from when a read-back showed them. unconfirmed_holds: asked for, but no read-back ever showed them.
    """

    now: datetime
    cheap_period: CheapPeriod
    planned: tuple[PlannedDispatch, ...] = ()
    completed: tuple[CompletedDispatch, ...] = ()
    holds: tuple[HoldRecord, ...] = ()
    unconfirmed_holds: tuple[HoldRecord, ...] = ()
    chargers: tuple[ChargerReading, ...] = ()
    batteries: tuple[BatteryLevel, ...] = ()


MAX_READING_GAP = timedelta(minutes=45)
"""Readings of a hold are about 30 minutes apart; with a longer gap it is unknown when the energy flowed."""


class EnergyFlow(Struct, frozen=True):
    """An amount of energy (kWh) over a span, and where the figure comes from."""

    span: Span
    kwh: float
    basis: Basis


def duration_hours(span: Span) -> float:
    """Return the length of a span in hours."""
    return (span.ends_at - span.starts_at) / timedelta(hours=1)


def half_hour_starts(span: Span, within: Span) -> Iterator[datetime]:
    """Yield the starts of the half hours that a span touches and that begin within another span."""
    start = max(slot_start(span.starts_at), within.starts_at)
    while start < min(span.ends_at, within.ends_at):
        yield start
        start += SLOT


def overlap_with_half_hour(span: Span, start: datetime) -> timedelta:
    """Return how much of a span lies in the half hour that begins at `start`."""
    return max(min(span.ends_at, start + SLOT) - max(span.starts_at, start), timedelta(0))


def energy_by_half_hour(flows: Iterable[EnergyFlow], within: Span) -> dict[datetime, Energy]:
    """Distribute every flow over its half hours in proportion to time; the keys are their starts."""
    found: dict[datetime, Energy] = {}
    for flow in flows:
        whole = flow.span.ends_at - flow.span.starts_at
        for start in half_hour_starts(flow.span, within):
            part = Energy(flow.kwh * (overlap_with_half_hour(flow.span, start) / whole), flow.basis)
            found[start] = _add_energy(found.get(start), part)
    return found


def _add_energy(sum_so_far: Energy | None, part: Energy) -> Energy:
    if sum_so_far is None:
        return part
    return Energy(sum_so_far.kwh + part.kwh, weakest_basis((sum_so_far.basis, part.basis)) or part.basis)


DEFAULT_CAPACITY_KWH = 13.5
"""Usable energy of one Powerwall 2 or 3, for sites of which Tesla does not report it."""
FULL_SOE_PCT = 100


def battery_flows(holds: Sequence[HoldRecord], levels: Iterable[BatteryLevel], now: datetime) -> Iterator[EnergyFlow]:
    """Yield what the battery gained in every hold; losses during a hold are ignored.

    The result is an estimate if the readings are far apart (the amount is known, but not when it flowed), or if the
    capacity is unknown.
    """
    read = tuple(each for each in levels if each.soe_pct is not None)
    known_kwh = next((each.capacity_kwh for each in reversed(read) if each.capacity_kwh is not None), None)
    later, first = (*(each.opened_at for each in holds[1:]), None), 0
    for held, next_opened_at in zip(holds, later, strict=False):
        while first < len(read) and read[first].at < held.opened_at:
            first += 1
        for before, after in pairwise(_readings_of_hold(held, islice(read, first, None), next_opened_at, now)):
            yield _battery_gain(before, after, known_kwh)


def _readings_of_hold(
    held: HoldRecord, read: Iterable[BatteryLevel], next_opened_at: datetime | None, now: datetime
) -> Iterator[BatteryLevel]:
    """Yield the readings of one hold, up to the reading at its release, however late that came."""
    closed_at = held.closed_at or now
    for each in read:
        is_next = next_opened_at is not None and each.at >= next_opened_at
        if each.at > closed_at + MAX_READING_GAP or (is_next and each.at > closed_at):
            return
        yield each
        if each.at >= closed_at:
            return


def _battery_gain(before: BatteryLevel, after: BatteryLevel, known_kwh: float | None) -> EnergyFlow:
    capacity_kwh = after.capacity_kwh or before.capacity_kwh or known_kwh
    is_certain = capacity_kwh is not None and after.at - before.at <= MAX_READING_GAP
    gain_pct = max((after.soe_pct or 0.0) - (before.soe_pct or 0.0), 0.0)
    return EnergyFlow(
        Span(before.at, after.at),
        gain_pct / FULL_SOE_PCT * (capacity_kwh or DEFAULT_CAPACITY_KWH),
        Basis.MEASURED if is_certain else Basis.ESTIMATED,
    )


MAX_CHARGER_KW = 22.0
"""The most that a Zappi on three phases delivers; a counter that rose faster is ignored."""
COUNTER_TOLERANCE_KWH = 0.05
"""Counters show hundredths of a kWh; a smaller change is neither a new session nor charging."""
EARLY_READING_MARGIN = timedelta(minutes=5)
"""A reading this shortly before a half hour that is to be held counts for that half hour."""


def usable_readings(readings: Iterable[ChargerReading]) -> tuple[ChargerReading, ...]:
    """Return the readings that are not UNKNOWN, one for each moment, sorted by time."""
    proven = (each for each in readings if each.state is not ChargerState.UNKNOWN)
    by_time = {each.at: each for each in proven}
    return tuple(by_time[at] for at in sorted(by_time))


def metered_flows(readings: Sequence[ChargerReading]) -> Iterator[EnergyFlow]:
    """Yield the energy between readings less than 45 minutes apart, by the counter or by their mean power."""
    for before, after in _pair_with_next(readings):
        if after is None:
            continue
        span = Span(before.at, after.at)
        if (rise := _counter_rise_kwh(before, after)) is not None:
            yield EnergyFlow(span, rise, Basis.MEASURED)
        elif before.watts is not None and after.watts is not None:
            yield EnergyFlow(span, (before.watts + after.watts) / 2000 * duration_hours(span), Basis.ESTIMATED)


def presumed_flows(
    readings: Sequence[ChargerReading], promised: Container[datetime], now: datetime
) -> Iterator[EnergyFlow]:
    """Yield estimates for a car that charged at the last reading before a gap: its power to the end of the half hour.

    promised: starts of the half hours that were to be held. A car that charges just before one of them is assumed to
    charge in that one; nothing is estimated for the few minutes before it.
    """
    for each, after in _pair_with_next(readings):
        if after is not None or not _is_charging(each):
            continue
        begins = _next_half_hour(each, promised) or each.at
        span = Span(begins, min(slot_end(begins), now))
        if (
            each.watts is not None
            and span.starts_at < span.ends_at
            and slot_end(begins) - begins > EARLY_READING_MARGIN
        ):
            yield EnergyFlow(span, each.watts / 1000 * duration_hours(span), Basis.ESTIMATED)


def charged_half_hours(readings: Sequence[ChargerReading], promised: Container[datetime]) -> set[datetime]:
    """Return the starts of the half hours in which the car charged.

    Either a reading says so; or the counter rose by more than the car's power could have delivered before that half
    hour; or the car charged just before a half hour that was to be held (promised), and no counter contradicts.
    """
    charging = [(each, after) for each, after in _pair_with_next(readings) if _is_charging(each)]
    found = {slot_start(each.at) for each, _ in charging}
    for each, after in charging:
        rise = None if after is None else _counter_rise_kwh(each, after)
        if after is not None and rise is not None:
            found.update(_half_hours_reached(each, after, rise))
        elif start := _next_half_hour(each, promised):
            found.add(start)
    return found


def _pair_with_next(readings: Sequence[ChargerReading]) -> Iterator[tuple[ChargerReading, ChargerReading | None]]:
    """Yield every reading with the next one, or with None if that comes more than 45 minutes later."""
    for each, after in zip_longest(readings, readings[1:]):
        yield each, after if after is not None and after.at - each.at <= MAX_READING_GAP else None


def _is_charging(reading: ChargerReading) -> bool:
    return reading.state is ChargerState.CHARGING


def _next_half_hour(reading: ChargerReading, promised: Container[datetime]) -> datetime | None:
    """Return the start of the next half hour if a reading came just before it and it was to be held."""
    end = slot_end(reading.at)
    return end if end - reading.at <= EARLY_READING_MARGIN and end in promised else None


def _half_hours_reached(before: ChargerReading, after: ChargerReading, rise_kwh: float) -> Iterator[datetime]:
    """Yield the half hours between two readings that must have received a part of the counter's rise."""
    start = slot_end(before.at)
    while before.watts is not None and start < after.at:
        if rise_kwh > before.watts / 1000 * duration_hours(Span(before.at, start)) + COUNTER_TOLERANCE_KWH:
            yield start
        start += SLOT


def _counter_rise_kwh(before: ChargerReading, after: ChargerReading) -> float | None:
    """Return what was charged between two readings by the session counter (kWh), None if it does not tell.

    A counter that went down belongs to a new session, and shows what was charged in that. With several chargers the
    counter is a sum: it does not tell whose session ended, and cannot be compared if the chargers differ.
    """
    if before.session_kwh is None or after.session_kwh is None or set(before.serials) != set(after.serials):
        return None
    rise = after.session_kwh - before.session_kwh
    if rise < -COUNTER_TOLERANCE_KWH:
        rise = after.session_kwh if len(after.serials) <= 1 else -1.0
    most_kwh = (
        MAX_CHARGER_KW * max(len(after.serials), 1) * duration_hours(Span(before.at, after.at)) + COUNTER_TOLERANCE_KWH
    )
    return max(rise, 0.0) if -COUNTER_TOLERANCE_KWH <= rise <= most_kwh else None

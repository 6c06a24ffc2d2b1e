"""What the ledger is made from: all of it was written down by the runs, nothing is asked."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice, pairwise, zip_longest

from msgspec import Struct

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import SLOT, CheapPeriod, Span, slot_end, slot_start


class Basis(StrEnum):
    """Where a figure comes from, the firmest first; what is made of several is as firm as the weakest of them."""

    BILLED = "billed"
    MEASURED = "measured"
    ESTIMATED = "estimated"


class Energy(Struct, frozen=True):
    """An amount of energy (kWh, >= 0) and where it is known from."""

    kwh: float
    basis: Basis


def weakest_basis(bases: Iterable[Basis | None]) -> Basis | None:
    """The least firm of several, None where there is none."""
    order = list(Basis)
    return max((basis for basis in bases if basis is not None), key=order.index, default=None)


class PlannedDispatch(Struct, frozen=True):
    """A planned window of any device as it once stood, UTC, half-open; withdrawn_at: None where it stood to its end."""

    starts_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None = None


class CompletedDispatch(Struct, frozen=True):
    """What the supplier says it dispatched, UTC, half-open.

    first_told_at: when it first said so. told_at: when it last changed anything about it. energy_kwh: into the car,
    None where it is silent. at_home: False where the car charged elsewhere, which this house did not pay.
    """

    starts_at: datetime
    ends_at: datetime
    first_reported_at: datetime
    last_reported_at: datetime
    energy_kwh: float | None = None
    at_home: bool = True

    @property
    def span(self) -> Span:
        """From when to when."""
        return Span(self.starts_at, self.ends_at)


class LedgerInputs(Struct, frozen=True):
    """All that a ledger knows.

    now: an open hold counts up to it, and what lies ahead is not judged. The facts reach a day beyond the half hours
    that are asked for, so that what flowed between two readings is found; readings are in the order of time.
    """

    now: datetime
    cheap_period: CheapPeriod
    planned: tuple[PlannedDispatch, ...] = ()
    completed: tuple[CompletedDispatch, ...] = ()
    holds: tuple[HoldRecord, ...] = ()
    chargers: tuple[ChargerReading, ...] = ()
    batteries: tuple[BatteryLevel, ...] = ()


MAX_READING_GAP = timedelta(minutes=45)
"""Between two readings of a hold lie about 30 minutes; further apart, nobody knows when it flowed."""


class EnergyFlow(Struct, frozen=True):
    """So much energy (kWh) over a span, and where it is known from."""

    span: Span
    kwh: float
    basis: Basis


def duration_hours(span: Span) -> float:
    """How long a span lasts."""
    return (span.ends_at - span.starts_at) / timedelta(hours=1)


def half_hour_starts(span: Span, within: Span) -> Iterator[datetime]:
    """Starts of the half hours that a span covers part of, as far as they begin within another."""
    start = max(slot_start(span.starts_at), within.starts_at)
    while start < min(span.ends_at, within.ends_at):
        yield start
        start += SLOT


def overlap_with_half_hour(span: Span, start: datetime) -> timedelta:
    """How much of a span lies in the half hour that begins at `start`."""
    return max(min(span.ends_at, start + SLOT) - max(span.starts_at, start), timedelta(0))


def energy_by_half_hour(flows: Iterable[EnergyFlow], within: Span) -> dict[datetime, Energy]:
    """Every flow spread over its half hours in proportion to time, by their starts.

    A half hour with flows of several kinds is as firm as the weakest of them.
    """
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
"""One Powerwall 2 or 3, where Tesla does not say what its batteries hold."""
FULL_SOE_PCT = 100


def battery_flows(holds: Sequence[HoldRecord], levels: Iterable[BatteryLevel], now: datetime) -> Iterator[EnergyFlow]:
    """The gains of every hold; what a held battery loses is its own business.

    Between readings far apart the amount is certain, but not when it flowed; and with a capacity that nobody named
    it is an estimate as well.
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
    """The readings of one hold, up to the one that its release began with, however late Tesla gave it."""
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
"""A Zappi on three phases; a counter that rose faster is not believed."""
COUNTER_TOLERANCE_KWH = 0.05
"""A counter shows hundredths; less than this is no session begun anew and no charging."""
EARLY_READING_MARGIN = timedelta(minutes=5)
"""Who looks so shortly before a half hour that is to be held looks on its behalf."""


def usable_readings(readings: Iterable[ChargerReading]) -> tuple[ChargerReading, ...]:
    """Readings that prove something, one a moment, in the order of time; an old record's counter is old, too."""
    proven = (each for each in readings if each.state is not ChargerState.UNKNOWN)
    by_time = {each.at: each for each in proven}
    return tuple(by_time[at] for at in sorted(by_time))


def metered_flows(readings: Sequence[ChargerReading]) -> Iterator[EnergyFlow]:
    """What flowed between readings that follow each other soon; without the counter, by the mean of their powers."""
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
    """Where a car charged and nobody looked again soon: its power, to the end of the half hour or until now.

    promised: starts of the half hours that were to be held. Seen just before one of them, the car is taken to
    charge in that one; the few minutes before are not guessed at.
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
    """Starts of the half hours in which the car charged.

    It was seen charging; or the counter then rose by more than its power can have given before they began; or it
    was seen just before one that was to be held (promised), and no counter says otherwise.
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
    """Every reading with the one that follows it soon, if any does."""
    for each, after in zip_longest(readings, readings[1:]):
        yield each, after if after is not None and after.at - each.at <= MAX_READING_GAP else None


def _is_charging(reading: ChargerReading) -> bool:
    return reading.state is ChargerState.CHARGING


def _next_half_hour(reading: ChargerReading, promised: Container[datetime]) -> datetime | None:
    """The half hour on whose behalf a charger was asked just before it, if that was to be held."""
    end = slot_end(reading.at)
    return end if end - reading.at <= EARLY_READING_MARGIN and end in promised else None


def _half_hours_reached(before: ChargerReading, after: ChargerReading, rise_kwh: float) -> Iterator[datetime]:
    """Half hours between two readings for which something of the rise must be left."""
    start = slot_end(before.at)
    while before.watts is not None and start < after.at:
        if rise_kwh > before.watts / 1000 * duration_hours(Span(before.at, start)) + COUNTER_TOLERANCE_KWH:
            yield start
        start += SLOT


def _counter_rise_kwh(before: ChargerReading, after: ChargerReading) -> float | None:
    """What the session counter says was charged between two readings (kWh); None where it cannot say.

    A counter that went down is that of a new session, and shows what was charged since. The counters of several
    chargers are one sum, of which nobody knows whose session ended; nor is it the same sum with another charger.
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

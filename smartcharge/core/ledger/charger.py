"""What flowed into the car as its charger told: by the session counter, by its power, or presumably."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest

from smartcharge.core.answers import ChargerReading
from smartcharge.core.ledger import Basis
from smartcharge.core.ledger.flow import LONGEST_GAP, Flow, hours
from smartcharge.core.model import ChargerState
from smartcharge.core.slots import SLOT, Span, slot_end, slot_start

MOST_KW = 22.0
"""A Zappi on three phases; a counter that rose faster is not believed."""
ROUNDING_KWH = 0.05
"""A counter shows hundredths; less than this is no session begun anew and no charging."""
JUST_BEFORE = timedelta(minutes=5)
"""Who looks so shortly before a half hour that is to be held looks on its behalf."""


def usable(readings: Iterable[ChargerReading]) -> tuple[ChargerReading, ...]:
    """Readings that prove something, one a moment, in the order of time; an old record's counter is old, too."""
    proven = (each for each in readings if each.state is not ChargerState.UNKNOWN)
    by_time = {each.at: each for each in proven}
    return tuple(by_time[at] for at in sorted(by_time))


def metered(readings: Sequence[ChargerReading]) -> Iterator[Flow]:
    """What flowed between readings that follow each other soon; without the counter, by the mean of their powers."""
    for before, after in _with_next(readings):
        if after is None:
            continue
        span = Span(before.at, after.at)
        if (rise := _rise(before, after)) is not None:
            yield Flow(span, rise, Basis.MEASURED)
        elif before.watts is not None and after.watts is not None:
            yield Flow(span, (before.watts + after.watts) / 2000 * hours(span), Basis.ESTIMATED)


def presumed(readings: Sequence[ChargerReading], promised: Container[datetime], now: datetime) -> Iterator[Flow]:
    """Where a car charged and nobody looked again soon: its power, to the end of the half hour or until now.

    promised: starts of the half hours that were to be held. Seen just before one of them, the car is taken to
    charge in that one; the few minutes before are not guessed at.
    """
    for each, after in _with_next(readings):
        if after is not None or not _charges(each):
            continue
        begins = _next(each, promised) or each.at
        span = Span(begins, min(slot_end(begins), now))
        if each.watts is not None and span.starts_at < span.ends_at and slot_end(begins) - begins > JUST_BEFORE:
            yield Flow(span, each.watts / 1000 * hours(span), Basis.ESTIMATED)


def charged_in(readings: Sequence[ChargerReading], promised: Container[datetime]) -> set[datetime]:
    """Starts of the half hours in which the car charged.

    It was seen charging; or the counter then rose by more than its power can have given before they began; or it
    was seen just before one that was to be held (promised), and no counter says otherwise.
    """
    charging = [(each, after) for each, after in _with_next(readings) if _charges(each)]
    found = {slot_start(each.at) for each, _ in charging}
    for each, after in charging:
        rise = None if after is None else _rise(each, after)
        if after is not None and rise is not None:
            found.update(_reached(each, after, rise))
        elif start := _next(each, promised):
            found.add(start)
    return found


def _with_next(readings: Sequence[ChargerReading]) -> Iterator[tuple[ChargerReading, ChargerReading | None]]:
    """Every reading with the one that follows it soon, if any does."""
    for each, after in zip_longest(readings, readings[1:]):
        yield each, after if after is not None and after.at - each.at <= LONGEST_GAP else None


def _charges(reading: ChargerReading) -> bool:
    return reading.state is ChargerState.CHARGING


def _next(reading: ChargerReading, promised: Container[datetime]) -> datetime | None:
    """The half hour on whose behalf a charger was asked just before it, if that was to be held."""
    end = slot_end(reading.at)
    return end if end - reading.at <= JUST_BEFORE and end in promised else None


def _reached(before: ChargerReading, after: ChargerReading, rise_kwh: float) -> Iterator[datetime]:
    """Half hours between two readings for which something of the rise must be left."""
    start = slot_end(before.at)
    while before.watts is not None and start < after.at:
        if rise_kwh > before.watts / 1000 * hours(Span(before.at, start)) + ROUNDING_KWH:
            yield start
        start += SLOT


def _rise(before: ChargerReading, after: ChargerReading) -> float | None:
    """What the session counter says was charged between two readings (kWh); None where it cannot say.

    A counter that went down is that of a new session, and shows what was charged since. The counters of several
    chargers are one sum, of which nobody knows whose session ended; nor is it the same sum with another charger.
    """
    if before.session_kwh is None or after.session_kwh is None or set(before.serials) != set(after.serials):
        return None
    rise = after.session_kwh - before.session_kwh
    if rise < -ROUNDING_KWH:
        rise = after.session_kwh if len(after.serials) <= 1 else -1.0
    most_kwh = MOST_KW * max(len(after.serials), 1) * hours(Span(before.at, after.at)) + ROUNDING_KWH
    return max(rise, 0.0) if -ROUNDING_KWH <= rise <= most_kwh else None

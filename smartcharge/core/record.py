"""What is written down of past days, and what that tells of each of their minutes.

The record knows what decisions knew, not what went on between them. So: the supplier answered regularly, unless a
later decision knew of no answer since, or the owner was told of an outage. A pause, a boost or a stand-down stands
until a later decision knew of none.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import ChargerState, Pause, Situation, StandDown, Window
from smartcharge.core.politeness import CHARGER_CALM, MINUTE
from smartcharge.core.slots import SLOT, Span, slot_end

SAME_CHARGE = SLOT + timedelta(minutes=5)
"""While the battery is held the charger is asked once a half hour: two readings no further apart bound one charge."""
TOLD_AFTER = timedelta(minutes=10)
"""The owner hears of an outage at the fifth failure running, which around a window are two minutes apart."""
PLAN_MATTERS = timedelta(hours=24)
"""How long an ended window still matters to a decision."""


class Sighting(Struct, frozen=True):
    """A planned window as the record keeps it; withdrawn_at: None while it stands."""

    starts_at: datetime
    ends_at: datetime
    first_seen_at: datetime
    device: str = ""
    withdrawn_at: datetime | None = None

    def stands(self, minute: datetime) -> bool:
        """Whether it has not been taken back by a minute's end, and has not ended long ago."""
        taken_back = self.withdrawn_at is not None and self.withdrawn_at < minute + MINUTE
        return not taken_back and self.ends_at > minute - PLAN_MATTERS


class Record(Struct, frozen=True):
    """All that is written down, each part by time, from the noon before the first minute that is asked about.

    known: what every decision knew, one from before that noon among them. stood_down_at: when a window was left to
    somebody else. outages: of the supplier, as the owner was told. latest: what is known at the record's own end.
    """

    sightings: tuple[Sighting, ...]
    readings: tuple[ChargerReading, ...]
    known: tuple[Situation, ...]
    stood_down_at: tuple[datetime, ...]
    outages: tuple[Span, ...]
    latest: Situation


class Facts(Struct, frozen=True):
    """What the record tells of one minute.

    now: when its run was. charger: None where the record is silent. knew: what the newest decision knew, None before
    the first. asleep: no run took place.
    """

    now: datetime
    windows: tuple[Window, ...]
    charger: ChargerState | None
    pause: Pause | None
    stand_down: StandDown | None
    knew: Situation | None
    asleep: bool


def tell(record: Record, span: Span) -> Iterator[Facts]:
    """What is known of every minute that begins in a span, in order."""
    lag = usual_second(record)
    cars, sleeps = _cars(record, span, lag), _sleeps(record, span, lag)
    parts = zip(minutes(span), _plans(record, span), cars, _hands(record, span), sleeps, strict=True)
    for minute, windows, charger, (knew, pause, stand_down), asleep in parts:
        yield Facts(minute + lag, windows, charger, pause, stand_down, knew, asleep)


def minutes(span: Span) -> Iterator[datetime]:
    """Every minute that begins in a span."""
    at = span.starts_at
    while at < span.ends_at:
        yield at
        at += MINUTE


def left_to_others(at: datetime) -> StandDown:
    """The stand-down of a moment: to the end of the window that it lies in, else of its half hour, and one more."""
    return StandDown(at, slot_end(at) + SLOT)


def usual_second(record: Record) -> timedelta:
    """How long after the full minute cron's runs came, by the middle one of those that left a trace."""
    traces = (*(known.now for known in record.known), *(reading.at for reading in record.readings))
    seconds = sorted(trace.second for trace in traces)
    return timedelta(seconds=seconds[len(seconds) // 2] if seconds else 0)


def _newest(record: Record, span: Span) -> Iterator[Situation | None]:
    """What the newest decision knew, by each minute's end."""
    coming, newest = deque(record.known), None
    for minute in minutes(span):
        while coming and coming[0].now < minute + MINUTE:
            newest = coming.popleft()
        yield newest


def _hands(record: Record, span: Span) -> Iterator[tuple[Situation | None, Pause | None, StandDown | None]]:
    """What the newest decision knew, and the owner's hand by it; a window may have been left to others since."""
    coming, stood_at = deque(record.stood_down_at), None
    for minute, knew in zip(minutes(span), _newest(record, span), strict=True):
        while coming and coming[0] < minute + MINUTE:
            stood_at = coming.popleft()
        stand_down = knew.stand_down if knew else None
        if stood_at and (knew is None or stood_at >= knew.now):
            stand_down = left_to_others(stood_at)
        yield knew, knew.pause if knew else None, stand_down


def _cars(record: Record, span: Span, lag: timedelta) -> Iterator[ChargerState | None]:
    coming: deque[ChargerReading] = deque(record.readings)
    last = None
    for minute in minutes(span):
        while coming and coming[0].at < minute + MINUTE:
            last = coming.popleft()
        yield _car(last, coming[0] if coming else None, minute + lag) if last else None


def _car(last: ChargerReading, following: ChargerReading | None, now: datetime) -> ChargerState | None:
    """The last reading, as long as it stands for what is; between two of one charge, charging."""
    if abs(now - last.at) < CHARGER_CALM:
        return last.state
    if following is None or following.at - last.at > SAME_CHARGE:
        return None
    both = last.state is following.state is ChargerState.CHARGING
    return ChargerState.CHARGING if both else None


def _sleeps(record: Record, span: Span, lag: timedelta) -> Iterator[bool]:
    """Whether no run took place: a hold that ended late tells that nobody was there to end it."""
    coming = deque(
        Span(known.hold.until - known.policy.release_lead, known.now)
        for known in (*record.known, record.latest)
        if known.hold and known.ahead >= known.hold.until + MINUTE
    )
    for minute in minutes(span):
        while coming and coming[0].ends_at < minute + MINUTE:
            coming.popleft()
        yield bool(coming) and coming[0].starts_at <= minute + lag


def _plans(record: Record, span: Span) -> Iterator[tuple[Window, ...]]:
    """The plan as it stood; seen anew every other minute, as often as the supplier is asked around a window.

    What was taken back is left out: it is evidence for nothing.
    """
    coming = deque(sorted(record.sightings, key=lambda row: row.first_seen_at))
    changes, silences = _minutes_of_changes(record), _silences(record)
    standing: list[Sighting] = []
    windows: tuple[Window, ...] = ()
    for minute, knew in zip(minutes(span), _newest(record, span), strict=True):
        while coming and coming[0].first_seen_at < minute + MINUTE:
            standing.append(coming.popleft())
        if minute in changes or not minute.minute % 2:
            standing = [row for row in standing if row.stands(minute)]
            windows = tuple(_windows(standing, minute, knew, silences)) if standing else ()
        yield windows


def _minutes_of_changes(record: Record) -> set[datetime]:
    seen = [row.first_seen_at for row in record.sightings]
    gone = [row.withdrawn_at for row in record.sightings if row.withdrawn_at]
    return {at.replace(second=0, microsecond=0) for at in (*seen, *gone, *(known.now for known in record.known))}


def _silences(record: Record) -> dict[str, deque[Span]]:
    """When a device's plan was not answered for: from the last answer that a decision knew, to that decision.

    An outage that the owner was told of counts for every device that no decision knew an answer of meanwhile.
    """
    known: dict[str, list[Span]] = {sighting.device: [] for sighting in record.sightings}
    for each in (*record.known, record.latest):
        for device, seen_at in {window.device: window.seen_at for window in each.windows}.items():
            known.setdefault(device, []).append(Span(seen_at, each.now))
    return {device: deque(sorted((*spans, *_told(record, spans)), key=_end)) for device, spans in known.items()}


def _told(record: Record, known: Sequence[Span]) -> Iterator[Span]:
    for outage in record.outages:
        if not any(outage.covers(silence.starts_at) for silence in known):
            yield Span(outage.starts_at - TOLD_AFTER, outage.ends_at - MINUTE)


def _end(span: Span) -> datetime:
    return span.ends_at


def _windows(
    rows: Sequence[Sighting], minute: datetime, knew: Situation | None, silences: dict[str, deque[Span]]
) -> Iterator[Window]:
    """The rows as windows; what the newest decision knew of them counts where the rows have forgotten it."""
    gone = {(w.device, w.starts_at, w.ends_at) for w in knew.windows if w.withdrawn} if knew else ()
    boosting = {window.device for window in knew.windows if window.boosting} if knew else ()
    seen_at = {device: _answered_at(silences.get(device), minute) for device in {row.device for row in rows}}
    for row in rows:
        if (row.device, row.starts_at, row.ends_at) not in gone:
            at, device = seen_at[row.device], row.device
            yield Window(row.starts_at, row.ends_at, at, device, boosting=device in boosting)


def _answered_at(silences: deque[Span] | None, minute: datetime) -> datetime:
    """The last answer before the last run of a minute, as far as the record tells; else the minute itself."""
    while silences and (silences[0].ends_at < minute or (len(silences) > 1 and silences[1].ends_at < minute + MINUTE)):
        silences.popleft()
    return min(minute, silences[0].starts_at) if silences else minute

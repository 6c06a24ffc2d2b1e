"""Settlement half hours, London days and the tariff's cheap period; all instants are aware UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

SLOT = timedelta(minutes=30)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def slot_start(moment: datetime) -> datetime:
    """Start of the settlement period holding `moment`. Source: Elexon, BSC Annex X-2."""
    return moment - (moment - EPOCH) % SLOT


def slot_end(moment: datetime) -> datetime:
    """End of the settlement period holding `moment`; a boundary belongs to the period it begins."""
    return slot_start(moment) + SLOT


def last_slot_end(end: datetime) -> datetime:
    """End of the last settlement period touched by a half-open span that ends at `end`."""
    return slot_end(end - timedelta(microseconds=1))


class Span(Struct, frozen=True):
    """A half-open stretch of time, UTC."""

    starts_at: datetime
    ends_at: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies inside; the end does not."""
        return self.starts_at <= moment < self.ends_at


class CheapPeriod(Struct, frozen=True):
    """The tariff's nightly rate, in wall-clock time of `zone`; it may cross midnight.

    E.ON bills by local time, so in UTC the period moves with summer time, and the nights of the
    clock changes are an hour shorter or longer.
    """

    starts: time
    ends: time
    zone: str

    def starting_on(self, day: date) -> Span:
        """The cheap period that begins on a local day; an end that the clocks repeat or skip is read the later way."""
        return _cheap_span(self.starts, self.ends, self.zone, day)

    def containing(self, moment: datetime) -> Span | None:
        """The cheap period that `moment` lies in, if any."""
        today = local_day(moment, self.zone)
        return next((span for day in (today - DAY, today) if (span := self.starting_on(day)).covers(moment)), None)

    def next_start(self, moment: datetime) -> datetime:
        """When the next cheap period begins, strictly after `moment`."""
        today = local_day(moment, self.zone)
        return next(start for n in range(-1, 4) if (start := self.starting_on(today + n * DAY).starts_at) > moment)


@lru_cache(maxsize=64)  # a decision looks at the same few days again and again
def _cheap_span(starts: time, ends: time, zone_name: str, day: date) -> Span:
    zone = ZoneInfo(zone_name)
    last_day = day if starts < ends else day + DAY
    begin = datetime.combine(day, starts, zone)
    end = datetime.combine(last_day, ends, zone)
    return Span(begin.astimezone(UTC), max(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1)))


def local_day(moment: datetime, zone: str) -> date:
    """The calendar day in `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def last_noon(moment: datetime, zone: str) -> datetime:
    """The latest local noon not after `moment`: capped tariffs count from noon to noon."""
    today = local_day(moment, zone)
    noons = (datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC) for day in (today, today - DAY))
    return next(noon for noon in noons if noon <= moment)

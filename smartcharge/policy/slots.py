"""Settlement half hours, London days and the tariff's cheap period; all instants are aware UTC."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from msgspec import Struct

SLOT = timedelta(minutes=30)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def slot_start(moment: datetime) -> datetime:
    """Return the start of the settlement period that contains `moment`. Source: Elexon, BSC Annex X-2."""
    return moment - (moment - EPOCH) % SLOT


def slot_end(moment: datetime) -> datetime:
    """Return the end of the settlement period that contains `moment`; a boundary belongs to the period it begins."""
    return slot_start(moment) + SLOT


def last_slot_end(end: datetime) -> datetime:
    """Return the end of the last settlement period that a half-open span ending at `end` touches."""
    return slot_end(end - timedelta(microseconds=1))


class Span(Struct, frozen=True):
    """A half-open span of time, UTC."""

    starts_at: datetime
    ends_at: datetime

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies in the span; its end does not."""
        return self.starts_at <= moment < self.ends_at


class CheapPeriod(Struct, frozen=True):
    """The off-peak hours of the tariff, in wall-clock time of `zone`; they may cross midnight.

    Suppliers bill by local time. So the period moves in UTC with summer time, and is an hour shorter or longer when
    the clocks change.
    """

    starts: time
    ends: time
    zone: str

    def starting_on(self, day: date) -> Span:
        """Return the cheap period that begins on a local day. An end that is repeated or skipped is the later."""
        return _cheap_span(self.starts, self.ends, self.zone, day)

    def containing(self, moment: datetime) -> Span | None:
        """Return the cheap period that contains `moment`, None if there is none."""
        today = local_day(moment, self.zone)
        return next((span for day in (today - DAY, today) if (span := self.starting_on(day)).covers(moment)), None)

    def next_start(self, moment: datetime) -> datetime:
        """Return when the next cheap period begins, strictly after `moment`."""
        today = local_day(moment, self.zone)
        return next(start for n in range(-1, 4) if (start := self.starting_on(today + n * DAY).starts_at) > moment)


@lru_cache(maxsize=64)  # one decision needs the same few days many times
def _cheap_span(starts: time, ends: time, zone_name: str, day: date) -> Span:
    zone = ZoneInfo(zone_name)
    last_day = day if starts < ends else day + DAY
    begin = datetime.combine(day, starts, zone)
    end = datetime.combine(last_day, ends, zone)
    return Span(begin.astimezone(UTC), max(end.replace(fold=fold).astimezone(UTC) for fold in (0, 1)))


def local_day(moment: datetime, zone: str) -> date:
    """Return the calendar day in `zone`."""
    return moment.astimezone(ZoneInfo(zone)).date()


def last_noon(moment: datetime, zone: str) -> datetime:
    """Return the latest local noon not after `moment`: tariffs with a daily limit count from noon to noon."""
    today = local_day(moment, zone)
    noons = (datetime.combine(day, time(12), ZoneInfo(zone)).astimezone(UTC) for day in (today, today - DAY))
    return next(noon for noon in noons if noon <= moment)

"""The geometry of a picture of time: where a moment lies, which hours are named, and what is drawn below what."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.core.slots import Span

T = TypeVar("T")

HOUR = timedelta(hours=1)
NAMED_HOURS, CHIEF_HOURS = 3, 6
"""Every third local hour is named, every sixth even where there is little room."""


class Tick(Struct, frozen=True):
    """A named hour. chief: named even where there is little room."""

    at: datetime
    label: str
    chief: bool


def percent(span: Span, moment: datetime) -> float:
    """Where a moment lies in a span, 0-100; one outside lies at the nearer end."""
    part = (moment - span.starts_at) / (span.ends_at - span.starts_at) * 100
    return round(min(max(part, 0.0), 100.0), 3)


def ticks(span: Span, zone: str) -> Iterator[Tick]:
    """The named hours of a day, by the wall clock: where it goes back, an hour may be named twice."""
    at = span.starts_at
    while at <= span.ends_at:
        there = at.astimezone(ZoneInfo(zone))
        hour = 24 if at == span.ends_at and there.hour == 0 else there.hour
        if there.minute == 0 and hour % NAMED_HOURS == 0:
            yield Tick(at, f"{hour:02}", hour % CHIEF_HOURS == 0)
        at += HOUR


def stacked(items: Sequence[T], span_of: Callable[[T], Span], room: timedelta) -> tuple[tuple[T, ...], ...]:
    """Rows in which nothing overlaps, in the order given: each item lies in the first row with room for it.

    room: what is kept free behind every item, for its label. Rows are as few as that order allows.
    """
    rows: list[list[T]] = []
    for item in items:
        span = span_of(item)
        free = (row for row in rows if all(_apart(span, span_of(other), room) for other in row))
        row = next(free, None)
        if row is None:
            rows.append(row := [])
        row.append(item)
    return tuple(tuple(row) for row in rows)


def _apart(one: Span, other: Span, room: timedelta) -> bool:
    return one.ends_at + room <= other.starts_at or other.ends_at + room <= one.starts_at

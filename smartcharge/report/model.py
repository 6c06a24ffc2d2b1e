"""What a report tells, as values: a day's picture, its half hours, a month's days, and figures with their basis.

Everything is in the owner's words already, times in local time; how it looks is left to who writes the page.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.policy.model import DescribedEnum
from smartcharge.policy.slots import Span


class MarkStyle(DescribedEnum):
    """How a mark is drawn, and what the legend says of it."""

    NIGHT = "night", "night rate"
    CHEAP = "cheap", "cheap, the supplier says"
    CHEAP_UNCONFIRMED = "believed", "cheap as planned, not yet confirmed"
    DEAR = "dear", "held at the standard rate"
    LIVE = "live", "planned window"
    REPLACED = "replaced", "replaced by a revision"
    WITHDRAWN = "withdrawn", "withdrawn"
    CHARGING = "charging", "car draws power"
    IDLE = "idle", "car draws none"
    UNKNOWN = "unknown", "charger not known"
    HOLD = "hold", "hold"
    EXTENSION = "extension", "extra half hour"
    WOULD_HOLD = "rehearsed", "would have been held"
    RELEASE = "release", "release"
    ASKED = "asked", "backup asked for"
    BACKUP = "backup", "backup confirmed"
    REST = "rest", "rest confirmed"
    DOUBT = "doubt", "not confirmed"
    HAND = "hand", "in other hands"
    LEVEL = "level", "battery level"
    MAIL = "mail", "mail sent"
    TROUBLE = "trouble", "trouble"
    WELL = "well", "well again"
    MORE = "more", "more than a page shows"


class ChartPoint(Struct, frozen=True):
    """A measured value at an instant (UTC); its unit is its lane's."""

    at: datetime
    value: float


class ChartMark(Struct, frozen=True):
    """One thing in the picture, and the same thing as a row of the table below it.

    span: from when to when, inside the picture; empty for a moment. when, what: in words, true even where the span
    was cut. label: a few signs to stand beside it. points: its course, where it has one.
    """

    look: MarkStyle
    span: Span
    when: str
    what: str
    label: str = ""
    points: tuple[ChartPoint, ...] = ()


class ChartLane(Struct, frozen=True):
    """A strip of the picture. note: a few words beside its name.

    top: the value at its upper edge where it shows a course, else None; unit: of it.
    """

    name: str
    marks: tuple[ChartMark, ...]
    note: str = ""
    top: float | None = None
    unit: str = ""


class DayChart(Struct, frozen=True):
    """A day as strips under one scale of time. now: a moment inside it up to which things are known, else None."""

    span: Span
    zone: str
    lanes: tuple[ChartLane, ...]
    now: datetime | None = None

    def in_order(self) -> Iterator[tuple[str, ChartMark]]:
        """Every mark with its lane's name, by time."""
        told = ((lane.name, mark) for lane in self.lanes for mark in lane.marks)
        return iter(sorted(told, key=lambda each: each[1].span.starts_at))

    @property
    def looks(self) -> tuple[MarkStyle, ...]:
        """What the legend has to explain."""
        seen = {mark.look for lane in self.lanes for mark in lane.marks}
        return tuple(look for look in MarkStyle if look in seen)


class ReportFigure(Struct, frozen=True):
    """A sum in words, and where it is known from ("" where nothing is known). chief: one to be seen first."""

    name: str
    amount: str
    basis: str = ""
    chief: bool = False


class HalfHourRow(Struct, frozen=True):
    """A half hour in words; what nobody knows is ""."""

    when: str
    rate: str
    held: str
    car: str
    battery: str
    saving: str
    remark: str


class MonthDay(Struct, frozen=True):
    """A day of the calendar in words. part: its saving against the month's best day, 0-1. is_ahead: not begun."""

    day: date
    held: str = ""
    saving: str = ""
    leaks: str = ""
    trouble: str = ""
    part: float = 0.0
    is_ahead: bool = False

    @property
    def name(self) -> str:
        """The day in few signs, such as "Wed 9 Dec"."""
        return f"{self.day:%a} {self.day.day} {self.day:%b}"

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.held or self.saving or self.leaks or self.trouble)


class MonthReport(Struct, frozen=True):
    """A calendar month: its days in order, its sums, and the day that the report is about, if it is about one."""

    title: str
    days: tuple[MonthDay, ...]
    figures: tuple[ReportFigure, ...]
    chosen: date | None = None


class Report(Struct, frozen=True):
    """The ledger of a day with its month so far, or of a month alone (picture None, no half hours).

    headline: the day in a sentence. made: when, by which version. meaning: how the figures are to be read.
    """

    title: str
    headline: str
    made: str
    month: MonthReport
    meaning: tuple[str, ...]
    picture: DayChart | None = None
    half_hours: tuple[HalfHourRow, ...] = ()
    figures: tuple[ReportFigure, ...] = ()


T = TypeVar("T")

HOUR = timedelta(hours=1)
LABEL_EVERY_HOURS, MAJOR_LABEL_EVERY_HOURS = 3, 6
"""Every third local hour is named, every sixth even where there is little room."""


class AxisTick(Struct, frozen=True):
    """A named hour. chief: named even where there is little room."""

    at: datetime
    label: str
    chief: bool


def position_pct(span: Span, moment: datetime) -> float:
    """Where a moment lies in a span, 0-100; one outside lies at the nearer end."""
    part = (moment - span.starts_at) / (span.ends_at - span.starts_at) * 100
    return round(min(max(part, 0.0), 100.0), 3)


def axis_ticks(span: Span, zone: str) -> Iterator[AxisTick]:
    """The named hours of a day, by the wall clock: where it goes back, an hour may be named twice."""
    at = span.starts_at
    while at <= span.ends_at:
        there = at.astimezone(ZoneInfo(zone))
        hour = 24 if at == span.ends_at and there.hour == 0 else there.hour
        if there.minute == 0 and hour % LABEL_EVERY_HOURS == 0:
            yield AxisTick(at, f"{hour:02}", hour % MAJOR_LABEL_EVERY_HOURS == 0)
        at += HOUR


def stack_in_rows(items: Sequence[T], span_of: Callable[[T], Span], room: timedelta) -> tuple[tuple[T, ...], ...]:
    """Rows in which nothing overlaps, in the order given: each item lies in the first row with room for it.

    room: what is kept free behind every item, for its label. Rows are as few as that order allows.
    """
    rows: list[list[T]] = []
    for item in items:
        span = span_of(item)
        free = (row for row in rows if all(_has_room_between(span, span_of(other), room) for other in row))
        row = next(free, None)
        if row is None:
            rows.append(row := [])
        row.append(item)
    return tuple(tuple(row) for row in rows)


def _has_room_between(one: Span, other: Span, room: timedelta) -> bool:
    return one.ends_at + room <= other.starts_at or other.ends_at + room <= one.starts_at

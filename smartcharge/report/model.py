"""The values of a report: the chart of a day, its half hours, the days of a month, and figures with their basis.

All text is ready for the owner, with local times; the layout is left to the page and to the text output.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.policy.model import DescribedEnum
from smartcharge.policy.slots import Span


class MarkStyle(DescribedEnum):
    """How a mark is drawn, and its text in the legend."""

    NIGHT = "night", "off-peak hours"
    CHEAP = "cheap", "off-peak, as the supplier reports"
    CHEAP_UNCONFIRMED = "believed", "off-peak as scheduled, not yet confirmed"
    DEAR = "dear", "charged at the peak rate"
    LIVE = "live", "smart-charging slot"
    REPLACED = "replaced", "moved"
    WITHDRAWN = "withdrawn", "withdrawn"
    CHARGING = "charging", "car is charging"
    IDLE = "idle", "car is not charging"
    UNKNOWN = "unknown", "no reading of the Zappi"
    HOLD = "hold", "charge asked for"
    EXTENSION = "extension", "extra half hour"
    WOULD_HOLD = "rehearsed", "would have charged"
    RELEASE = "release", "back to normal"
    ASKED = "asked", "asked to charge"
    BACKUP = "backup", "charging, confirmed"
    REST = "rest", "normal, confirmed"
    DOUBT = "doubt", "not confirmed"
    HAND = "hand", "controlled by something else"
    LEVEL = "level", "charge level"
    MAIL = "mail", "email sent"
    TROUBLE = "trouble", "problem"
    WELL = "well", "works again"
    MORE = "more", "more than the page shows"


class ChartPoint(Struct, frozen=True):
    """A measured value at an instant (UTC), in the unit of its lane."""

    at: datetime
    value: float


class ChartMark(Struct, frozen=True):
    """One mark in the chart, which is also a row of the table below it.

    span: from when to when, inside the chart; empty for a moment. when, what: as text, of the whole span even if it was
    cut. label: short text beside the mark. points: the curve, if there is one.
    """

    look: MarkStyle
    span: Span
    when: str
    what: str
    label: str = ""
    points: tuple[ChartPoint, ...] = ()


class ChartLane(Struct, frozen=True):
    """A lane of the chart. note: short text beside its name.

    top: the value at the upper edge of a curve, None for a lane without one; unit: the unit of that value.
    """

    name: str
    marks: tuple[ChartMark, ...]
    note: str = ""
    top: float | None = None
    unit: str = ""


class DayChart(Struct, frozen=True):
    """A day as lanes under one time axis. now: the present, if it is inside the day, else None."""

    span: Span
    zone: str
    lanes: tuple[ChartLane, ...]
    now: datetime | None = None

    def in_order(self) -> Iterator[tuple[str, ChartMark]]:
        """Return every mark with the name of its lane, by time."""
        marks = ((lane.name, mark) for lane in self.lanes for mark in lane.marks)
        return iter(sorted(marks, key=lambda each: each[1].span.starts_at))

    @property
    def looks(self) -> tuple[MarkStyle, ...]:
        """The styles that the legend has to explain."""
        seen = {mark.look for lane in self.lanes for mark in lane.marks}
        return tuple(look for look in MarkStyle if look in seen)


class ReportFigure(Struct, frozen=True):
    """A sum as text, with its basis ("" if nothing is known). chief: shown first."""

    name: str
    amount: str
    basis: str = ""
    chief: bool = False


class HalfHourRow(Struct, frozen=True):
    """A half hour as text; what is not known is ""."""

    when: str
    rate: str
    held: str
    car: str
    battery: str
    saving: str
    remark: str


class MonthDay(Struct, frozen=True):
    """A day of the calendar as text. part: its saving relative to the best day of the month, 0-1. is_ahead: to come."""

    day: date
    held: str = ""
    saving: str = ""
    leaks: str = ""
    trouble: str = ""
    part: float = 0.0
    is_ahead: bool = False

    @property
    def name(self) -> str:
        """The day as short text, such as "Wed 9 Dec"."""
        return f"{self.day:%a} {self.day.day} {self.day:%b}"

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not (self.held or self.saving or self.leaks or self.trouble)


class MonthReport(Struct, frozen=True):
    """A calendar month: its days in order, its sums, and the day of the report, if it is about one day."""

    title: str
    days: tuple[MonthDay, ...]
    figures: tuple[ReportFigure, ...]
    chosen: date | None = None


class Report(Struct, frozen=True):
    """The report of a day with its month so far, or of a month alone (picture None, no half hours).

    headline: the day in a sentence. made: when, and by which version. meaning: how to read the figures.
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
"""Every third local hour has a label; every sixth keeps it on a narrow screen."""


class AxisTick(Struct, frozen=True):
    """An hour with a label. chief: the label is shown even on a narrow screen."""

    at: datetime
    label: str
    chief: bool


def position_pct(span: Span, moment: datetime) -> float:
    """Return where a moment lies in a span, 0-100 %; a moment outside is put at the nearer end."""
    part = (moment - span.starts_at) / (span.ends_at - span.starts_at) * 100
    return round(min(max(part, 0.0), 100.0), 3)


def axis_ticks(span: Span, zone: str) -> Iterator[AxisTick]:
    """Yield the hours with labels, in local time: when the clocks go back, an hour may occur twice."""
    at = span.starts_at
    while at <= span.ends_at:
        there = at.astimezone(ZoneInfo(zone))
        hour = 24 if at == span.ends_at and there.hour == 0 else there.hour
        if there.minute == 0 and hour % LABEL_EVERY_HOURS == 0:
            yield AxisTick(at, f"{hour:02}", hour % MAJOR_LABEL_EVERY_HOURS == 0)
        at += HOUR


def stack_in_rows(items: Sequence[T], span_of: Callable[[T], Span], room: timedelta) -> tuple[tuple[T, ...], ...]:
    """Put items into rows in which nothing overlaps: each item goes into the first row with room for it.

    room: the time kept free after every item, for its label.
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

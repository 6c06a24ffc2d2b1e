"""What a report tells, as values: a day's picture, its half hours, a month's days, and figures with their basis.

Everything is in the owner's words already, times in local time; how it looks is left to who writes the page.
"""

from collections.abc import Iterator
from datetime import date, datetime

from msgspec import Struct

from smartcharge.core.model import Explained
from smartcharge.core.slots import Span


class Look(Explained):
    """How a mark is drawn, and what the legend says of it."""

    NIGHT = "night", "night rate"
    CHEAP = "cheap", "cheap, the supplier says"
    BELIEVED = "believed", "cheap as planned, not yet confirmed"
    DEAR = "dear", "held at the standard rate"
    LIVE = "live", "planned window"
    REPLACED = "replaced", "replaced by a revision"
    WITHDRAWN = "withdrawn", "withdrawn"
    CHARGING = "charging", "car draws power"
    IDLE = "idle", "car draws none"
    UNKNOWN = "unknown", "charger not known"
    HOLD = "hold", "hold"
    EXTENSION = "extension", "extra half hour"
    REHEARSED = "rehearsed", "would have been held"
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


class Point(Struct, frozen=True):
    """A measured value at an instant (UTC); its unit is its lane's."""

    at: datetime
    value: float


class Mark(Struct, frozen=True):
    """One thing in the picture, and the same thing as a row of the table below it.

    span: from when to when, inside the picture; empty for a moment. when, what: in words, true even where the span
    was cut. label: a few signs to stand beside it. points: its course, where it has one.
    """

    look: Look
    span: Span
    when: str
    what: str
    label: str = ""
    points: tuple[Point, ...] = ()


class Lane(Struct, frozen=True):
    """A strip of the picture. note: a few words beside its name.

    top: the value at its upper edge where it shows a course, else None; unit: of it.
    """

    name: str
    marks: tuple[Mark, ...]
    note: str = ""
    top: float | None = None
    unit: str = ""


class Picture(Struct, frozen=True):
    """A day as strips under one scale of time. now: a moment inside it up to which things are known, else None."""

    span: Span
    zone: str
    lanes: tuple[Lane, ...]
    now: datetime | None = None

    def in_order(self) -> Iterator[tuple[str, Mark]]:
        """Every mark with its lane's name, by time."""
        told = ((lane.name, mark) for lane in self.lanes for mark in lane.marks)
        return iter(sorted(told, key=lambda each: each[1].span.starts_at))

    @property
    def looks(self) -> tuple[Look, ...]:
        """What the legend has to explain."""
        seen = {mark.look for lane in self.lanes for mark in lane.marks}
        return tuple(look for look in Look if look in seen)


class Figure(Struct, frozen=True):
    """A sum in words, and where it is known from ("" where nothing is known). chief: one to be seen first."""

    name: str
    amount: str
    basis: str = ""
    chief: bool = False


class SlotRow(Struct, frozen=True):
    """A half hour in words; what nobody knows is ""."""

    when: str
    rate: str
    held: str
    car: str
    battery: str
    saving: str
    remark: str


class DayCell(Struct, frozen=True):
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


class Month(Struct, frozen=True):
    """A calendar month: its days in order, its sums, and the day that the report is about, if it is about one."""

    title: str
    days: tuple[DayCell, ...]
    figures: tuple[Figure, ...]
    chosen: date | None = None


class Report(Struct, frozen=True):
    """The ledger of a day with its month so far, or of a month alone (picture None, no half hours).

    headline: the day in a sentence. made: when, by which version. meaning: how the figures are to be read.
    """

    title: str
    headline: str
    made: str
    month: Month
    meaning: tuple[str, ...]
    picture: Picture | None = None
    half_hours: tuple[SlotRow, ...] = ()
    figures: tuple[Figure, ...] = ()

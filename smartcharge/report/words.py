"""The texts of a report: amounts, bases, and times as seen from one local day."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.formatting import local_date_time, local_time
from smartcharge.policy.energy import Energy
from smartcharge.policy.slots import Span
from smartcharge.report.model import ChartMark, ChartPoint, MarkStyle
from smartcharge.text import collapse_spaces

PENCE_IN_POUND = 100
MAX_NOTE_LENGTH = 240
"""Longer text from outside is cut, so that the page stays readable."""


class DayView(Struct, frozen=True):
    """A local day that a report is about. span: the day, UTC. now: the time of the report."""

    span: Span
    zone: str
    now: datetime

    @property
    def past_part(self) -> Span:
        """The part of the day before now."""
        return Span(self.span.starts_at, min(max(self.now, self.span.starts_at), self.span.ends_at))

    def clock_text(self, moment: datetime) -> str:
        """Return a local time, with the date if it is another day; the end of the day is 24:00."""
        return "24:00" if moment == self.span.ends_at else local_date_time(moment, self.span.starts_at, self.zone)

    def span_text(self, starts_at: datetime, ends_at: datetime) -> str:
        """Return a span such as 13:00-14:30, or one time if it starts and ends in the same minute."""
        first, last = self.clock_text(starts_at), self.clock_text(ends_at)
        if first == last:
            return first
        return f"{first}{' - ' if ' ' in first + last else '-'}{last}"

    def moment_mark(self, look: MarkStyle, at: datetime, what: str) -> ChartMark:
        """Make a mark without length."""
        return ChartMark(look, Span(at, at), self.clock_text(at), shorten_text(what))

    def span_mark(
        self,
        look: MarkStyle,
        starts_at: datetime,
        ends_at: datetime,
        what: str,
        *,
        label: str = "",
        points: tuple[ChartPoint, ...] = (),
    ) -> ChartMark:
        """Make a mark with length, cut at the ends of the day; its text is not cut."""
        cut = Span(max(starts_at, self.span.starts_at), min(ends_at, self.span.ends_at))
        return ChartMark(look, cut, self.span_text(starts_at, ends_at), shorten_text(what), label, points)


def shorten_text(text: str) -> str:
    """One line, and not too long."""
    line = collapse_spaces(text)
    return line if len(line) <= MAX_NOTE_LENGTH else f"{line[: MAX_NOTE_LENGTH - 1]}…"


def long_date_text(day: date) -> str:
    """Return a date such as "Wednesday 9 December 2026"."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def date_time_text(moment: datetime, zone: str) -> str:
    """Return a time such as "Wed 9 Dec 2026 15:40"."""
    there = moment.astimezone(ZoneInfo(zone))
    return f"{there:%a} {there.day} {there:%b %Y} {local_time(moment, zone)}"


def hours_text(length: timedelta) -> str:
    """Return a duration such as "2 h 16 min"; "" for none."""
    whole, minutes = divmod(round(length.total_seconds() / 60), 60)
    parts = (f"{whole} h" if whole else "", f"{minutes} min" if minutes or (length and not whole) else "")
    return " ".join(part for part in parts if part)


def money_text(pence: float | None) -> str:
    """Return an amount such as "62 p" or "£1.92"; "" for None."""
    if pence is None:
        return ""
    return f"{pence:.0f} p" if abs(pence) < PENCE_IN_POUND - 0.5 else f"£{pence / PENCE_IN_POUND:,.2f}"


def kwh_text(amount: float) -> str:
    """Return an amount such as "16.3 kWh"."""
    return f"{amount:,.1f} kWh"


def energy_text(energy: Energy | None) -> str:
    """Return an energy with its basis, such as "3.6 kWh reported"; "" if it is not known."""
    return "" if energy is None else f"{kwh_text(energy.kwh)} {energy.basis}"


def energy_sum_text(energies: Iterable[Energy]) -> tuple[str, str]:
    """Return energies of several bases as one amount, and the bases, with the share of each if there are several."""
    known = tuple(energies)
    if not known:
        return "not known", ""
    shares = ", ".join(f"{each.kwh:,.1f} {each.basis}" for each in known)
    return kwh_text(sum(each.kwh for each in known)), shares if len(known) > 1 else str(known[0].basis)


def count_text(number: int, what: str) -> str:
    """Return a number of things, such as "1 half hour" or "2 half hours"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def times_text(number: int) -> str:
    """Return how often, such as "once" or "3 times"."""
    return "once" if number == 1 else f"{number} times"

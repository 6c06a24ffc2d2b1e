"""A report: the ledger of a day with its month so far, or of a month alone, gathered from the memory."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge import __version__
from smartcharge.act import ledger
from smartcharge.act.report.picture import picture
from smartcharge.act.report.shadow import SHADOW_IS, marked
from smartcharge.act.report.sums import COUNTED, by_day, day_cells, figures, half_hours
from smartcharge.act.report.told import is_trouble
from smartcharge.act.report.words import View, hours, long_day, made_at, money, times
from smartcharge.core.ledger import SAVING_IS, Basis, HalfHour, Leak, Rates, Totals, totals
from smartcharge.core.ledger.shadow import REMEMBERED_FOR
from smartcharge.core.report import Figure, Month, Report
from smartcharge.core.slots import DAY, Span, local_day
from smartcharge.store import journal
from smartcharge.toolbox import Toolbox

WEEKS_OF_A_MONTH = timedelta(days=31)
LEAKS_ARE = (
    f'A leak is no part of the saving and is shown apart. "{Leak.HELD_WITHOUT_CHEAP}": the kWh that the house battery '
    f'took at the standard rate, times the same difference. "{Leak.CHEAP_MISSED}": a cheap half hour that was held '
    "for less than half of it; what it would have brought nobody knows, so it is counted, not priced."
)
BASES_ARE = (
    f"{Basis.BILLED}: as the supplier reports what it dispatched. {Basis.MEASURED}: by the charger's own counter. "
    f"{Basis.ESTIMATED}: worked out between readings, or resting on a half hour that the supplier has not confirmed. "
    "A sum is as firm as the weakest figure in it; what counts in the end is the supplier's bill."
)
MEANING = (SAVING_IS, LEAKS_ARE, BASES_ARE)


class Ledger(Struct, frozen=True):
    """A calendar month as the memory tells it. troubles: how often trouble was noted, by local day."""

    days: tuple[date, ...]
    today: date
    zone: str
    entries: tuple[HalfHour, ...]
    rates: Rates | None
    troubles: Counter[date]

    def of(self, day: date) -> list[HalfHour]:
        """The half hours of one of its days."""
        return by_day(self.entries, self.zone).get(day, [])

    @property
    def meaning(self) -> tuple[str, ...]:
        """How its figures are to be read."""
        return (*MEANING, SHADOW_IS) if any(each.in_shadow for each in self.entries) else MEANING

    def month(self, chosen: date | None = None) -> Month:
        """All of it in words; chosen: the day that a report is about."""
        sums = {day: totals(found, self.rates) for day, found in by_day(self.entries, self.zone).items()}
        count = self.troubles.total()
        return Month(
            title=f"{self.days[0]:%B %Y}",
            days=tuple(day_cells(self.days, sums, self.troubles, self.today)),
            figures=(
                *figures(totals(self.entries, self.rates)),
                Figure("Trouble", times(count) if count else "none", COUNTED),
            ),
            chosen=chosen,
        )


def of_day(tools: Toolbox, day: date) -> Report:
    """The report of a local day, with the month that it lies in."""
    found = _gathered(tools, day)
    view, entries = View(day_span(day, found.zone), found.zone, tools.now), found.of(day)
    sums = totals(entries, found.rates)
    return Report(
        title=long_day(day),
        headline=_headline(sums, found.troubles[day]),
        made=_made(tools, found.zone),
        month=found.month(chosen=day),
        meaning=found.meaning,
        picture=picture(tools, view, entries),
        half_hours=tuple(half_hours(view, entries, found.rates)),
        figures=tuple(figures(sums)),
    )


def of_month(tools: Toolbox, day: date) -> Report:
    """The report of the calendar month that a local day lies in."""
    found = _gathered(tools, day)
    month = found.month()
    return Report(
        title=month.title,
        headline=_headline(totals(found.entries, found.rates), found.troubles.total()),
        made=_made(tools, found.zone),
        month=month,
        meaning=found.meaning,
    )


def day_span(day: date, zone: str) -> Span:
    """A local day, 23 to 25 hours long."""
    first, last = (datetime.combine(each, time(0), ZoneInfo(zone)).astimezone(UTC) for each in (day, day + DAY))
    return Span(first, last)


def month_span(day: date, zone: str) -> Span:
    """The calendar month that a local day lies in."""
    days = month_days(day)
    return Span(day_span(days[0], zone).starts_at, day_span(days[-1], zone).ends_at)


def month_days(day: date) -> tuple[date, ...]:
    """The days of a calendar month."""
    first = day.replace(day=1)
    following = (first + WEEKS_OF_A_MONTH).replace(day=1)
    return tuple(first + n * DAY for n in range((following - first).days))


def _gathered(tools: Toolbox, day: date) -> Ledger:
    zone = tools.policy.cheap_period.zone
    span = month_span(day, zone)
    noted = journal.rows(tools.peek, since=span.starts_at - REMEMBERED_FOR, until=span.ends_at)
    return Ledger(
        days=month_days(day),
        today=local_day(tools.now, zone),
        zone=zone,
        entries=marked(ledger.gather(tools, span), noted),
        rates=ledger.rates(tools),
        troubles=Counter(local_day(row.at, zone) for row in noted if is_trouble(row) and span.covers(row.at)),
    )


def _headline(sums: Totals, troubles: int) -> str:
    held = f"Held for {hours(sums.held)}" if sums.held else "Nothing was held"
    would = f"would have held for {hours(sums.would_have_held)} in the shadow" if sums.would_have_held else ""
    saved = f"{money(sums.saving_pence)} saved, {sums.basis}" if sums.saving_pence else ""
    noted = f"trouble {times(troubles)}" if troubles else "no trouble"
    return f"{'; '.join(part for part in (held, would, saved, noted) if part)}."


def _made(tools: Toolbox, zone: str) -> str:
    return f"{made_at(tools.now, zone)} by smartcharge {__version__}"

"""Loading a report: a day with its month so far, or a month alone."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge import __version__
from smartcharge.app import App
from smartcharge.policy.energy import Basis
from smartcharge.policy.ledger import (
    SAVING_DEFINITION,
    SHADOW_CHECK_VALID_FOR,
    LedgerEntry,
    LedgerTotals,
    Loss,
    TariffRates,
    build_ledger,
    sum_entries,
)
from smartcharge.policy.slots import DAY, Span, local_day
from smartcharge.report.lanes import SHADOW_DEFINITION, is_problem_entry, load_day_chart, mark_entries_from_journal
from smartcharge.report.model import HalfHourRow, MonthDay, MonthReport, Report, ReportFigure
from smartcharge.report.words import (
    DayView,
    count_text,
    date_time_text,
    energy_sum_text,
    energy_text,
    hours_text,
    kwh_text,
    long_date_text,
    money_text,
)
from smartcharge.store.journal import load_journal
from smartcharge.store.readings import load_ledger_facts

NO_PRICES_HINT = "Not known: set gcal.cheap_rate_pence and gcal.standard_rate_pence to see amounts in pence."


def load_half_hours(app: App, span: Span) -> tuple[LedgerEntry, ...]:
    """Return one entry for every half hour of the span; no service is asked and nothing is written."""
    return build_ledger(load_ledger_facts(app.read_only_db, span, app.now, app.policy.cheap_period), span)


def configured_rates(app: App) -> TariffRates | None:
    """Return the configured rates; None without their section, because the defaults may be wrong for this owner."""
    prices = app.config.gcal
    return None if prices is None else TariffRates(prices.cheap_rate_pence, prices.standard_rate_pence)


COUNTED_BASIS = "counted"


def half_hour_rows(view: DayView, entries: Iterable[LedgerEntry], rates: TariffRates | None) -> Iterator[HalfHourRow]:
    """Yield the half hours in which anything happened."""
    for each in entries:
        if each.planned or each.held or each.unconfirmed or each.saves or each.kwh or each.loss:
            yield HalfHourRow(
                when=view.span_text(each.starts_at, each.ends_at),
                rate=_rate_text(each),
                held=_held_text(each),
                car=energy_text(each.car),
                battery=energy_text(each.battery),
                saving="" if each.in_shadow else _saving_text(each, rates),
                remark=_half_hour_remark(each, rates),
            )


def report_figures(sums: LedgerTotals) -> Iterator[ReportFigure]:
    """Yield the sums, each with its basis."""
    held = ReportFigure(
        "Powerwall charged", hours_text(sums.held) or "never", COUNTED_BASIS if sums.held else "", chief=True
    )
    flows = (
        ReportFigure(name, *energy_sum_text(energies), chief=True)
        for name, energies in (("Into the car", sums.car), ("Into the Powerwall", sums.battery))
    )
    if sums.saving_pence is None:
        yield from (held, *flows)
        yield ReportFigure("Saving", NO_PRICES_HINT)
    else:
        basis = str(sums.basis or "")
        yield ReportFigure("Saving", money_text(sums.saving_pence) if sums.saving_pence else "none", basis, chief=True)
        yield from (held, *flows)
        if sums.kwh:
            yield ReportFigure("Paid for that energy", money_text(sums.cost_pence), basis)
            yield ReportFigure("The same at the peak rate", money_text(sums.cost_at_standard_rate_pence), basis)
    yield ReportFigure("Off-peak half hours outside the off-peak hours", str(sums.cheap), COUNTED_BASIS)
    yield ReportFigure("Extra half hours (car still charging)", str(sums.extensions), COUNTED_BASIS)
    yield from loss_figures(sums)
    if sums.in_shadow:
        yield from shadow_figures(sums)


def loss_figures(sums: LedgerTotals) -> Iterator[ReportFigure]:
    """Yield what was lost; it is not part of the saving."""
    held = [
        count_text(sums.held_at_standard_rate, "half hour"),
        kwh_text(sums.held_at_standard_rate_kwh),
        money_text(sums.loss_pence),
    ]
    lost = ", ".join(part for part in held if part) if sums.held_at_standard_rate else "none"
    yield ReportFigure(
        str(Loss.HELD_AT_STANDARD_RATE).capitalize(),
        lost,
        str(Basis.ESTIMATED) if sums.held_at_standard_rate else COUNTED_BASIS,
    )
    missed = count_text(sums.cheap_slots_missed, "half hour") if sums.cheap_slots_missed else "none"
    yield ReportFigure(str(Loss.CHEAP_SLOT_MISSED).capitalize(), missed, COUNTED_BASIS)


def shadow_figures(sums: LedgerTotals) -> Iterator[ReportFigure]:
    """Yield what smartcharge would have charged beside another controller, and what was saved meanwhile."""
    held = hours_text(sums.would_have_held) or "never"
    yield ReportFigure("Compared with another controller: would have charged", held, COUNTED_BASIS)
    if sums.shadow_saving_pence is not None:
        saved = money_text(sums.shadow_saving_pence) if sums.shadow_saving_pence else "none"
        yield ReportFigure("Compared with another controller: saved by it", saved, str(sums.basis or ""))


def month_day_rows(
    days: Sequence[date], sums: Mapping[date, LedgerTotals], problem_counts: Mapping[date, int], today: date
) -> Iterator[MonthDay]:
    """Yield the days of a month; those to come have only their name."""
    best = max((each.saving_pence or 0.0 for each in sums.values()), default=0.0)
    for day in days:
        found = sums.get(day, LedgerTotals())
        lost = found.held_at_standard_rate + found.cheap_slots_missed
        saved = found.saving_pence or 0.0
        yield MonthDay(
            day=day,
            held=" + ".join(
                part for part in (hours_text(found.held), would_have_held_text(found.would_have_held)) if part
            ),
            saving=money_text(saved) if saved else "",
            leaks=f"{lost} lost" if lost else "",
            trouble=count_text(problem_counts[day], "problem") if problem_counts.get(day) else "",
            part=saved / best if best > 0 else 0.0,
            is_ahead=day > today,
        )


def group_by_day(entries: Iterable[LedgerEntry], zone: str) -> dict[date, list[LedgerEntry]]:
    """Group half hours by the local day in which they start."""
    days: dict[date, list[LedgerEntry]] = {}
    for each in entries:
        days.setdefault(local_day(each.starts_at, zone), []).append(each)
    return days


def would_have_held_text(length: timedelta) -> str:
    """Return a duration for which smartcharge would have charged; "" for none."""
    return f"{hours_text(length)} (would have)" if length else ""


def _held_text(each: LedgerEntry) -> str:
    held = would_have_held_text(each.held) if each.in_shadow else hours_text(each.held)
    if not held and each.unconfirmed:
        return f"{hours_text(each.unconfirmed)} (not confirmed)"
    return held + (" (extra)" if each.extension else "")


def _rate_text(each: LedgerEntry) -> str:
    if each.night:
        return "off-peak hours"
    if not each.cheap:
        return "peak"
    return "off-peak" if each.completed else "off-peak, unconfirmed"


def _saving_text(each: LedgerEntry, rates: TariffRates | None) -> str:
    return money_text(each.saving_pence(rates)) if rates and each.saves and each.kwh else ""


def _half_hour_remark(each: LedgerEntry, rates: TariffRates | None) -> str:
    if each.in_shadow and (saved := _saving_text(each, rates)):
        return f"{saved} saved by the other controller"
    if each.loss is None:
        idle = each.planned and each.is_over and not each.started
        return "car was not charging" if idle else ""
    lost = f", {money_text(each.loss_pence(rates))}" if rates and each.loss is Loss.HELD_AT_STANDARD_RATE else ""
    return f"{each.loss}{lost}"


MAX_MONTH_LENGTH = timedelta(days=31)
LOSS_DEFINITION = (
    f'Losses are not part of the saving. "{Loss.HELD_AT_STANDARD_RATE}": the kWh that the Powerwall took at the peak '
    f'rate, times the same difference. "{Loss.CHEAP_SLOT_MISSED}": an off-peak half hour in which the Powerwall was '
    "charged for less than half of the time. These are counted, but they have no price."
)
BASIS_DEFINITION = (
    f"{Basis.REPORTED}: as your supplier reports the completed slots. {Basis.MEASURED}: by the counter of the Zappi. "
    f"{Basis.ESTIMATED}: calculated between readings, or for a half hour that your supplier has not confirmed. "
    "A sum is only as reliable as the weakest figure in it. What counts in the end is your supplier's bill."
)
FIGURE_DEFINITIONS = (SAVING_DEFINITION, LOSS_DEFINITION, BASIS_DEFINITION)


class MonthLedger(Struct, frozen=True):
    """A calendar month as it was recorded. problem_counts: how many problems were recorded, by local day."""

    days: tuple[date, ...]
    today: date
    zone: str
    entries: tuple[LedgerEntry, ...]
    rates: TariffRates | None
    problem_counts: Counter[date]

    def entries_of(self, day: date) -> list[LedgerEntry]:
        """Return the half hours of one of its days."""
        return group_by_day(self.entries, self.zone).get(day, [])

    @property
    def meaning(self) -> tuple[str, ...]:
        """How to read its figures."""
        return (
            (*FIGURE_DEFINITIONS, SHADOW_DEFINITION)
            if any(each.in_shadow for each in self.entries)
            else FIGURE_DEFINITIONS
        )

    def month_report(self, chosen: date | None = None) -> MonthReport:
        """Return the month as text. chosen: the day that the report is about."""
        sums = {day: sum_entries(found, self.rates) for day, found in group_by_day(self.entries, self.zone).items()}
        count = self.problem_counts.total()
        return MonthReport(
            title=f"{self.days[0]:%B %Y}",
            days=tuple(month_day_rows(self.days, sums, self.problem_counts, self.today)),
            figures=(
                *report_figures(sum_entries(self.entries, self.rates)),
                ReportFigure("Problems", str(count) if count else "none", COUNTED_BASIS),
            ),
            chosen=chosen,
        )


def load_day_report(app: App, day: date) -> Report:
    """Load the report of a local day, with its month."""
    found = _load_month_ledger(app, day)
    view, entries = DayView(day_span(day, found.zone), found.zone, app.now), found.entries_of(day)
    sums = sum_entries(entries, found.rates)
    return Report(
        title=long_date_text(day),
        headline=_report_headline(sums, found.problem_counts[day]),
        made=_made_text(app, found.zone),
        month=found.month_report(chosen=day),
        meaning=found.meaning,
        picture=load_day_chart(app, view, entries),
        half_hours=tuple(half_hour_rows(view, entries, found.rates)),
        figures=tuple(report_figures(sums)),
    )


def load_month_report(app: App, day: date) -> Report:
    """Load the report of the calendar month that contains a local day."""
    found = _load_month_ledger(app, day)
    month = found.month_report()
    return Report(
        title=month.title,
        headline=_report_headline(sum_entries(found.entries, found.rates), found.problem_counts.total()),
        made=_made_text(app, found.zone),
        month=month,
        meaning=found.meaning,
    )


def day_span(day: date, zone: str) -> Span:
    """Return a local day, which has 23 to 25 hours."""
    first, last = (datetime.combine(each, time(0), ZoneInfo(zone)).astimezone(UTC) for each in (day, day + DAY))
    return Span(first, last)


def month_span(day: date, zone: str) -> Span:
    """Return the calendar month that contains a local day."""
    days = month_days(day)
    return Span(day_span(days[0], zone).starts_at, day_span(days[-1], zone).ends_at)


def month_days(day: date) -> tuple[date, ...]:
    """Return the days of a calendar month."""
    first = day.replace(day=1)
    following = (first + MAX_MONTH_LENGTH).replace(day=1)
    return tuple(first + n * DAY for n in range((following - first).days))


def _load_month_ledger(app: App, day: date) -> MonthLedger:
    zone = app.policy.cheap_period.zone
    span = month_span(day, zone)
    noted = load_journal(app.read_only_db, since=span.starts_at - SHADOW_CHECK_VALID_FOR, until=span.ends_at)
    return MonthLedger(
        days=month_days(day),
        today=local_day(app.now, zone),
        zone=zone,
        entries=mark_entries_from_journal(load_half_hours(app, span), noted),
        rates=configured_rates(app),
        problem_counts=Counter(
            local_day(row.at, zone) for row in noted if is_problem_entry(row) and span.covers(row.at)
        ),
    )


def _report_headline(sums: LedgerTotals, problem_counts: int) -> str:
    held = f"Charged for {hours_text(sums.held)}" if sums.held else "The Powerwall was not charged"
    would = f"would have charged for {hours_text(sums.would_have_held)}" if sums.would_have_held else ""
    saved = f"{money_text(sums.saving_pence)} saved, {sums.basis}" if sums.saving_pence else ""
    noted = count_text(problem_counts, "problem") if problem_counts else "no problems"
    return f"{'; '.join(part for part in (held, would, saved, noted) if part)}."


def _made_text(app: App, zone: str) -> str:
    return f"{date_time_text(app.now, zone)} by smartcharge {__version__}"

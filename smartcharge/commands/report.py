"""`smartcharge report`: the ledger of a day or a month, as text, as a page for a browser, and by mail."""

from contextlib import closing
from datetime import date, datetime
from pathlib import Path

import click
from msgspec import Struct

from smartcharge.act.report import gathered, mail, page, text
from smartcharge.commands import _options
from smartcharge.core.report import Report
from smartcharge.session import Session
from smartcharge.toolbox import Toolbox

STDOUT = "-"


class Period(Struct, frozen=True):
    """What a report is about: a local day, or (whole_month) the calendar month that it lies in."""

    day: date
    whole_month: bool = False

    def report(self, tools: Toolbox) -> Report:
        """The report itself."""
        return gathered.of_month(tools, self.day) if self.whole_month else gathered.of_day(tools, self.day)

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """When it begins and ends, UTC."""
        span = gathered.month_span(self.day, zone) if self.whole_month else gathered.day_span(self.day, zone)
        return span.starts_at, span.ends_at


@click.command("report")
@click.option("--day", metavar="DAY", help="2026-11-22, today or yesterday; today unless given, with --mail yesterday.")
@click.option("--month", metavar="MONTH", help="Instead of a day: 2026-11, this or last.")
@click.option("--html", "file", metavar="FILE", help="Write one page for a browser; - is standard output.")
@click.option("--mail", "by_mail", is_flag=True, help="Let text and page wait for send-invites, once for each period.")
@_options.at
@click.pass_obj
def command(
    session: Session, *, day: str | None, month: str | None, file: str | None, by_mail: bool, at: str | None
) -> int:
    """Show what a day or a month saved, as text or as a page."""
    if day and month:
        raise click.UsageError("--day and --month exclude each other")
    if by_mail and at:
        raise click.UsageError("--at goes with looking only: a mail goes by the clock")
    with closing(session.toolbox(looking=not by_mail)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        period = _period(tools, day, month, by_mail=by_mail)
        report = period.report(tools)
        if by_mail:
            _mail(tools, report, period)
        if file:
            _write(tools, report, file)
        elif not by_mail:
            click.echo("\n".join(text.lines(report)))
    return 0


def _period(tools: Toolbox, day: str | None, month: str | None, *, by_mail: bool) -> Period:
    if month:
        return Period(_options.month(month, tools), whole_month=True)
    return Period(_options.day(day or ("yesterday" if by_mail else "today"), tools))


def _mail(tools: Toolbox, report: Report, period: Period) -> None:
    starts_at, ends_at = period.bounds(tools.policy.cheap_period.zone)
    if tools.now < ends_at:
        raise click.UsageError(f"{report.title} is not over: its one mail would tell half of it")
    mail.queue(tools, report, starts_at)


def _write(tools: Toolbox, report: Report, file: str) -> None:
    written = tools.page_writer.page(report)
    if file == STDOUT:
        click.echo(written, nl=False)
        return
    try:
        page.write(Path(file), written)
    except OSError as odd:
        raise click.UsageError(f"--html {file} cannot be written: {odd.strerror}") from odd
    click.echo(f"the page of {report.title} is in {file}")

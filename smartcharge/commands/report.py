"""`smartcharge report`: a day or a month as text, as a page for a browser, or by mail."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from textwrap import wrap
from uuid import UUID, uuid5

import click
from msgspec import Struct

from smartcharge.app import App, build_report_message
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_day, parse_month, parse_time
from smartcharge.errors import ConfigurationError
from smartcharge.files import write_private_file
from smartcharge.report.html import render_page
from smartcharge.report.load import day_span, load_day_report, load_month_report, month_span
from smartcharge.report.model import MonthDay, Report, ReportFigure
from smartcharge.store.calendar import make_event_uid
from smartcharge.store.database import transaction
from smartcharge.store.outbox import REPORT_METHOD, queue_message


def write_report_page(path: Path, page: str) -> None:
    """Write a page to a file; after an `OSError` an older page is unchanged."""
    write_private_file(path.expanduser(), page.encode())


REPORT_WIDTH = 100
HALF_HOUR_COLUMNS = ("half hour", "rate", "charged", "car", "Powerwall", "saving", "")


def report_lines(report: Report) -> Iterator[str]:
    """Yield the lines of the whole report."""
    yield report.title
    yield report.headline
    yield ""
    if report.picture is None:
        yield from _day_lines(report.month.days)
        yield ""
        yield from _figure_lines(report.month.figures)
    else:
        yield from _half_hour_lines(report)
        yield from _figure_lines(report.figures)
    for words in (*report.meaning, f"Made {report.made}."):
        yield ""
        yield from wrap(words, REPORT_WIDTH)


def _half_hour_lines(report: Report) -> Iterator[str]:
    rows = [(r.when, r.rate, r.held, r.car, r.battery, r.saving, r.remark) for r in report.half_hours]
    if rows:
        yield from _align_columns([HALF_HOUR_COLUMNS, *rows])
        yield ""


def _day_lines(days: Sequence[MonthDay]) -> Iterator[str]:
    known = [day for day in days if not day.is_ahead]
    rows = [(f"{d.day:%a} {d.day.day:>2}", d.held or "-", d.saving, d.leaks, d.trouble) for d in known]
    return _align_columns([("day", "charged", "saving", "losses", "problems"), *rows])


def _figure_lines(figures: Sequence[ReportFigure]) -> Iterator[str]:
    return _align_columns([(each.name, each.amount, each.basis) for each in figures])


def _align_columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Align the cells of rows in columns, with two blanks between them."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def queue_report_mail(app: App, report: Report, period_start: datetime) -> None:
    """Queue the report as an email for `send-invites`; the report of one period is sent only once.

    It goes to alerts.email, or else to the address for invites. Raises `ConfigurationError` without a mail account.
    """
    account = app.config.invites
    if account is None:
        raise ConfigurationError(
            "is missing, so there is no account to send a report from",
            place=str(app.config.path),
            key=missing_mail_key(app),
            right="Set gcal.smtp_user and gcal.smtp_pass, or write the page to a file with --html FILE",
        )
    recipient = app.config.alerts.email or account.invite_to
    length = "day" if report.picture else "month"
    key = str(uuid5(UUID(make_event_uid(app.db, period_start)), f"report of a {length}"))
    message = build_report_message(
        sender=account.smtp_user,
        recipient=recipient,
        subject=f"smartcharge: {report.title}",
        text="\n".join(report_lines(report)),
        page=render_page(report),
        at=app.now,
        key=key,
    )
    with transaction(app.db):
        queue_message(app.db, key, message, recipient, app.now, method=REPORT_METHOD)
    app.detail(f"report: {report.title} is queued for {recipient}")


def missing_mail_key(app: App) -> str:
    """Return the key that is missing for a mail account."""
    gcal = app.config.gcal
    return "gcal.smtp_user" if gcal is None or gcal.smtp_user is None else "gcal.smtp_pass"


STDOUT_PATH = "-"


class ReportPeriod(Struct, frozen=True):
    """The period of a report: a local day, or (is_whole_month) the calendar month that it lies in."""

    day: date
    is_whole_month: bool = False

    def report(self, app: App) -> Report:
        """Load the report."""
        return load_month_report(app, self.day) if self.is_whole_month else load_day_report(app, self.day)

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """Return when the period begins and ends, UTC."""
        span = month_span(self.day, zone) if self.is_whole_month else day_span(self.day, zone)
        return span.starts_at, span.ends_at


@click.command("report")
@click.option("--day", metavar="DAY", help="2026-11-22, today or yesterday. Default: today, or yesterday with --mail.")
@click.option("--month", metavar="MONTH", help="A whole month instead of a day: 2026-11, this or last.")
@click.option("--html", "file", metavar="FILE", help="Write a page for a browser; - means standard output.")
@click.option("--mail", "by_mail", is_flag=True, help="Queue the report as an email.")
@at_option
@click.pass_obj
def report_command(
    session: CliContext, *, day: str | None, month: str | None, file: str | None, by_mail: bool, at: str | None
) -> int:
    """Show what a day or a month saved, as text or as a page."""
    if day and month:
        raise click.UsageError("Give either --day or --month, not both")
    if by_mail and at:
        raise click.UsageError("--at cannot be used with --mail")
    with closing(session.open_app(read_only=not by_mail)) as app:
        app.now = parse_time(at, app) if at else app.now
        period = _parse_period(app, day, month, by_mail=by_mail)
        report = period.report(app)
        if by_mail:
            _queue_mail(app, report, period)
        if file:
            _write_page(report, file)
        elif not by_mail:
            click.echo("\n".join(report_lines(report)))
    return 0


def _parse_period(app: App, day: str | None, month: str | None, *, by_mail: bool) -> ReportPeriod:
    if month:
        return ReportPeriod(parse_month(month, app), is_whole_month=True)
    return ReportPeriod(parse_day(day or ("yesterday" if by_mail else "today"), app))


def _queue_mail(app: App, report: Report, period: ReportPeriod) -> None:
    starts_at, ends_at = period.bounds(app.policy.cheap_period.zone)
    if app.now < ends_at:
        raise click.UsageError(f"{report.title} is not over yet, so its report would not be complete")
    queue_report_mail(app, report, starts_at)


def _write_page(report: Report, file: str) -> None:
    written = render_page(report)
    if file == STDOUT_PATH:
        click.echo(written, nl=False)
        return
    try:
        write_report_page(Path(file), written)
    except OSError as error:
        raise click.UsageError(f"--html {file} cannot be written: {error.strerror}") from error
    click.echo(f"The report of {report.title} is in {file}")

"""`smartcharge report`: the ledger of a day or a month, as text, as a page for a browser, and by mail."""

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
    """Put a page where a browser may open it; an `OSError` leaves an older one as it was."""
    write_private_file(path.expanduser(), page.encode())


REPORT_WIDTH = 100
HALF_HOUR_COLUMNS = ("half hour", "rate", "held", "car", "battery", "saving", "")


def report_lines(report: Report) -> Iterator[str]:
    """The whole report, a line each."""
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
    return _align_columns([("day", "held", "saving", "leaks", "trouble"), *rows])


def _figure_lines(figures: Sequence[ReportFigure]) -> Iterator[str]:
    return _align_columns([(each.name, each.amount, each.basis) for each in figures])


def _align_columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Rows under one another, two blanks between columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def queue_report_mail(app: App, report: Report, period_start: datetime) -> None:
    """Let the report wait for `send-invites`; the same period's is the same message, and waits or goes out once.

    It goes to alerts.email, or else to where the invites go. Raises `ConfigurationRefused` without a mail account.
    """
    account = app.config.invites
    if account is None:
        raise ConfigurationError(
            "is missing, so there is no account to mail a report from",
            place=str(app.config.path),
            key=missing_mail_key(app),
            right="Give gcal.smtp_user and gcal.smtp_pass, or write the page to a file with --html FILE.",
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
    app.detail(f"report: {report.title} waits for the mail to {recipient}")


def missing_mail_key(app: App) -> str:
    """The key that is missing for a mail account."""
    gcal = app.config.gcal
    return "gcal.smtp_user" if gcal is None or gcal.smtp_user is None else "gcal.smtp_pass"


STDOUT_PATH = "-"


class ReportPeriod(Struct, frozen=True):
    """What a report is about: a local day, or (whole_month) the calendar month that it lies in."""

    day: date
    is_whole_month: bool = False

    def report(self, app: App) -> Report:
        """The report itself."""
        return load_month_report(app, self.day) if self.is_whole_month else load_day_report(app, self.day)

    def bounds(self, zone: str) -> tuple[datetime, datetime]:
        """When it begins and ends, UTC."""
        span = month_span(self.day, zone) if self.is_whole_month else day_span(self.day, zone)
        return span.starts_at, span.ends_at


@click.command("report")
@click.option("--day", metavar="DAY", help="2026-11-22, today or yesterday; today unless given, with --mail yesterday.")
@click.option("--month", metavar="MONTH", help="Instead of a day: 2026-11, this or last.")
@click.option("--html", "file", metavar="FILE", help="Write one page for a browser; - is standard output.")
@click.option("--mail", "by_mail", is_flag=True, help="Let text and page wait for send-invites, once for each period.")
@at_option
@click.pass_obj
def report_command(
    session: CliContext, *, day: str | None, month: str | None, file: str | None, by_mail: bool, at: str | None
) -> int:
    """Show what a day or a month saved, as text or as a page."""
    if day and month:
        raise click.UsageError("--day and --month exclude each other")
    if by_mail and at:
        raise click.UsageError("--at goes with looking only: a mail goes by the clock")
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
        raise click.UsageError(f"{report.title} is not over: its one mail would tell half of it")
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
    click.echo(f"the page of {report.title} is in {file}")

"""What several commands share: the acting wrapper, --dry-run and --at, and the owner's way to write a moment."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from smartcharge import budget
from smartcharge.core.slots import DAY, local_day
from smartcharge.errors import Busy, ConfigurationRefused, Unreachable, most_serious
from smartcharge.guard import attempt
from smartcharge.session import Session

if TYPE_CHECKING:
    from smartcharge.toolbox import Toolbox

YEARS = range(2000, 2200)
"""In which there are smart tariffs."""

dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, change nothing.")
at = click.option("--at", metavar="TIME", help="Look at another moment (with --dry-run, or when only looking).")


def act(
    session: Session,
    run: Callable[["Toolbox"], None],
    *,
    dry_run: bool = False,
    at: str | None = None,
    typed: bool = False,
) -> int:
    """Run one act within a command's time; the exit code is the most serious of all that went wrong.

    typed: a person waits for it, and hears of a lock that cron's minutes pass over in silence.
    """
    if at is not None and not dry_run:
        raise click.UsageError("--at goes with --dry-run: an acting command goes by the clock")
    command = str(click.get_current_context().info_name)

    def rehearse_or_run(tools: "Toolbox") -> None:
        tools.command = command
        if at:
            tools.imagine(moment(at, tools))
        run(tools)

    try:
        return _within_time(session, rehearse_or_run, dry_run=dry_run, typed=typed)
    except ConfigurationRefused as refused:
        if typed or dry_run or session.is_news(refused, command):
            raise
        return refused.exit_code


def _within_time(session: Session, run: Callable[["Toolbox"], None], *, dry_run: bool, typed: bool) -> int:
    codes: list[int] = []
    try:
        with budget.share(budget.COMMAND_SECONDS), closing(session.toolbox(dry_run=dry_run)) as tools:
            codes = tools.exit_codes
            codes.append(attempt(lambda: run(tools), tools.warn if typed else tools.tell))
            if typed and codes[-1] == Busy.exit_code:
                tools.warn("nothing was changed: another run is at work; try again in a minute")
    except budget.OutOfTime:
        codes.append(Unreachable.exit_code)
    return most_serious(codes)


def moment(text: str, tools: "Toolbox", *, ahead: bool = False, past: bool = False) -> datetime:
    """A moment as the owner writes it: 13:30 of today, or a date and time.

    ahead: 13:30 is the next such moment; past: the last one, today's or yesterday's. Local wall-clock time unless it
    carries an offset. Raises a usage error that shows the right form.
    """
    zone = ZoneInfo(tools.policy.cheap_period.zone)
    try:
        if text[4:5] == "-":
            there = datetime.fromisoformat(text)
            return (there if there.tzinfo else there.replace(tzinfo=zone)).astimezone(UTC)
        wanted = time.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time: write 13:30, 2026-11-22T13:30 or 2026-11-22T13:30:00Z") from None
    moments = _occurrences(wanted, tools.now, zone, range(-past, 1 + ahead))
    if past:
        return max(moment for moment in moments if moment <= tools.now)
    return min((moment for moment in moments if not ahead or moment > tools.now), default=moments[0])


def _occurrences(wanted: time, now: datetime, zone: ZoneInfo, days: range) -> list[datetime]:
    """When a wall-clock time comes, on days counted from today; twice where the clocks go back over it."""
    there = wanted.tzinfo or zone
    today = now.astimezone(there).date()
    return [
        datetime.combine(today + timedelta(days=n), wanted, there).replace(fold=fold).astimezone(UTC)
        for n in days
        for fold in (0, 1)
    ]


def day(text: str, tools: "Toolbox") -> date:
    """A local day as the owner writes it; raises a usage error that shows the right form."""
    today = _today(tools)
    named = {"today": today, "yesterday": today - DAY}
    return named.get(text) or _date(text, f"{text!r} is no day: write 2026-11-22, today or yesterday")


def month(text: str, tools: "Toolbox") -> date:
    """A day of the calendar month that the owner writes; raises a usage error that shows the right form."""
    today = _today(tools)
    named = {"this": today, "last": today.replace(day=1) - DAY}
    return named.get(text) or _date(f"{text}-01", f"{text!r} is no month: write 2026-11, this or last")


def _today(tools: "Toolbox") -> date:
    return local_day(tools.now, tools.policy.cheap_period.zone)


def _date(text: str, problem: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(problem) from None
    if found.year not in YEARS:
        raise click.UsageError(problem)
    return found

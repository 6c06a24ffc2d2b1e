"""What several commands share: the acting wrapper, --dry-run and --at, and the owner's way to write a moment."""

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from smartcharge import budget
from smartcharge.errors import Busy, Unreachable, most_serious
from smartcharge.guard import attempt
from smartcharge.session import Session

if TYPE_CHECKING:
    from smartcharge.toolbox import Toolbox

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
    with closing(session.toolbox(dry_run=dry_run)) as tools:
        tools.now = moment(at, tools) if at else tools.now
        try:
            with budget.share(budget.COMMAND_SECONDS):
                code = attempt(lambda: run(tools), tools.warn)
        except budget.OutOfTime:
            code = Unreachable.exit_code
        if typed and code == Busy.exit_code:
            tools.warn("nothing was changed: another run is at work; try again in a minute")
        return most_serious([code, *tools.exit_codes])


def moment(text: str, tools: "Toolbox", *, ahead: bool = False) -> datetime:
    """A moment as the owner writes it: 13:30 of today (with `ahead` the next such moment), or a date and time.

    Local wall-clock time unless it carries an offset. Raises a usage error that shows the right form.
    """
    zone = ZoneInfo(tools.policy.cheap_period.zone)
    try:
        if text[4:5] == "-":
            there = datetime.fromisoformat(text)
            return (there if there.tzinfo else there.replace(tzinfo=zone)).astimezone(UTC)
        wanted = time.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no time: write 13:30, 2026-11-22T13:30 or 2026-11-22T13:30:00Z") from None
    today = tools.now.astimezone(wanted.tzinfo or zone).date()
    days = (today, today + timedelta(days=1)) if ahead else (today,)
    moments = [
        datetime.combine(day, wanted, wanted.tzinfo or zone).replace(fold=fold).astimezone(UTC)
        for day in days
        for fold in (0, 1)
    ]
    return min((moment for moment in moments if not ahead or moment > tools.now), default=moments[0])

"""What several commands share: options, times as people type them, questions at a terminal, exported files."""

import io
import os
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from smartcharge.cli_context import CliContext
from smartcharge.console import run_guarded
from smartcharge.deadline import COMMAND_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.errors import ConfigurationError, LockBusyError, UnreachableError, most_serious_exit_code
from smartcharge.files import write_private_file
from smartcharge.policy.slots import DAY, local_day
from smartcharge.regular_file import open_regular_file

if TYPE_CHECKING:
    from smartcharge.app import App


VALID_YEARS = range(2000, 2200)
"""Years that are accepted; others are typing errors."""

dry_run_option = click.option("--dry-run", is_flag=True, help="Show what would be done, and change nothing.")
at_option = click.option("--at", metavar="TIME", help="Pretend the time is TIME (read-only).")


def run_job(
    session: CliContext,
    run: Callable[["App"], None],
    *,
    dry_run: bool = False,
    at: str | None = None,
    interactive: bool = False,
) -> int:
    """Run one job within the time limit of a command and return the most serious exit code of its parts.

    interactive: a person waits for it and is told about a busy lock, which runs by cron do not report.
    """
    if at is not None and not dry_run:
        raise click.UsageError("--at needs --dry-run, because this command changes something")
    command = str(click.get_current_context().info_name)

    def run_or_dry_run(app: "App") -> None:
        if at:
            app.set_now(parse_time(at, app))
        run(app)
        app.alerts.record_refused_rows(app.refused_rows)

    try:
        return _run_within_limit(session, run_or_dry_run, dry_run=dry_run, interactive=interactive)
    except ConfigurationError as refused:
        if interactive or dry_run or session.should_report(refused, command):
            raise
        return refused.exit_code


def _run_within_limit(session: CliContext, run: Callable[["App"], None], *, dry_run: bool, interactive: bool) -> int:
    from smartcharge.jobs.hold_check import check_hold_file, release_after_failure  # other commands need no jobs

    codes: list[int] = []
    try:
        with time_limit(COMMAND_LIMIT_SECONDS), closing(_open_app(session, dry_run=dry_run)) as app:
            codes = app.out.exit_codes
            for part in (check_hold_file, run, release_after_failure):
                codes.append(run_guarded(partial(part, app), app.out.warn if interactive else app.out.warn_hourly))
            if interactive and LockBusyError.exit_code in codes:
                app.out.warn("Another run is at work. Nothing was changed. To fix: try again in a minute.")
    except DeadlineExceeded:
        codes.append(UnreachableError.exit_code)
    return most_serious_exit_code(codes)


def _open_app(session: CliContext, *, dry_run: bool) -> "App":
    """Load the configuration and make the app; where that fails, a due hold is ended by its hold file all the same."""
    command = str(click.get_current_context().info_name)
    try:
        app = session.open_app(dry_run=dry_run)
    except Exception:
        if not dry_run:
            run_guarded(lambda: _release_without_configuration(session, command))
        raise
    app.out.command = command
    return app


def _release_without_configuration(session: CliContext, command: str) -> None:
    from smartcharge.config.find import config_file_candidates  # only a refused configuration needs them
    from smartcharge.jobs.hold_release import release_without_configuration

    places = config_file_candidates(session.config, os.environ, str(Path.cwd()), str(Path.home()))
    release_without_configuration([Path(place) for place in places], os.environ, session.now, command)


def parse_time(text: str, app: "App", *, ahead: bool = False, past: bool = False) -> datetime:
    """Parse a time as the owner writes it: 13:30, or a date and time; local time unless it has an offset.

    13:30 means today; with `ahead` the next 13:30, with `past` the last one. Raises a usage error with the valid forms.
    """
    zone = ZoneInfo(app.policy.cheap_period.zone)
    try:
        if text[4:5] == "-":
            return _parse_date_time(text, zone)
        wanted = time.fromisoformat(text)
    except (ValueError, OverflowError):
        message = f"{text!r} is not a valid time. Write 13:30, 2026-11-22T13:30 or 2026-11-22T13:30:00Z"
        raise click.UsageError(message) from None
    moments = _time_occurrences(wanted, app.now, zone, range(-past, 1 + ahead))
    if past:
        return max(moment for moment in moments if moment <= app.now)
    return min((moment for moment in moments if not ahead or moment > app.now), default=moments[0])


def _parse_date_time(text: str, zone: ZoneInfo) -> datetime:
    there = datetime.fromisoformat(text)
    if there.year not in VALID_YEARS:
        raise ValueError("the year is out of range")
    return (there if there.tzinfo else there.replace(tzinfo=zone)).astimezone(UTC)


def _time_occurrences(wanted: time, now: datetime, zone: ZoneInfo, days: range) -> list[datetime]:
    """Return when a local time occurs on these days, counted from today: twice when the clocks go back."""
    there = wanted.tzinfo or zone
    today = now.astimezone(there).date()
    return [
        datetime.combine(today + timedelta(days=n), wanted, there).replace(fold=fold).astimezone(UTC)
        for n in days
        for fold in (0, 1)
    ]


def parse_day(text: str, app: "App") -> date:
    """Parse a local day as the owner writes it; raises a usage error with the valid forms."""
    today = _local_today(app)
    named = {"today": today, "yesterday": today - DAY}
    return named.get(text) or _parse_date(text, f"{text!r} is not a valid day. Write 2026-11-22, today or yesterday")


def parse_month(text: str, app: "App") -> date:
    """Parse a calendar month and return a day in it; raises a usage error with the valid forms."""
    today = _local_today(app)
    named = {"this": today, "last": today.replace(day=1) - DAY}
    return named.get(text) or _parse_date(f"{text}-01", f"{text!r} is not a valid month. Write 2026-11, this or last")


def _local_today(app: "App") -> date:
    return local_day(app.now, app.policy.cheap_period.zone)


def _parse_date(text: str, problem: str) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(problem) from None
    if found.year not in VALID_YEARS:
        raise click.UsageError(problem)
    return found


MAX_INPUT_CHARACTERS = 16_384


def has_terminal() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def prompt_hidden(question: str) -> str:
    """Ask for a secret, which is not shown; without a terminal it is the next line of input, or ""."""
    if not has_terminal():
        return read_input_line()
    answer: str = click.prompt(f"{question} (not shown)", hide_input=True, default="", show_default=False)
    return answer


def prompt_text(question: str) -> str:
    """Ask for text that is not secret; without a terminal it is the next line of input, or ""."""
    if not has_terminal():
        return read_input_line()
    answer: str = click.prompt(question, default="", show_default=False)
    return answer


def read_input_line() -> str:
    """Read a line of standard input with its end, or ""; bytes that are not text are replaced."""
    if sys.stdin is None:  # closed by the caller
        return ""
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # raised after the first line, when it has been set already
            sys.stdin.reconfigure(errors="replace")
    return sys.stdin.readline(MAX_INPUT_CHARACTERS)


OWNER_ONLY_MODE, WORLD_READABLE_MODE = 0o600, 0o644
EXPORT_PATH_FIX = "Name a file in a folder that exists and that this user may write to"


def export_file(path: Path, text: str, *, required_prefix: str, mode: int) -> None:
    """Write a text to a file, which is replaced as a whole.

    required_prefix: how such a file begins; a file that begins otherwise is not replaced. Raises `ConfigurationError`.
    """
    try:
        if not _can_replace_file(path, required_prefix):
            right = "Choose another name. The existing file has other content and was not changed"
            raise ConfigurationError("exists already", place=str(path), right=right)
        temporary_file = path.with_name(f".{path.name}.{os.getpid()}")
        write_private_file(temporary_file, text.encode())
        temporary_file.chmod(mode)
        temporary_file.replace(path)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigurationError(f"cannot be written: {why}", place=str(path), right=EXPORT_PATH_FIX) from error


def _can_replace_file(path: Path, required_prefix: str) -> bool:
    if not path.exists():
        return True
    with os.fdopen(open_regular_file(path), "rb") as file:
        return file.read(len(required_prefix.encode())) in {b"", required_prefix.encode()}

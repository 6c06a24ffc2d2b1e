"""What the program says, and to whom: changes to standard output, trouble to standard error, details with -v."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, TextIO

import click

from smartcharge.deadline import DeadlineExceeded, unwrap_group
from smartcharge.errors import AppError, LockBusyError
from smartcharge.files import write_private_file
from smartcharge.regular_file import read_regular_file
from smartcharge.text import to_one_line

EXIT_OUTPUT_LOST = 1
"""The exit code of a run that could not write what it said."""

_stdout_errors: list[OSError] = []
"""Why something that was said on standard output could not be written."""


def print_line(line: str) -> None:
    """One line for a change that was made."""
    try:
        _print_to(line, sys.stdout)
    except OSError as odd:
        on_stdout_error(odd)


def print_warning(line: str) -> None:
    """One line for trouble that begins or ends."""
    with suppress(OSError):
        _print_to(line, sys.stderr)


def is_interactive() -> bool:
    """Whether trouble is read as it is told, by somebody at a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def on_stdout_error(odd: OSError) -> int:
    """Go on though standard output takes nothing more: what is done matters more than who hears of it.

    Gives the exit code of a command that had nothing else to do. A reader who has left, as `head` does, wanted no more.
    """
    _stdout_errors.append(odd)
    return 0 if isinstance(odd, BrokenPipeError) else EXIT_OUTPUT_LOST


def flush_output(code: int) -> int:
    """Write what is still to be written, and give the exit code of the process, in which nothing is said any more.

    code: as it is so far.
    """
    _flush_stream(sys.__stdout__, on_stdout_error)
    lost = next((odd for odd in _stdout_errors if not isinstance(odd, BrokenPipeError)), None)
    if lost:
        print_warning(f"smartcharge: what was said could not be written ({lost.strerror}).")
    _flush_stream(sys.__stderr__, str)
    return code or (EXIT_OUTPUT_LOST if lost else 0)


def silence_loggers() -> None:
    """Keep every library's own log off the terminal, at any verbosity.

    They log addresses, serials and pieces of answers; what matters of it reaches the owner in our words.
    """
    import logging  # an idle tick needs no log at all

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _print_to(line: str, stream: TextIO | None) -> None:
    if stream is not None:  # as it is where the caller has closed it
        print(to_one_line(line), file=stream, flush=True)


def _flush_stream(stream: TextIO | None, on_error: Callable[[OSError], object]) -> None:
    """Write out what waits; a stream that takes nothing is led nowhere, or the interpreter would stumble at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError as odd:
        on_error(odd)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


REPEAT_INTERVAL = timedelta(hours=1)
REPEAT_TOLERANCE = timedelta(seconds=15)
"""Cron's minutes are not exact."""


FIRST_REMINDERS, REMINDER_INTERVAL = (timedelta(minutes=30), timedelta(hours=2)), timedelta(hours=6)
"""When an overdue release is told again: after these times, then every six hours."""


class _Told(NamedTuple):
    """When a line was told last, and since when its trouble lasts; None for a line that is told hourly."""

    at: datetime
    since: datetime | None = None

    def is_recent(self, now: datetime) -> bool:
        """Whether it still says when the line is to be told next. A clock that has gone back ends that."""
        kept = REPEAT_INTERVAL - REPEAT_TOLERANCE if self.since is None else 2 * REMINDER_INTERVAL
        return timedelta(0) <= now - self.at < kept


def should_report(config: Path, command: str, line: str, now: datetime) -> bool:
    """Whether a command is to tell a line: it has not within the hour, or the configuration was changed since."""
    mark, told = _line_digest(config, f"{command}: {line}"), _load_recent(config, now)
    if mark in told:
        return False
    _save_told(config, {**told, mark: _Told(now)})
    return True


def should_remind(config: Path, subject: str, now: datetime) -> bool:
    """Whether an overdue release is to be told now, by any command. subject: names it through all its runs."""
    mark, told = _line_digest(config, subject), _load_recent(config, now)
    since = now
    if (last := told.get(mark)) is not None and last.since is not None:
        if not is_reminder_due(last.since, last.at, now):
            return False
        since = last.since
    _save_told(config, {**told, mark: _Told(now, since)})
    return True


def is_reminder_due(since: datetime, notified_at: datetime | None, now: datetime) -> bool:
    """Whether a reported failure is to be reported again: after 30 min, 2 h, and every 6 h from then on."""
    if notified_at is None:
        return False
    lasted, reported_after = now - since, notified_at - since
    last = FIRST_REMINDERS[-1]
    due = [each for each in FIRST_REMINDERS if each <= lasted]
    if lasted >= last:
        due.append(last + (lasted - last) // REMINDER_INTERVAL * REMINDER_INTERVAL)
    return bool(due) and reported_after < due[-1]


def _note_path(config: Path) -> Path:
    return config.with_name(f".{config.name}.told")


def _save_told(config: Path, told: Mapping[str, _Told]) -> None:
    """Without room for the note, the line is told by the next run again."""
    moments = ((mark, [each.astimezone(UTC).isoformat() for each in row if each]) for mark, row in told.items())
    text = "".join(f"{mark} {' '.join(each)}\n" for mark, each in moments)
    with suppress(OSError):
        write_private_file(_note_path(config), text.encode())


def _load_recent(config: Path, now: datetime) -> dict[str, _Told]:
    """What was told not long ago; nothing where that cannot be read."""
    with suppress(OSError, ValueError, TypeError):
        lines = (line.split() for line in read_regular_file(_note_path(config)).decode("ascii").splitlines())
        told = {mark: _Told(*map(datetime.fromisoformat, moments)) for mark, *moments in lines}
        if all(each.tzinfo for row in told.values() for each in row if each):
            return {mark: row for mark, row in told.items() if row.is_recent(now)}
    return {}


def _line_digest(config: Path, line: str) -> str:
    import hashlib  # only who is in trouble needs it

    changed = 0
    with suppress(OSError):
        changed = config.stat().st_mtime_ns
    return hashlib.blake2b(f"{line} {changed}".encode(errors="replace"), digest_size=8).hexdigest()


EXIT_UNEXPECTED_ERROR = 1
STDOUT_ERRNOS = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
"""What standard output can suffer from; every other file has a name, and adapters keep their connections' errors."""


def run_guarded(run: Callable[[], None], print_error: Callable[[str], None] = print_warning) -> int:
    """Run one part and give its exit code: a known error is printed as one line, an unexpected one with its traceback.

    A library's `BaseException`, its `SystemExit` and exception groups end the part like any other error.
    `KeyboardInterrupt` and `DeadlineExceeded` pass: when the time of the whole run is used up, there is no next part.
    """
    try:
        run()
    except click.ClickException:
        raise
    except BaseException as failure:  # noqa: BLE001  # one part must not stop the others
        return _report_failure(unwrap_group(failure), print_error)
    return 0


def _report_failure(failure: BaseException, print_error: Callable[[str], None]) -> int:
    if isinstance(failure, LockBusyError):
        return failure.exit_code
    if isinstance(failure, AppError):
        print_error(f"smartcharge: {failure}")
        return failure.exit_code
    if isinstance(failure, KeyboardInterrupt | DeadlineExceeded):
        raise failure
    if isinstance(failure, OSError) and failure.errno in STDOUT_ERRNOS and failure.filename is None:
        return on_stdout_error(failure)
    for line in _format_traceback(failure):
        print_warning(line)
    return EXIT_UNEXPECTED_ERROR


def _format_traceback(failure: BaseException) -> list[str]:
    try:
        return "".join(traceback.format_exception(failure)).splitlines()
    except (MemoryError, RecursionError):
        return [f"smartcharge: unexpected {type(failure).__name__}"]


class Output:
    """What one run tells its owner, and the exit codes of what went wrong in it.

    command: the name under which repeated lines are remembered. exit_codes: the most serious becomes the run's own.
    """

    def __init__(self, config_path: Path, now: datetime, *, verbose: bool = False, dry_run: bool = False) -> None:
        self.verbose = verbose
        self.command = ""
        self.exit_codes: list[int] = []
        self._config_path = config_path
        self._now = now
        self._is_watched = verbose or dry_run
        self._warned: set[str] = set()

    def say(self, line: str) -> None:
        """Print a change, or what a dry run would change."""
        print_line(line)

    def warn(self, line: str) -> None:
        """Print trouble that begins or ends; the same line once a run."""
        if line not in self._warned:
            self._warned.add(line)
            print_warning(line)

    def warn_hourly(self, line: str) -> None:
        """Print trouble that cannot be stored: at once, then once an hour; each time where somebody is watching."""
        if self._is_watched or is_interactive() or should_report(self._config_path, self.command, line, self._now):
            self.warn(line)

    def warn_overdue(self, subject: str, line: str) -> None:
        """Print that a release is overdue: at once, after 30 min, 2 h, then every 6 h; always where somebody watches.

        subject: names that release through all its runs.
        """
        if self._is_watched or is_interactive() or should_remind(self._config_path, subject, self._now):
            self.warn(line)

    def report_error(self, error: AppError) -> None:
        """Let an error that does not stop the run count for its exit code, and print it once an hour."""
        self.exit_codes.append(error.exit_code)
        self.warn_hourly(f"smartcharge: {error}")

    def detail(self, line: str) -> None:
        """Print what only -v shows; the same line once a run."""
        if self.verbose:
            self.warn(line)

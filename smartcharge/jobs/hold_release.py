"""End a hold by the hold file alone, where the configuration or the database cannot be used for it.

The ordinary release reads the database and the configuration. Here neither is needed, nor a disk that can be written,
nor a file system with locks: only the hold file, a valid token, and Tesla.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from smartcharge import deadline
from smartcharge.app import LOCK_FILE_NAME, LOCK_WAIT_SECONDS, connect_held_battery, held_battery_address
from smartcharge.config.data_folder import remembered_data_folders
from smartcharge.config.load import Config
from smartcharge.console import print_line, print_warning, should_remind, should_report, silence_loggers
from smartcharge.deadline import DeadlineExceeded, limit_process, time_limit
from smartcharge.errors import AppError, LockBusyError, StoreError, UnreachableError
from smartcharge.files import file_lock
from smartcharge.formatting import settings_text
from smartcharge.jobs.polling import TESLA_SERVICE_KEY
from smartcharge.jobs.powerwall import BatteryResult, add_fix_by_hand, drive_battery
from smartcharge.policy.battery import BatteryMemory, BatteryOutcome, BatterySettings
from smartcharge.policy.battery_run import Goal, Wanted
from smartcharge.store.hold_file import (
    RELEASE_LEAD,
    HoldFile,
    hold_file_path,
    read_hold_file,
    remove_hold_file,
    update_memory_in_hold_file,
)

DEFAULT_RESTORE = BatterySettings("autonomous", 20)
"""Where neither the hold file nor the configuration says what to restore."""
RELEASED = {BatteryOutcome.CONFIRMED, BatteryOutcome.BY_HAND}


class Cause(StrEnum):
    """Why the hold file alone is used."""

    CONFIGURATION = "your configuration cannot be used"
    DATABASE = "the database cannot be used"
    MOVED = "your configuration names another data folder now"
    NOT_CONFIGURED = "this Powerwall is no longer in your configuration"


class FileRelease(Struct, frozen=True):
    """A release by a hold file.

    folder: of the hold file. config: None where it cannot be used; else it completes what the file does not say.
    report: tells trouble that goes on, seldom. remind: tells that the release is overdue, as often as the owner is to
    be reminded; it takes what names this release through all its runs, and the line.
    """

    folder: Path
    now: datetime
    cause: Cause
    report: Callable[[str], None]
    remind: Callable[[str, str], None]
    config: Config | None = None

    @property
    def resting(self) -> BatterySettings:
        """What to restore where the file does not say it."""
        if self.config is None:
            return DEFAULT_RESTORE
        return BatterySettings(self.config.control.resting_mode, self.config.control.default_reserve_pct)


def release_by_file(release: FileRelease) -> int:
    """End the hold that the file describes; returns the exit code. The file goes when the release is verified."""
    try:
        with _lock_where_possible(_folders_to_lock(release.folder)):
            file = read_hold_file(release.folder)
            if file is not None:
                _release_held_battery(release, file)
    except LockBusyError as busy:
        return busy.exit_code
    except AppError as error:
        _report_overdue(release, error)
        return error.exit_code
    except OSError as error:
        _report_overdue(release, StoreError(str(error)))
        return StoreError.exit_code
    return 0


def _report_overdue(release: FileRelease, error: AppError) -> None:
    """Tell what keeps the Powerwall from being released, and how to release it by hand."""
    file = read_hold_file(release.folder)
    started_at = None if file is None else file.started_at
    settings = release.resting if file is None else file.restore or release.resting
    add_fix_by_hand(error, settings)
    release.remind(
        f"{release.folder.resolve()} {started_at}", f"smartcharge: the Powerwall is not back to normal yet: {error}"
    )


def release_without_configuration(
    configs: Sequence[Path], environment: Mapping[str, str], now: datetime, command: str
) -> int:
    """End a due hold of an installation whose configuration is refused or gone; returns the exit code.

    configs: where the configuration is, or might be. A hold that is not due stands.
    """
    for config in configs:
        for folder in remembered_data_folders(config, environment):
            file = read_hold_file(folder)
            if file is None:
                continue
            report, remind = _hourly_report(config, command, now), _reminder(config, now)
            if file.is_expired(now):
                report(expired_text(folder))
                return UnreachableError.exit_code
            if file.is_due(now) or file.is_ahead_of(now):
                return release_by_file(FileRelease(folder, now, Cause.CONFIGURATION, report, remind))
            return 0
    return 0


def expired_text(folder: Path) -> str:
    """Say that a hold file is too old to act on, and what to do."""
    return (
        f"smartcharge: {hold_file_path(folder)} is about a hold that should have ended more than a day ago. "
        "To fix: check the Powerwall's mode and Backup Reserve in the Tesla app, then delete that file."
    )


def _hourly_report(config: Path, command: str, now: datetime) -> Callable[[str], None]:
    def report(line: str) -> None:
        if should_report(config, command, line, now):
            print_warning(line)

    return report


def _reminder(config: Path, now: datetime) -> Callable[[str, str], None]:
    def remind(subject: str, line: str) -> None:
        if should_remind(config, subject, now):
            print_warning(line)

    return remind


def _release_held_battery(release: FileRelease, file: HoldFile) -> None:
    """One session over the way that the file names. Raises what keeps the Powerwall from being released."""
    silence_loggers()
    address = held_battery_address(file, release.folder, release.config)
    battery = connect_held_battery(address, release.folder, release.now)
    try:
        with (
            limit_process(UnreachableError.exit_code, time.monotonic()),
            time_limit(deadline.BATTERY_LIMIT_SECONDS),
            battery as powerwall,
        ):
            result = drive_battery(
                powerwall,
                file.to_memory(release.now, release.resting),
                _wanted(release, file),
                release.now,
                backend=address.backend,
                save_memory=lambda memory: _save_memory(release.folder, memory),
            )
    except DeadlineExceeded:
        raise UnreachableError("Tesla took longer than a run may last", service=TESLA_SERVICE_KEY) from None
    if result.error is not None:
        raise result.error
    _report_result(release, result)


def _wanted(release: FileRelease, file: HoldFile) -> Wanted:
    """Say what is wanted. How long the release has been due counts only where no memory can be kept between runs."""
    due_since = None
    if not os.access(release.folder, os.W_OK, effective_ids=True):
        due_since = file.until - RELEASE_LEAD if file.until and file.is_due(release.now) else release.now
    return Wanted(goal=Goal.RELEASE, resting=file.restore or release.resting, due_since=due_since)


def _save_memory(folder: Path, memory: BatteryMemory) -> None:
    """Keep what was asked for in the file, for the next run; on a read-only disk the next run goes by the clock."""
    with suppress(StoreError):
        update_memory_in_hold_file(folder, memory)


def _report_result(release: FileRelease, result: BatteryResult) -> None:
    if result.ending in RELEASED:
        remove_hold_file(release.folder)
        settings = settings_text(BatterySettings(result.reading.mode or "", round(result.reading.reserve_pct or 0)))
        print_line(f"Powerwall back to normal ({settings}), by its hold file alone: {release.cause}")
    elif result.ending is BatteryOutcome.WAITING:
        release.report(f"smartcharge: {result.lockout} has the battery: it is brought back when that is over")
    elif result.ending is not BatteryOutcome.SETTLING:
        raise UnreachableError(f"it cannot be released ({result.ending})", service=TESLA_SERVICE_KEY)


@contextmanager
def _lock_where_possible(folders: Sequence[Path]) -> Iterator[None]:
    """Hold the lock of each folder; where the file system has none, go without: the battery always comes back."""
    with ExitStack() as held:
        for folder in folders:
            _enter_lock(held, folder)
        yield


def _enter_lock(held: ExitStack, folder: Path) -> None:
    with suppress(StoreError):
        if not held.enter_context(file_lock(folder / LOCK_FILE_NAME, wait_seconds=LOCK_WAIT_SECONDS)):
            raise LockBusyError("another run holds the lock")


def _folders_to_lock(folder: Path) -> list[Path]:
    """Give the folder of the hold file, and that of the tokens, in the order in which every run locks them."""
    file = read_hold_file(folder)
    tokens = Path(file.auth_path) if file is not None and file.auth_path else folder
    return sorted({folder.resolve(), *([tokens.resolve()] if tokens.is_dir() else [])})

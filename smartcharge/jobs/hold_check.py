"""Compare the hold file with the configuration and the database, before a run relies on either of them."""

import os
from contextlib import suppress
from datetime import timedelta

from msgspec import Struct

from smartcharge.app import App
from smartcharge.config.data_folder import noted_data_folders
from smartcharge.console import run_guarded
from smartcharge.errors import AppError, LockBusyError, SignInRefusedError, StoreError, UnreachableError
from smartcharge.jobs.clock import CLOCK_FIX
from smartcharge.jobs.hold_record import record_hold
from smartcharge.jobs.hold_release import Cause, FileRelease, expired_text, release_by_file
from smartcharge.jobs.invites import queue_due_invites
from smartcharge.jobs.powerwall import normal_settings
from smartcharge.policy.battery import BatteryMemory
from smartcharge.policy.model import Hold, Reason
from smartcharge.policy.slots import SLOT, last_slot_end
from smartcharge.store.control import (
    CLOCK_DOUBT_ALERT,
    HoldRow,
    is_hold_ahead,
    load_battery_memory,
    load_open_hold,
    load_state,
    save_battery_memory,
    save_manual_override,
    set_hold,
)
from smartcharge.store.database import transaction
from smartcharge.store.events import Event
from smartcharge.store.hold_file import LONGEST_HOLD, HoldFile, read_hold_file
from smartcharge.store.journal import append_journal

UNEXPECTED_EXIT_CODE = 1
LOCK_PATIENCE = timedelta(minutes=2)
"""How long a release may be due before a database that is always in use no longer holds it back."""


class StoredHold(Struct, frozen=True):
    """What the database says of the Powerwall and of the open hold."""

    memory: BatteryMemory
    hold: HoldRow | None


def check_hold_file(app: App) -> None:
    """The first part of every acting run. It ends a hold that the rest of the run could not end."""
    if app.dry_run:
        return
    _release_from_earlier_folders(app)
    file = read_hold_file(app.config.folder)
    try:
        stored = _load_stored_hold(app)
    except LockBusyError:
        return  # the run itself reports that
    if stored is not None and _is_clock_contradicted(app, file):
        _report_clock(app)
    if file is not None:
        app.held_site = file.site
        _check_file(app, file, stored)
    elif stored is not None:
        _write_missing_file(app, stored)


def _is_clock_contradicted(app: App, file: HoldFile | None) -> bool:
    """Whether the hold's own stamp lies ahead of the clock."""
    is_file_ahead = file is not None and file.is_ahead_of(app.now)
    return is_file_ahead or is_hold_ahead(app.read_only_db, app.now)


def _check_file(app: App, file: HoldFile, stored: StoredHold | None) -> None:
    if _is_expired(file, stored, app):
        app.out.warn_hourly(expired_text(app.config.folder))
    elif not is_configured_battery(app, file):
        _release_unconfigured_battery(app, stored)
    elif stored is None:
        if file.is_due(app.now) or file.is_ahead_of(app.now):
            _release(app, Cause.DATABASE)
    else:
        _bring_database_up_to_date(app, file, stored)


def _release_from_earlier_folders(app: App) -> None:
    """End a hold whose record lies where the database was by an earlier configuration."""
    here = app.config.folder.resolve()
    for folder in noted_data_folders(app.config.path, os.environ):
        if folder.resolve() != here and read_hold_file(folder) is not None:
            app.prepare_network()
            release = FileRelease(folder, app.now, Cause.MOVED, app.out.warn_hourly, app.out.warn_overdue, app.config)
            app.out.exit_codes.append(release_by_file(release))


def release_after_failure(app: App) -> None:
    """End a due hold by its file where the ordinary release stumbled over the database in this run.

    Where Tesla refused the sign-in of the configuration, the one that the hold was made with is tried.
    """
    if app.dry_run or not app.out.exit_codes:
        return
    file = read_hold_file(app.config.folder)
    if file is None or not (file.is_due(app.now) or file.is_ahead_of(app.now)):
        return
    if _failures_to_overcome(app, file) & set(app.out.exit_codes):
        _release(app, Cause.DATABASE)


def _failures_to_overcome(app: App, file: HoldFile) -> set[int]:
    """Give the exit codes of this run after which the file's own way is worth a try."""
    is_other_sign_in = file.auth_path != str(app.config.auth_folder.absolute())
    sign_in = {SignInRefusedError.exit_code} if is_other_sign_in else set[int]()
    if app.skip_tesla:  # Tesla has been asked in this run, by the configured sign-in
        return sign_in
    is_long_due = file.until is None or app.now - file.until > LOCK_PATIENCE
    lock = {LockBusyError.exit_code} if is_long_due else set[int]()
    return {UNEXPECTED_EXIT_CODE, StoreError.exit_code, *sign_in, *lock}


def is_configured_battery(app: App, file: HoldFile) -> bool:
    """Whether the configuration names the Powerwall of the file, as far as both say which one they mean."""
    tesla = app.config.tesla
    if tesla is None:
        return False
    pairs: list[tuple[str | None, str | None]] = [(file.backend, tesla.backend)]
    if tesla.backend == "v1r":
        pairs.append((file.gateway_host, tesla.gateway_host))
    else:
        pairs.append((file.site, tesla.energy_site_id))
    is_same_site = file.site is not None and file.site == tesla.energy_site_id
    if tesla.backend == "cloud" and not is_same_site:
        pairs.append((file.account_email, tesla.account_email))
    return all(held is None or configured is None or held == configured for held, configured in pairs)


def _load_stored_hold(app: App) -> StoredHold | None:
    """Give what the database says; None where that cannot be read or cannot be meant."""
    try:
        load_state(app.read_only_db, app.now, app.policy)
        stored = StoredHold(load_battery_memory(app.read_only_db), load_open_hold(app.read_only_db))
    except LockBusyError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever damage does
        app.out.detail(f"the database cannot be used: {type(error).__name__}: {error}")
        return None
    is_too_long = stored.hold is not None and stored.hold.hold.until - app.now > LONGEST_HOLD
    return None if is_too_long and not is_hold_ahead(app.read_only_db, app.now) else stored


def _release(app: App, cause: Cause) -> int:
    """Release by the file, and let the database know where it can be written."""
    app.prepare_network()
    out = app.out
    code = release_by_file(
        FileRelease(app.config.folder, app.now, cause, out.warn_hourly, out.warn_overdue, app.config)
    )
    app.out.exit_codes.append(code)
    app.skip_tesla = True
    if code == 0 and read_hold_file(app.config.folder) is None:
        run_guarded(lambda: _record_release(app, cause), app.out.detail)
    return code


def _record_release(app: App, cause: Cause) -> None:
    memory = load_battery_memory(app.db)
    with transaction(app.db):
        midnight_reset_at = memory.midnight_reset_at
        save_battery_memory(app.db, BatteryMemory(midnight_reset_at=midnight_reset_at))
        set_hold(app.db, None, Reason.SLOT_ENDS, app.now)
        append_journal(
            app.db, at=app.now, command=app.out.command, outcome=Event.RELEASED, detail=f"by the hold file: {cause}"
        )


def _report_clock(app: App) -> None:
    """Doubt a clock that is behind the hold's own stamp: told once, and remembered until a service agrees with it."""
    reads = f"this computer's clock reads {app.now:%Y-%m-%d %H:%M} UTC, earlier than when the Powerwall was set"
    error = UnreachableError(f"{reads}: the Powerwall goes back to normal and nothing is begun", fix=CLOCK_FIX)
    app.alerts.record_failure(*CLOCK_DOUBT_ALERT, error, urgent=True)


def _release_unconfigured_battery(app: App, stored: StoredHold | None) -> None:
    """Bring back a Powerwall that is no longer configured, and leave the one that is now alone in this window."""
    if _release(app, Cause.NOT_CONFIGURED):
        app.skip_tesla = app.config.tesla is None  # it may be the same one by another address: its site tells
        return
    if stored is None or read_hold_file(app.config.folder) is not None:
        return
    state = load_state(app.db, app.now, app.policy)
    with transaction(app.db):
        ends = [window.ends_at for window in state.windows if window.live and window.covers(app.now)]
        until = (last_slot_end(max(ends)) if ends else app.now) + SLOT
        save_manual_override(app.db, app.now, until)
        queue_due_invites(app)


def _is_expired(file: HoldFile, stored: StoredHold | None, app: App) -> bool:
    """Whether the file is too old to act on, and the database does not know of its hold either."""
    return file.is_expired(app.now) and not (stored and stored.memory.owned and is_configured_battery(app, file))


def _bring_database_up_to_date(app: App, file: HoldFile, stored: StoredHold) -> None:
    """Let the side that says "owned" win, and let a clock that has gone back end the hold."""
    if not stored.memory.owned:
        with suppress(LockBusyError), app.exclusive_lock():  # another run is at work: the next one looks again
            _take_over(app)
    elif stored.hold is not None and file.until != stored.hold.hold.until and not file.is_ahead_of(app.now):
        record_hold(app, stored.memory, normal_settings(app, stored.memory), stored.hold.hold.until)


def _take_over(app: App) -> None:
    """Remember what the file says is ours: the database is new, or older than the hold. The caller holds the lock."""
    file, memory = read_hold_file(app.config.folder), load_battery_memory(app.db)
    if file is None or memory.owned:
        return
    held = file.to_memory(app.now, app.resting)
    with transaction(app.db):
        save_battery_memory(app.db, held)
        is_running = file.until is not None and not file.is_due(app.now) and not file.is_ahead_of(app.now)
        if is_running and file.until is not None and load_open_hold(app.db) is None:
            set_hold(app.db, Hold(file.until), Reason.CHARGING_IN_WINDOW, app.now)
        append_journal(
            app.db, at=app.now, command=app.out.command, outcome=Event.TAKEN_OVER, detail="from the hold file"
        )


def _write_missing_file(app: App, stored: StoredHold) -> None:
    """Write the file of a hold that an earlier version began, or whose file was deleted."""
    if not stored.memory.owned or stored.hold is None or app.config.tesla is None:
        return
    try:
        with app.exclusive_lock():
            memory, row = load_battery_memory(app.db), load_open_hold(app.db)
            if memory.owned and row is not None:
                record_hold(app, memory, normal_settings(app, memory), row.hold.until)
    except AppError as error:
        app.out.detail(f"the hold file cannot be written: {error}")

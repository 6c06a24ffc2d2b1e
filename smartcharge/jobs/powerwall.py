"""Sessions with the Powerwall: `drive_battery` performs the steps that the policy decides, one after the other.

What Tesla answers to a command proves nothing; only a forced reading afterwards counts. Doubt is stored before
each command, so that a run that is killed anywhere leaves a question for the next one to answer.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from smartcharge import deadline
from smartcharge.app import App, tesla_sign_in_fingerprint
from smartcharge.console import run_guarded
from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import (
    AppError,
    LockBusyError,
    NotConfirmedError,
    RatePlanMissingError,
    SignInRefusedError,
    StoreError,
    ThrottledError,
    TimedHoldUnsupportedError,
    UnreachableError,
)
from smartcharge.formatting import settings_text
from smartcharge.jobs.clock import is_clock_right
from smartcharge.jobs.hold_record import record_hold
from smartcharge.jobs.polling import LOCKOUT_ALERT, TESLA_SERVICE_KEY
from smartcharge.policy.battery import (
    BatteryCommand,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    BatterySite,
    Lockout,
)
from smartcharge.policy.battery_run import (
    FILL_SETTINGS,
    Attempt,
    AttemptResult,
    FinalStep,
    Goal,
    Run,
    Step,
    Verify,
    Wait,
    Wanted,
    Write,
)
from smartcharge.policy.battery_steps import is_hold_confirmed, next_step, resting_settings, unconfirmed_memory
from smartcharge.providers.protocols import Battery, DirectBattery
from smartcharge.store.control import load_battery_memory, save_battery_memory
from smartcharge.store.database import transaction
from smartcharge.store.readings import record_battery_level
from smartcharge.store.services import (
    is_alert_open,
    load_service,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
)

READ_BACK_DELAYS_SECONDS = (0.0, 1.0, 2.0, 2.0, 3.0)
"""Waits before each read-back of one value: 8 s in all; after that the next run continues."""
DEFAULT_THROTTLE_WAIT = timedelta(seconds=90)
"""Where Tesla does not say how long to wait: one run is left out."""
RATE_PLAN_FIX = (
    "Tesla refuses Time-Based Control because no rate plan is set, so the Powerwall is in Self-Powered mode. "
    "To fix: set your tariff in the Tesla app; smartcharge tries again at the next midnight reset."
)
REFUSED_HOLD_FIX = "look for a message in the Tesla app; if it persists, run `smartcharge doctor`"
REFUSED_RELEASE_FIX = "if it persists, set it in the Tesla app: {}"
NO_READING = BatteryReading(mode=None, reserve_pct=None, lockouts=None)


class CommandPendingError(NotConfirmedError):
    """The command of an earlier run does not show yet and may still take effect."""


class WrongClockError(UnreachableError):
    """Tesla's answer says that this computer's clock is wrong; that has been reported."""


class BatteryResult(Struct, frozen=True):
    """How a run with the battery ended.

    written: the commands that were verified. lockout: for WAITING. error: what to report where the run did not
    succeed; command: the command that failed. memory: what is remembered now. is_hold_given_up: this release ends
    a hold whose last commands never worked.
    """

    ending: BatteryOutcome
    reading: BatteryReading
    memory: BatteryMemory
    written: tuple[BatteryCommand, ...] = ()
    lockout: Lockout | None = None
    command: BatteryCommand | None = None
    error: AppError | None = None
    is_hold_given_up: bool = False


def drive_battery(
    powerwall: Battery,
    memory: BatteryMemory,
    wanted: Wanted,
    now: datetime,
    *,
    backend: str,
    save_memory: Callable[[BatteryMemory], None],
    on_reading: Callable[[BatteryReading], None] | None = None,
    sleep: Callable[[float], None] | None = None,
) -> BatteryResult:
    """Bring a connected battery to what is wanted, as far as this run can.

    backend: the configured way to it. save_memory: stores the memory before the step that relies on it; called
    only when it changed. on_reading: called with the first reading. A command that is refused or does not show
    is no exception but `BatteryResult.error`. Raises what the battery raises when it cannot be read,
    `ThrottledError`, and `DeadlineExceeded`.
    """
    site = BatterySite(backend, powerwall.site) if powerwall.site else None
    run = Run(memory, site, isinstance(powerwall, DirectBattery))
    drive = _Drive(powerwall, run, wanted, now, save_memory=save_memory, sleep=sleep or time.sleep)
    try:
        drive.read_first()
        if on_reading is not None:
            on_reading(drive.reading)
        while not isinstance(step := drive.next_step(), FinalStep):
            drive.perform(step)
    except (DeadlineExceeded, ThrottledError):
        if drive.run.attempts:
            drive.save(drive.unconfirmed_memory())
        raise
    drive.save(step.memory)
    return drive.result(step)


class _Drive:
    """The state of one run: memory, newest reading, attempts, and what Tesla said to refused commands."""

    def __init__(
        self,
        powerwall: Battery,
        run: Run,
        wanted: Wanted,
        now: datetime,
        *,
        save_memory: Callable[[BatteryMemory], None],
        sleep: Callable[[float], None],
    ) -> None:
        self.powerwall = powerwall
        self.run = run
        self.memory = run.start
        self.wanted = wanted
        self.now = now
        self.reading = NO_READING
        self.refusals: dict[BatteryCommand, AppError] = {}
        self._save_memory = save_memory
        self._sleep = sleep

    def read_first(self) -> None:
        """Take the first reading. A release that could not read in its last run goes on without one."""
        try:
            self.reading = self.powerwall.read()
        except ThrottledError:
            raise
        except UnreachableError:
            if self.wanted.goal is not Goal.RELEASE or not self.memory.owned or self.wanted.was_locked_out:
                raise
            earlier = self.memory.unconfirmed
            has_failed_before = earlier is not None and earlier.releasing and earlier.runs > 0
            if not has_failed_before and self.wanted.due_since is None:
                self.save(self.unconfirmed_memory())
                raise

    def next_step(self) -> Step:
        """Ask the policy."""
        return next_step(self.memory, self.reading, self.wanted, self.now, self.run)

    def unconfirmed_memory(self) -> BatteryMemory:
        """Give the memory of a run that was cut short."""
        return unconfirmed_memory(self.memory, self.reading, self.wanted, self.now, self.run)

    def save(self, memory: BatteryMemory) -> None:
        """Store the memory where it changed."""
        if memory != self.memory:
            self.memory = memory
            self._save_memory(memory)

    def perform(self, step: Write | Verify) -> None:
        """Perform one step, and note what became of it."""
        self.save(step.memory)
        if isinstance(step, Write):
            result = self._send(step.command)
            self._note(Attempt(step.command, result, is_blind=step.is_blind))
            return
        is_sent_now = bool(self.run.attempts) and self.run.attempts[-1].command == step.command
        result = self._read_back(step.command)
        if is_sent_now:
            self.run = replace(self.run, attempts=self.run.attempts[:-1])
        self._note(Attempt(step.command, result, is_pending=not is_sent_now))

    def _note(self, attempt: Attempt) -> None:
        self.run = replace(self.run, attempts=(*self.run.attempts, attempt))

    def _send(self, command: BatteryCommand) -> AttemptResult:
        try:
            self._write(command)
        except ThrottledError:
            raise
        except RatePlanMissingError:
            return AttemptResult.RATE_PLAN_MISSING
        except TimedHoldUnsupportedError:
            return AttemptResult.TIMED_HOLD_UNSUPPORTED
        except SignInRefusedError as refusal:
            if self.wanted.goal is Goal.HOLD or self.reading is NO_READING:
                raise
            self.refusals[command] = refusal  # the reading has just proven the sign-in
            return AttemptResult.REFUSED
        except (NotConfirmedError, UnreachableError) as refusal:
            self.refusals[command] = refusal
            return AttemptResult.REFUSED
        return AttemptResult.SENT

    def _write(self, command: BatteryCommand) -> None:
        if isinstance(self.powerwall, DirectBattery):
            self.powerwall.write(command)
        elif command.mode is not None:
            self.powerwall.set_mode(command.mode)
        elif command.reserve_pct is not None:
            self.powerwall.set_reserve_pct(command.reserve_pct)

    def _read_back(self, command: BatteryCommand) -> AttemptResult:
        """Read until the command shows; lockouts and state of energy stay those of the first reading."""
        for delay in READ_BACK_DELAYS_SECONDS:
            self._sleep(delay)
            try:
                reading = self.powerwall.read_settings()
            except ThrottledError:
                raise
            except UnreachableError as refusal:
                self.refusals[command] = refusal
                return AttemptResult.NOT_SHOWN
            first = self.reading
            self.reading = replace(
                reading, soe_pct=first.soe_pct, lockouts=first.lockouts, capacity_kwh=first.capacity_kwh
            )
            if command.is_confirmed_by(reading):
                return AttemptResult.SHOWN
        return AttemptResult.NOT_SHOWN

    def result(self, step: FinalStep) -> BatteryResult:
        """Put the final step into a result."""
        waiting = step if isinstance(step, Wait) else None
        written = tuple(
            each.command for each in self.run.attempts if each.result is AttemptResult.SHOWN and not each.is_pending
        )
        return BatteryResult(
            step.outcome,
            self.reading,
            self.memory,
            written,
            lockout=waiting.lockout if waiting else None,
            command=waiting.command if waiting else None,
            error=self._error(waiting) if waiting else None,
            is_hold_given_up=self.wanted.goal is not Goal.HOLD and _has_failed_hold(self.run.start),
        )

    def _error(self, step: Wait) -> AppError | None:
        if step.outcome is BatteryOutcome.INCOMPLETE:
            return incomplete_reading_error(self.reading)
        if step.command is None:
            return None
        fix = None if self.wanted.goal is Goal.HOLD else self._by_hand_fix()
        if step.outcome is BatteryOutcome.UNVERIFIED:
            message = f"the Powerwall was asked for {step.command}, but Tesla does not tell whether it is set"
            return NotConfirmedError(message, fix=fix, service=TESLA_SERVICE_KEY)
        refusal = self.refusals.get(step.command)
        if refusal is not None:
            return type(refusal)(
                f"the Powerwall was asked for {step.command}: {refusal.message}",
                fix=refusal.fix or fix or REFUSED_HOLD_FIX,
                service=TESLA_SERVICE_KEY,
            )
        kind = CommandPendingError if step.is_pending else NotConfirmedError
        message = f"the Powerwall was asked for {step.command} and does not show it"
        return kind(message, fix=fix, service=TESLA_SERVICE_KEY)

    def _by_hand_fix(self) -> str:
        target = resting_settings(
            self.memory,
            self.wanted.resting,
            restore_previous=self.wanted.restore_previous,
            rate_plan_missing=self.memory.rate_plan_missing,
        )
        return REFUSED_RELEASE_FIX.format(settings_text(target))


def _has_failed_hold(memory: BatteryMemory) -> bool:
    """Whether the last commands of a hold were refused or did not show."""
    return memory.unconfirmed is not None and not memory.unconfirmed.releasing


def add_manual_fix(app: App, error: AppError) -> AppError:
    """Add to an error of an overdue release how to end the hold by hand."""
    return add_fix_by_hand(error, normal_settings(app, load_battery_memory(app.read_only_db)))


def add_fix_by_hand(error: AppError, settings: BatterySettings) -> AppError:
    """Add to an error that the owner can set these settings in the Tesla app."""
    by_hand = REFUSED_RELEASE_FIX.format(settings_text(settings))
    if error.fix is None:
        error.fix = by_hand
    elif by_hand not in error.fix:
        error.fix = f"{error.fix.rstrip('.')}; {by_hand}"
    return error


def incomplete_reading_error(reading: BatteryReading) -> UnreachableError:
    """Name what Tesla's answer lacks."""
    if reading.mode is None or reading.reserve_pct is None:
        message = "Tesla's answer lacks the operation mode or the backup reserve"
    elif reading.lockouts is None:
        message = "Tesla does not say whether Storm Watch or a power cut has the battery"
    else:
        message = "Tesla does not tell the state of energy, which is to be preserved"
    return UnreachableError(message, service=TESLA_SERVICE_KEY)


# -- with the configuration and the store ---------------------------------------------------------------


class PowerwallSession:
    """A connected battery. error: a failure that its run reports; save_error: what could not be stored."""

    def __init__(self, powerwall: Battery) -> None:
        self.powerwall = powerwall
        self.error: AppError | None = None
        self.save_error: StoreError | None = None


@contextmanager
def open_powerwall_session(app: App) -> Iterator[PowerwallSession]:
    """Connect within the battery's share of the run, and record how Tesla answered."""
    try:
        with time_limit(deadline.BATTERY_LIMIT_SECONDS), app.counting_tesla_requests(), app.battery as powerwall:
            session = PowerwallSession(powerwall)
            yield session
    except DeadlineExceeded:
        message = "Tesla took longer than a run may last"
        in_doubt = load_battery_memory(app.db).in_doubt_since is not None
        error = (
            NotConfirmedError(message, service=TESLA_SERVICE_KEY)
            if in_doubt
            else UnreachableError(message, service=TESLA_SERVICE_KEY)
        )
        record_tesla_failure(app, TESLA_SERVICE_KEY, error)
        raise error from None
    except AppError as error:
        record_tesla_failure(app, TESLA_SERVICE_KEY, error)
        raise
    if session.save_error:
        raise session.save_error
    if session.error:
        record_tesla_failure(app, TESLA_SERVICE_KEY, session.error)
    elif load_service(app.db, TESLA_SERVICE_KEY).failures:
        with transaction(app.db):
            record_service_success(app.db, TESLA_SERVICE_KEY, app.now)


def record_tesla_failure(app: App, service: str, error: AppError) -> None:
    """Record a failure, and ask Tesla nothing more in this run."""
    if isinstance(error, StoreError):
        return
    app.skip_tesla = True
    if isinstance(error, (CommandPendingError, WrongClockError)):
        return
    with transaction(app.db):
        if isinstance(error, SignInRefusedError):
            record_sign_in_refusal(app.db, service, app.now, tesla_sign_in_fingerprint(app.config), str(error))
        else:
            wait = (error.retry_after or DEFAULT_THROTTLE_WAIT) if isinstance(error, ThrottledError) else timedelta(0)
            record_service_failure(app.db, service, app.now, str(error), app.now + wait)


def hold_battery(app: App, until: datetime) -> BatteryResult:
    """Hold the battery until then, unless it is somebody else's to command."""
    return _run_session(app, wanted_settings(app, Goal.HOLD, until))


def release_battery(app: App) -> BatteryResult:
    """Restore what is owned; what the owner changed meanwhile is left as it is."""
    return _run_session(app, wanted_settings(app, Goal.RELEASE))


def reset_battery(app: App) -> BatteryResult:
    """Assert the resting settings over the owner's changes; with `restore: previous` only end what is owned."""
    return _run_session(app, wanted_settings(app, Goal.RESET))


def wanted_settings(app: App, goal: Goal, until: datetime | None = None) -> Wanted:
    """Put the configured settings together with a goal."""
    control = app.config.control
    return Wanted(
        goal=goal,
        resting=app.resting,
        restore_previous=control.restore == "previous",
        fill=control.hold == "backup",
        until=until,
        was_locked_out=is_alert_open(app.db, *LOCKOUT_ALERT),
    )


def _run_session(app: App, wanted: Wanted) -> BatteryResult:
    memory = load_battery_memory(app.db)
    if memory.owned and wanted.goal is Goal.HOLD:
        record_hold(app, memory, normal_settings(app, memory), wanted.until)
    app.take_server_time()  # an answer of another service
    with open_powerwall_session(app) as session:
        result = drive_battery(
            session.powerwall,
            memory,
            wanted,
            app.now,
            backend=app.config.tesla.backend if app.config.tesla else "",
            save_memory=partial(_save_memory, app, session, wanted),
            on_reading=partial(_on_first_reading, app, wanted, memory),
        )
        session.error = result.error
    if wanted.goal is not Goal.HOLD or memory.owned:
        run_guarded(lambda: _judge_clock(app), app.out.detail)
    if result.ending in {BatteryOutcome.WAITING, BatteryOutcome.SETTLING, BatteryOutcome.OTHER_SITE}:
        app.skip_tesla = True
    return result


def _on_first_reading(app: App, wanted: Wanted, memory: BatteryMemory, reading: BatteryReading) -> None:
    """Store the state of energy; by a wrong clock, nothing is begun. Raises `WrongClockError`."""
    record_state_of_energy(app, reading, releasing=wanted.goal is not Goal.HOLD)
    if wanted.goal is Goal.HOLD and not memory.owned and not _check_clock(app):
        raise WrongClockError("this computer's clock is wrong", service=TESLA_SERVICE_KEY)


def _judge_clock(app: App) -> None:
    """Report a wrong clock, or that it is right again, after what had to be done."""
    _check_clock(app)


def _check_clock(app: App) -> bool:
    """Whether the clock agrees with Tesla's. A gateway at home is no judge: its own clock may be wrong."""
    server_time = app.take_server_time()
    if server_time is None or (app.config.tesla is not None and app.config.tesla.backend == "v1r"):
        return True
    return is_clock_right(app, server_time)


def _save_memory(app: App, session: PowerwallSession, wanted: Wanted, memory: BatteryMemory) -> None:
    """Store what is known. A full disk stops every act but the release: the battery always comes back."""
    if memory.rate_plan_missing and not load_battery_memory(app.db).rate_plan_missing:
        app.out.warn(f"smartcharge: {RATE_PLAN_FIX}")
    try:
        with transaction(app.db):
            save_battery_memory(app.db, memory)
    except StoreError as refused:
        if wanted.goal is Goal.HOLD:
            raise
        session.save_error = refused
    try:
        record_hold(app, memory, normal_settings(app, memory), wanted.until)
    except StoreError as refused:
        if wanted.goal is Goal.HOLD:
            raise
        session.save_error = refused


def record_state_of_energy(app: App, reading: BatteryReading, *, releasing: bool) -> None:
    """Store the state of energy; a release goes on without where that is not possible.

    During a lockout a due release reads every minute, and what charges the battery then is not smartcharge's
    doing: that is not stored.
    """
    if reading.soe_pct is None or (releasing and reading.lockouts):
        return
    try:
        with transaction(app.db):
            record_battery_level(app.db, app.now, reading.soe_pct, reading.capacity_kwh)
    except (LockBusyError, StoreError) as refused:
        if not releasing:
            raise
        app.out.exit_codes.append(refused.exit_code)
        app.out.detail(f"smartcharge: {refused}")


def is_confirmed_hold(app: App, memory: BatteryMemory, until: datetime) -> bool:
    """Whether the battery is owned and known to hold, and will until then."""
    return is_hold_confirmed(memory, until, fill=app.config.control.hold == "backup")


def hold_settings_text(app: App) -> str:
    """Name the settings of a hold before the battery has been read."""
    if app.config.control.hold == "backup":
        return f"charge from the grid (Backup Reserve {FILL_SETTINGS.reserve_pct} %)"
    return "keep its charge (Self-Powered, Backup Reserve at the present charge level)"


def normal_settings(app: App, memory: BatteryMemory) -> BatterySettings:
    """Give the settings that a release returns to."""
    return resting_settings(
        memory,
        app.resting,
        restore_previous=app.config.control.restore == "previous",
        rate_plan_missing=memory.rate_plan_missing,
    )

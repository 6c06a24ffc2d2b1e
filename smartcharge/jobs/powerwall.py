"""One conversation with the Powerwall: read, write one value, read it back; remember before every step.

What Tesla's servers answer to a command proves nothing; only a forced reading afterwards counts. Doubt
is stored before each write, so that a run that dies anywhere leaves a question which the next one asks.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from smartcharge import deadline
from smartcharge.app import App, tesla_sign_in_fingerprint
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
from smartcharge.jobs.polling import TESLA_SERVICE_KEY
from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    SETTLING_TIME,
    BatteryCommand,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    Lockout,
    commands_to_reach,
    confirmed_preserve_settings,
    find_manual_changes,
    has_hold_settings,
    merge_commands,
    preserve_settings,
    reserve_matches,
    reserve_pct_to_remember,
    timed_hold_matches,
    writable_reserve_pct,
)
from smartcharge.policy.polling import has_elapsed
from smartcharge.providers.protocols import Battery, DirectBattery
from smartcharge.store.control import load_battery_memory, save_battery_memory
from smartcharge.store.database import transaction
from smartcharge.store.readings import record_battery_level
from smartcharge.store.services import (
    load_service,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
)

FILL_SETTINGS = BatterySettings(MODE_BACKUP, FULL_RESERVE_PCT)
RESTING_MODES = {MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION}
"""Modes that may be returned to; whatever else was found before is not one that Tesla lets us ask for."""


def hold_settings(app: App, memory: BatteryMemory, reading: BatteryReading) -> BatterySettings:
    """The holding stance; what is preserved is settled by the reading taken at entry, and stays for the whole hold."""
    if _uses_backup_mode(app):
        return FILL_SETTINGS
    stance = confirmed_preserve_settings(memory) or preserve_settings(reading)
    if stance is None:
        raise UnreachableError("Tesla does not tell the state of energy, which is to be preserved", service="tesla")
    return stance


def timed_hold_command(app: App, until: datetime) -> BatteryCommand | None:
    """The same as a command to a gateway that ends it by itself; None where what is wanted cannot be had so."""
    return (
        BatteryCommand(FILL_SETTINGS.mode, FILL_SETTINGS.reserve_pct, until=until) if _uses_backup_mode(app) else None
    )


def is_hold_confirmed(app: App, memory: BatteryMemory, until: datetime) -> bool:
    """Whether the battery is ours and known to hold, and will until then."""
    lasts = memory.timed_hold_until is None or until <= memory.timed_hold_until
    holds = (
        memory.has_confirmed(FILL_SETTINGS)
        if _uses_backup_mode(app)
        else confirmed_preserve_settings(memory) is not None
    )
    return memory.owned and holds and lasts


def hold_settings_text(app: App) -> str:
    """The holding stance in words, before the battery has been read."""
    if _uses_backup_mode(app):
        return f"charge from the grid (Backup Reserve {FILL_SETTINGS.reserve_pct} %)"
    return "keep its charge (Self-Powered, Backup Reserve at the present charge level)"


def resting_settings(app: App, memory: BatteryMemory) -> BatterySettings:
    """Where the battery belongs: the configured rest, or exactly what was there before."""
    before = memory.settings_before if app.config.control.restore == "previous" else None
    target = before if before and before.mode in RESTING_MODES else app.resting
    return replace(target, mode=MODE_SELF_CONSUMPTION) if memory.rate_plan_missing else target


def _uses_backup_mode(app: App) -> bool:
    return app.config.control.hold == "backup"


def record_state_of_energy(app: App, reading: BatteryReading, *, releasing: bool) -> None:
    """Write a reading down; a release goes on without where that is not possible.

    A battery in other hands while it is to be released is looked at every minute, and what fills it then is none
    of our doing: that is not kept.
    """
    if reading.soe_pct is None or (releasing and reading.lockouts):
        return
    try:
        with transaction(app.db):
            record_battery_level(app.db, app.now, reading.soe_pct, reading.capacity_kwh)
    except (LockBusyError, StoreError) as refused:
        if not releasing:
            raise
        app.exit_codes.append(refused.exit_code)
        app.detail(f"smartcharge: {refused}")


DEFAULT_THROTTLE_WAIT = timedelta(seconds=90)
"""Where Tesla does not say for how long: one tick is left out."""
COMMAND_EFFECT_DELAY = timedelta(seconds=90)
"""A command that Tesla took works this late at times; the same one once more might only start its wait anew."""


class CommandPendingError(NotConfirmedError):
    """The command of an earlier run does not show yet, and may still take effect: it keeps its time."""


def unconfirmed_command_error(app: App, service: str, write: BatteryCommand) -> NotConfirmedError:
    """What a command comes to that no reading shows: `StillUnderWay` where an earlier run gave just this one."""
    error = NotConfirmedError(f"the Powerwall was asked for {write} and does not show it", service=service)
    last = load_service(app.db, service)
    if last.last_error != str(error) or has_elapsed(app.now, last.asked_at, COMMAND_EFFECT_DELAY):
        return error
    return CommandPendingError(error.message, service=service)


def record_tesla_failure(app: App, service: str, error: AppError) -> None:
    """Write it down, and let the battery be for the rest of this run."""
    if isinstance(error, StoreError):
        return
    app.skip_tesla = True
    if isinstance(error, CommandPendingError):
        return
    with transaction(app.db):
        if isinstance(error, SignInRefusedError):
            record_sign_in_refusal(app.db, service, app.now, tesla_sign_in_fingerprint(app.config), str(error))
        else:
            wait = (error.retry_after or DEFAULT_THROTTLE_WAIT) if isinstance(error, ThrottledError) else timedelta(0)
            record_service_failure(app.db, service, app.now, str(error), app.now + wait)


READ_BACK_DELAYS_SECONDS = (0.0, 1.0, 2.0, 2.0, 3.0)
"""Waits before each read-back of one value: together the 8 s it may take, the rest is the next tick's."""
RATE_PLAN_FIX = (
    "Tesla refuses time-based control because no rate plan is set, so the Powerwall rests in self-powered mode. "
    "Mend: set your tariff in the Tesla app; it is tried again at the next midnight reset."
)


class PowerwallSession:
    """One conversation under the lock. releasing: the battery is being brought back, which outranks all else."""

    def __init__(self, app: App, powerwall: Battery, *, releasing: bool) -> None:
        self.app = app
        self.powerwall = powerwall
        self.releasing = releasing
        self.memory = load_battery_memory(app.db)
        self.reading = BatteryReading(mode=None, reserve_pct=None)
        self.written: list[BatteryCommand] = []
        self.save_error: StoreError | None = None

    def save_memory(self, memory: BatteryMemory) -> None:
        """Store what is known. A full disk stops every act but the release: the battery always comes back."""
        if memory == self.memory:
            return
        self.memory = memory
        try:
            with transaction(self.app.db):
                save_battery_memory(self.app.db, memory)
        except StoreError as refused:
            if not self.releasing:
                raise
            self.save_error = refused

    def read(self) -> BatteryReading:
        """The first reading: mode, reserve, state of energy, outside powers; half a reading is none."""
        self.reading = self.powerwall.read()
        if self.reading.mode is None or self.reading.reserve_pct is None:
            raise UnreachableError(
                "Tesla's answer lacks the operation mode or the backup reserve", service=TESLA_SERVICE_KEY
            )
        if self.reading.lockouts is None and not self.releasing:
            raise UnreachableError(
                "Tesla does not say whether Storm Watch or a power cut has the battery", service=TESLA_SERVICE_KEY
            )
        record_state_of_energy(self.app, self.reading, releasing=self.releasing)
        return self.reading

    def take_ownership(self, *, is_confirmed: bool) -> None:
        """Remember what the battery was, and that it is ours to bring back: in doubt from here to the read-back.

        A value that is ours already keeps what it was before.
        """
        memory, reserve_pct = self.memory, self.reading.reserve_pct or 0
        is_direct = isinstance(self.powerwall, DirectBattery)
        found = BatterySettings(
            self.reading.mode or "", round(reserve_pct) if is_direct else writable_reserve_pct(reserve_pct)
        )
        before = memory.settings_before or found
        if not memory.owns_mode:
            memory = replace(memory, owns_mode=True, confirmed_mode=found.mode)
            before = replace(before, mode=found.mode)
        if not memory.owns_reserve:
            memory = replace(memory, owns_reserve=True, confirmed_reserve_pct=round(reserve_pct))
            before = replace(before, reserve_pct=found.reserve_pct)
        since, now = memory.in_doubt_since, self.app.now
        in_doubt_since = None if is_confirmed else since or now
        owned_since = memory.owned_since or now
        self.save_memory(
            replace(memory, owned_since=owned_since, settings_before=before, in_doubt_since=in_doubt_since)
        )

    def apply_settings(self, wanted: BatterySettings, *, mode: bool, reserve: bool) -> None:
        """Write what differs, one value after the other, each verified before the next."""
        known = self.memory.has_confirmed(wanted)
        differing = commands_to_reach(self.reading, wanted, mode=mode, reserve=reserve, clamped=known)
        for write in merge_commands(differing) if isinstance(self.powerwall, DirectBattery) else differing:
            try:
                self.write(write)
            except RatePlanMissingError:
                self._fall_back_to_self_powered()
        unverified_until = self.memory.unverified_until if self.releasing else None
        self.save_memory(
            replace(
                self.memory,
                confirmed_mode=self.reading.mode,
                confirmed_reserve_pct=reserve_pct_to_remember(self.reading, wanted.reserve_pct),
                in_doubt_since=self.memory.in_doubt_since if unverified_until else None,
                unverified_until=unverified_until,
            )
        )

    def _fall_back_to_self_powered(self) -> None:
        if not self.memory.rate_plan_missing:
            self.app.warn(f"smartcharge: {RATE_PLAN_FIX}")
        self.save_memory(replace(self.memory, rate_plan_missing=True))
        if self.reading.mode != MODE_SELF_CONSUMPTION:
            self.write(BatteryCommand(mode=MODE_SELF_CONSUMPTION))

    def write(self, write: BatteryCommand) -> None:
        """Command and verify; what an earlier run commanded just now is only looked at."""
        unseen = unconfirmed_command_error(self.app, TESLA_SERVICE_KEY, write)
        if not isinstance(unseen, CommandPendingError):
            self.save_memory(self._memory_in_doubt(write))
            self._send_write(write)
        self._verify(write, unseen)

    def _send_write(self, write: BatteryCommand) -> None:
        if isinstance(self.powerwall, DirectBattery):
            self.powerwall.write(write)
        elif write.mode is not None:
            self.powerwall.set_mode(write.mode)
        elif write.reserve_pct is not None:
            self.powerwall.set_reserve_pct(write.reserve_pct)

    def _memory_in_doubt(self, write: BatteryCommand) -> BatteryMemory:
        now, memory = self.app.now, self.memory
        return replace(
            memory,
            confirmed_mode=None if write.mode is not None else memory.confirmed_mode,
            confirmed_reserve_pct=None if write.reserve_pct is not None else memory.confirmed_reserve_pct,
            in_doubt_since=memory.in_doubt_since or now,
            unverified_until=memory.unverified_until if self.releasing else now + SETTLING_TIME,
            timed_hold_until=write.until or memory.timed_hold_until,
        )

    def _verify(self, write: BatteryCommand, unseen: NotConfirmedError) -> None:
        for delay in READ_BACK_DELAYS_SECONDS:
            time.sleep(delay)
            reading = self.powerwall.read_settings()
            if write.is_confirmed_by(reading):
                first = self.reading
                self.reading = replace(
                    reading, soe_pct=first.soe_pct, lockouts=first.lockouts, capacity_kwh=first.capacity_kwh
                )
                self.written.append(write)
                return
        raise unseen


@contextmanager
def open_powerwall_session(app: App, *, releasing: bool) -> Iterator[PowerwallSession]:
    """Connect, converse within the battery's share of the budget, and keep account of how Tesla served."""
    try:
        with time_limit(deadline.BATTERY_LIMIT_SECONDS), app.counting_tesla_requests(), app.battery as powerwall:
            session = PowerwallSession(app, powerwall, releasing=releasing)
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
    if load_service(app.db, TESLA_SERVICE_KEY).failures:
        with transaction(app.db):
            record_service_success(app.db, TESLA_SERVICE_KEY, app.now)


EARLY_END_TOLERANCE = timedelta(seconds=30)
"""A gateway that hears of a lease late ends it late; one that is over so long before its time was ended by hand."""


def start_timed_hold(session: PowerwallSession, timed_hold: BatteryCommand) -> bool:
    """Have the gateway hold by itself; False where it cannot. The caller has remembered that it is ours.

    Only over settings that are as they were found: what was written there is held, and brought back, from there.
    """
    if not isinstance(session.powerwall, DirectBattery) or not _has_original_settings(session):
        return False
    try:
        if not timed_hold.is_confirmed_by(session.reading):
            session.write(timed_hold)
    except TimedHoldUnsupportedError:
        session.save_memory(replace(session.memory, timed_hold_until=None))
        return False
    session.save_memory(
        replace(
            session.memory,
            confirmed_mode=MODE_BACKUP,
            confirmed_reserve_pct=FULL_RESERVE_PCT,
            in_doubt_since=None,
            unverified_until=None,
            timed_hold_until=timed_hold.until,
        )
    )
    return True


def cancel_timed_hold(session: PowerwallSession) -> None:
    """End a lease of ours; from here on the battery is known by what lay beneath it."""
    doubt = session.memory.in_doubt_since
    if session.reading.timed_hold_until and is_own_timed_hold(session):
        session.write(BatteryCommand(cancels_timed_hold=True))
        unverified_until = session.memory.unverified_until if doubt else None
        session.save_memory(replace(session.memory, in_doubt_since=doubt, unverified_until=unverified_until))
    _forget_timed_hold(session)


def is_own_timed_hold(session: PowerwallSession) -> bool:
    """Whether the lease that is read is the one that was asked for; in doubt it may be the one before."""
    memory = session.memory
    asked_for = memory.timed_hold_until is not None
    return asked_for and (
        memory.in_doubt_since is not None
        or timed_hold_matches(session.reading.timed_hold_until, memory.timed_hold_until)
    )


def is_timed_hold_cut_short(session: PowerwallSession) -> bool:
    """Whether the owner ended our lease in his app; where he changed the settings beneath it, it is ended here."""
    memory, reading = session.memory, session.reading
    if memory.timed_hold_until is None or memory.in_doubt_since is not None:
        return False
    if reading.timed_hold_until is None:
        _forget_timed_hold(session)
        return session.app.now < memory.timed_hold_until - EARLY_END_TOLERANCE
    if not _has_original_settings(session):
        cancel_timed_hold(session)
    return False


def _has_original_settings(session: PowerwallSession) -> bool:
    """Whether the settings, beneath a lease or without one, are as they were before anything was ours."""
    before, reading = session.memory.settings_before, session.reading
    settings = reading.underlying_settings or BatterySettings(reading.mode or "", round(reading.reserve_pct or 0))
    if before is None:
        return True
    near = reserve_matches(settings.reserve_pct, before.reserve_pct, clamped=False, within=reading.reserve_accuracy_pct)
    return near and settings.mode == before.mode


def _forget_timed_hold(session: PowerwallSession) -> None:
    """While a lease is in doubt it may still begin, so it is not forgotten then."""
    memory, before = session.memory, session.memory.settings_before
    if memory.timed_hold_until is not None:
        session.save_memory(
            replace(
                memory,
                confirmed_mode=before.mode if before else None,
                confirmed_reserve_pct=before.reserve_pct if before else None,
                timed_hold_until=memory.timed_hold_until if memory.in_doubt_since else None,
            )
        )


class BatteryResult(Struct, frozen=True):
    """How it ended, what it reads now, what was written, and for WAITING who has the battery."""

    ending: BatteryOutcome
    reading: BatteryReading
    written: tuple[BatteryCommand, ...] = ()
    lockout: Lockout | None = None


def hold_battery(app: App, until: datetime) -> BatteryResult:
    """Fill the battery or keep it as it is, unless it is somebody else's to command. until: the end of the hold."""
    with open_powerwall_session(app, releasing=False) as session:
        if waiting := _lockout_result(session):
            return waiting
        if not session.memory.owned and has_hold_settings(session.reading):
            return BatteryResult(BatteryOutcome.HELD_BY_OTHERS, session.reading)
        timed_hold = timed_hold_command(app, until)
        if is_timed_hold_cut_short(session):
            _release_ownership(session, mode=True, reserve=True)
            return BatteryResult(BatteryOutcome.BY_HAND, session.reading)
        if timed_hold is None:
            cancel_timed_hold(session)
        wanted = hold_settings(app, session.memory, session.reading)
        if _release_changed_ownership(session, wanted):
            return BatteryResult(BatteryOutcome.BY_HAND, session.reading)
        session.take_ownership(is_confirmed=is_hold_confirmed(app, session.memory, until))
        if timed_hold is None or not start_timed_hold(session, timed_hold):
            session.apply_settings(wanted, mode=True, reserve=True)
        return BatteryResult(BatteryOutcome.CONFIRMED, session.reading, tuple(session.written))


def release_battery(app: App) -> BatteryResult:
    """Bring back what is ours of the stance; what the owner changed meanwhile is left as it is."""
    with open_powerwall_session(app, releasing=True) as session:
        if waiting := _lockout_result(session):
            return waiting
        cancel_timed_hold(session)
        target = resting_settings(app, session.memory)
        by_hand = _release_changed_ownership(session, target)
        session.apply_settings(target, mode=session.memory.owns_mode, reserve=session.memory.owns_reserve)
        return _finish_release(session, by_hand=by_hand, midnight_reset_at=session.memory.midnight_reset_at)


def reset_battery(app: App) -> BatteryResult:
    """Assert the resting stance, the owner's changes included: that is the purpose of the midnight reset.

    With `restore: previous` only what is ours is ended.
    """
    with open_powerwall_session(app, releasing=True) as session:
        if waiting := _lockout_result(session):
            return waiting
        cancel_timed_hold(session)
        memory = session.memory
        if session.reading.lockouts is None and not memory.owned:
            raise UnreachableError(
                "Tesla does not say whether Storm Watch or a power cut has the battery", service=TESLA_SERVICE_KEY
            )
        everything = app.config.control.restore == "resting"
        target = resting_settings(app, replace(memory, rate_plan_missing=False))
        session.apply_settings(target, mode=everything or memory.owns_mode, reserve=everything or memory.owns_reserve)
        return _finish_release(session, by_hand=False, midnight_reset_at=app.now)


def _lockout_result(session: PowerwallSession) -> BatteryResult | None:
    lockouts = sorted(session.read().lockouts or ())
    if session.reading.timed_hold_until and not is_own_timed_hold(session):
        lockouts.append(Lockout.MAX_BACKUP)
    if not lockouts:
        return None
    session.app.skip_tesla = True
    return BatteryResult(BatteryOutcome.WAITING, session.reading, lockout=lockouts[0])


def _release_changed_ownership(session: PowerwallSession, wanted: BatterySettings) -> bool:
    """Give up the values that the owner changed; whether there were any."""
    mode, reserve = find_manual_changes(session.memory, session.reading, wanted)
    _release_ownership(session, mode=mode, reserve=reserve)
    return mode or reserve


def _release_ownership(session: PowerwallSession, *, mode: bool, reserve: bool) -> None:
    memory, reading = session.memory, session.reading
    if mode:
        memory = replace(memory, owns_mode=False, confirmed_mode=reading.mode)
    if reserve:
        memory = replace(memory, owns_reserve=False, confirmed_reserve_pct=round(reading.reserve_pct or 0))
    session.save_memory(memory if memory.owned else replace(memory, owned_since=None, settings_before=None))


def _finish_release(session: PowerwallSession, *, by_hand: bool, midnight_reset_at: datetime | None) -> BatteryResult:
    """End ownership, once no earlier command can still take effect behind our back."""
    memory, now = session.memory, session.app.now
    if memory.unverified_until and not _is_verification_over(memory.unverified_until, now):
        until = (
            min(memory.unverified_until, now + SETTLING_TIME) if now < memory.unverified_until else now + SETTLING_TIME
        )
        session.save_memory(replace(memory, in_doubt_since=memory.in_doubt_since or now, unverified_until=until))
        session.app.skip_tesla = True
        return BatteryResult(
            BatteryOutcome.BY_HAND if by_hand else BatteryOutcome.SETTLING, session.reading, tuple(session.written)
        )
    session.save_memory(
        BatteryMemory(
            confirmed_mode=memory.confirmed_mode,
            confirmed_reserve_pct=memory.confirmed_reserve_pct,
            rate_plan_missing=memory.rate_plan_missing and session.reading.mode == MODE_SELF_CONSUMPTION,
            midnight_reset_at=midnight_reset_at,
        )
    )
    return BatteryResult(
        BatteryOutcome.BY_HAND if by_hand else BatteryOutcome.CONFIRMED, session.reading, tuple(session.written)
    )


def _is_verification_over(unverified_until: datetime, now: datetime) -> bool:
    """Whether it has been looked at around the end of its time; one that ended long ago may be a clock that jumped."""
    return timedelta(0) <= now - unverified_until < SETTLING_TIME

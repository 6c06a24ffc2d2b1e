"""What to do next with the house battery: `next_step` decides it from values alone; the job performs each step."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from smartcharge.policy.battery import (
    EARLY_END_TOLERANCE,
    MODE_SELF_CONSUMPTION,
    SETTLING_TIME,
    TIMED_HOLD_RUNS,
    BatteryCommand,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    Lockout,
    confirmed_preserve_settings,
    find_manual_changes,
    has_hold_settings,
    preserve_settings,
    reserve_matches,
    reserve_pct_to_remember,
    timed_hold_matches,
)
from smartcharge.policy.battery_ladder import Target, command_step, settings_step, unconfirmed_step
from smartcharge.policy.battery_memory import (
    disowned_memory,
    held_memory,
    memory_after,
    memory_in_doubt,
    memory_with_unconfirmed,
    memory_without_timed_hold,
    owned_memory,
)
from smartcharge.policy.battery_run import (
    FILL_SETTINGS,
    RESTING_MODES,
    AttemptResult,
    BatteryCase,
    Done,
    Goal,
    Run,
    StandBack,
    Step,
    Verify,
    Wait,
    Wanted,
    Write,
)


def next_step(memory: BatteryMemory, reading: BatteryReading, wanted: Wanted, now: datetime, run: Run) -> Step:
    """Decide the next step; the caller stores the step's memory, performs it, and asks again.

    reading: the newest of this run; after a read-back it keeps the lockouts and state of energy of the first.
    """
    last = run.attempts[-1] if run.attempts else None
    if last is not None and last.result is AttemptResult.SENT and not last.is_blind:
        return Verify(memory, last.command)
    case = BatteryCase(memory if last is None else memory_after(memory, last, run), reading, wanted, now, run)
    if last is None and (blocked := _blocked_step(case)):
        return blocked
    return _release_step(case) if case.is_releasing else _hold_step(case)


def unconfirmed_memory(
    memory: BatteryMemory, reading: BatteryReading, wanted: Wanted, now: datetime, run: Run
) -> BatteryMemory:
    """Give the memory after a run that ended without success, cut off by its time limit included."""
    return memory_with_unconfirmed(BatteryCase(memory, reading, wanted, now, run))


def is_hold_confirmed(memory: BatteryMemory, until: datetime, *, fill: bool) -> bool:
    """Whether the battery is owned and was read back as holding, at least until then."""
    lasts = memory.timed_hold_until is None or until <= memory.timed_hold_until
    holds = memory.has_confirmed(FILL_SETTINGS) if fill else confirmed_preserve_settings(memory) is not None
    return memory.owned and holds and lasts


def resting_settings(
    memory: BatteryMemory, resting: BatterySettings, *, restore_previous: bool, rate_plan_missing: bool
) -> BatterySettings:
    """Give the settings to return to: the configured ones, or those found before the hold."""
    before = memory.settings_before if restore_previous else None
    target = before if before and before.mode in RESTING_MODES else resting
    return replace(target, mode=MODE_SELF_CONSUMPTION) if rate_plan_missing else target


def _blocked_step(case: BatteryCase) -> Step | None:
    """Decide what forbids any command: another battery, an incomplete reading, a lockout."""
    memory, reading = case.memory, case.reading
    if _is_other_battery(case):
        return StandBack(memory, BatteryOutcome.OTHER_SITE)
    if None in {reading.mode, reading.reserve_pct, reading.lockouts} and not _may_write_blind(case):
        return Wait(memory, BatteryOutcome.INCOMPLETE)
    lockouts = sorted(reading.lockouts or ())
    if reading.timed_hold_until and not _is_own_timed_hold(case):
        lockouts.append(Lockout.MAX_BACKUP)
    return Wait(memory, BatteryOutcome.WAITING, lockout=lockouts[0]) if lockouts else None


def _is_other_battery(case: BatteryCase) -> bool:
    """Whether another battery than the owned one has answered."""
    owned, site = case.memory.site, case.run.site
    return case.memory.owned and owned is not None and site is not None and owned != site


def _may_write_blind(case: BatteryCase) -> bool:
    """Whether an incomplete reading is enough: to restore what is owned, not to assert anything else."""
    memory, reading, wanted = case.memory, case.reading, case.wanted
    if not case.is_releasing or not memory.owned:
        return False
    owns_missing = (memory.owns_mode or reading.mode is not None) and (
        memory.owns_reserve or reading.reserve_pct is not None
    )
    return wanted.goal is Goal.RELEASE or wanted.restore_previous or owns_missing


def _hold_step(case: BatteryCase) -> Step:
    """Decide the next step of a hold."""
    last = case.run.attempts[-1] if case.run.attempts else None
    if last is not None and last.command.until and last.result is AttemptResult.SHOWN:
        return Done(held_memory(case.memory, FILL_SETTINGS, case.wanted.until))
    if not case.memory.owned and has_hold_settings(case.reading):
        return StandBack(case.memory, BatteryOutcome.HELD_BY_OTHERS)
    if step := _earlier_timed_hold_step(case):
        return step
    is_over = case.memory.in_doubt_since is None and case.reading.timed_hold_until is None
    return _hold_settings_step(replace(case, memory=memory_without_timed_hold(case.memory)) if is_over else case)


def _earlier_timed_hold_step(case: BatteryCase) -> Step | None:
    """Decide what to do about a timed hold of an earlier run; None where it stands or is over."""
    memory, reading = case.memory, case.reading
    if memory.timed_hold_until is not None and memory.in_doubt_since is None:
        if reading.timed_hold_until is None and case.now < memory.timed_hold_until - EARLY_END_TOLERANCE:
            memory = disowned_memory(memory_without_timed_hold(memory), reading, mode=True, reserve=True)
            return StandBack(memory, BatteryOutcome.BY_HAND)
        if reading.timed_hold_until is not None and not _has_original_settings(memory, reading):
            return _cancel_step(case)
    is_unwanted = not case.wanted.fill and reading.timed_hold_until is not None
    return _cancel_step(case) if is_unwanted and _is_own_timed_hold(case) else None


def _hold_settings_step(case: BatteryCase) -> Step:
    """Decide the next step of a hold whose earlier timed hold needs no attention."""
    memory, reading, until = case.memory, case.reading, case.wanted.until
    target = _hold_settings(case)
    if target is None:
        return Wait(memory, BatteryOutcome.INCOMPLETE)
    mode, reserve = find_manual_changes(memory, reading, target)
    if mode or reserve:
        return StandBack(disowned_memory(memory, reading, mode=mode, reserve=reserve), BatteryOutcome.BY_HAND)
    is_confirmed = until is not None and is_hold_confirmed(memory, until, fill=case.wanted.fill)
    case = replace(case, memory=owned_memory(case, is_confirmed=is_confirmed))
    if until is not None and _can_use_timed_hold(case):
        command = BatteryCommand(FILL_SETTINGS.mode, FILL_SETTINGS.reserve_pct, until=until)
        if command.is_confirmed_by(reading):
            return Done(held_memory(case.memory, FILL_SETTINGS, until))
        return command_step(case, command) or unconfirmed_step(case, command)
    if step := settings_step(case, Target(target)):
        return step
    reserve_pct = reserve_pct_to_remember(reading, target.reserve_pct)
    return Done(
        replace(
            case.memory,
            confirmed_mode=reading.mode,
            confirmed_reserve_pct=reserve_pct,
            in_doubt_since=None,
            unverified_until=None,
            unconfirmed=None,
        )
    )


def _release_step(case: BatteryCase) -> Step:
    """Decide the next step of a release or of the midnight reset."""
    memory, reading, wanted = case.memory, case.reading, case.wanted
    if reading.timed_hold_until and _is_own_timed_hold(case):
        return _cancel_step(case)
    memory = memory_without_timed_hold(memory)
    is_reset = wanted.goal is Goal.RESET
    rate_plan_missing = memory.rate_plan_missing and not is_reset
    target = resting_settings(
        memory,
        wanted.resting,
        restore_previous=wanted.restore_previous,
        rate_plan_missing=rate_plan_missing or case.has_result(AttemptResult.RATE_PLAN_MISSING),
    )
    if not is_reset:
        mode, reserve = find_manual_changes(memory, reading, target)
        memory = disowned_memory(memory, reading, mode=mode, reserve=reserve)
    everything = is_reset and not wanted.restore_previous
    case = replace(case, memory=memory)
    step = settings_step(case, Target(target, everything or memory.owns_mode, everything or memory.owns_reserve))
    return step or _finish_release(case, target)


def _finish_release(case: BatteryCase, target: BatterySettings) -> Step:
    """End ownership, unless an earlier hold command may still take effect."""
    memory, reading, is_reset = case.memory, case.reading, case.wanted.goal is Goal.RESET
    by_hand = not is_reset and _has_lost_ownership(case)
    confirmed_reserve_pct = reserve_pct_to_remember(reading, target.reserve_pct)
    if memory.unverified_until and not _is_verification_over(memory.unverified_until, case.now):
        waiting = replace(
            memory,
            confirmed_mode=reading.mode,
            confirmed_reserve_pct=confirmed_reserve_pct,
            in_doubt_since=memory.in_doubt_since or case.now,
            unverified_until=_verification_end(memory.unverified_until, case.now),
            unconfirmed=None,
        )
        return StandBack(waiting, BatteryOutcome.BY_HAND) if by_hand else Wait(waiting, BatteryOutcome.SETTLING)
    released = BatteryMemory(
        confirmed_mode=reading.mode,
        confirmed_reserve_pct=confirmed_reserve_pct,
        rate_plan_missing=memory.rate_plan_missing and reading.mode == MODE_SELF_CONSUMPTION,
        midnight_reset_at=case.now if is_reset else memory.midnight_reset_at,
    )
    return StandBack(released, BatteryOutcome.BY_HAND) if by_hand else Done(released)


def _has_lost_ownership(case: BatteryCase) -> bool:
    """Whether the owner changed a value that was owned at the start of the run."""
    start, memory = case.run.start, case.memory
    return (start.owns_mode and not memory.owns_mode) or (start.owns_reserve and not memory.owns_reserve)


def _verification_end(unverified_until: datetime, now: datetime) -> datetime:
    """Give the time of the last look; one further ahead than it can be, or long past, is due to a clock jump."""
    latest = now + SETTLING_TIME
    return min(unverified_until, latest) if now < unverified_until else latest


def _cancel_step(case: BatteryCase) -> Step:
    command = BatteryCommand(cancels_timed_hold=True)
    if any(each.command.cancels_timed_hold for each in case.run.attempts):
        return unconfirmed_step(case, command)
    return Write(memory_in_doubt(case, command), command)


def _hold_settings(case: BatteryCase) -> BatterySettings | None:
    """Give the settings of the hold; those that preserve the battery stay as first confirmed."""
    if case.wanted.fill:
        return FILL_SETTINGS
    return confirmed_preserve_settings(case.memory) or preserve_settings(case.reading)


def _can_use_timed_hold(case: BatteryCase) -> bool:
    """Whether the gateway may be asked to hold by itself: over settings that are as they were found."""
    return (
        case.wanted.fill
        and case.run.is_direct
        and case.rung < TIMED_HOLD_RUNS
        and not case.has_result(AttemptResult.TIMED_HOLD_UNSUPPORTED)
        and _has_original_settings(case.memory, case.reading)
    )


def _is_own_timed_hold(case: BatteryCase) -> bool:
    """Whether the timed hold that is read was asked for here; in doubt it may be an earlier one."""
    memory = case.memory
    return memory.timed_hold_until is not None and (
        memory.in_doubt_since is not None or timed_hold_matches(case.reading.timed_hold_until, memory.timed_hold_until)
    )


def _has_original_settings(memory: BatteryMemory, reading: BatteryReading) -> bool:
    """Whether the settings, under a timed hold or without one, are as found before the first write."""
    before = memory.settings_before
    settings = reading.underlying_settings or BatterySettings(reading.mode or "", round(reading.reserve_pct or 0))
    if before is None:
        return True
    near = reserve_matches(settings.reserve_pct, before.reserve_pct, clamped=False, within=reading.reserve_accuracy_pct)
    return near and settings.mode == before.mode


def _is_verification_over(unverified_until: datetime, now: datetime) -> bool:
    """Whether this run looks around the end of the time; one that ended long ago may be due to a clock jump."""
    return timedelta(0) <= now - unverified_until < SETTLING_TIME

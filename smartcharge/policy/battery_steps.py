"""What to do next with the house battery: `next_step` decides it from values alone; the job performs each step.

A release climbs a ladder, one rung a run: write the mode and verify it; in the next run write the reserve whatever
the mode shows; then leave backup mode by way of the other resting mode. A hold has the mirror of it: where the
mode is refused, the reserve of 100 % is written in the next run and protects the battery alone.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.policy.battery import (
    BLIND_REPEAT_INTERVAL,
    COMMAND_EFFECT_DELAY,
    EARLY_END_TOLERANCE,
    FULL_RESERVE_PCT,
    MIN_COMMAND_INTERVAL,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    RUN_INTERVAL,
    SETTLING_TIME,
    TIMED_HOLD_RUNS,
    BatteryCommand,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    BatterySite,
    Lockout,
    UnconfirmedCommands,
    confirmed_preserve_settings,
    find_manual_changes,
    has_hold_settings,
    preserve_settings,
    reserve_matches,
    reserve_pct_to_remember,
    timed_hold_matches,
    writable_reserve_pct,
)

FILL_SETTINGS = BatterySettings(MODE_BACKUP, FULL_RESERVE_PCT)
RESTING_MODES = {MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION}
"""Modes that a release may return to; Tesla accepts no request for any other."""
BYPASS_EVERY, BYPASS_RUNG = 5, 2
"""A release asks for the other resting mode in its third run, and in every fifth after that."""
MIRROR_EVERY, MIRROR_RUNG = 10, 1
"""A hold writes the reserve before the mode in its second run, and in every tenth after that."""
RUNGS_WITHOUT_MODE = {1, 4}
"""Where no memory tells what was commanded, these rungs of five leave the mode its 90 seconds."""


class Goal(StrEnum):
    """What is wanted of the battery. RESET asserts the resting settings over changes made by hand."""

    HOLD = "hold"
    RELEASE = "release"
    RESET = "reset"


class Wanted(Struct, frozen=True, kw_only=True):
    """What the battery should do.

    resting: the configured settings of normal mode. restore_previous: return to the settings found before the
    hold. fill: hold by charging to 100 %; else keep the battery as it is. until: end of the hold. due_since:
    given only where no memory can be stored; how long the release has been due then chooses its rung.
    was_locked_out: the last run found a lockout, so that nothing may be written without a reading.
    """

    goal: Goal
    resting: BatterySettings
    restore_previous: bool = False
    fill: bool = True
    until: datetime | None = None
    due_since: datetime | None = None
    was_locked_out: bool = False


class AttemptResult(StrEnum):
    """What became of a command in this run. SENT: accepted, not read back yet."""

    SENT = "sent"
    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    REFUSED = "refused"
    RATE_PLAN_MISSING = "rate plan missing"
    TIMED_HOLD_UNSUPPORTED = "timed hold unsupported"


class Attempt(Struct, frozen=True):
    """A command of this run. is_blind: its value cannot be read. is_pending: an earlier run sent it."""

    command: BatteryCommand
    result: AttemptResult
    is_blind: bool = False
    is_pending: bool = False


class Run(Struct, frozen=True):
    """What this run knows besides memory and reading.

    start: the memory at its start. site: where the connection leads. is_direct: the gateway itself is asked,
    which takes both values in one command and can end a hold alone. attempts: the commands so far.
    """

    start: BatteryMemory
    site: BatterySite | None = None
    is_direct: bool = False
    attempts: tuple[Attempt, ...] = ()


class Write(Struct, frozen=True):
    """Store the memory, then send the command. is_blind: its value cannot be read back."""

    memory: BatteryMemory
    command: BatteryCommand
    is_blind: bool = False


class Verify(Struct, frozen=True):
    """Read the battery until it shows the command, for some seconds at most."""

    memory: BatteryMemory
    command: BatteryCommand


class Done(Struct, frozen=True):
    """The battery shows what is wanted."""

    memory: BatteryMemory
    outcome: BatteryOutcome = BatteryOutcome.CONFIRMED


class StandBack(Struct, frozen=True):
    """The battery is left to somebody else."""

    memory: BatteryMemory
    outcome: BatteryOutcome


class Wait(Struct, frozen=True):
    """The next run continues. command: what was refused or does not show; is_pending: it still has time to."""

    memory: BatteryMemory
    outcome: BatteryOutcome
    lockout: Lockout | None = None
    command: BatteryCommand | None = None
    is_pending: bool = False


FinalStep = Done | StandBack | Wait
Step = Write | Verify | FinalStep


class _Case(Struct, frozen=True):
    """The arguments of `next_step`."""

    memory: BatteryMemory
    reading: BatteryReading
    wanted: Wanted
    now: datetime
    run: Run

    @property
    def is_releasing(self) -> bool:
        return self.wanted.goal is not Goal.HOLD

    @property
    def earlier(self) -> UnconfirmedCommands:
        """What earlier runs tried for the same goal."""
        earlier = self.run.start.unconfirmed
        same_goal = earlier is not None and earlier.releasing == self.is_releasing
        return earlier if earlier and same_goal else UnconfirmedCommands(self.is_releasing)

    @property
    def is_mirror_turn(self) -> bool:
        """Whether a hold writes its reserve in this run before the mode, because that failed before."""
        return not self.is_releasing and self.rung % MIRROR_EVERY == MIRROR_RUNG

    @property
    def rung(self) -> int:
        """How many runs have tried before; without memory, how many should have."""
        if self.wanted.due_since is None:
            return self.earlier.runs
        return max(self.earlier.runs, (self.now - self.wanted.due_since) // RUN_INTERVAL)

    def last_attempt(self, value: str) -> Attempt | None:
        """The last attempt of this run at "mode" or "reserve_pct"; a command that cannot be carried out is none."""
        impossible = {AttemptResult.RATE_PLAN_MISSING, AttemptResult.TIMED_HOLD_UNSUPPORTED}
        counted = [
            each
            for each in self.run.attempts
            if getattr(each.command, value) is not None and each.result not in impossible
        ]
        return counted[-1] if counted else None

    def has_result(self, result: AttemptResult) -> bool:
        return any(each.result is result for each in self.run.attempts)


def next_step(memory: BatteryMemory, reading: BatteryReading, wanted: Wanted, now: datetime, run: Run) -> Step:
    """Decide the next step; the caller stores the step's memory, performs it, and asks again.

    reading: the newest of this run; after a read-back it keeps the lockouts and state of energy of the first.
    """
    last = run.attempts[-1] if run.attempts else None
    if last is not None and last.result is AttemptResult.SENT and not last.is_blind:
        return Verify(memory, last.command)
    case = _Case(memory if last is None else _memory_after(memory, last, run), reading, wanted, now, run)
    if last is None and (blocked := _blocked_step(case)):
        return blocked
    return _release_step(case) if case.is_releasing else _hold_step(case)


def unconfirmed_memory(
    memory: BatteryMemory, reading: BatteryReading, wanted: Wanted, now: datetime, run: Run
) -> BatteryMemory:
    """Give the memory after a run that ended without success, cut off by its time limit included."""
    return _with_unconfirmed(_Case(memory, reading, wanted, now, run))


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


def _blocked_step(case: _Case) -> Step | None:
    """Decide what forbids any command: another battery, an incomplete reading, a lockout."""
    memory, reading, site = case.memory, case.reading, case.run.site
    if memory.owned and memory.site and site and not memory.site.is_same_battery(site):
        return StandBack(memory, BatteryOutcome.OTHER_SITE)
    is_incomplete = reading.mode is None or reading.reserve_pct is None or reading.lockouts is None
    if is_incomplete and not _may_write_blind(case):
        return Wait(memory, BatteryOutcome.INCOMPLETE)
    lockouts = sorted(reading.lockouts or ())
    if reading.timed_hold_until and not _is_own_timed_hold(case):
        lockouts.append(Lockout.MAX_BACKUP)
    return Wait(memory, BatteryOutcome.WAITING, lockout=lockouts[0]) if lockouts else None


def _may_write_blind(case: _Case) -> bool:
    """Whether an incomplete reading is enough: to restore what is owned, not to assert anything else."""
    memory, reading, wanted = case.memory, case.reading, case.wanted
    if not case.is_releasing or not memory.owned:
        return False
    owns_missing = (memory.owns_mode or reading.mode is not None) and (
        memory.owns_reserve or reading.reserve_pct is not None
    )
    return wanted.goal is Goal.RELEASE or wanted.restore_previous or owns_missing


def _hold_step(case: _Case) -> Step:
    """Decide the next step of a hold."""
    memory, reading = case.memory, case.reading
    if case.run.attempts and case.run.attempts[-1].command.until and _is_last_shown(case):
        return Done(_held_memory(memory, FILL_SETTINGS, case.wanted.until))
    if not memory.owned and has_hold_settings(reading):
        return StandBack(memory, BatteryOutcome.HELD_BY_OTHERS)
    if memory.timed_hold_until is not None and memory.in_doubt_since is None:
        if reading.timed_hold_until is None:
            is_cut_short = case.now < memory.timed_hold_until - EARLY_END_TOLERANCE
            memory = _without_timed_hold(memory)
            if is_cut_short:
                return StandBack(_disowned(memory, reading, mode=True, reserve=True), BatteryOutcome.BY_HAND)
        elif not _has_original_settings(memory, reading):
            return _cancel_step(case)
    if not case.wanted.fill and reading.timed_hold_until and _is_own_timed_hold(case):
        return _cancel_step(case)
    return _hold_settings_step(replace(case, memory=memory))


def _hold_settings_step(case: _Case) -> Step:
    """Decide the next step of a hold whose earlier timed hold needs no attention."""
    memory, reading, until = case.memory, case.reading, case.wanted.until
    target = _hold_settings(case)
    if target is None:
        return Wait(memory, BatteryOutcome.INCOMPLETE)
    mode, reserve = find_manual_changes(memory, reading, target)
    if mode or reserve:
        return StandBack(_disowned(memory, reading, mode=mode, reserve=reserve), BatteryOutcome.BY_HAND)
    is_confirmed = until is not None and is_hold_confirmed(memory, until, fill=case.wanted.fill)
    case = replace(case, memory=_owned_memory(case, is_confirmed=is_confirmed))
    if until is not None and _can_use_timed_hold(case):
        command = BatteryCommand(FILL_SETTINGS.mode, FILL_SETTINGS.reserve_pct, until=until)
        if command.is_confirmed_by(reading):
            return Done(_held_memory(case.memory, FILL_SETTINGS, until))
        return _command_step(case, command) or _unconfirmed_step(case, command)
    if step := _settings_step(case, target, mode=True, reserve=True):
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


def _release_step(case: _Case) -> Step:
    """Decide the next step of a release or of the midnight reset."""
    memory, reading, wanted = case.memory, case.reading, case.wanted
    if reading.timed_hold_until and _is_own_timed_hold(case):
        return _cancel_step(case)
    memory = _without_timed_hold(memory)
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
        memory = _disowned(memory, reading, mode=mode, reserve=reserve)
    everything = is_reset and not wanted.restore_previous
    case = replace(case, memory=memory)
    step = _settings_step(case, target, mode=everything or memory.owns_mode, reserve=everything or memory.owns_reserve)
    return step or _finish_release(case, target)


def _finish_release(case: _Case, target: BatterySettings) -> Step:
    """End ownership, unless an earlier hold command may still take effect."""
    memory, reading, now = case.memory, case.reading, case.now
    start = case.run.start
    by_hand = case.wanted.goal is Goal.RELEASE and (
        (start.owns_mode and not memory.owns_mode) or (start.owns_reserve and not memory.owns_reserve)
    )
    confirmed_reserve_pct = reserve_pct_to_remember(reading, target.reserve_pct)
    if memory.unverified_until and not _is_verification_over(memory.unverified_until, now):
        until = now + SETTLING_TIME
        waiting = replace(
            memory,
            confirmed_mode=reading.mode,
            confirmed_reserve_pct=confirmed_reserve_pct,
            in_doubt_since=memory.in_doubt_since or now,
            unverified_until=min(memory.unverified_until, until) if now < memory.unverified_until else until,
            unconfirmed=None,
        )
        if by_hand:
            return StandBack(waiting, BatteryOutcome.BY_HAND)
        return Wait(waiting, BatteryOutcome.SETTLING)
    is_reset = case.wanted.goal is Goal.RESET
    released = BatteryMemory(
        confirmed_mode=reading.mode,
        confirmed_reserve_pct=confirmed_reserve_pct,
        rate_plan_missing=memory.rate_plan_missing and reading.mode == MODE_SELF_CONSUMPTION,
        midnight_reset_at=now if is_reset else memory.midnight_reset_at,
    )
    return StandBack(released, BatteryOutcome.BY_HAND) if by_hand else Done(released)


def _settings_step(case: _Case, target: BatterySettings, *, mode: bool, reserve: bool) -> Step | None:
    """Decide the next command towards some settings; None once they are reached.

    mode, reserve: which values may be written. The first value that fails ends the run, except in a release
    from its second run on: there neither value waits for the other. A hold that writes the reserve first leaves
    the mode to the next run, so that beginning a hold takes few commands.
    """
    failed: BatteryCommand | None = None
    for command in _ordered_commands(case, target, mode=mode, reserve=reserve):
        is_left_out = case.is_mirror_turn and command.mode is not None and case.last_attempt("reserve_pct") is not None
        if not is_left_out and (step := _command_step(case, command)):
            return step
        failed = failed or command
        if not (case.is_releasing and case.rung > 0) or case.is_mirror_turn:
            break
    unreadable = list(_unreadable_commands(case, target, mode=mode, reserve=reserve))
    if case.is_releasing and (failed is None or case.rung > 0) and (write := _blind_write(case, unreadable)):
        return write
    if failed is None and unreadable and case.is_releasing:
        return Wait(_with_unconfirmed(case), BatteryOutcome.UNVERIFIED, command=unreadable[0])
    failed = failed or next(iter(unreadable), None)
    return None if failed is None else _unconfirmed_step(case, failed)


def _ordered_commands(case: _Case, target: BatterySettings, *, mode: bool, reserve: bool) -> Iterator[BatteryCommand]:
    """Give the commands for the readable values that differ: mode first, for two at once would race.

    A hold whose mode failed before tries the reserve, which protects the battery alone.
    """
    reading = case.reading
    clamped = case.run.start.has_confirmed(target)
    commands = [
        each
        for each in commands_to_reach(reading, target, mode=mode, reserve=reserve, clamped=clamped)
        if not _is_shown_or_unreadable(case, each)
    ]
    commands = [each if each.mode is None else BatteryCommand(mode=_mode_to_ask(case, each.mode)) for each in commands]
    if case.is_mirror_turn:
        return iter(commands[::-1])
    return merge_commands(iter(commands)) if case.run.is_direct and case.rung % 2 == 0 else iter(commands)


def commands_to_reach(
    reading: BatteryReading, wanted: BatterySettings, *, mode: bool, reserve: bool, clamped: bool = False
) -> Iterator[BatteryCommand]:
    """Give a command for each value that differs, mode first.

    mode, reserve: which of the values may be touched. clamped: the wanted settings were confirmed before, so a
    reserve of 80 is how this firmware shows 100. Source of the race: pypowerwall pull request 377.
    """
    if mode and reading.mode != wanted.mode:
        yield BatteryCommand(mode=wanted.mode)
    if reserve and not reserve_matches(
        reading.reserve_pct, wanted.reserve_pct, clamped=clamped, within=reading.reserve_accuracy_pct
    ):
        yield BatteryCommand(reserve_pct=wanted.reserve_pct)


def merge_commands(single: Iterator[BatteryCommand]) -> Iterator[BatteryCommand]:
    """Give the same commands as one, for a gateway that takes both values together."""
    both = list(single)
    if both:
        mode = next((write.mode for write in both if write.mode is not None), None)
        yield BatteryCommand(mode, next((write.reserve_pct for write in both if write.reserve_pct is not None), None))


def _is_shown_or_unreadable(case: _Case, command: BatteryCommand) -> bool:
    value = "mode" if command.mode is not None else "reserve_pct"
    attempt, asked = case.last_attempt(value), getattr(command, value)
    is_shown = _was_shown(case, value) and attempt is not None and getattr(attempt.command, value) == asked
    return is_shown or getattr(case.reading, value) is None


def _mode_to_ask(case: _Case, target: str) -> str:
    """Give the mode to ask for: in some runs of a release that did not succeed, the other resting mode.

    Some firmware accepts `autonomous` from backup mode and never shows it, and takes it from `self_consumption`
    (vloschiavo/powerwall2 issue 11, netzero issue 256).
    """
    was_tried = case.earlier.mode_at is not None or case.wanted.due_since is not None
    is_bypass_turn = case.is_releasing and case.rung % BYPASS_EVERY == BYPASS_RUNG
    if not (was_tried and is_bypass_turn) or case.reading.mode in RESTING_MODES:
        return target
    if target == MODE_AUTONOMOUS:
        return MODE_SELF_CONSUMPTION
    return target if case.memory.rate_plan_missing else MODE_AUTONOMOUS


def _command_step(case: _Case, command: BatteryCommand) -> Step | None:
    """Decide how to bring about one command; None where it failed in this run, or came too soon after the last."""
    attempt = case.last_attempt("mode" if command.mode is not None else "reserve_pct")
    if attempt is not None:
        return None
    if _was_commanded_within(case, command, COMMAND_EFFECT_DELAY, same_value=True):
        return Verify(case.memory, command)
    if _is_out_of_turn(case, command) or _was_commanded_within(case, command, MIN_COMMAND_INTERVAL, same_value=False):
        return None
    return Write(_memory_in_doubt(case, command), command)


def _is_out_of_turn(case: _Case, command: BatteryCommand) -> bool:
    """Whether a release without memory leaves a value out in this run, in case it was commanded in the last one."""
    if case.wanted.due_since is None:
        return False
    if command.mode is not None:
        return case.rung % BYPASS_EVERY in RUNGS_WITHOUT_MODE
    return case.rung > 0 and case.rung % 2 == 0 and case.reading.mode not in RESTING_MODES


def _was_commanded_within(case: _Case, command: BatteryCommand, limit: timedelta, *, same_value: bool) -> bool:
    """Whether an earlier run commanded the value less than `limit` ago; same_value: and asked for the same.

    A command for both values is judged by its mode.
    """
    earlier = case.earlier
    if command.mode is not None:
        is_same, at = command.mode == earlier.mode, earlier.mode_at
    else:
        is_same, at = command.reserve_pct == earlier.reserve_pct, earlier.reserve_at
    return at is not None and timedelta(0) <= case.now - at < limit and (is_same or not same_value)


def _blind_write(case: _Case, unreadable: Sequence[BatteryCommand]) -> Write | None:
    """Write one owned value that cannot be read, once a run and not again for some minutes.

    Where neither can be read they take turns, for two commands at once would race.
    """
    if any(each.is_blind for each in case.run.attempts):
        return None
    in_turn = unreadable if case.rung == 0 or case.rung % 2 else unreadable[::-1]
    for command in in_turn[:1] if case.wanted.due_since is not None else in_turn:
        if not _was_commanded_within(case, command, BLIND_REPEAT_INTERVAL, same_value=True):
            return Write(_memory_in_doubt(case, command), command, is_blind=True)
    return None


def _unreadable_commands(
    case: _Case, target: BatterySettings, *, mode: bool, reserve: bool
) -> Iterator[BatteryCommand]:
    """Give a command for each owned value that the battery does not report."""
    if mode and case.memory.owns_mode and case.reading.mode is None and not _was_shown(case, "mode"):
        yield BatteryCommand(mode=target.mode)
    if (
        reserve
        and case.memory.owns_reserve
        and case.reading.reserve_pct is None
        and not _was_shown(case, "reserve_pct")
    ):
        yield BatteryCommand(reserve_pct=target.reserve_pct)


def _was_shown(case: _Case, value: str) -> bool:
    attempt = case.last_attempt(value)
    return attempt is not None and attempt.result is AttemptResult.SHOWN


def _cancel_step(case: _Case) -> Step:
    command = BatteryCommand(cancels_timed_hold=True)
    if any(each.command.cancels_timed_hold for each in case.run.attempts):
        return _unconfirmed_step(case, command)
    return Write(_memory_in_doubt(case, command), command)


def _unconfirmed_step(case: _Case, command: BatteryCommand) -> Wait:
    """End the run without success; it is no new failure where earlier commands only need more time."""
    is_pending = all(each.is_pending or each.result is AttemptResult.SHOWN for each in case.run.attempts)
    return Wait(_with_unconfirmed(case), BatteryOutcome.UNCONFIRMED, command=command, is_pending=is_pending)


def _hold_settings(case: _Case) -> BatterySettings | None:
    """Give the settings of the hold; those that preserve the battery stay as first confirmed."""
    if case.wanted.fill:
        return FILL_SETTINGS
    return confirmed_preserve_settings(case.memory) or preserve_settings(case.reading)


def _can_use_timed_hold(case: _Case) -> bool:
    """Whether the gateway may be asked to hold by itself: over settings that are as they were found."""
    return (
        case.wanted.fill
        and case.run.is_direct
        and case.rung < TIMED_HOLD_RUNS
        and not case.has_result(AttemptResult.TIMED_HOLD_UNSUPPORTED)
        and _has_original_settings(case.memory, case.reading)
    )


def _is_last_shown(case: _Case) -> bool:
    return case.run.attempts[-1].result is AttemptResult.SHOWN


def _is_own_timed_hold(case: _Case) -> bool:
    """Whether the timed hold that is read was asked for here; in doubt it may be an earlier one."""
    memory = case.memory
    return memory.timed_hold_until is not None and (
        memory.in_doubt_since is not None or timed_hold_matches(case.reading.timed_hold_until, memory.timed_hold_until)
    )


def _has_original_settings(memory: BatteryMemory, reading: BatteryReading) -> bool:
    """Whether the settings, beneath a timed hold or without one, are as found before the first write."""
    before = memory.settings_before
    settings = reading.underlying_settings or BatterySettings(reading.mode or "", round(reading.reserve_pct or 0))
    if before is None:
        return True
    near = reserve_matches(settings.reserve_pct, before.reserve_pct, clamped=False, within=reading.reserve_accuracy_pct)
    return near and settings.mode == before.mode


def _is_verification_over(unverified_until: datetime, now: datetime) -> bool:
    """Whether this run looks around the end of the time; one that ended long ago may be due to a clock jump."""
    return timedelta(0) <= now - unverified_until < SETTLING_TIME


# -- memory ---------------------------------------------------------------------------------------------


def _memory_after(memory: BatteryMemory, last: Attempt, run: Run) -> BatteryMemory:
    """Give the memory after the result of a command."""
    if last.result is AttemptResult.RATE_PLAN_MISSING:
        return replace(memory, rate_plan_missing=True)
    if last.result is AttemptResult.TIMED_HOLD_UNSUPPORTED:
        return replace(memory, timed_hold_until=None)
    if last.command.cancels_timed_hold and last.result is AttemptResult.SHOWN:
        doubt = run.start.in_doubt_since
        unverified_until = memory.unverified_until if doubt else None
        return _without_timed_hold(replace(memory, in_doubt_since=doubt, unverified_until=unverified_until))
    return memory


def _owned_memory(case: _Case, *, is_confirmed: bool) -> BatteryMemory:
    """Take ownership of what is not owned yet, and remember what it was before."""
    memory, reading, now = case.memory, case.reading, case.now
    reserve_pct = reading.reserve_pct or 0
    found = BatterySettings(
        reading.mode or "", round(reserve_pct) if case.run.is_direct else writable_reserve_pct(reserve_pct)
    )
    before = memory.settings_before or found
    if not memory.owns_mode:
        memory = replace(memory, owns_mode=True, confirmed_mode=found.mode)
        before = replace(before, mode=found.mode)
    if not memory.owns_reserve:
        memory = replace(memory, owns_reserve=True, confirmed_reserve_pct=round(reserve_pct))
        before = replace(before, reserve_pct=found.reserve_pct)
    return replace(
        memory,
        owned_since=memory.owned_since or now,
        settings_before=before,
        in_doubt_since=None if is_confirmed else memory.in_doubt_since or now,
        site=memory.site or case.run.site,
    )


def _held_memory(memory: BatteryMemory, settings: BatterySettings, until: datetime | None) -> BatteryMemory:
    """Give the memory of a timed hold that was read back."""
    return replace(
        memory,
        confirmed_mode=settings.mode,
        confirmed_reserve_pct=settings.reserve_pct,
        in_doubt_since=None,
        unverified_until=None,
        timed_hold_until=until,
        unconfirmed=None,
    )


def _disowned(memory: BatteryMemory, reading: BatteryReading, *, mode: bool, reserve: bool) -> BatteryMemory:
    """Give up the values that the owner changed."""
    if mode:
        memory = replace(memory, owns_mode=False, confirmed_mode=reading.mode)
    if reserve:
        memory = replace(memory, owns_reserve=False, confirmed_reserve_pct=round(reading.reserve_pct or 0))
    if memory.owned or not (mode or reserve):
        return memory
    return replace(memory, owned_since=None, settings_before=None, site=None, unconfirmed=None)


def _without_timed_hold(memory: BatteryMemory) -> BatteryMemory:
    """Forget a timed hold that is over; while it is in doubt it may still begin."""
    if memory.timed_hold_until is None:
        return memory
    before = memory.settings_before
    return replace(
        memory,
        confirmed_mode=before.mode if before else None,
        confirmed_reserve_pct=before.reserve_pct if before else None,
        timed_hold_until=memory.timed_hold_until if memory.in_doubt_since else None,
    )


def _memory_in_doubt(case: _Case, command: BatteryCommand) -> BatteryMemory:
    """Give the memory to store before a command is sent."""
    memory, now = case.memory, case.now
    return replace(
        memory,
        confirmed_mode=None if command.mode is not None else memory.confirmed_mode,
        confirmed_reserve_pct=None if command.reserve_pct is not None else memory.confirmed_reserve_pct,
        in_doubt_since=memory.in_doubt_since or now,
        unverified_until=memory.unverified_until if case.is_releasing else now + SETTLING_TIME,
        timed_hold_until=command.until or memory.timed_hold_until,
    )


def _with_unconfirmed(case: _Case) -> BatteryMemory:
    """Remember which commands were given in this run without being shown."""
    known = replace(case.earlier, runs=case.rung + 1)
    for attempt in case.run.attempts:
        if attempt.is_pending and attempt.result is not AttemptResult.SHOWN:
            continue
        is_open = attempt.result in {AttemptResult.SENT, AttemptResult.NOT_SHOWN}
        at = None if attempt.result is AttemptResult.SHOWN else case.now
        if (mode := attempt.command.mode) is not None:
            known = replace(known, mode=mode if is_open else None, mode_at=at)
        if (reserve_pct := attempt.command.reserve_pct) is not None:
            known = replace(known, reserve_pct=reserve_pct if is_open else None, reserve_at=at)
    return replace(case.memory, unconfirmed=known)

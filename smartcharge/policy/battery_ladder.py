"""The next command towards some settings, and what to try where a command is refused or does not show.

A release climbs a ladder, one rung a run: write the mode and verify it; in the next run write the reserve whatever
the mode shows; then leave backup mode by way of the other resting mode. A hold has the mirror of it: where the
mode fails, the reserve of 100 % is written in the next run and protects the battery alone.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from msgspec import Struct

from smartcharge.policy.battery import (
    BLIND_REPEAT_INTERVAL,
    COMMAND_EFFECT_DELAY,
    MIN_COMMAND_INTERVAL,
    MODE_AUTONOMOUS,
    MODE_SELF_CONSUMPTION,
    BatteryCommand,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    reserve_matches,
)
from smartcharge.policy.battery_memory import (
    memory_in_doubt,
    memory_with_unconfirmed,
)
from smartcharge.policy.battery_run import (
    RESTING_MODES,
    AttemptResult,
    BatteryCase,
    Step,
    Verify,
    Wait,
    Write,
)

BYPASS_EVERY, BYPASS_RUNG = 5, 2
"""A release asks for the other resting mode in its third run, and in every fifth after that."""


RUNGS_WITHOUT_MODE = {1, 4}
"""Where no memory tells what was commanded, these rungs of five leave the mode its 90 seconds."""


class Target(Struct, frozen=True):
    """Settings to reach; mode, reserve: which of the values may be written."""

    settings: BatterySettings
    mode: bool = True
    reserve: bool = True


def settings_step(case: BatteryCase, target: Target) -> Step | None:
    """Decide the next command towards some settings; None once they are reached."""
    failed: BatteryCommand | None = None
    for command in _ordered_commands(case, target):
        if step := None if _is_left_to_next_run(case, command) else command_step(case, command):
            return step
        failed = failed or command
        if not _continues_after_failure(case):
            break
    unreadable = list(_unreadable_commands(case, target))
    if case.is_releasing and unreadable:
        return _unreadable_step(case, failed, unreadable)
    failed = failed or next(iter(unreadable), None)
    return None if failed is None else unconfirmed_step(case, failed)


def _continues_after_failure(case: BatteryCase) -> bool:
    """Whether the second value is written although the first failed: in a release, from its second run on."""
    return case.is_releasing and case.rung > 0


def _is_left_to_next_run(case: BatteryCase, command: BatteryCommand) -> bool:
    """Whether a hold that wrote the reserve in this run leaves the mode, so that beginning it takes few commands."""
    return case.is_mirror_turn and command.mode is not None and case.last_attempt("reserve_pct") is not None


def _ordered_commands(case: BatteryCase, target: Target) -> Iterator[BatteryCommand]:
    """Give the commands for the readable values that differ: mode first, for two at once would race.

    A hold whose mode failed before tries the reserve, which protects the battery alone.
    """
    wanted = target.settings
    clamped = case.run.start.has_confirmed(wanted)
    differing = commands_to_reach(case.reading, wanted, mode=target.mode, reserve=target.reserve, clamped=clamped)
    commands = [each for each in differing if not _is_shown_or_unreadable(case, each)]
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


def _is_shown_or_unreadable(case: BatteryCase, command: BatteryCommand) -> bool:
    value = "mode" if command.mode is not None else "reserve_pct"
    attempt, asked = case.last_attempt(value), getattr(command, value)
    is_shown = _was_shown(case, value) and attempt is not None and getattr(attempt.command, value) == asked
    return is_shown or getattr(case.reading, value) is None


def _mode_to_ask(case: BatteryCase, target: str) -> str:
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


def command_step(case: BatteryCase, command: BatteryCommand) -> Step | None:
    """Decide how to bring about one command; None where it failed in this run, or came too soon after the last."""
    attempt = case.last_attempt("mode" if command.mode is not None else "reserve_pct")
    if attempt is not None:
        return None
    if _was_commanded_within(case, command, COMMAND_EFFECT_DELAY, same_value=True):
        return Verify(case.memory, command)
    if _is_out_of_turn(case, command) or _was_commanded_within(case, command, MIN_COMMAND_INTERVAL, same_value=False):
        return None
    return Write(memory_in_doubt(case, command), command)


def _is_out_of_turn(case: BatteryCase, command: BatteryCommand) -> bool:
    """Whether a release without memory leaves a value out in this run, in case it was commanded in the last one."""
    if case.wanted.due_since is None:
        return False
    if command.mode is not None:
        return case.rung % BYPASS_EVERY in RUNGS_WITHOUT_MODE
    return case.rung > 0 and case.rung % 2 == 0 and case.reading.mode not in RESTING_MODES


def _was_commanded_within(case: BatteryCase, command: BatteryCommand, limit: timedelta, *, same_value: bool) -> bool:
    """Whether an earlier run commanded the value less than `limit` ago; same_value: and asked for the same.

    A command for both values is judged by its mode.
    """
    earlier = case.earlier
    if command.mode is not None:
        is_same, at = command.mode == earlier.mode, earlier.mode_at
    else:
        is_same, at = command.reserve_pct == earlier.reserve_pct, earlier.reserve_at
    return at is not None and timedelta(0) <= case.now - at < limit and (is_same or not same_value)


def _unreadable_step(case: BatteryCase, failed: BatteryCommand | None, unreadable: Sequence[BatteryCommand]) -> Step:
    """Decide what to do about owned values that cannot be read. failed: a readable value that did not work."""
    if (failed is None or _continues_after_failure(case)) and (write := _blind_write(case, unreadable)):
        return write
    if failed is not None:
        return unconfirmed_step(case, failed)
    return Wait(memory_with_unconfirmed(case), BatteryOutcome.UNVERIFIED, command=unreadable[0])


def _blind_write(case: BatteryCase, unreadable: Sequence[BatteryCommand]) -> Write | None:
    """Write one owned value that cannot be read, once a run and not again for some minutes.

    Where neither can be read they take turns, for two commands at once would race.
    """
    if any(each.is_blind for each in case.run.attempts):
        return None
    in_turn = unreadable if case.rung == 0 or case.rung % 2 else unreadable[::-1]
    for command in in_turn[:1] if case.wanted.due_since is not None else in_turn:
        if not _was_commanded_within(case, command, BLIND_REPEAT_INTERVAL, same_value=True):
            return Write(memory_in_doubt(case, command), command, is_blind=True)
    return None


def _unreadable_commands(case: BatteryCase, target: Target) -> Iterator[BatteryCommand]:
    """Give a command for each owned value that the battery does not report."""
    memory, reading = case.memory, case.reading
    if target.mode and memory.owns_mode and reading.mode is None and not _was_shown(case, "mode"):
        yield BatteryCommand(mode=target.settings.mode)
    if target.reserve and memory.owns_reserve and reading.reserve_pct is None and not _was_shown(case, "reserve_pct"):
        yield BatteryCommand(reserve_pct=target.settings.reserve_pct)


def _was_shown(case: BatteryCase, value: str) -> bool:
    attempt = case.last_attempt(value)
    return attempt is not None and attempt.result is AttemptResult.SHOWN


def unconfirmed_step(case: BatteryCase, command: BatteryCommand) -> Wait:
    """End the run without success; it is no new failure where earlier commands only need more time."""
    is_pending = all(each.is_pending or each.result is AttemptResult.SHOWN for each in case.run.attempts)
    if case.is_mirror_turn and case.earlier.mode is not None:
        asked = BatteryCommand(mode=case.earlier.mode)
        is_pending = is_pending or _was_commanded_within(case, asked, COMMAND_EFFECT_DELAY, same_value=True)
    return Wait(memory_with_unconfirmed(case), BatteryOutcome.UNCONFIRMED, command=command, is_pending=is_pending)

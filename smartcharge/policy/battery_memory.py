"""What is remembered of the battery after each step."""

from datetime import datetime

from msgspec.structs import replace

from smartcharge.policy.battery import (
    SETTLING_TIME,
    BatteryCommand,
    BatteryMemory,
    BatteryReading,
    BatterySettings,
    writable_reserve_pct,
)
from smartcharge.policy.battery_run import Attempt, AttemptResult, BatteryCase, Run


def memory_after(memory: BatteryMemory, last: Attempt, run: Run) -> BatteryMemory:
    """Give the memory after the result of a command."""
    if last.result is AttemptResult.RATE_PLAN_MISSING:
        return replace(memory, rate_plan_missing=True)
    if last.result is AttemptResult.TIMED_HOLD_UNSUPPORTED:
        return replace(memory, timed_hold_until=None)
    if last.command.cancels_timed_hold and last.result is AttemptResult.SHOWN:
        doubt = run.start.in_doubt_since
        unverified_until = memory.unverified_until if doubt else None
        return memory_without_timed_hold(replace(memory, in_doubt_since=doubt, unverified_until=unverified_until))
    return memory


def owned_memory(case: BatteryCase, *, is_confirmed: bool) -> BatteryMemory:
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


def held_memory(memory: BatteryMemory, settings: BatterySettings, until: datetime | None) -> BatteryMemory:
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


def disowned_memory(memory: BatteryMemory, reading: BatteryReading, *, mode: bool, reserve: bool) -> BatteryMemory:
    """Give up the values that the owner changed."""
    if mode:
        memory = replace(memory, owns_mode=False, confirmed_mode=reading.mode)
    if reserve:
        memory = replace(memory, owns_reserve=False, confirmed_reserve_pct=round(reading.reserve_pct or 0))
    if memory.owned or not (mode or reserve):
        return memory
    return replace(memory, owned_since=None, settings_before=None, site=None, unconfirmed=None)


def memory_without_timed_hold(memory: BatteryMemory) -> BatteryMemory:
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


def memory_in_doubt(case: BatteryCase, command: BatteryCommand) -> BatteryMemory:
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


def memory_with_unconfirmed(case: BatteryCase) -> BatteryMemory:
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

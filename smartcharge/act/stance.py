"""The three things ever done to the Powerwall: hold it, release it, and assert its rest at midnight."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from smartcharge.act.conversation import Conversation, conversation
from smartcharge.core.stance import (
    AUTONOMOUS,
    SELF_CONSUMPTION,
    SETTLING,
    BatteryMemory,
    BatteryReading,
    Power,
    Stance,
    Write,
    changed_by_hand,
    is_already_holding,
)
from smartcharge.toolbox import Toolbox

RESTS = {AUTONOMOUS, SELF_CONSUMPTION}
"""Modes that may be returned to; whatever else was found before is not one that Tesla lets us ask for."""


class Ending(StrEnum):
    """How a conversation with the battery ended.

    WAITING: an outside power has it. NOT_OURS: held by somebody before we came. BY_HAND: the owner changed
    it meanwhile. SETTLING: it rests, but a command that was never seen to work may still take effect.
    """

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    NOT_OURS = "not ours"
    BY_HAND = "changed by hand"
    SETTLING = "settling"


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended, what it reads now, what was written, and for WAITING who has the battery."""

    ending: Ending
    reading: BatteryReading
    written: tuple[Write, ...] = ()
    power: Power | None = None


def hold(tools: Toolbox) -> Result:
    """Fill the battery from the grid, unless it is somebody else's to command."""
    with conversation(tools, releasing=False) as talk:
        if waiting := _in_other_hands(talk):
            return waiting
        if not talk.memory.owned and is_already_holding(talk.seen):
            return Result(Ending.NOT_OURS, talk.seen)
        if _disown_changed(talk, tools.holding):
            return Result(Ending.BY_HAND, talk.seen)
        talk.own()
        talk.bring_to(tools.holding, mode=True, reserve=True)
        return Result(Ending.CONFIRMED, talk.seen, tuple(talk.written))


def release(tools: Toolbox) -> Result:
    """Bring back what is ours of the stance; what the owner changed meanwhile is left as it is."""
    with conversation(tools, releasing=True) as talk:
        if waiting := _in_other_hands(talk):
            return waiting
        target = rest(tools, talk.memory)
        by_hand = _disown_changed(talk, target)
        talk.bring_to(target, mode=talk.memory.owns_mode, reserve=talk.memory.owns_reserve)
        return _let_go(talk, by_hand=by_hand, rested_at=talk.memory.rested_at)


def reset(tools: Toolbox) -> Result:
    """Assert the resting stance, the owner's changes included: that is the purpose of the midnight reset.

    With `restore: previous` only what is ours is ended.
    """
    with conversation(tools, releasing=True) as talk:
        if waiting := _in_other_hands(talk):
            return waiting
        memory = talk.memory
        everything = tools.config.control.restore == "resting"
        target = rest(tools, replace(memory, rate_plan_missing=False))
        talk.bring_to(target, mode=everything or memory.owns_mode, reserve=everything or memory.owns_reserve)
        return _let_go(talk, by_hand=False, rested_at=tools.now)


def rest(tools: Toolbox, memory: BatteryMemory) -> Stance:
    """Where the battery belongs: the configured rest, or exactly what was there before."""
    before = memory.before if tools.config.control.restore == "previous" else None
    target = before if before and before.mode in RESTS else tools.resting
    return replace(target, mode=SELF_CONSUMPTION) if memory.rate_plan_missing else target


def _in_other_hands(talk: Conversation) -> Result | None:
    powers = sorted(talk.read().powers or ())
    return Result(Ending.WAITING, talk.seen, power=powers[0]) if powers else None


def _disown_changed(talk: Conversation, wanted: Stance) -> bool:
    """Give up the values that the owner changed; whether there were any."""
    mode, reserve = changed_by_hand(talk.memory, talk.seen, wanted)
    talk.remember(
        replace(
            talk.memory,
            owns_mode=talk.memory.owns_mode and not mode,
            owns_reserve=talk.memory.owns_reserve and not reserve,
        )
    )
    return mode or reserve


def _let_go(talk: Conversation, *, by_hand: bool, rested_at: datetime | None) -> Result:
    """End ownership, once no earlier command can still take effect behind our back."""
    memory, now = talk.memory, talk.tools.now
    if memory.unproven_until and now < memory.unproven_until:
        latest = min(memory.unproven_until, now + SETTLING)  # stored before the clock went back, it may be far off
        talk.remember(replace(memory, in_doubt_since=memory.in_doubt_since or now, unproven_until=latest))
        return Result(Ending.SETTLING, talk.seen, tuple(talk.written))
    talk.remember(
        BatteryMemory(
            confirmed_mode=memory.confirmed_mode,
            confirmed_reserve_pct=memory.confirmed_reserve_pct,
            rate_plan_missing=memory.rate_plan_missing and talk.seen.mode == SELF_CONSUMPTION,
            rested_at=rested_at,
        )
    )
    return Result(Ending.BY_HAND if by_hand else Ending.CONFIRMED, talk.seen, tuple(talk.written))

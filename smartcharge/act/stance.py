"""The three things ever done to the Powerwall: hold it, release it, and assert its rest at midnight."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from smartcharge.act.conversation import TESLA, Conversation, conversation
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
from smartcharge.errors import Unreachable
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
        if talk.seen.powers is None and not memory.owned:
            raise Unreachable("Tesla does not say whether Storm Watch or a power cut has the battery", service=TESLA)
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
    if not powers:
        return None
    talk.tools.tesla_done = True
    return Result(Ending.WAITING, talk.seen, power=powers[0])


def _disown_changed(talk: Conversation, wanted: Stance) -> bool:
    """Give up the values that the owner changed; whether there were any."""
    mode, reserve = changed_by_hand(talk.memory, talk.seen, wanted)
    memory, seen = talk.memory, talk.seen
    if mode:
        memory = replace(memory, owns_mode=False, confirmed_mode=seen.mode)
    if reserve:
        memory = replace(memory, owns_reserve=False, confirmed_reserve_pct=round(seen.reserve_pct or 0))
    talk.remember(memory if memory.owned else replace(memory, owned_since=None, before=None))
    return mode or reserve


def _let_go(talk: Conversation, *, by_hand: bool, rested_at: datetime | None) -> Result:
    """End ownership, once no earlier command can still take effect behind our back."""
    memory, now = talk.memory, talk.tools.now
    if memory.unproven_until and not _has_settled(memory.unproven_until, now):
        until = min(memory.unproven_until, now + SETTLING) if now < memory.unproven_until else now + SETTLING
        talk.remember(replace(memory, in_doubt_since=memory.in_doubt_since or now, unproven_until=until))
        talk.tools.tesla_done = True
        return Result(Ending.BY_HAND if by_hand else Ending.SETTLING, talk.seen, tuple(talk.written))
    talk.remember(
        BatteryMemory(
            confirmed_mode=memory.confirmed_mode,
            confirmed_reserve_pct=memory.confirmed_reserve_pct,
            rate_plan_missing=memory.rate_plan_missing and talk.seen.mode == SELF_CONSUMPTION,
            rested_at=rested_at,
        )
    )
    return Result(Ending.BY_HAND if by_hand else Ending.CONFIRMED, talk.seen, tuple(talk.written))


def _has_settled(unproven_until: datetime, now: datetime) -> bool:
    """Whether it has been looked at around the end of its time; one that ended long ago may be a clock that jumped."""
    return timedelta(0) <= now - unproven_until < SETTLING

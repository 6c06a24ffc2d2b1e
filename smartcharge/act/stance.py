"""The three things ever done to the Powerwall: hold it, release it, and assert its rest at midnight."""

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.act import holding, lease
from smartcharge.act.access import TESLA
from smartcharge.act.conversation import Conversation, conversation
from smartcharge.core.stance import (
    SELF_CONSUMPTION,
    SETTLING,
    BatteryMemory,
    BatteryReading,
    Ending,
    Power,
    Stance,
    Write,
    changed_by_hand,
    is_already_holding,
)
from smartcharge.errors import Unreachable
from smartcharge.toolbox import Toolbox


class Result(Struct, frozen=True):
    """How it ended, what it reads now, what was written, and for WAITING who has the battery."""

    ending: Ending
    reading: BatteryReading
    written: tuple[Write, ...] = ()
    power: Power | None = None


def hold(tools: Toolbox, until: datetime) -> Result:
    """Fill the battery or keep it as it is, unless it is somebody else's to command. until: the end of the hold."""
    with conversation(tools, releasing=False) as talk:
        if waiting := _in_other_hands(talk):
            return waiting
        if not talk.memory.owned and is_already_holding(talk.seen):
            return Result(Ending.NOT_OURS, talk.seen)
        leased = holding.lease(tools, until)
        if lease.is_cut_short(talk):
            _disown(talk, mode=True, reserve=True)
            return Result(Ending.BY_HAND, talk.seen)
        if leased is None:
            lease.end(talk)
        wanted = holding.wanted(tools, talk.memory, talk.seen)
        if _disown_changed(talk, wanted):
            return Result(Ending.BY_HAND, talk.seen)
        talk.own(is_confirmed=holding.is_confirmed(tools, talk.memory, until))
        if leased is None or not lease.take(talk, leased):
            talk.bring_to(wanted, mode=True, reserve=True)
        return Result(Ending.CONFIRMED, talk.seen, tuple(talk.written))


def release(tools: Toolbox) -> Result:
    """Bring back what is ours of the stance; what the owner changed meanwhile is left as it is."""
    with conversation(tools, releasing=True) as talk:
        if waiting := _in_other_hands(talk):
            return waiting
        lease.end(talk)
        target = holding.rest(tools, talk.memory)
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
        lease.end(talk)
        memory = talk.memory
        if talk.seen.powers is None and not memory.owned:
            raise Unreachable("Tesla does not say whether Storm Watch or a power cut has the battery", service=TESLA)
        everything = tools.config.control.restore == "resting"
        target = holding.rest(tools, replace(memory, rate_plan_missing=False))
        talk.bring_to(target, mode=everything or memory.owns_mode, reserve=everything or memory.owns_reserve)
        return _let_go(talk, by_hand=False, rested_at=tools.now)


def _in_other_hands(talk: Conversation) -> Result | None:
    powers = sorted(talk.read().powers or ())
    if talk.seen.leased_until and not lease.is_ours(talk):
        powers.append(Power.MAX_BACKUP)
    if not powers:
        return None
    talk.tools.tesla_done = True
    return Result(Ending.WAITING, talk.seen, power=powers[0])


def _disown_changed(talk: Conversation, wanted: Stance) -> bool:
    """Give up the values that the owner changed; whether there were any."""
    mode, reserve = changed_by_hand(talk.memory, talk.seen, wanted)
    _disown(talk, mode=mode, reserve=reserve)
    return mode or reserve


def _disown(talk: Conversation, *, mode: bool, reserve: bool) -> None:
    memory, seen = talk.memory, talk.seen
    if mode:
        memory = replace(memory, owns_mode=False, confirmed_mode=seen.mode)
    if reserve:
        memory = replace(memory, owns_reserve=False, confirmed_reserve_pct=round(seen.reserve_pct or 0))
    talk.remember(memory if memory.owned else replace(memory, owned_since=None, before=None))


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

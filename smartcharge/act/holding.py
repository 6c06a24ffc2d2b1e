"""What it means in this house to hold the battery, to fill it or to keep it as it is, and what to let it rest."""

from datetime import datetime

from msgspec.structs import replace

from smartcharge.act.words import stance as in_words
from smartcharge.core.preserve import preserved, preserving
from smartcharge.core.stance import (
    AUTONOMOUS,
    BACKUP,
    FULL_PCT,
    SELF_CONSUMPTION,
    BatteryMemory,
    BatteryReading,
    Stance,
    Write,
)
from smartcharge.errors import Unreachable
from smartcharge.toolbox import Toolbox

FILLING = Stance(BACKUP, FULL_PCT)
RESTS = {AUTONOMOUS, SELF_CONSUMPTION}
"""Modes that may be returned to; whatever else was found before is not one that Tesla lets us ask for."""


def wanted(tools: Toolbox, memory: BatteryMemory, seen: BatteryReading) -> Stance:
    """The holding stance; what is preserved is settled by the reading taken at entry, and stays for the whole hold."""
    if _fills(tools):
        return FILLING
    stance = preserved(memory) or preserving(seen)
    if stance is None:
        raise Unreachable("Tesla does not tell the state of energy, which is to be preserved", service="tesla")
    return stance


def lease(tools: Toolbox, until: datetime) -> Write | None:
    """The same as a command to a gateway that ends it by itself; None where what is wanted cannot be had so."""
    return Write(FILLING.mode, FILLING.reserve_pct, until=until) if _fills(tools) else None


def is_confirmed(tools: Toolbox, memory: BatteryMemory, until: datetime) -> bool:
    """Whether the battery is ours and known to hold, and will until then."""
    lasts = memory.leased_until is None or until <= memory.leased_until
    holds = memory.confirms(FILLING) if _fills(tools) else preserved(memory) is not None
    return memory.owned and holds and lasts


def in_view(tools: Toolbox) -> str:
    """The holding stance in words, before the battery has been read."""
    return in_words(FILLING) if _fills(tools) else "self-powered, reserve at its state of energy"


def rest(tools: Toolbox, memory: BatteryMemory) -> Stance:
    """Where the battery belongs: the configured rest, or exactly what was there before."""
    before = memory.before if tools.config.control.restore == "previous" else None
    target = before if before and before.mode in RESTS else tools.resting
    return replace(target, mode=SELF_CONSUMPTION) if memory.rate_plan_missing else target


def _fills(tools: Toolbox) -> bool:
    return tools.config.control.hold == "backup"

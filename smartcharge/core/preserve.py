"""Holding without filling: the battery gives nothing to the car, and takes nothing from the grid."""

from math import floor

from smartcharge.core.stance import CLAMPED_PCT, FULL_PCT, SELF_CONSUMPTION, BatteryMemory, BatteryReading, Stance


def preserving(reading: BatteryReading) -> Stance | None:
    """The stance that keeps the battery as it is; None where its state of energy is not known.

    Self-powered, with the reserve at the state of energy, but never below the reserve that was found. Above
    80 % there is only 100 % that Tesla takes and that lets nothing out: then the battery is filled to the top.
    """
    if reading.soe_pct is None or reading.reserve_pct is None:
        return None
    found = round(reading.reserve_pct)
    wanted = max(floor(reading.soe_pct), found)
    return Stance(SELF_CONSUMPTION, wanted if wanted <= CLAMPED_PCT or wanted == found else FULL_PCT)


def preserved(memory: BatteryMemory) -> Stance | None:
    """The stance in which the battery is being preserved, as it was last read back; None where it is not."""
    if not memory.owned or memory.in_doubt_since or memory.confirmed_mode != SELF_CONSUMPTION:
        return None
    if memory.confirmed_reserve_pct is None:
        return None
    return Stance(SELF_CONSUMPTION, memory.confirmed_reserve_pct)

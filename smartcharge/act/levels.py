"""How full the house battery was, kept wherever it was read anyway: the ledger counts what flowed into it."""

from smartcharge.core.stance import BatteryReading
from smartcharge.errors import Busy, DatabaseRefused
from smartcharge.store import readings, transaction
from smartcharge.toolbox import Toolbox


def keep(tools: Toolbox, seen: BatteryReading, *, releasing: bool) -> None:
    """Write a reading down; a release goes on without where that is not possible.

    A battery in other hands while it is to be released is looked at every minute, and what fills it then is none
    of our doing: that is not kept.
    """
    if seen.soe_pct is None or (releasing and seen.powers):
        return
    try:
        with transaction(tools.db):
            readings.record_battery(tools.db, tools.now, seen.soe_pct, seen.capacity_kwh)
    except (Busy, DatabaseRefused) as refused:
        if not releasing:
            raise
        tools.exit_codes.append(refused.exit_code)
        tools.detail(f"smartcharge: {refused}")

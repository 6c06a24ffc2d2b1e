"""What a Powerwall 3's gateway answers, as core values; what is missing or odd stays unknown.

Names of the fields: https://github.com/jasonacox/pypowerwall, pypowerwall/tedapi/__init__.py.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from smartcharge.adapters._powerwall_answers import pct
from smartcharge.adapters._powerwall_facts import capacity_in
from smartcharge.core.stance import BACKUP, FULL_PCT, BatteryReading, Power, Stance

LOWEST_PCT, SCALE = 5, 0.95
"""The gateway counts from the bottom of the battery: its figure is 0.95 times the app's, plus 5."""
EXACT_TO_PCT = 2.0
"""The 5 are not the same on every system, so it may read a point or two off (https://github.com/bolagnaise/PowerSync)."""
ISLANDED = "SystemIslandedActive"
"""The library's word for a house without the grid."""


def stance(config: Mapping[str, object], events: Mapping[str, object], now: datetime) -> BatteryReading:
    """How the gateway acts: a manual backup event that is not over outranks its settings."""
    mode = config.get("default_real_mode")
    reserve_pct = _app_pct(section(config, "site_info").get("backup_reserve_percent"))
    found = BatteryReading(
        mode if isinstance(mode, str) and mode else None, reserve_pct, powers=None, exact_to_pct=EXACT_TO_PCT
    )
    until = _end(section(events, "manual_backup"))
    if found.mode is None or found.reserve_pct is None or until is None or until <= now:
        return found
    beneath = Stance(found.mode, round(found.reserve_pct))
    return BatteryReading(BACKUP, FULL_PCT, powers=None, exact_to_pct=EXACT_TO_PCT, leased_until=until, beneath=beneath)


def powers(grid: object, events: Mapping[str, object], now: datetime) -> frozenset[Power] | None:
    """The outside powers at work; None where the gateway does not know about the grid. It never tells of grid services.

    grid: the library's word. events: those that Tesla schedules are Storm Watch's.
    """
    if not isinstance(grid, str):
        return None
    scheduled = events.get("backup_events")
    listed = [each for each in scheduled if isinstance(each, Mapping)] if isinstance(scheduled, list) else []
    stormy = any(_has_begun(each, now) and (end := _end(each)) is not None and now < end for each in listed)
    active = {Power.STORM_WATCH: stormy, Power.OFF_GRID: grid == ISLANDED}
    return frozenset(power for power, is_active in active.items() if is_active)


def charge(status: object) -> tuple[float | None, float | None]:
    """The state of energy as the app shows it (0-100 %), and what the battery holds when full (kWh)."""
    pack = section(section(status, "control"), "systemStatus")
    full_wh, left_wh = pack.get("nominalFullPackEnergyWh"), pack.get("nominalEnergyRemainingWh")
    capacity_kwh = capacity_in({"total_pack_energy": full_wh})
    if capacity_kwh is None or isinstance(left_wh, bool) or not isinstance(left_wh, int | float):
        return None, capacity_kwh
    return _app_pct(left_wh / capacity_kwh / 10), capacity_kwh


def section(holder: object, name: str) -> Mapping[str, object]:
    """A part of an answer; an empty one where it is missing or something else."""
    found = holder.get(name) if isinstance(holder, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _app_pct(raw_pct: object) -> float | None:
    """A figure of the gateway as the app shows it; what lies just outside of the scale lies at its end."""
    if (found := pct(raw_pct)) is None:
        return None
    return min(max((found - LOWEST_PCT) / SCALE, 0.0), float(FULL_PCT))


def _has_begun(event: Mapping[str, object], now: datetime) -> bool:
    start_s = event.get("start_time")
    return isinstance(start_s, int) and start_s <= now.timestamp()


def _end(event: Mapping[str, object]) -> datetime | None:
    start_s, lasts_s = event.get("start_time"), event.get("duration_seconds")
    if not isinstance(start_s, int) or not isinstance(lasts_s, int):
        return None
    return datetime.fromtimestamp(start_s + lasts_s, UTC)

"""What Tesla's servers answer about an energy site, as core values; what is missing or odd stays unknown.

The owner API and the Fleet API give the same fields: https://developer.tesla.com/docs/fleet-api/endpoints/energy.
"""

from collections.abc import Mapping

from smartcharge.adapters._powerwall_facts import capacity_in
from smartcharge.core.stance import FULL_PCT, BatteryReading, Power


def response(answer: object) -> Mapping[str, object] | None:
    """What an answer holds; None where it holds nothing that can be read."""
    inner = answer.get("response") if isinstance(answer, Mapping) else None
    return inner if isinstance(inner, Mapping) else None


def reading(site: Mapping[str, object], live: Mapping[str, object] | None) -> BatteryReading:
    """Put the settings and the live state together; without the live state, what only that tells is None."""
    return BatteryReading(
        mode=_mode(site),
        reserve_pct=pct(site.get("backup_reserve_percent")),
        soe_pct=None if live is None else pct(live.get("percentage_charged")),
        powers=None if live is None else _powers(live),
        capacity_kwh=None if live is None else capacity_in(live),
    )


def pct(value: object) -> float | None:
    """A percentage as it should be; None for anything else, so that a gap is never taken for an empty battery."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= FULL_PCT else None


def _mode(site: Mapping[str, object]) -> str | None:
    mode = site.get("default_real_mode")
    return mode if isinstance(mode, str) and mode else None


def _powers(live: Mapping[str, object]) -> frozenset[Power]:
    """The outside powers at work; a key that is missing tells of none."""
    island = live.get("island_status")
    active = {
        Power.STORM_WATCH: live.get("storm_mode_active") is True,
        Power.GRID_SERVICES: live.get("grid_services_active") is True,
        Power.OFF_GRID: isinstance(island, str) and island.startswith("off_grid"),
    }
    return frozenset(power for power, is_active in active.items() if is_active)

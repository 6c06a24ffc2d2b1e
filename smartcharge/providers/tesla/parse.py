"""What Tesla's servers answer about an energy site, as core values; what is missing or odd stays unknown.

The owner API and the Fleet API give the same fields: https://developer.tesla.com/docs/fleet-api/endpoints/energy.
"""

from collections.abc import Mapping

from smartcharge.policy.battery import FULL_RESERVE_PCT, BatteryFacts, BatteryReading, Lockout
from smartcharge.text import clean_text

MAX_SITE_TEXT_LENGTH = 60
PLAUSIBLE_PACK_WH = (1_000, 1_000_000)
"""From less than one Powerwall to more than any house has; beyond this a figure is no pack of batteries."""


def parse_battery_facts(site: Mapping[str, object], *, sites: int) -> BatteryFacts:
    """Read the settings of one site; sites: how many there are with a battery."""
    components, settings = _get_mapping(site, "components"), _get_mapping(site, "user_settings")
    is_grid_charging_disallowed = _parse_flag(components.get("disallow_charge_from_grid_with_solar_installed", False))
    tariff = site.get("tariff_content")
    return BatteryFacts(
        site=clean_text(site.get("site_name"), MAX_SITE_TEXT_LENGTH),
        sites=sites,
        firmware=clean_text(site.get("version"), MAX_SITE_TEXT_LENGTH),
        grid_charging=None
        if is_grid_charging_disallowed is None or not components
        else not is_grid_charging_disallowed,
        rate_plan=bool(tariff) if isinstance(tariff, Mapping) else None,
        storm_watch=_parse_flag(settings.get("storm_mode_enabled")),
    )


def parse_capacity_kwh(live: Mapping[str, object]) -> float | None:
    """What the batteries hold when full (kWh), of the live state; it shrinks a little every year."""
    pack_wh = live.get("total_pack_energy")
    if isinstance(pack_wh, bool) or not isinstance(pack_wh, int | float):
        return None
    smallest_wh, largest_wh = PLAUSIBLE_PACK_WH
    return pack_wh / 1000 if smallest_wh <= pack_wh <= largest_wh else None


def _get_mapping(site: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = site.get(name)
    return section if isinstance(section, Mapping) else {}


def _parse_flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def unwrap_response(answer: object) -> Mapping[str, object] | None:
    """What an answer holds; None where it holds nothing that can be read."""
    inner = answer.get("response") if isinstance(answer, Mapping) else None
    return inner if isinstance(inner, Mapping) else None


def parse_battery_reading(site: Mapping[str, object], live: Mapping[str, object] | None) -> BatteryReading:
    """Put the settings and the live state together; without the live state, what only that tells is None."""
    return BatteryReading(
        mode=_parse_mode(site),
        reserve_pct=parse_pct(site.get("backup_reserve_percent")),
        soe_pct=None if live is None else parse_pct(live.get("percentage_charged")),
        lockouts=None if live is None else _parse_lockouts(live),
        capacity_kwh=None if live is None else parse_capacity_kwh(live),
    )


def parse_pct(value: object) -> float | None:
    """A percentage as it should be; None for anything else, so that a gap is never taken for an empty battery."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= FULL_RESERVE_PCT else None


def _parse_mode(site: Mapping[str, object]) -> str | None:
    mode = site.get("default_real_mode")
    return mode if isinstance(mode, str) and mode else None


def _parse_lockouts(live: Mapping[str, object]) -> frozenset[Lockout]:
    """The outside powers at work; a key that is missing tells of none."""
    island_status = live.get("island_status")
    active = {
        Lockout.STORM_WATCH: live.get("storm_mode_active") is True,
        Lockout.GRID_SERVICES: live.get("grid_services_active") is True,
        Lockout.OFF_GRID: isinstance(island_status, str) and island_status.startswith("off_grid"),
    }
    return frozenset(power for power, is_active in active.items() if is_active)

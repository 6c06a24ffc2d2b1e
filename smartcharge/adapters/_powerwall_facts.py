"""What Tesla's settings tell beside the stance, for people; what is missing or odd stays unknown.

Names of the fields: https://github.com/jasonacox/pypowerwall, pypowerwall/cloud/pypowerwall_cloud.py.
"""

from collections.abc import Mapping

from smartcharge.core.stance import BatteryFacts

MOST_LETTERS = 60
PACKS_WH = (1_000, 1_000_000)
"""From less than one Powerwall to more than any house has; beyond this a figure is no pack of batteries."""


def facts_in(site: Mapping[str, object], *, sites: int) -> BatteryFacts:
    """Read the settings of one site; sites: how many there are with a battery."""
    components, settings = _section(site, "components"), _section(site, "user_settings")
    barred = _flag(components.get("disallow_charge_from_grid_with_solar_installed", False))
    tariff = site.get("tariff_content")
    return BatteryFacts(
        site=_words(site.get("site_name")),
        sites=sites,
        firmware=_words(site.get("version")),
        grid_charging=None if barred is None or not components else not barred,
        rate_plan=bool(tariff) if isinstance(tariff, Mapping) else None,
        storm_watch=_flag(settings.get("storm_mode_enabled")),
    )


def capacity_in(live: Mapping[str, object]) -> float | None:
    """What the batteries hold when full (kWh), of the live state; it shrinks a little every year."""
    pack_wh = live.get("total_pack_energy")
    if isinstance(pack_wh, bool) or not isinstance(pack_wh, int | float):
        return None
    smallest_wh, largest_wh = PACKS_WH
    return pack_wh / 1000 if smallest_wh <= pack_wh <= largest_wh else None


def _section(site: Mapping[str, object], name: str) -> Mapping[str, object]:
    section = site.get(name)
    return section if isinstance(section, Mapping) else {}


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _words(value: object) -> str | None:
    """Text from outside, short and on one line."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:MOST_LETTERS] if letter.isprintable()).strip() or None

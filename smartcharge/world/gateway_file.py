"""The one file that a gateway keeps its settings in, and what of it a client may change."""

import json
from copy import deepcopy
from typing import Any

from smartcharge.world.powerwall import Powerwall, Setting

MODES = ("autonomous", "backup", "self_consumption")
LOWEST_PCT, SCALE = 5, 0.95
"""The file counts the reserve from the bottom of the battery, of which the app never speaks."""


def config_blob(powerwall: Powerwall, din: str, skew_pct: float, missing: tuple[str, ...]) -> bytes:
    """Write the file as it stands. missing: names of the faults that leave something out."""
    site: dict[str, object] = {
        "site_name": "Home",
        "timezone": "Europe/London",
        "backup_reserve_percent": (powerwall.reserve_pct + skew_pct) * SCALE + LOWEST_PCT,
        "disallow_charge_from_grid_with_solar_installed": not powerwall.grid_charging,
        "battery_commission_date": "2025-03-01",
    }
    config: dict[str, object] = {"vin": din, "default_real_mode": powerwall.mode, "site_info": site, "meters": []}
    if "no-mode-field" in missing:
        del config["default_real_mode"]
    if "no-reserve-field" in missing:
        del site["backup_reserve_percent"]
    return json.dumps(config, sort_keys=True).encode()


def taken(before: bytes, after: bytes) -> list[tuple[str, Setting]] | None:
    """What a client changed in the file; None where it changed what it may not, or made nonsense of it."""
    old, new = json.loads(before), json.loads(after)
    if not isinstance(new, dict) or _rest(old) != _rest(new):
        return None
    changes: list[tuple[str, Setting]] = []
    mode, raw_pct = new.get("default_real_mode"), new["site_info"].get("backup_reserve_percent")
    if mode not in MODES or not isinstance(raw_pct, int | float) or not LOWEST_PCT <= raw_pct <= 100:  # noqa: PLR2004
        return None
    if mode != old.get("default_real_mode"):
        changes.append(("mode", mode))
    if raw_pct != old["site_info"].get("backup_reserve_percent"):
        changes.append(("reserve", round((raw_pct - LOWEST_PCT) / SCALE)))
    return changes


def _rest(config: dict[str, Any]) -> dict[str, Any]:
    """The file without what may be changed."""
    rest = deepcopy(config)
    rest.pop("default_real_mode", None)
    rest.get("site_info", {}).pop("backup_reserve_percent", None)
    return rest

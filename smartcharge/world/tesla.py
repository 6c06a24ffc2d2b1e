"""Tesla's owner API for energy sites, stricter than the original: what it cannot mean, it refuses."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartcharge.world.faults import Trouble
from smartcharge.world.house import House
from smartcharge.world.powerwall import CAPACITY_KWH, Powerwall, Setting
from smartcharge.world.tesla_sign_in import TeslaSignIn
from smartcharge.world.wire import Asked, Reply, json_reply

HOST = "owner-api.teslamotors.com"
MODES = ("autonomous", "backup", "self_consumption")
SITES = "/api/1/energy_sites/"
CLAMPED_PCT = 80
FULL_PCT = 100
DROPS_MODE_MS = 5000.0
LATE_S = 300.0


@dataclass(slots=True)
class Site:
    """An energy site of the account."""

    site_id: int
    name: str
    gateway_id: str
    powerwall: Powerwall = field(default_factory=Powerwall)


class TeslaCloud:
    """The owner API of one account: its sites, and a solar product where `has_solar`."""

    name = "tesla"

    def __init__(self, house: House, sign_in: TeslaSignIn, trouble: Trouble) -> None:
        self.sites = [Site(house.site_id, "Home", house.gateway_id)]
        self.has_solar = False
        self._sign_in = sign_in
        self._trouble = trouble
        self._reserve_written_s: dict[int, float] = {}
        self._forgotten: set[int] = set()

    def add_site(self) -> Site:
        """Give the account one more site, listed first, so that a careless client takes it."""
        site = Site(self.sites[0].site_id + 1, "Holiday house", "1232100-00-E--TG0000000000P2")
        self.sites.insert(0, site)
        return site

    def operation(self, asked: Asked) -> str:
        """The last word of the path: products, site_info, operation and so on."""
        return asked.path.rpartition("/")[2]

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve one request of a signed-in client."""
        if reason := self._sign_in.refusal(asked.headers.get("authorization", ""), now):
            return json_reply({"response": None, "error": reason, "error_description": ""}, 401)
        return self.serve(asked, now)

    def serve(self, asked: Asked, now: datetime) -> Reply:
        """Serve one request, of whomever it may be."""
        if (asked.method, asked.path) == ("GET", "/api/1/products"):
            return json_reply({"response": self._products(), "count": len(self.sites)})
        number, _, what = asked.path.removeprefix(SITES).partition("/")
        site = next((each for each in self.sites if str(each.site_id) == number), None)
        if site is None or not asked.path.startswith(SITES) or not self._serves(site):
            return _refused(404, "not_found")
        if asked.method == "GET":
            return self._read(site, what, now)
        return self._write(site, what, asked, now)

    def _serves(self, site: Site) -> bool:
        """Whether a site's own address is good; one that is forgotten leaves the list after the first 404."""
        if self._trouble.strikes(self.name, "site-forgotten", site.name):
            self._forgotten.add(site.site_id)
            return False
        return not self._trouble.strikes(self.name, "site-gone", site.name)

    def _lists(self, site: Site) -> bool:
        if not self._trouble.strikes(self.name, "site-forgotten", site.name):
            self._forgotten.discard(site.site_id)
        return site.site_id not in self._forgotten and not self._trouble.strikes(self.name, "site-gone", site.name)

    def _products(self) -> list[dict[str, object]]:
        listed: list[dict[str, object]] = [
            {
                "energy_site_id": site.site_id,
                "resource_type": "battery",
                "site_name": site.name,
                "id": f"STE{site.site_id}",
                "gateway_id": site.gateway_id,
                "percentage_charged": site.powerwall.soe_pct,
                "battery_type": "ac_powerwall",
                "backup_capable": True,
            }
            for site in self.sites
            if self._lists(site)
        ]
        if self.has_solar:
            listed.append(
                {"energy_site_id": 2252099999, "resource_type": "solar", "id": "S1", "solar_type": "pv_panel"}
            )
        return listed

    def _read(self, site: Site, what: str, now: datetime) -> Reply:
        known = {"site_info": self._site_info, "site_status": _site_status, "live_status": self._live_status}
        if what not in known:
            return _refused(404, "not_found")
        if self._trouble.strikes(self.name, "response-null", what):
            return json_reply({"response": None})
        return json_reply({"response": known[what](site, now)})

    def _site_info(self, site: Site, now: datetime) -> dict[str, object]:
        powerwall = site.powerwall
        powerwall.settle(now)
        info: dict[str, object] = {
            "id": site.gateway_id,
            "site_name": site.name,
            "backup_reserve_percent": powerwall.reserve_pct,
            "default_real_mode": powerwall.mode,
            "user_settings": {"storm_mode_enabled": True},
            "components": {
                "battery": True,
                "disallow_charge_from_grid_with_solar_installed": not powerwall.grid_charging,
                "customer_preferred_export_rule": "pv_only",
            },
            "version": "26.18.1 pretend",
            "battery_count": 1,
            "installation_time_zone": "Europe/London",
            "tariff_content": {"name": "Night rate", "utility": "Pretend Energy"} if powerwall.has_rate_plan else {},
        }
        powerwall.count_read(now)
        if self._trouble.strikes(self.name, "no-reserve-field"):
            del info["backup_reserve_percent"]
        if self._trouble.strikes(self.name, "no-mode-field"):
            del info["default_real_mode"]
        return info

    def _live_status(self, site: Site, now: datetime) -> dict[str, object]:
        powerwall = site.powerwall
        off_grid = self._trouble.strikes(self.name, "off-grid") is not None
        return {
            **_site_status(site, now),
            "solar_power": 0,
            "load_power": round(powerwall.load_w),
            "grid_power": round(powerwall.load_w - powerwall.battery_w),
            "grid_status": "Inactive" if off_grid else "Active",
            "island_status": "off_grid" if off_grid else "on_grid",
            "storm_mode_active": self._trouble.strikes(self.name, "storm") is not None,
            "grid_services_active": self._trouble.strikes(self.name, "grid-services") is not None,
            "grid_services_power": 0,
            "generator_power": 0,
            "timestamp": now.isoformat(timespec="seconds"),
            "wall_connectors": [],
        }

    def _write(self, site: Site, what: str, asked: Asked, now: datetime) -> Reply:
        fields = asked.fields()
        if what == "backup":
            return self._write_reserve(site, fields.get("backup_reserve_percent"), asked, now)
        if what == "operation":
            return self._write_mode(site, fields.get("default_real_mode"), asked, now)
        if what == "grid_import_export":
            barred = fields.get("disallow_charge_from_grid_with_solar_installed")
            return self._accept(site, "grid_charging", barred is not True, now)
        return _refused(404, "not_found")

    def _write_reserve(self, site: Site, value: object, asked: Asked, now: datetime) -> Reply:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return _refused(400, "backup_reserve_percent must be a whole number")
        if value > FULL_PCT:
            return _refused(500, "internal server error")
        self._reserve_written_s[site.site_id] = asked.arrived_s
        takes_full = value == FULL_PCT and not self._trouble.strikes(self.name, "clamps-reserve")
        return self._accept(site, "reserve", value if takes_full else min(value, CLAMPED_PCT), now)

    def _write_mode(self, site: Site, value: object, asked: Asked, now: datetime) -> Reply:
        if not isinstance(value, str) or value not in MODES:
            return _refused(400, "invalid default_real_mode")
        no_plan = not site.powerwall.has_rate_plan or self._trouble.strikes(self.name, "no-rate-plan")
        if value == "autonomous" and no_plan:
            return _refused(410, "Gone")
        since_ms = 1000 * (asked.arrived_s - self._reserve_written_s.get(site.site_id, float("-inf")))
        drops = self._trouble.strikes(self.name, "drops-mode")
        if drops and since_ms < (DROPS_MODE_MS if drops.amount is None else drops.amount):
            return _UPDATED
        return self._accept(site, "mode", value, now)

    def _accept(self, site: Site, kind: str, value: Setting, now: datetime) -> Reply:
        if self._trouble.strikes(self.name, "error-body", kind):
            return json_reply({"response": {"code": 500, "message": "Update failed"}})
        late = self._trouble.strikes(self.name, "late", kind)
        delay_s = (LATE_S if late.amount is None else late.amount) if late else 0.0
        if self._trouble.strikes(self.name, "ignores-writes", kind):
            delay_s = timedelta(days=999).total_seconds()
        site.powerwall.command(kind, value, now, delay_s)
        return _UPDATED


def _site_status(site: Site, _now: datetime) -> dict[str, object]:
    powerwall = site.powerwall
    return {
        "resource_type": "battery",
        "site_name": site.name,
        "gateway_id": site.gateway_id,
        "energy_left": CAPACITY_KWH * 10 * powerwall.soe_pct,
        "total_pack_energy": CAPACITY_KWH * 1000,
        "percentage_charged": powerwall.soe_pct,
        "battery_type": "ac_powerwall",
        "backup_capable": True,
        "battery_power": round(powerwall.battery_w),
    }


_UPDATED = json_reply({"response": {"code": 201, "message": "Updated"}})


def _refused(status: int, error: str) -> Reply:
    return json_reply({"response": None, "error": error, "error_description": ""}, status)

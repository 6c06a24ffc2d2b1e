"""Tesla's token endpoint: access tokens for eight hours, refresh tokens good for one use."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartcharge.simulator.faults import ActiveFaults
from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, json_reply
from smartcharge.simulator.powerwall import CAPACITY_KWH, SettingValue, SimulatedPowerwall
from smartcharge.simulator.tokens import RefreshTokenRotation, is_token_expired, sign_jwt, verify_jwt

TESLA_AUTH_HOST = "auth.tesla.com"
TESLA_TOKEN_LIFETIME = timedelta(hours=8)
OWNER_AUDIENCE = "https://owner-api.teslamotors.com/"
FLEET_AUDIENCE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
OWNER_CLIENT_ID = "ownerapi"


class TeslaAuthServer:
    """The sign-in of the Tesla account."""

    name = "tesla-auth"

    def __init__(self, house: SimulatedHouse, active_faults: ActiveFaults) -> None:
        self._active_faults = active_faults
        self._audiences = {OWNER_CLIENT_ID: OWNER_AUDIENCE, house.fleet_client_id: FLEET_AUDIENCE}
        self._rotations = {
            client: RefreshTokenRotation(revokes_family=False, prefix="EU_") for client in self._audiences
        }
        self._key = secrets.token_bytes(32)

    def issue(self, now: datetime, client: str = OWNER_CLIENT_ID) -> dict[str, object]:
        """A first pair of tokens, as the owner's browser sign-in yields them for an application."""
        return self._pair(client, self._rotations[client].issue(), now)

    def refusal(self, authorization: str, now: datetime, audience: str = OWNER_AUDIENCE) -> str | None:
        """Why this Authorization header is refused where it was sent; None where it is good."""
        claims = verify_jwt(authorization.removeprefix("Bearer "), self._key)
        if claims is None or audience not in str(claims["aud"]):
            return "invalid bearer token"
        return "token expired (401)" if is_token_expired(claims, now) else None

    def operation(self, request: HttpRequest) -> str:
        """The grant asked for, or the page's name."""
        return str(request.fields().get("grant_type", request.path.rpartition("/")[2]))

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve `/oauth2/v3/token`."""
        fields = request.fields()
        if (request.method, request.path) != ("POST", "/oauth2/v3/token"):
            return json_reply({"error": "not_found"}, 404)
        client = str(fields.get("client_id"))
        if client not in self._rotations:
            return json_reply({"error": "invalid_client"}, 401)
        spent = fields.get("grant_type") != "refresh_token" or self._active_faults.trigger(self.name, "login-required")
        successor = None if spent else self._rotations[client].redeem(str(fields.get("refresh_token", "")))
        if successor is None:
            told = {"error": "login_required", "error_description": "The refresh_token is invalid"}
            return json_reply(told, 401)
        return json_reply(self._pair(client, successor, now))

    def _pair(self, client: str, refresh: str, now: datetime) -> dict[str, object]:
        claims: dict[str, object] = {
            "iss": "https://auth.tesla.com/oauth2/v3",
            "aud": [self._audiences[client], "https://auth.tesla.com/oauth2/v3/userinfo"],
            "iat": int(now.timestamp()),
            "exp": int((now + TESLA_TOKEN_LIFETIME).timestamp()),
            "jti": secrets.token_hex(8),
        }
        return {
            "access_token": sign_jwt(claims, self._key),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": int(TESLA_TOKEN_LIFETIME.total_seconds()),
        }


OWNER_API_HOST = "owner-api.teslamotors.com"
OPERATION_MODES = ("autonomous", "backup", "self_consumption")
SITES_PATH = "/api/1/energy_sites/"
CLAMPED_RESERVE_PCT = 80
FULL_RESERVE_PCT = 100
DROPS_MODE_WITHIN_MS = 5000.0
DEFAULT_DELAY_S = 300.0


@dataclass(slots=True)
class EnergySite:
    """An energy site of the account."""

    site_id: int
    name: str
    gateway_id: str
    powerwall: SimulatedPowerwall = field(default_factory=SimulatedPowerwall)


class TeslaOwnerApi:
    """The owner API of one account: its sites, and a solar product where `has_solar`."""

    name = "tesla"

    def __init__(self, house: SimulatedHouse, sign_in: TeslaAuthServer, active_faults: ActiveFaults) -> None:
        self.sites = [EnergySite(house.site_id, "Home", house.gateway_id)]
        self.has_solar = False
        self._sign_in = sign_in
        self._active_faults = active_faults
        self._reserve_written_s: dict[int, float] = {}
        self._forgotten: set[int] = set()

    def add_site(self) -> EnergySite:
        """Give the account one more site, listed first, so that a careless client takes it."""
        site = EnergySite(self.sites[0].site_id + 1, "Holiday house", "1232100-00-E--TG0000000000P2")
        self.sites.insert(0, site)
        return site

    def operation(self, request: HttpRequest) -> str:
        """The last word of the path: products, site_info, operation and so on."""
        return request.path.rpartition("/")[2]

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve one request of a signed-in client."""
        if reason := self._sign_in.refusal(request.headers.get("authorization", ""), now):
            return json_reply({"response": None, "error": reason, "error_description": ""}, 401)
        return self.serve(request, now)

    def serve(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve one request, of whomever it may be."""
        if (request.method, request.path) == ("GET", "/api/1/products"):
            return json_reply({"response": self._products(), "count": len(self.sites)})
        number, _, resource = request.path.removeprefix(SITES_PATH).partition("/")
        site = next((each for each in self.sites if str(each.site_id) == number), None)
        if site is None or not request.path.startswith(SITES_PATH) or not self._serves(site):
            return _error_reply(404, "not_found")
        if request.method == "GET":
            return self._read(site, resource, now)
        return self._write(site, resource, request, now)

    def _serves(self, site: EnergySite) -> bool:
        """Whether a site's own address is good; one that is forgotten leaves the list after the first 404."""
        if self._active_faults.trigger(self.name, "site-forgotten", site.name):
            self._forgotten.add(site.site_id)
            return False
        return not self._active_faults.trigger(self.name, "site-gone", site.name)

    def _lists(self, site: EnergySite) -> bool:
        if not self._active_faults.trigger(self.name, "site-forgotten", site.name):
            self._forgotten.discard(site.site_id)
        return site.site_id not in self._forgotten and not self._active_faults.trigger(
            self.name, "site-gone", site.name
        )

    def _products(self) -> list[dict[str, object]]:
        order = -1 if self._active_faults.trigger(self.name, "sites-reversed") else 1
        products: list[dict[str, object]] = [
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
            for site in self.sites[::order]
            if self._lists(site)
        ]
        if self.has_solar:
            products.append(
                {"energy_site_id": 2252099999, "resource_type": "solar", "id": "S1", "solar_type": "pv_panel"}
            )
        return products

    def _read(self, site: EnergySite, resource: str, now: datetime) -> HttpReply:
        known = {"site_info": self._site_info, "site_status": _site_status, "live_status": self._live_status}
        if resource not in known:
            return _error_reply(404, "not_found")
        if self._active_faults.trigger(self.name, "response-null", resource):
            return json_reply({"response": None})
        return json_reply({"response": known[resource](site, now)})

    def _site_info(self, site: EnergySite, now: datetime) -> dict[str, object]:
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
        powerwall.record_read(now)
        if self._active_faults.trigger(self.name, "no-reserve-field"):
            del info["backup_reserve_percent"]
        if self._active_faults.trigger(self.name, "no-mode-field"):
            del info["default_real_mode"]
        return info

    def _live_status(self, site: EnergySite, now: datetime) -> dict[str, object]:
        powerwall = site.powerwall
        off_grid = self._active_faults.trigger(self.name, "off-grid") is not None
        return {
            **_site_status(site, now),
            "solar_power": 0,
            "load_power": round(powerwall.load_w),
            "grid_power": round(powerwall.load_w - powerwall.battery_w),
            "grid_status": "Inactive" if off_grid else "Active",
            "island_status": "off_grid" if off_grid else "on_grid",
            "storm_mode_active": self._active_faults.trigger(self.name, "storm") is not None,
            "grid_services_active": self._active_faults.trigger(self.name, "grid-services") is not None,
            "grid_services_power": 0,
            "generator_power": 0,
            "timestamp": now.isoformat(timespec="seconds"),
            "wall_connectors": [],
        }

    def _write(self, site: EnergySite, resource: str, request: HttpRequest, now: datetime) -> HttpReply:
        fields = request.fields()
        if resource == "backup":
            return self._write_reserve(site, fields.get("backup_reserve_percent"), request, now)
        if resource == "operation":
            return self._write_mode(site, fields.get("default_real_mode"), request, now)
        if resource == "grid_import_export":
            is_grid_charging_disallowed = fields.get("disallow_charge_from_grid_with_solar_installed")
            return self._accept(site, "grid_charging", is_grid_charging_disallowed is not True, now)
        return _error_reply(404, "not_found")

    def _write_reserve(self, site: EnergySite, value: object, request: HttpRequest, now: datetime) -> HttpReply:
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return _error_reply(400, "backup_reserve_percent must be a whole number")
        if value > FULL_RESERVE_PCT:
            return _error_reply(500, "internal server error")
        self._reserve_written_s[site.site_id] = request.arrived_s
        accepts_full_reserve = value == FULL_RESERVE_PCT and not self._active_faults.trigger(
            self.name, "clamps-reserve"
        )
        return self._accept(site, "reserve", value if accepts_full_reserve else min(value, CLAMPED_RESERVE_PCT), now)

    def _write_mode(self, site: EnergySite, value: object, request: HttpRequest, now: datetime) -> HttpReply:
        if not isinstance(value, str) or value not in OPERATION_MODES:
            return _error_reply(400, "invalid default_real_mode")
        if refusal := self._mode_refusal(site, value):
            return refusal
        if self._ignores_mode(site, value, request):
            return _UPDATED_REPLY
        return self._accept(site, "mode", value, now)

    def _mode_refusal(self, site: EnergySite, mode: str) -> HttpReply | None:
        no_plan = not site.powerwall.has_rate_plan or self._active_faults.trigger(self.name, "no-rate-plan")
        if mode == "autonomous" and no_plan:
            return _error_reply(410, "Gone")
        if mode == "backup" and self._active_faults.trigger(self.name, "refuses-backup-mode"):
            return _error_reply(400, "invalid default_real_mode")
        return None

    def _ignores_mode(self, site: EnergySite, mode: str, request: HttpRequest) -> bool:
        """Whether a mode is answered as usual and then never carried out."""
        since_ms = 1000 * (request.arrived_s - self._reserve_written_s.get(site.site_id, float("-inf")))
        drops = self._active_faults.trigger(self.name, "drops-mode")
        if drops and since_ms < (DROPS_MODE_WITHIN_MS if drops.amount is None else drops.amount):
            return True
        stays_in_backup = (site.powerwall.mode, mode) == ("backup", "autonomous")
        return stays_in_backup and bool(self._active_faults.trigger(self.name, "ignores-autonomous-from-backup"))

    def _accept(self, site: EnergySite, kind: str, value: SettingValue, now: datetime) -> HttpReply:
        if self._active_faults.trigger(self.name, "error-body", kind):
            return json_reply({"response": {"code": 500, "message": "Update failed"}})
        delay_fault = self._active_faults.trigger(self.name, "late", kind)
        delay_s = (DEFAULT_DELAY_S if delay_fault.amount is None else delay_fault.amount) if delay_fault else 0.0
        if self._active_faults.trigger(self.name, "ignores-writes", kind):
            delay_s = timedelta(days=999).total_seconds()
        site.powerwall.command(kind, value, now, delay_s)
        return _UPDATED_REPLY


def _site_status(site: EnergySite, _now: datetime) -> dict[str, object]:
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


_UPDATED_REPLY = json_reply({"response": {"code": 201, "message": "Updated"}})


def commanded_value(request: HttpRequest) -> object:
    """The setting that a request asks for; None where it is no command."""
    key = {"operation": "default_real_mode", "backup": "backup_reserve_percent"}.get(request.path.rpartition("/")[2])
    return request.fields().get(key) if request.method == "POST" and key else None


def _error_reply(status: int, error: str) -> HttpReply:
    return json_reply({"response": None, "error": error, "error_description": ""}, status)


FLEET_HOST_EUROPE = "fleet-api.prd.eu.vn.cloud.tesla.com"
FLEET_HOST_NORTH_AMERICA = "fleet-api.prd.na.vn.cloud.tesla.com"
FLEET_HOSTS = (FLEET_HOST_EUROPE, FLEET_HOST_NORTH_AMERICA)


class TeslaFleetApi:
    """The Fleet API of the same account; its sites are at home in Europe, and unknown anywhere else."""

    name = "tesla"

    def __init__(self, cloud: TeslaOwnerApi, sign_in: TeslaAuthServer) -> None:
        self._cloud = cloud
        self._sign_in = sign_in

    def operation(self, request: HttpRequest) -> str:
        """As the owner API names it."""
        return self._cloud.operation(request)

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve one request of a signed-in application."""
        if reason := self._sign_in.refusal(request.headers.get("authorization", ""), now, FLEET_AUDIENCE):
            return json_reply({"response": None, "error": reason, "error_description": ""}, 401)
        if request.host == FLEET_HOST_EUROPE:
            return self._cloud.serve(request, now)
        if request.path == "/api/1/products":
            return json_reply({"response": [], "count": 0})
        return json_reply({"response": None, "error": "not_found", "error_description": ""}, 404)

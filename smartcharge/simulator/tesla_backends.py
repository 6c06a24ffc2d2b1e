"""The ways to the battery that a house can be set up for: what its configuration says, and what lies beside it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.tesla_cloud import TESLA_AUTH_HOST

GATEWAY_KEY_FILE = "tedapi_rsa_private.pem"
"""The name that `python -m pypowerwall register` gives it."""
NEVER_EXPIRES_S = 4_102_444_800
"""The library weighs this against the wall clock, never against the simulator's."""


def tesla_config_section(house: SimulatedHouse, backend: str) -> dict[str, object]:
    """The section `tesla` of a configuration."""
    if backend == "v1r":
        at_home = {"gateway_host": house.gateway_host, "gateway_password": house.gateway_password}
        return {"backend": backend, "rsa_key_path": GATEWAY_KEY_FILE, **at_home}
    signed_in: dict[str, object] = {"backend": backend} if backend == "fleetapi" else {}
    return signed_in | {"account_email": house.tesla_email, "energy_site_id": str(house.site_id)}


def write_cloud_token_file(folder: Path, email: str, tokens: Mapping[str, object]) -> Path:
    """Write `.pypowerwall.auth` as after a sign-in."""
    sso = {**tokens, "expires_at": NEVER_EXPIRES_S}
    return _write_private_json(
        folder / ".pypowerwall.auth", {email: {"url": f"https://{TESLA_AUTH_HOST}/", "sso": sso}}
    )


def write_fleet_token_file(folder: Path, house: SimulatedHouse, tokens: Mapping[str, object], host: str) -> Path:
    """Write `.pypowerwall.fleetapi` as `python -m pypowerwall setup -fleetapi` leaves it behind."""
    application = {
        "CLIENT_ID": house.fleet_client_id,
        "CLIENT_SECRET": house.fleet_client_secret,
        "DOMAIN": "pretend.example",
        "REDIRECT_URI": "https://pretend.example/access",
        "AUDIENCE": f"https://{host}",
        "partner_token": "",
        "partner_account": {},
    }
    given = {key: tokens[key] for key in ("access_token", "refresh_token")}
    return _write_private_json(folder / ".pypowerwall.fleetapi", application | given | {"site_id": house.site_id})


def _write_private_json(path: Path, content: Mapping[str, object]) -> Path:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    return path

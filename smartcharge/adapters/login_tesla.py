"""A Tesla sign-in of the owner's own hand: tried aside, taken over where it opens the way to a Powerwall.

What was kept before stays until then, so that a wrong paste costs nothing. Which of several sites is meant is kept
where the library itself looks for it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from smartcharge.adapters._powerwall_fleet import fleet_session, products
from smartcharge.adapters._powerwall_fleet_file import BASE, EUROPE, FLEET_FILE, check_fleet
from smartcharge.adapters._powerwall_keeping import SERVICE, content, copy_good, good_copy, storing
from smartcharge.adapters._powerwall_pastes import explain_access_token, explain_refresh_token
from smartcharge.adapters._powerwall_tokens import adopt_tokens, write_tokens
from smartcharge.adapters.battery_powerwall import SITE_FILE, site_choices
from smartcharge.errors import ConfigurationRefused, SignInRefused
from smartcharge.files import write_private

__all__ = [
    "CloudSignIn",
    "FleetSignIn",
    "Site",
    "TeslaSignIn",
    "explain_access_token",
    "explain_refresh_token",
    "fleet_application",
    "prove",
    "sites_told",
]

TIMEOUT_SECONDS: Final = 5
ELSEWHERE: Final = 421
OTHER_REGION: Final = re.compile(r"https://fleet-api\.prd\.(?!eu\.).*")

Site = tuple[int, str]
"""A site's number and name."""


class TeslaSignIn(Protocol):
    """A sign-in that was just pasted, or found in the library's file. completed: what was set right in it."""

    completed: list[str]

    def write(self, folder: Path) -> None:
        """Store it as the library wants it."""

    def sites(self, folder: Path, now: datetime) -> tuple[Site, ...]:
        """Ask Tesla which sites with a Powerwall it may see; raises as entering a battery does."""

    def adopt(self, aside: Path, folder: Path) -> None:
        """Take it over from where it was tried, as the library has renewed it meanwhile."""

    def named_site(self, folder: Path) -> int | None:
        """Which site the library would take."""

    def name_site(self, folder: Path, site_id: int) -> None:
        """Let the library take this one from now on."""


class CloudSignIn:
    """Tokens for Tesla's own cloud."""

    def __init__(self, email: str, refresh_token: str, access_token: str) -> None:
        self.completed: list[str] = []
        self._email = email
        self._refresh_token = refresh_token
        self._access_token = access_token

    def write(self, folder: Path) -> None:
        """See `TeslaSignIn`."""
        write_tokens(folder, self._email, refresh_token=self._refresh_token, access_token=self._access_token)

    def sites(self, folder: Path, now: datetime) -> tuple[Site, ...]:  # noqa: ARG002  # the protocol's
        """See `TeslaSignIn`; 3 requests."""
        return site_choices(email=self._email, auth_folder=folder, timeout_seconds=TIMEOUT_SECONDS)

    def adopt(self, aside: Path, folder: Path) -> None:
        """See `TeslaSignIn`."""
        adopt_tokens(aside, folder, self._email)

    def named_site(self, folder: Path) -> int | None:
        """See `TeslaSignIn`."""
        file = folder / SITE_FILE
        told = file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else ""
        return int(told) if told.isdecimal() else None

    def name_site(self, folder: Path, site_id: int) -> None:
        """See `TeslaSignIn`."""
        write_private(folder / SITE_FILE, str(site_id).encode())


class FleetSignIn:
    """An application registered with Tesla, with its tokens; what its file lacks is completed.

    found: what the file holds; tokens: pasted ones, or none where those in the file are to be tried.
    completed: what was set right, as clauses.
    """

    def __init__(self, found: Mapping[str, object], client_id: str, tokens: tuple[str, str] | None) -> None:
        self.completed: list[str] = []
        given = dict(zip(("refresh_token", "access_token"), tokens, strict=True)) if tokens else {}
        audience, site_id = str(found.get("AUDIENCE")), found.get("site_id")
        if not BASE.fullmatch(audience) or OTHER_REGION.fullmatch(audience):
            self.completed.append(f"AUDIENCE is Tesla's server for Europe and the United Kingdom now ({EUROPE})")
            audience = EUROPE
        if isinstance(site_id, str):
            self.completed.append("site_id is a number now, not text")
        number = int(str(site_id)) if str(site_id).isdecimal() else None
        self._content = {"access_token": "", **found, "CLIENT_ID": client_id, **given}
        self._content |= {"AUDIENCE": audience, "site_id": number}

    def write(self, folder: Path) -> None:
        """See `TeslaSignIn`."""
        write_private(folder / FLEET_FILE, json.dumps(self._content, indent=4).encode())

    def sites(self, folder: Path, now: datetime) -> tuple[Site, ...]:
        """See `TeslaSignIn`; 1 request, or 2 where no site is named."""
        with fleet_session(folder, check_fleet(folder, now), TIMEOUT_SECONDS) as (powerwall, heard):
            listed = products(powerwall)
            if listed is None and heard.status() != ELSEWHERE:
                raise heard.trouble()
            batteries = [each for each in listed or () if each.get("resource_type") == "battery"]
            numbers = [(each.get("energy_site_id"), str(each.get("site_name"))) for each in batteries]
            return tuple((number, name) for number, name in numbers if isinstance(number, int))

    def adopt(self, aside: Path, folder: Path) -> None:
        """See `TeslaSignIn`."""
        write_private(folder / FLEET_FILE, (aside / FLEET_FILE).read_bytes())
        copy_good(folder / FLEET_FILE)

    def named_site(self, folder: Path) -> int | None:
        """See `TeslaSignIn`."""
        found = (content(folder / FLEET_FILE) or {}).get("site_id")
        return found if isinstance(found, int) else None

    def name_site(self, folder: Path, site_id: int) -> None:
        """See `TeslaSignIn`."""
        found = content(folder / FLEET_FILE) or self._content
        write_private(folder / FLEET_FILE, json.dumps({**found, "site_id": site_id}, indent=4).encode())
        copy_good(folder / FLEET_FILE)


def fleet_application(folder: Path) -> Mapping[str, object]:
    """What the Fleet API's file holds, or where that is damaged its last good copy; nothing where there is neither."""
    with storing(folder):
        return content(folder / FLEET_FILE) or content(good_copy(folder / FLEET_FILE)) or {}


def prove(sign_in: TeslaSignIn, folder: Path, *, site_id: str | None, place: str, now: datetime) -> tuple[Site, ...]:
    """Try a sign-in aside, take it over into `folder`, and give the sites that it opens the way to.

    site_id: the configured one, which must be among them; place: where it is configured. Raises `SignInRefused`
    or `ConfigurationRefused`, upon which nothing has changed; `Unreachable`.
    """
    with storing(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryDirectory(dir=folder, prefix=".login-") as name:
            aside = Path(name)
            sign_in.write(aside)
            sites = sign_in.sites(aside, now)
            _require_site(sites, site_id, place)
            sign_in.adopt(aside, folder)
    return sites


def sites_told(sites: Sequence[Site]) -> str:
    """The sites in one phrase."""
    return ", ".join(f"{number} ({name})" for number, name in sites)


def _require_site(sites: Sequence[Site], configured: str | None, place: str) -> None:
    if not sites:
        hint = "Sign in with the account that owns the Powerwall"
        raise SignInRefused("this Tesla account has no Powerwall; nothing was changed", hint=hint, service=SERVICE)
    if configured and int(configured) not in [number for number, _ in sites]:
        raise ConfigurationRefused(
            "names no Powerwall of this Tesla account; nothing was changed",
            place=place,
            key="tesla.energy_site_id",
            right=f"It should be one of {sites_told(sites)}.",
        )

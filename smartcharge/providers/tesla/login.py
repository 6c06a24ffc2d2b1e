"""A Tesla sign-in of the owner's own hand: tried aside, taken over where it opens the way to a Powerwall.

What was kept before stays until then, so that a wrong paste costs nothing. Which of several sites is meant is kept
where the library itself looks for it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from smartcharge.errors import ConfigurationError, SignInRefusedError
from smartcharge.files import write_private_file
from smartcharge.providers.jwt import decode_jwt_claims, has_token_expired
from smartcharge.providers.tesla.cloud import list_cloud_sites
from smartcharge.providers.tesla.fleet import list_fleet_products, open_fleet_session
from smartcharge.providers.tesla.tokens import (
    CLOUD_SITE_FILE,
    FLEET_AUTH_FILE,
    FLEET_URL_EUROPE,
    FLEET_URL_PATTERN,
    TESLA_SERVICE,
    adopt_cloud_tokens,
    check_fleet_token_file,
    last_good_copy,
    read_token_file,
    save_last_good_copy,
    translate_storage_errors,
    write_cloud_tokens,
)
from smartcharge.regular_file import read_regular_file

AUTHTOKEN_COMMAND: Final = "`python -m pypowerwall authtoken`"
TOKEN_PASTE_MISTAKES: Final = {
    r"": "nothing was pasted",
    r"https?:.*[?&]error=([a-z_]{3,40})\b.*": "that address says that the sign-in was broken off or denied",
    r"https?:.*|\S+\.\w+/\S*[?&]code=.*": "that is the address of a page, not a token",
    r"\{.*": "that is the content of a file; paste only the token in it",
    r"v1\.\S*|[0-9a-f]{64}|sk_live_\w+": "that is a token of your supplier's; it belongs to `smartcharge login kraken`",
    r"(\S*/)?(python[0-9.]*|pypowerwall|smartcharge|pip3?|sudo|curl|cat|echo)\s.*": (
        "that is a command; run it, then paste what it prints"
    ),
    r"[^\n]+\n.*": "that is more than one line; paste one token at a time",
    r"\S+\s.*": "that is a sentence or more than one token; paste one token at a time",
    r".*[^A-Za-z0-9._~+/=-].*": "that holds signs that no token has, such as quotation marks",
    r".{1,19}": "that is too short for a token",
}
"""By its form; the first that fits names it."""
SUPPLIER_PATTERN: Final = re.compile(r"kraken|octopus|eonnext|edf", re.IGNORECASE)


def find_refresh_token_mistake(text: str, now: datetime) -> str | None:
    """What was pasted in place of a refresh token, as one clause; None where it may well be one."""
    pasted = text.strip()
    if found := _find_paste_mistake(pasted):
        return found
    if _is_access_token(pasted):
        over = " (which has expired)" if _is_expired_token(pasted, now) else ""
        return f"that is the access token{over}; the refresh token is the other one"
    return "that refresh token has expired; make new ones" if _is_expired_token(pasted, now) else None


def find_access_token_mistake(text: str, now: datetime) -> str | None:
    """What was pasted in place of an access token, as one clause; None where it may well be one, or none is given."""
    pasted = text.strip()
    if not pasted:
        return None
    if found := _find_paste_mistake(pasted):
        return found
    if re.match(r"(EU|NA|CN)_", pasted) or "/oauth2/v3/token" in str(decode_jwt_claims(pasted).get("aud", "")):
        return "that is a refresh token; the access token is the other one"
    return (
        f"that access token has expired; make new ones with {AUTHTOKEN_COMMAND}"
        if _is_expired_token(pasted, now)
        else None
    )


def _find_paste_mistake(pasted: str) -> str | None:
    """What it is by its form, or by the maker that it names."""
    told = decode_jwt_claims(pasted)
    if SUPPLIER_PATTERN.search(f"{told.get('iss')} {told.get('aud')}"):
        return "that is a token of your supplier's; it belongs to `smartcharge login kraken`"
    return next(
        (meaning for form, meaning in TOKEN_PASTE_MISTAKES.items() if re.fullmatch(form, pasted, re.DOTALL)), None
    )


def _is_access_token(token: str) -> bool:
    """Whether it is a JWT made for Tesla's services; a refresh token names the token endpoint, or is none."""
    audience = str(decode_jwt_claims(token).get("aud", ""))
    return bool(audience) and "/oauth2/v3/token" not in audience


def _is_expired_token(token: str, now: datetime) -> bool:
    return has_token_expired(decode_jwt_claims(token).get("exp"), now)


LOGIN_TIMEOUT_SECONDS: Final = 5
HTTP_MISDIRECTED: Final = 421
OTHER_REGION_URL_PATTERN: Final = re.compile(r"https://fleet-api\.prd\.(?!eu\.).*")

TeslaSite = tuple[int, str]
"""A site's number and name."""


class TeslaSignIn(Protocol):
    """A sign-in that was just pasted, or found in the library's file. completed: what was set right in it."""

    completed: list[str]

    def write(self, folder: Path) -> None:
        """Store it as the library wants it."""

    def sites(self, folder: Path, now: datetime) -> tuple[TeslaSite, ...]:
        """Ask Tesla which sites with a Powerwall it may see; raises as entering a battery does."""

    def adopt(self, aside: Path, folder: Path) -> None:
        """Take it over from where it was tried, as the library has renewed it meanwhile."""

    def get_selected_site(self, folder: Path) -> int | None:
        """Which site the library would take."""

    def select_site(self, folder: Path, site_id: int) -> None:
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
        write_cloud_tokens(folder, self._email, refresh_token=self._refresh_token, access_token=self._access_token)

    def sites(self, folder: Path, now: datetime) -> tuple[TeslaSite, ...]:  # noqa: ARG002  # the protocol's
        """See `TeslaSignIn`; 3 requests."""
        return list_cloud_sites(email=self._email, auth_folder=folder, timeout_seconds=LOGIN_TIMEOUT_SECONDS)

    def adopt(self, aside: Path, folder: Path) -> None:
        """See `TeslaSignIn`."""
        adopt_cloud_tokens(aside, folder, self._email)

    def get_selected_site(self, folder: Path) -> int | None:
        """See `TeslaSignIn`."""
        with suppress(OSError, ValueError):
            return int(read_regular_file(folder / CLOUD_SITE_FILE))
        return None

    def select_site(self, folder: Path, site_id: int) -> None:
        """See `TeslaSignIn`."""
        write_private_file(folder / CLOUD_SITE_FILE, str(site_id).encode())


class FleetSignIn:
    """An application registered with Tesla, with its tokens; what its file lacks is completed.

    found: what the file holds; tokens: pasted ones, or none where those in the file are to be tried.
    completed: what was set right, as clauses.
    """

    def __init__(self, found: Mapping[str, object], client_id: str, tokens: tuple[str, str] | None) -> None:
        self.completed: list[str] = []
        given = dict(zip(("refresh_token", "access_token"), tokens, strict=True)) if tokens else {}
        audience, site_id = str(found.get("AUDIENCE")), found.get("site_id")
        if not FLEET_URL_PATTERN.fullmatch(audience) or OTHER_REGION_URL_PATTERN.fullmatch(audience):
            self.completed.append(
                f"AUDIENCE is Tesla's server for Europe and the United Kingdom now ({FLEET_URL_EUROPE})"
            )
            audience = FLEET_URL_EUROPE
        if isinstance(site_id, str):
            self.completed.append("site_id is a number now, not text")
        number = int(str(site_id)) if str(site_id).isdecimal() else None
        self._content = {"access_token": "", **found, "CLIENT_ID": client_id, **given}
        self._content |= {"AUDIENCE": audience, "site_id": number}

    def write(self, folder: Path) -> None:
        """See `TeslaSignIn`."""
        write_private_file(folder / FLEET_AUTH_FILE, json.dumps(self._content, indent=4).encode())

    def sites(self, folder: Path, now: datetime) -> tuple[TeslaSite, ...]:
        """See `TeslaSignIn`; 1 request, or 2 where no site is named."""
        with open_fleet_session(folder, check_fleet_token_file(folder, now), LOGIN_TIMEOUT_SECONDS) as (
            powerwall,
            captured,
        ):
            listed = list_fleet_products(powerwall)
            if listed is None and captured.status() != HTTP_MISDIRECTED:
                raise captured.error()
            batteries = [each for each in listed or () if each.get("resource_type") == "battery"]
            numbers = [(each.get("energy_site_id"), str(each.get("site_name"))) for each in batteries]
            return tuple((number, name) for number, name in numbers if isinstance(number, int))

    def adopt(self, aside: Path, folder: Path) -> None:
        """See `TeslaSignIn`."""
        write_private_file(folder / FLEET_AUTH_FILE, read_regular_file(aside / FLEET_AUTH_FILE))
        save_last_good_copy(folder / FLEET_AUTH_FILE)

    def get_selected_site(self, folder: Path) -> int | None:
        """See `TeslaSignIn`."""
        found = (read_token_file(folder / FLEET_AUTH_FILE) or {}).get("site_id")
        return found if isinstance(found, int) else None

    def select_site(self, folder: Path, site_id: int) -> None:
        """See `TeslaSignIn`."""
        found = read_token_file(folder / FLEET_AUTH_FILE) or self._content
        write_private_file(folder / FLEET_AUTH_FILE, json.dumps({**found, "site_id": site_id}, indent=4).encode())
        save_last_good_copy(folder / FLEET_AUTH_FILE)


def read_fleet_application(folder: Path) -> Mapping[str, object]:
    """What the Fleet API's file holds, or where that is damaged its last good copy; nothing where there is neither."""
    with translate_storage_errors(folder):
        return (
            read_token_file(folder / FLEET_AUTH_FILE) or read_token_file(last_good_copy(folder / FLEET_AUTH_FILE)) or {}
        )


def verify_sign_in(
    sign_in: TeslaSignIn, folder: Path, *, site_id: str | None, place: str, now: datetime
) -> tuple[TeslaSite, ...]:
    """Try a sign-in aside, take it over into `folder`, and give the sites that it opens the way to.

    site_id: the configured one, which must be among them; place: where it is configured. Raises `SignInRefusedError`
    or `ConfigurationError`, upon which nothing has changed; `UnreachableError`.
    """
    with translate_storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with TemporaryDirectory(dir=folder, prefix=".login-") as name:
            aside = Path(name)
            sign_in.write(aside)
            sites = sign_in.sites(aside, now)
            _require_site(sites, site_id, place)
            sign_in.adopt(aside, folder)
    return sites


def format_sites(sites: Sequence[TeslaSite]) -> str:
    """The sites in one phrase."""
    return ", ".join(f"{number} ({name})" for number, name in sites)


def _require_site(sites: Sequence[TeslaSite], configured: str | None, place: str) -> None:
    if not sites:
        fix = "Sign in with the account that owns the Powerwall"
        raise SignInRefusedError(
            "this Tesla account has no Powerwall; nothing was changed", fix=fix, service=TESLA_SERVICE
        )
    if configured and int(configured) not in [number for number, _ in sites]:
        raise ConfigurationError(
            "names no Powerwall of this Tesla account; nothing was changed",
            place=place,
            key="tesla.energy_site_id",
            right=f"Use one of {format_sites(sites)}.",
        )

"""What owners paste for a Tesla token, named by its look."""

import base64
import json
from datetime import UTC, datetime

import pytest
from tesla_token_files import GOOD_TOKENS, SECRETS

from smartcharge.providers.tesla.login import find_access_token_mistake, find_refresh_token_mistake

NOW = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
OWNER_API = ["https://owner-api.teslamotors.com/"]


def jwt(audience: object, ends_at: int | None = None, issuer: str = "https://auth.tesla.com/oauth2/v3") -> str:
    """A token that names who it is for."""
    told = {"iss": issuer, "aud": audience, **({"exp": ends_at} if ends_at else {})}
    claims = base64.urlsafe_b64encode(json.dumps(told).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJlc2lnbmF0dXJl"


WRONG_PASTES = {
    "nothing": ("  \n", "nothing"),
    "a command": ("python -m pypowerwall authtoken", "a command"),
    "a command with a path": (".venv/bin/python3 -m pypowerwall setup -headless", "a command"),
    "a command with a leading blank": (" smartcharge login tesla ", "a command"),
    "a sentence": ("Your refresh token follows", "a sentence"),
    "an access token": (jwt(OWNER_API), "access token"),
    "an access token of yesterday": (jwt(OWNER_API, 1_700_000_000), "has expired"),
    "an access token for another service": (jwt("https://fleet-api.prd.eu.vn.cloud.tesla.com"), "access token"),
    "an old refresh token": (jwt("https://auth.tesla.com/oauth2/v3/token", 1_700_000_000), "has expired"),
    "a token of E.ON's sign-in": (jwt("eonnext", issuer="https://auth.eonnext.com/"), "smartcharge login kraken"),
    "a token of Kraken's": (jwt(None, issuer="https://api.eonnext-kraken.energy/v1/"), "smartcharge login kraken"),
    "E.ON's refresh token": ("v1.MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "smartcharge login kraken"),
    "Kraken's refresh token": ("0f" * 32, "smartcharge login kraken"),
    "both tokens": (f"{SECRETS[1]}\n{SECRETS[0]}", "more than one line"),
    "the file": (json.dumps(GOOD_TOKENS, indent=2), "content of a file"),
    "the page after the sign-in": ("https://auth.tesla.com/void/callback?code=NA_123", "address of a page"),
    "the page of a denial": ("https://auth.tesla.com/void/callback?error=access_denied&state=1", "denied"),
    "quotation marks": (f'"{SECRETS[1]}"', "quotation marks"),
    "half a token": ("NA_12345", "too short"),
}


@pytest.mark.parametrize(("text", "clause"), WRONG_PASTES.values(), ids=WRONG_PASTES)
def test_a_wrong_paste_is_named(text: str, clause: str) -> None:
    assert clause in (find_refresh_token_mistake(text, NOW) or "")


RIGHT_PASTES = {
    "an opaque token": "EU_4c3b2a19f8e7d6c5b4a3928170615243342516078",
    "an older one": jwt("https://auth.tesla.com/oauth2/v3/token"),
    "one that looks like a JWT and is none": "eyJhbGciOiJSUzI1NiJ9.%s.x".replace("%s", "YWJj"),
    "with a line end": "EU_4c3b2a19f8e7d6c5b4a3928170615243342516078\n",
}


@pytest.mark.parametrize("text", RIGHT_PASTES.values(), ids=RIGHT_PASTES)
def test_a_refresh_token_is_accepted(text: str) -> None:
    assert find_refresh_token_mistake(text, NOW) is None


WRONG_ACCESS = {
    "a refresh token": (RIGHT_PASTES["an opaque token"], "that is a refresh token"),
    "an older refresh token": (RIGHT_PASTES["an older one"], "that is a refresh token"),
    "one of yesterday": (jwt(OWNER_API, 1_700_000_000), "authtoken"),
    "a command": ("python -m pypowerwall authtoken", "a command"),
}


@pytest.mark.parametrize(("text", "clause"), WRONG_ACCESS.values(), ids=WRONG_ACCESS)
def test_a_wrong_access_token_is_named(text: str, clause: str) -> None:
    assert clause in (find_access_token_mistake(text, NOW) or "")


@pytest.mark.parametrize("text", ["", " \n", jwt(OWNER_API), jwt(OWNER_API, 4_000_000_000)])
def test_an_access_token_is_accepted_and_may_be_missing(text: str) -> None:
    assert find_access_token_mistake(text, NOW) is None

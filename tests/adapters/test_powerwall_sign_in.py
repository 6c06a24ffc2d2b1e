"""A new Tesla sign-in: how it is stored, recognised, and told from what else people paste."""

import base64
import json
from pathlib import Path

import pytest
from tokens_case import DAMAGED, EMAIL, GOOD, SECRETS, sign_in, stored, write

from smartcharge.adapters._powerwall_tokens import (
    AUTH_FILE,
    GOOD_FILE,
    check,
    explain_paste,
    keep_good,
    tokens_fingerprint,
    write_tokens,
)


def test_a_new_sign_in_passes_the_check(tmp_path: Path) -> None:
    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1], access_token=SECRETS[0])

    check(tmp_path, EMAIL)

    assert stored(tmp_path)[EMAIL] == sign_in(expires_at=0)
    assert stored(tmp_path, GOOD_FILE) == stored(tmp_path)
    assert (tmp_path / AUTH_FILE).stat().st_mode & 0o777 == 0o600


def test_other_accounts_keep_their_sign_in(tmp_path: Path) -> None:
    write(tmp_path, {"other@example.com": sign_in()})

    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(stored(tmp_path)) == {"other@example.com", EMAIL}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_new_sign_in_mends_a_damaged_file(tmp_path: Path, content: str) -> None:
    write(tmp_path, content)

    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])

    assert set(stored(tmp_path)) == {EMAIL}


def test_the_fingerprint_changes_with_the_sign_in_alone(tmp_path: Path) -> None:
    absent = tokens_fingerprint(tmp_path, EMAIL)
    write_tokens(tmp_path, EMAIL, refresh_token=SECRETS[1])
    first = tokens_fingerprint(tmp_path, EMAIL)
    keep_good(tmp_path, EMAIL)
    kept = tokens_fingerprint(tmp_path, EMAIL)
    write_tokens(tmp_path, EMAIL, refresh_token="another-refresh-token-1")

    assert kept == first
    assert len({absent, first, tokens_fingerprint(tmp_path, EMAIL), tokens_fingerprint(tmp_path, "b@example.com")}) == 4


# -- pasting ----------------------------------------------------------------------------------------


def jwt(audience: object) -> str:
    """A token that names who it is for."""
    claims = base64.urlsafe_b64encode(json.dumps({"aud": audience}).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{claims}.c2lnbmF0dXJlc2lnbmF0dXJl"


WRONG_PASTES = {
    "nothing": ("  \n", "nothing"),
    "a command": ("python -m pypowerwall authtoken", "command"),
    "a command with a leading blank": (" smartcharge login tesla ", "command"),
    "an access token": (jwt(["https://owner-api.teslamotors.com/"]), "access token"),
    "an access token for another service": (jwt("https://fleet-api.prd.eu.vn.cloud.tesla.com"), "access token"),
    "both tokens": (f"{SECRETS[1]}\n{SECRETS[0]}", "more than one line"),
    "the file": (json.dumps(GOOD, indent=2), "content of a file"),
    "the page after the sign-in": ("https://auth.tesla.com/void/callback?code=NA_123", "address of a page"),
    "quotation marks": (f'"{SECRETS[1]}"', "quotation marks"),
    "half a token": ("NA_12345", "too short"),
}


@pytest.mark.parametrize(("text", "clause"), WRONG_PASTES.values(), ids=WRONG_PASTES)
def test_a_wrong_paste_is_named(text: str, clause: str) -> None:
    assert clause in (explain_paste(text) or "")


RIGHT_PASTES = {
    "an opaque token": "EU_4c3b2a19f8e7d6c5b4a3928170615243342516078",
    "an older one": jwt("https://auth.tesla.com/oauth2/v3/token"),
    "one that looks like a JWT and is none": "eyJhbGciOiJSUzI1NiJ9.%s.x".replace("%s", "YWJj"),
    "with a line end": "EU_4c3b2a19f8e7d6c5b4a3928170615243342516078\n",
}


@pytest.mark.parametrize("text", RIGHT_PASTES.values(), ids=RIGHT_PASTES)
def test_a_refresh_token_is_accepted(text: str) -> None:
    assert explain_paste(text) is None

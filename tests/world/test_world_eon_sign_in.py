"""The supplier's new sign-in."""

import base64
import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from smartcharge.world.street import Street

TOKENS = "https://auth.eonnext.com/oauth/token"
REDIRECT = "https://www.eonnext.com/"
VERIFIER = "v" * 64


def exchange(**fields: str) -> requests.Response:
    return requests.post(TOKENS, data={"client_id": "pretend", **fields}, timeout=5)


def refresh(token: str) -> requests.Response:
    return exchange(grant_type="refresh_token", refresh_token=token)


def accounts(token: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.post(
        "https://api.eonnext-kraken.energy/v1/graphql/",
        json={"query": "{ viewer { accounts { number } } }"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    ).json()
    return answer


def test_the_id_token_opens_kraken_and_the_access_token_does_not(street: Street) -> None:
    tokens = refresh(street.kraken_auth.issue_refresh_token()).json()

    assert "errors" not in accounts(tokens["id_token"])
    assert accounts(tokens["access_token"])["errors"][0]["extensions"]["errorCode"] == "KT-CT-1143"
    assert street.count("kraken-auth") == 1


def test_a_spent_refresh_token_ends_its_whole_family(street: Street) -> None:
    first = street.kraken_auth.issue_refresh_token()
    second = refresh(first).json()["refresh_token"]

    spent = refresh(first)

    assert (spent.status_code, spent.json()["error"]) == (403, "invalid_grant")
    assert refresh(second).status_code == 403


@pytest.mark.usefixtures("street")
def test_a_code_is_exchanged_by_who_has_the_verifier_and_once_only() -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
    page = "https://auth.eonnext.com/authorize"
    query = {"code_challenge": challenge, "redirect_uri": REDIRECT, "state": "s1"}
    landed = requests.get(page, params=query, allow_redirects=False, timeout=5).headers["Location"]
    given = dict(parse_qsl(urlsplit(landed).query))

    right = exchange(grant_type="authorization_code", code=given["code"], code_verifier=VERIFIER)
    again = exchange(grant_type="authorization_code", code=given["code"], code_verifier=VERIFIER)

    assert landed.startswith(REDIRECT)
    assert given["state"] == "s1"
    assert right.json()["id_token"]
    assert again.status_code == 403

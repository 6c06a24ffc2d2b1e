"""The supplier's new sign-in."""

import base64
import hashlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from smartcharge.simulator.simulator import Simulator

PAGE = "https://auth.eonnext.com/authorize"
TOKENS = "https://auth.eonnext.com/oauth/token"
REDIRECT = "https://www.eonnext.com/"
CLIENT = "OrFeFacHUoXK2afczePYMLCRMXpwRxzW"
VERIFIER = "v" * 64
ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": REDIRECT,
    "scope": "openid profile email offline_access",
    "audience": "eonnext",
    "state": "s1",
    "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode(),
    "code_challenge_method": "S256",
}


def exchange(**fields: str) -> requests.Response:
    return requests.post(TOKENS, data={"client_id": CLIENT, **fields}, timeout=60)


def refresh(token: str) -> requests.Response:
    return exchange(grant_type="refresh_token", refresh_token=token)


def redeem(code: str, **changes: str) -> requests.Response:
    fields = {"grant_type": "authorization_code", "code_verifier": VERIFIER, "redirect_uri": REDIRECT}
    return exchange(code=code, **{**fields, **changes})


def page(**changes: str) -> requests.Response:
    return requests.get(PAGE, params={**ASKED, **changes}, allow_redirects=False, timeout=60)


def brought_back(**changes: str) -> dict[str, str]:
    """The fields of the address where the owner's browser ends up."""
    return dict(parse_qsl(urlsplit(page(**changes).headers["Location"]).query))


def accounts(token: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.post(
        "https://api.eonnext-kraken.energy/v1/graphql/",
        json={"query": "{ viewer { accounts { number } } }"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    ).json()
    return answer


def test_the_id_token_opens_kraken_and_the_access_token_does_not(simulator: Simulator) -> None:
    tokens = refresh(simulator.kraken_auth.issue_refresh_token()).json()

    assert "errors" not in accounts(tokens["id_token"])
    assert accounts(tokens["access_token"])["errors"][0]["extensions"]["errorCode"] == "KT-CT-1143"
    assert simulator.count("kraken-auth") == 1


def test_a_spent_refresh_token_ends_its_whole_family(simulator: Simulator) -> None:
    first = simulator.kraken_auth.issue_refresh_token()
    second = refresh(first).json()["refresh_token"]

    spent = refresh(first)

    assert (spent.status_code, spent.json()["error"]) == (403, "invalid_grant")
    assert refresh(second).status_code == 403


@pytest.mark.usefixtures("simulator")
def test_a_code_is_exchanged_by_who_has_the_verifier_and_once_only() -> None:
    landed = page().headers["Location"]
    given = dict(parse_qsl(urlsplit(landed).query))

    assert landed.startswith(f"{REDIRECT}?")
    assert given["state"] == "s1"
    right = redeem(given["code"])
    assert right.json()["id_token"]
    assert refresh(right.json()["refresh_token"]).status_code == 200
    assert redeem(given["code"]).status_code == 403


@pytest.mark.usefixtures("simulator")
@pytest.mark.parametrize("changes", [{"code_verifier": "w" * 64}, {"redirect_uri": "https://www.eonnext.com/home"}])
def test_a_code_in_other_hands_is_worth_nothing_any_more(changes: dict[str, str]) -> None:
    code = brought_back()["code"]

    assert redeem(code, **changes).json()["error"] == "invalid_grant"
    assert redeem(code).status_code == 403


def test_a_code_lasts_for_minutes(simulator: Simulator) -> None:
    code = brought_back()["code"]
    simulator.set_time(simulator.now + timedelta(minutes=11))

    assert redeem(code).status_code == 403


@pytest.mark.usefixtures("simulator")
def test_who_asks_wrongly_is_sent_back_with_an_error_and_a_stranger_nowhere() -> None:
    wrong = {
        "response_type": ("token", "unsupported_response_type"),
        "scope": ("openid", "invalid_scope"),
        "audience": ("elsewhere", "invalid_request"),
        "code_challenge": ("short", "invalid_request"),
        "code_challenge_method": ("plain", "invalid_request"),
    }
    found = {key: brought_back(**{key: value}) for key, (value, _) in wrong.items()}

    assert found == {key: {"error": error, "state": "s1"} for key, (_, error) in wrong.items()}
    assert page(redirect_uri="https://example.com/").status_code == 403
    assert page(client_id="a-stranger").status_code == 403
    assert exchange(client_id="a-stranger", grant_type="refresh_token").json() == {"error": "invalid_client"}

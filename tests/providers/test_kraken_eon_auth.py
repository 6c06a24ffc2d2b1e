"""E.ON's own sign-in: ID tokens for refresh tokens that are good for one use."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests
from fake_kraken import NOW, KrakenInstallation, error_response, make_jwt, make_response

from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError


def until(house: KrakenInstallation) -> datetime:
    return datetime.fromisoformat(str(house.kept()["until"]))


def rotating(house: KrakenInstallation, **changes: object) -> KrakenInstallation:
    house.keep(**{"kind": "auth0", "refresh_token": "auth0-refresh-0", "refresh_until": None, **changes})
    return house


def test_an_id_token_is_had_for_the_rotating_refresh_token(house: KrakenInstallation) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")

    house.plan("ev-a")

    assert house.kraken.exchanges == [
        {
            "grant_type": "refresh_token",
            "client_id": "OrFeFacHUoXK2afczePYMLCRMXpwRxzW",
            "refresh_token": "auth0-refresh-0",
        }
    ]
    assert house.kraken.logins == []
    assert house.kraken.asked[0].authorization == f"Bearer {house.kept()['token']}"
    assert until(house) == NOW + timedelta(minutes=60)


def test_the_next_refresh_token_is_on_disk_before_the_id_token_is_used(house: KrakenInstallation) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    seen: list[str | None] = []
    house.kraken.on_question = lambda: seen.append(house.kept()["refresh_token"])

    house.plan("ev-a")

    assert seen == ["auth0-refresh-1"]


def test_the_next_refresh_token_is_kept_even_where_no_id_token_came(house: KrakenInstallation) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(make_response(200, {"access_token": "x", "refresh_token": "auth0-refresh-9"}))

    with pytest.raises(UnreachableError, match="no ID token"):
        house.plan("ev-a")

    assert house.kept()["refresh_token"] == "auth0-refresh-9"
    assert house.plan("ev-a").planned["ev-a"]


def test_a_refresh_token_that_does_not_rotate_is_kept(house: KrakenInstallation) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(make_response(200, {"id_token": make_jwt()}))

    house.plan("ev-a")

    assert house.kept()["refresh_token"] == "auth0-refresh-0"


def test_a_refused_id_token_is_exchanged_once(house: KrakenInstallation) -> None:
    rotating(house)
    house.kraken.next_answers.append(error_response("KT-CT-1143"))

    assert house.plan("ev-a").planned["ev-a"]
    assert len(house.kraken.exchanges) == 1


@pytest.mark.parametrize("status", [400, 403])
def test_a_spent_refresh_token_asks_for_the_browser(house: KrakenInstallation, status: int) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(
        make_response(status, {"error": "invalid_grant", "error_description": "auth0-refresh-0"})
    )

    with pytest.raises(SignInRefusedError, match="smartcharge login kraken") as refused:
        house.plan("ev-a")

    assert "auth0-refresh-0" not in str(refused.value)
    assert house.kraken.logins == []
    assert len(house.kraken.exchanges) == 1


def test_a_client_that_is_not_known_any_more_is_named(house: KrakenInstallation) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(make_response(401, {"error": "invalid_client"}))

    with pytest.raises(SignInRefusedError, match=r"eon_next\.auth_client_id"):
        house.plan("ev-a")


UNWELL: dict[str, tuple[object, type[UnreachableError]]] = {
    "HTTP 403 with a page": (make_response(403, "<html>blocked</html>"), ThrottledError),
    "HTTP 429": (make_response(429, {"error": "too_many_requests"}, Retry_After="30"), ThrottledError),
    "HTTP 503": (make_response(503, "<html>sorry</html>"), UnreachableError),
    "HTTP 200 with a page": (make_response(200, "<html>welcome</html>"), UnreachableError),
    "HTTP 302": (make_response(302, "", Location="https://example.com/"), UnreachableError),
    "an unknown error": (make_response(400, {"error": ["access_denied"]}), UnreachableError),
    "a broken line": (requests.ConnectionError("auth0-refresh-0"), UnreachableError),
}


@pytest.mark.parametrize(("answer", "trouble"), UNWELL.values(), ids=UNWELL)
def test_a_sign_in_service_that_is_unwell_costs_no_token(
    house: KrakenInstallation, answer: object, trouble: type[UnreachableError]
) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(answer)

    with pytest.raises(UnreachableError) as raised:
        house.plan("ev-a")

    assert type(raised.value) is trouble
    assert house.kept()["refresh_token"] == "auth0-refresh-0"


def test_the_sign_ins_address_and_client_can_be_configured(house: KrakenInstallation) -> None:
    account = replace(house.account, auth_url="https://auth.eonnext.com/", auth_client_id="another")
    rotating(house, until="2026-07-08T12:04:00Z")

    replace(house, account=account).plan("ev-a")

    assert house.kraken.exchanges[0]["client_id"] == "another"

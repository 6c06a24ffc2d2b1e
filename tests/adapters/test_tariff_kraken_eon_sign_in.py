"""E.ON's own sign-in: ID tokens for refresh tokens that are good for one use."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests
from kraken_case import NOW, House, failed, jwt, sent

from smartcharge.errors import SignInRefused, Throttled, Unreachable


def until(house: House) -> datetime:
    return datetime.fromisoformat(str(house.kept()["until"]))


def rotating(house: House, **changes: object) -> House:
    house.keep(**{"kind": "auth0", "refresh_token": "auth0-refresh-0", "refresh_until": None, **changes})
    return house


def test_an_id_token_is_had_for_the_rotating_refresh_token(house: House) -> None:
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


def test_the_next_refresh_token_is_on_disk_before_the_id_token_is_used(house: House) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    seen: list[str | None] = []
    house.kraken.on_question = lambda: seen.append(house.kept()["refresh_token"])

    house.plan("ev-a")

    assert seen == ["auth0-refresh-1"]


def test_the_next_refresh_token_is_kept_even_where_no_id_token_came(house: House) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(sent(200, {"access_token": "x", "refresh_token": "auth0-refresh-9"}))

    with pytest.raises(Unreachable, match="no ID token"):
        house.plan("ev-a")

    assert house.kept()["refresh_token"] == "auth0-refresh-9"
    assert house.plan("ev-a").planned["ev-a"]


def test_a_refresh_token_that_does_not_rotate_is_kept(house: House) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(sent(200, {"id_token": jwt()}))

    house.plan("ev-a")

    assert house.kept()["refresh_token"] == "auth0-refresh-0"


def test_a_refused_id_token_is_exchanged_once(house: House) -> None:
    rotating(house)
    house.kraken.next_answers.append(failed("KT-CT-1143"))

    assert house.plan("ev-a").planned["ev-a"]
    assert len(house.kraken.exchanges) == 1


@pytest.mark.parametrize("status", [400, 403])
def test_a_spent_refresh_token_asks_for_the_browser(house: House, status: int) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(sent(status, {"error": "invalid_grant", "error_description": "auth0-refresh-0"}))

    with pytest.raises(SignInRefused, match="smartcharge login kraken") as refused:
        house.plan("ev-a")

    assert "auth0-refresh-0" not in str(refused.value)
    assert house.kraken.logins == []
    assert len(house.kraken.exchanges) == 1


def test_a_client_that_is_not_known_any_more_is_named(house: House) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(sent(401, {"error": "invalid_client"}))

    with pytest.raises(SignInRefused, match=r"eon_next\.auth_client_id"):
        house.plan("ev-a")


UNWELL: dict[str, tuple[object, type[Unreachable]]] = {
    "HTTP 403 with a page": (sent(403, "<html>blocked</html>"), Throttled),
    "HTTP 429": (sent(429, {"error": "too_many_requests"}, Retry_After="30"), Throttled),
    "HTTP 503": (sent(503, "<html>sorry</html>"), Unreachable),
    "HTTP 200 with a page": (sent(200, "<html>welcome</html>"), Unreachable),
    "HTTP 302": (sent(302, "", Location="https://example.com/"), Unreachable),
    "an unknown error": (sent(400, {"error": ["access_denied"]}), Unreachable),
    "a broken line": (requests.ConnectionError("auth0-refresh-0"), Unreachable),
}


@pytest.mark.parametrize(("answer", "trouble"), UNWELL.values(), ids=UNWELL)
def test_a_sign_in_service_that_is_unwell_costs_no_token(
    house: House, answer: object, trouble: type[Unreachable]
) -> None:
    rotating(house, until="2026-07-08T12:04:00Z")
    house.kraken.next_exchanges.append(answer)

    with pytest.raises(Unreachable) as raised:
        house.plan("ev-a")

    assert type(raised.value) is trouble
    assert house.kept()["refresh_token"] == "auth0-refresh-0"


def test_the_sign_ins_address_and_client_can_be_configured(house: House) -> None:
    account = replace(house.account, auth_url="https://auth.eonnext.com/", auth_client_id="another")
    rotating(house, until="2026-07-08T12:04:00Z")

    replace(house, account=account).plan("ev-a")

    assert house.kraken.exchanges[0]["client_id"] == "another"

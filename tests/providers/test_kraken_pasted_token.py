"""`login kraken` with a pasted refresh token: wrong pastes are named, right ones are proven."""

from dataclasses import replace
from datetime import timedelta

import pytest
from fake_kraken import NOW, KrakenInstallation, error_response, make_jwt, make_response

from smartcharge.errors import ConfigurationError, SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.providers.kraken.login import login_with_refresh_token

GOOD = "v1.MTIzNDU2Nzg5MDEyMzQ1Njc4OTA-pasted"

WRONG = {
    "nothing": ("", "nothing was pasted"),
    "blanks": (" \n\t", "nothing was pasted"),
    "a command": ("curl -X POST https://auth.eonnext.com/oauth/token -d x", "a command"),
    "our own command": (".venv/bin/smartcharge login kraken --refresh-token-stdin", "a command"),
    "the command that makes Tesla's tokens": ("python -m pypowerwall authtoken", "a command"),
    "an ID token": (make_jwt(), "a JWT"),
    "one of yesterday": (make_jwt(timedelta(days=-1)), "has expired"),
    "a Tesla token": (f"EU_{'0f' * 32}", "smartcharge login tesla"),
    "Tesla's access token": (make_jwt(aud=["https://owner-api.teslamotors.com/"]), "smartcharge login tesla"),
    "an API key": ("sk_live_1234567890abcdef", "eon_next.api_key"),
    "an access token with its scheme": (f"Bearer {make_jwt()}", "a JWT"),
    "an encrypted token": ("eyJhbGciOiJkaXIifQ..aaa.bbb.ccc", "a JWT"),
    "the page after signing in": ("https://www.eonnext.com/?code=abc&state=def", "address of a page"),
    "the page of a denial": ("https://www.eonnext.com/?error=access_denied", r"denied \(access_denied\)"),
    "a whole answer": ('{"refresh_token": "v1.abc", "id_token": "x"}', "a whole answer"),
    "an address": ("you@example.com", "an e-mail address"),
    "two lines": ("v1.MTIzNDU2Nzg5MDEy\nMzQ1Njc4OTA", "blanks or line breaks"),
    "two words": ("v1.MTIzNDU2Nzg5 MDEyMzQ1Njc4OTA", "blanks or line breaks"),
    "half of it": ("v1.MTIz", "too short"),
    "a file": ("v" * 5000, "too long"),
    "odd letters": ("v1.MTIzNDU2Nzg5…MDEyMzQ1", "letters inside"),
}


@pytest.mark.parametrize(("text", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_paste_is_named_and_sent_nowhere(house: KrakenInstallation, text: str, name: str) -> None:
    with pytest.raises(SignInRefusedError, match=name) as refused:
        login_with_refresh_token(house.account, text, NOW)

    assert house.kraken.exchanges == []
    assert not house.token_file.exists()
    assert not text.strip() or text.strip() not in str(refused.value)


@pytest.mark.parametrize("text", [GOOD, f"  {GOOD}\n", f'"{GOOD}"', f"'{GOOD}'\r\n"])
def test_a_right_paste_is_exchanged_kept_and_proven(house: KrakenInstallation, text: str) -> None:
    told = login_with_refresh_token(house.account, text, NOW)

    assert [exchange["refresh_token"] for exchange in house.kraken.exchanges] == [GOOD]
    assert house.kept()["kind"] == "auth0"
    assert house.kept()["refresh_token"] == "auth0-refresh-1"
    assert house.kraken.asked[0].authorization == f"Bearer {house.kept()['token']}"
    assert "viewer" in house.kraken.asked[0].query
    assert str(house.token_file) in told
    assert house.plan("ev-a").planned["ev-a"]
    assert house.kraken.logins == []


def test_at_other_suppliers_it_is_krakens_own_refresh_token(house: KrakenInstallation) -> None:
    account = replace(house.account, supplier="octopus", email=None, password=None)

    login_with_refresh_token(account, GOOD, NOW)

    assert house.kraken.logins == [{"refreshToken": GOOD}]
    assert house.kept()["kind"] == "kraken"
    assert replace(house, account=account).plan("ev-a").planned["ev-a"]


def test_a_refused_token_leaves_the_older_sign_in(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.next_exchanges.append(make_response(403, {"error": "invalid_grant"}))

    with pytest.raises(SignInRefusedError) as refused:
        login_with_refresh_token(house.account, GOOD, NOW)

    assert house.kept()["token"] == "kept-token"
    assert GOOD not in str(refused.value)


def test_a_sign_in_to_another_account_is_named_without_its_number(house: KrakenInstallation) -> None:
    house.kraken.accounts = ["A-0THE6001", "A-0THE6002"]

    with pytest.raises(ConfigurationError, match="not among the 2") as refused:
        login_with_refresh_token(house.account, GOOD, NOW)

    assert refused.value.key == "eon_next.import_account"
    assert "A-" not in str(refused.value)


def test_the_number_may_be_written_small(house: KrakenInstallation) -> None:
    account = replace(house.account, number=f" {house.account.number.lower()} ")

    assert login_with_refresh_token(account, GOOD, NOW)


def test_a_token_that_kraken_does_not_take_is_a_refusal(house: KrakenInstallation) -> None:
    house.kraken.next_answers.append(error_response("KT-CT-1143"))

    with pytest.raises(SignInRefusedError, match="KT-CT-1143"):
        login_with_refresh_token(house.account, GOOD, NOW)


@pytest.mark.parametrize("viewer", [None, {"accounts": None}, "you"])
def test_without_a_word_about_accounts_the_sign_in_is_kept_but_not_proven(
    house: KrakenInstallation, viewer: object
) -> None:
    house.kraken.next_answers.append(make_response(200, {"data": {"viewer": viewer}}))

    with pytest.raises(UnreachableError, match="sign-in is kept"):
        login_with_refresh_token(house.account, GOOD, NOW)

    assert house.kept()["refresh_token"] == "auth0-refresh-1"


def test_a_busy_supplier_is_waited_for(house: KrakenInstallation) -> None:
    house.kraken.next_answers.append(error_response("KT-CT-1199", "viewer"))

    with pytest.raises(ThrottledError):
        login_with_refresh_token(house.account, GOOD, NOW)

    assert house.kept()["refresh_token"] == "auth0-refresh-1"

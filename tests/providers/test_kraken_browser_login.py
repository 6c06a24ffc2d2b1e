"""E.ON's sign-in with a browser: what is asked for, what is brought back, and what is made of it."""

import base64
import hashlib
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest
from fake_kraken import NOW, KrakenInstallation, error_response, make_jwt, make_response

from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.providers.kraken.login import BrowserSignIn, login_by_browser, start_browser_sign_in

CODE = "aZ09_-aZ09_-aZ09_-aZ09_-aZ09_-"


def landing(attempt: BrowserSignIn, code: str = CODE) -> str:
    return f"https://www.eonnext.com/?code={code}&state={attempt.state}"


def test_the_address_asks_for_a_code_that_only_this_attempt_can_use(house: KrakenInstallation) -> None:
    attempt, other = start_browser_sign_in(house.account), start_browser_sign_in(house.account)

    parts = urlsplit(attempt.address)
    asked = dict(parse_qsl(parts.query))
    digest = hashlib.sha256(attempt.verifier.encode()).digest()

    assert (parts.scheme, parts.netloc, parts.path) == ("https", "auth.eonnext.com", "/authorize")
    assert asked == {
        "response_type": "code",
        "client_id": "OrFeFacHUoXK2afczePYMLCRMXpwRxzW",
        "redirect_uri": "https://www.eonnext.com/",
        "scope": "openid profile email offline_access",
        "audience": "eonnext",
        "state": attempt.state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    assert 43 <= len(attempt.verifier) <= 128
    assert not {attempt.state, attempt.verifier} & {other.state, other.verifier}
    assert attempt.verifier not in repr(attempt)


def test_the_sign_ins_address_and_client_are_the_configured_ones(house: KrakenInstallation) -> None:
    account = replace(house.account, auth_url="https://sign-in.example.com/", auth_client_id="another")

    parts = urlsplit(start_browser_sign_in(account).address)

    assert (parts.netloc, parts.path) == ("sign-in.example.com", "/authorize")
    assert dict(parse_qsl(parts.query))["client_id"] == "another"


LANDINGS = {
    "the whole address": landing,
    "with blanks around it": lambda attempt: f"  <{landing(attempt)}>\n",
    "as some browsers show it": lambda attempt: landing(attempt).removeprefix("https://"),
    "its query alone": lambda attempt: landing(attempt).partition("?")[2],
    "with a mark in the page": lambda attempt: f"{landing(attempt)}#",
    "the code alone": lambda _: CODE,
}


@pytest.mark.parametrize("bring", LANDINGS.values(), ids=LANDINGS)
def test_what_is_brought_back_is_exchanged_once_and_kept(house: KrakenInstallation, bring: object) -> None:
    attempt = start_browser_sign_in(house.account)

    told = login_by_browser(house.account, attempt, bring(attempt), NOW)  # type: ignore[operator]

    assert house.kraken.exchanges == [
        {
            "grant_type": "authorization_code",
            "client_id": "OrFeFacHUoXK2afczePYMLCRMXpwRxzW",
            "code": CODE,
            "code_verifier": attempt.verifier,
            "redirect_uri": "https://www.eonnext.com/",
        }
    ]
    assert (house.kept()["kind"], house.kept()["refresh_token"]) == ("auth0", "auth0-refresh-1")
    assert house.token_file.stat().st_mode & 0o777 == 0o600
    assert house.kraken.asked[0].authorization == f"Bearer {house.kept()['token']}"
    assert str(house.token_file) in told
    assert house.plan("ev-a").planned["ev-a"]
    assert house.kraken.logins == []


def test_the_refresh_token_is_on_disk_before_the_id_token_is_used(house: KrakenInstallation) -> None:
    seen: list[str | None] = []
    house.kraken.on_question = lambda: seen.append(house.kept()["refresh_token"])
    attempt = start_browser_sign_in(house.account)

    login_by_browser(house.account, attempt, landing(attempt), NOW)

    assert seen == ["auth0-refresh-1"]


WRONG = {
    "an address of another attempt": (landing(BrowserSignIn("", "another", "")), "another attempt"),
    "an address without state": (f"https://www.eonnext.com/?code={CODE}", "another attempt"),
    "a denial": ("https://www.eonnext.com/?error=access_denied&state=x", r"denied \(access_denied\)"),
    "an odd denial": ("https://www.eonnext.com/?error=<b>%0Aboo</b>&state=x", "an error without a name"),
    "a page": ("https://www.eonnext.com/account", "holds no code"),
    "an empty code": ("https://www.eonnext.com/?code=&state={state}", "too short"),
    "a refresh token": ("v1.MTIzNDU2Nzg5MDEyMzQ1Njc4OTA", "--refresh-token-stdin"),
    "an ID token": (make_jwt(), "a JWT"),
    "half a code": ("aZ09", "too short"),
    "a command": ("smartcharge login kraken --browser", "a command"),
    "nothing": (" ", "nothing was pasted"),
}


@pytest.mark.parametrize(("text", "name"), WRONG.values(), ids=WRONG)
def test_a_wrong_address_is_named_and_sent_nowhere(house: KrakenInstallation, text: str, name: str) -> None:
    attempt = start_browser_sign_in(house.account)

    with pytest.raises(SignInRefusedError, match=name) as refused:
        login_by_browser(house.account, attempt, text.replace("{state}", attempt.state), NOW)

    assert house.kraken.exchanges == []
    assert CODE not in str(refused.value)
    assert "\n" not in str(refused.value)


ANSWERS = {
    "a spent code": (
        make_response(403, {"error": "invalid_grant", "error_description": CODE}),
        SignInRefusedError,
        "invalid_grant",
    ),
    "a client that is not known": (
        make_response(401, {"error": "invalid_client"}),
        SignInRefusedError,
        r"eon_next\.auth_client_id",
    ),
    "no refresh token": (make_response(200, {"id_token": make_jwt()}), UnreachableError, "no refresh token"),
    "no ID token": (make_response(200, {"refresh_token": "auth0-refresh-9"}), UnreachableError, "no ID token"),
    "a page": (make_response(403, "<html>blocked</html>"), ThrottledError, "blocks our requests"),
    "an outage": (make_response(503, "<html>sorry</html>"), UnreachableError, "HTTP 503"),
}


@pytest.mark.parametrize(("answer", "kind", "told"), ANSWERS.values(), ids=ANSWERS)
def test_an_exchange_that_fails_says_so_in_words(
    house: KrakenInstallation, answer: object, kind: type[Exception], told: str
) -> None:
    attempt = start_browser_sign_in(house.account)
    house.kraken.next_exchanges.append(answer)

    with pytest.raises(kind, match=told) as raised:
        login_by_browser(house.account, attempt, landing(attempt), NOW)

    assert CODE not in str(raised.value)


def test_a_refused_code_leaves_the_older_sign_in(house: KrakenInstallation) -> None:
    house.keep()
    attempt = start_browser_sign_in(house.account)
    house.kraken.next_exchanges.append(make_response(403, {"error": "invalid_grant"}))

    with pytest.raises(SignInRefusedError, match="login kraken --browser"):
        login_by_browser(house.account, attempt, landing(attempt), NOW)

    assert house.kept()["token"] == "kept-token"


def test_a_token_that_kraken_does_not_take_is_a_refusal(house: KrakenInstallation) -> None:
    attempt = start_browser_sign_in(house.account)
    house.kraken.next_answers.append(error_response("KT-CT-1143"))

    with pytest.raises(SignInRefusedError, match="KT-CT-1143"):
        login_by_browser(house.account, attempt, landing(attempt), NOW)

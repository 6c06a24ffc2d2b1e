"""Kraken unwell: which trouble is told, for how long to wait, and that no word of it gives a secret away."""

import logging
import traceback
from datetime import timedelta

import pytest
import requests
from fake_kraken import (
    ACCOUNT_NUMBER,
    EMAIL,
    PASSWORD,
    SECRETS,
    CannedResponse,
    KrakenInstallation,
    error_response,
    graphql_error,
    make_response,
    planned_dispatch,
    registered_car,
)

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import AppError, ThrottledError, UnreachableError

PAGE = "<html><title>Request blocked</title></html>"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (make_response(200, None), "was null"),
        (make_response(200, []), "was a list"),
        (make_response(200, ""), "was empty"),
        (make_response(200, " \r\n"), "was empty"),
        (make_response(200, PAGE), "was not JSON"),
        (make_response(200, '"yes"'), "was a bare value"),
        (make_response(200, {}), "holds no data"),
        (make_response(200, {"data": [1]}), "holds no data"),
        (make_response(404, {"detail": "Not found."}), "holds no data"),
        (make_response(400, "bad"), "was not JSON"),
        (make_response(200, '{"data": {"d0": []'), "was not JSON"),
        (make_response(500, {"data": {}}), "HTTP 500"),
        (make_response(502, PAGE), "HTTP 502"),
        (make_response(503, PAGE, Retry_After="120"), "HTTP 503"),
        (make_response(301, "", Location="https://example.com/"), "HTTP 301"),
        (make_response(307, "", Location="https://example.com/"), "HTTP 307"),
        (error_response("KT-CT-1188"), "KT-CT-1188"),
        (error_response("KT-CT-1121"), "KT-CT-1121"),
        (error_response(None, status=400), "no code"),
    ],
)
def test_an_answer_that_is_none_is_named(house: KrakenInstallation, answer: CannedResponse, words: str) -> None:
    house.keep()
    house.kraken.next_answers.append(answer)

    with pytest.raises(UnreachableError) as raised:
        house.plan("ev-a")

    assert type(raised.value) is UnreachableError
    assert words in str(raised.value)
    assert (len(house.kraken.asked), house.kraken.logins) == (1, [])


LOST = [requests.ConnectTimeout, requests.ReadTimeout, requests.ConnectionError, requests.exceptions.SSLError, OSError]


@pytest.mark.parametrize("lost", [*LOST, requests.exceptions.ProxyError, requests.exceptions.ChunkedEncodingError])
def test_a_lost_connection_is_named_by_its_kind(house: KrakenInstallation, lost: type[Exception]) -> None:
    house.keep()
    house.kraken.next_answers.append(lost("Bearer kept-token"))

    with pytest.raises(UnreachableError, match=f"api.eonnext-kraken.energy could not be reached .{lost.__name__}"):
        house.plan("ev-a")


def test_a_budget_that_is_used_up_is_never_swallowed(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.next_answers.append(DeadlineExceeded())

    with pytest.raises(DeadlineExceeded):
        house.plan("ev-a")


PATIENCE: dict[str, tuple[CannedResponse, timedelta | None]] = {
    "HTTP 429 with seconds": (make_response(429, PAGE, Retry_After="120"), timedelta(seconds=120)),
    "HTTP 429 with a date": (
        make_response(429, PAGE, Retry_After="Wed, 08 Jul 2026 12:05:00 GMT"),
        timedelta(minutes=5),
    ),
    "HTTP 429 with a date long gone": (
        make_response(429, PAGE, Retry_After="Wed, 08 Jul 2026 11:05:00 GMT"),
        timedelta(0),
    ),
    "HTTP 429 for a week": (make_response(429, PAGE, Retry_After="604800"), timedelta(hours=1)),
    "HTTP 429 for ever": (make_response(429, PAGE, Retry_After="9" * 900), timedelta(hours=1)),
    "HTTP 429 until next year": (
        make_response(429, PAGE, Retry_After="Thu, 08 Jul 2027 12:05:00 -0000"),
        timedelta(hours=1),
    ),
    "HTTP 429 with a riddle": (make_response(429, PAGE, Retry_After="soon"), None),
    "HTTP 429 with less than nothing": (make_response(429, PAGE, Retry_After="-5"), None),
    "HTTP 429 in silence": (make_response(429, {"errors": []}), None),
    "HTTP 403 with a page": (make_response(403, PAGE), None),
    "KT-CT-1199": (error_response("KT-CT-1199", "d0"), None),
    "KT-CT-1199 with seconds": (
        make_response(200, {"data": None, "errors": [graphql_error("KT-CT-1199")]}, Retry_After="60"),
        timedelta(minutes=1),
    ),
    "KT-CT-1199 with HTTP 403": (make_response(403, {"errors": [graphql_error("KT-CT-1199")]}), None),
    "KT-CT-1199 for one part": (
        make_response(
            200,
            {"data": {"devices": [registered_car("ev-a")], "d0": None}, "errors": [graphql_error("KT-CT-1199", "d0")]},
        ),
        None,
    ),
}


@pytest.mark.parametrize(("answer", "wait"), PATIENCE.values(), ids=PATIENCE)
def test_who_asks_for_patience_is_heard_and_the_token_kept(
    house: KrakenInstallation, answer: CannedResponse, wait: timedelta | None
) -> None:
    house.keep()
    house.kraken.next_answers.append(answer)

    with pytest.raises(ThrottledError) as raised:
        house.plan("ev-a")

    assert raised.value.retry_after == wait
    assert house.kraken.logins == []
    assert house.kept()["token"] == "kept-token"


def echo(status: int = 200, *, code: str | None = "KT-CT-1138") -> CannedResponse:
    """An answer that repeats all it was told."""
    words = " ".join((*SECRETS, "kept-token", "kept-refresh", "auth0-refresh-0"))
    listed = [
        graphql_error(code, "devices", message=words) | {"extensions": {"errorCode": code, "errorDescription": words}}
    ]
    return make_response(
        status, {"data": None, "error": words, "error_description": words, "errors": listed}, X_Echo=words
    )


FAILURES = {
    "a refused password": {"logins": [echo()]},
    "an unknown refusal": {"logins": [echo(code="KT-CT-9999")]},
    "a code that is a secret": {"logins": [echo(code=PASSWORD)]},
    "a sign-in turned away": {"logins": [echo(403)]},
    "a lost sign-in": {"logins": [requests.ConnectionError(f"{EMAIL}:{PASSWORD}")]},
    "a page in place of a sign-in": {"logins": [make_response(200, f"<html>{EMAIL} {PASSWORD}</html>")]},
    "an odd token": {"logins": [make_response(200, {"data": {"obtainKrakenToken": {"token": "kept-token\r\nX: y"}}})]},
    "a refused question": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1188")]},
    "another's account": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1145")]},
    "a token refused twice": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1124")] * 2},
    "patience": {"kept": ["kraken"], "answers": [echo(429)]},
    "half an answer": {"kept": ["kraken"], "answers": [make_response(200, f'{{"data": "{ACCOUNT_NUMBER}')]},
    "a lost answer": {"kept": ["kraken"], "answers": [requests.exceptions.InvalidHeader("kept-token")]},
    "an unknown field": {"kept": ["kraken"], "answers": [echo(400, code=None)]},
    "a spent token": {
        "kept": ["auth0"],
        "exchanges": [make_response(403, {"error": "invalid_grant", "x": "auth0-refresh-0"})],
    },
    "an odd exchange": {"kept": ["auth0"], "exchanges": [echo(400)]},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_no_trouble_gives_a_secret_away(
    house: KrakenInstallation, failure: dict[str, list[object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if failure.get("kept") == ["kraken"]:
        house.keep()
    elif failure.get("kept") == ["auth0"]:
        house.keep(kind="auth0", refresh_token="auth0-refresh-0", until=None)
    house.kraken.next_logins.extend(failure.get("logins", []))
    house.kraken.next_answers.extend(failure.get("answers", []))
    house.kraken.next_exchanges.extend(failure.get("exchanges", []))

    with pytest.raises(AppError) as raised:
        house.plan("ev-a")

    told = f"{spoken(raised.value)} {caplog.text} {house.account!r}"
    given_away = [secret for secret in (*SECRETS, "kept-token", "kept-refresh", "auth0-refresh-0") if secret in told]
    assert given_away == []


def spoken(trouble: BaseException) -> str:
    """All that a log could hold of an exception, its whole ancestry included."""
    ancestors = [each for each in (trouble.__cause__, trouble.__context__) if each is not None]
    words = [*traceback.format_exception(trouble), repr(trouble), repr(vars(trouble)), *map(spoken, ancestors)]
    return " ".join(words)


def test_no_plan_gives_a_secret_away(house: KrakenInstallation, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house.kraken.devices = [registered_car("ev-a"), registered_car("ev-b")]
    house.kraken.plans = {"ev-a": [planned_dispatch("12:30", "14:00", kind=ACCOUNT_NUMBER)]}
    house.kraken.faults = {"ev-b": "KT-CT-4340", "completedDispatches": "KT-CT-4341"}

    plan = house.plan("ev-a", "ev-b")

    assert plan.trouble is not None
    assert [secret for secret in SECRETS if secret in f"{plan} {caplog.text}"] == []

"""Kraken unwell: which trouble is told, for how long to wait, and that no word of it gives a secret away."""

import logging
import traceback
from datetime import timedelta

import pytest
import requests
from kraken_case import EMAIL, NUMBER, PASSWORD, SECRETS, House, Sent, car, error, failed, sent, smart

from smartcharge.budget import OutOfTime
from smartcharge.errors import Throttled, Trouble, Unreachable

PAGE = "<html><title>Request blocked</title></html>"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (sent(200, None), "was null"),
        (sent(200, []), "was a list"),
        (sent(200, ""), "was empty"),
        (sent(200, " \r\n"), "was empty"),
        (sent(200, PAGE), "was not JSON"),
        (sent(200, '"yes"'), "was a bare value"),
        (sent(200, {}), "holds no data"),
        (sent(200, {"data": [1]}), "holds no data"),
        (sent(404, {"detail": "Not found."}), "holds no data"),
        (sent(400, "bad"), "was not JSON"),
        (sent(200, '{"data": {"d0": []'), "was not JSON"),
        (sent(500, {"data": {}}), "HTTP 500"),
        (sent(502, PAGE), "HTTP 502"),
        (sent(503, PAGE, Retry_After="120"), "HTTP 503"),
        (sent(301, "", Location="https://example.com/"), "HTTP 301"),
        (sent(307, "", Location="https://example.com/"), "HTTP 307"),
        (failed("KT-CT-1188"), "KT-CT-1188"),
        (failed("KT-CT-1121"), "KT-CT-1121"),
        (failed(None, status=400), "no code"),
    ],
)
def test_an_answer_that_is_none_is_named(house: House, answer: Sent, words: str) -> None:
    house.keep()
    house.kraken.next_answers.append(answer)

    with pytest.raises(Unreachable) as raised:
        house.plan("ev-a")

    assert type(raised.value) is Unreachable
    assert words in str(raised.value)
    assert (len(house.kraken.asked), house.kraken.logins) == (1, [])


LOST = [requests.ConnectTimeout, requests.ReadTimeout, requests.ConnectionError, requests.exceptions.SSLError, OSError]


@pytest.mark.parametrize("lost", [*LOST, requests.exceptions.ProxyError, requests.exceptions.ChunkedEncodingError])
def test_a_lost_connection_is_named_by_its_kind(house: House, lost: type[Exception]) -> None:
    house.keep()
    house.kraken.next_answers.append(lost("Bearer kept-token"))

    with pytest.raises(Unreachable, match=f"api.eonnext-kraken.energy could not be reached .{lost.__name__}"):
        house.plan("ev-a")


def test_a_budget_that_is_used_up_is_never_swallowed(house: House) -> None:
    house.keep()
    house.kraken.next_answers.append(OutOfTime())

    with pytest.raises(OutOfTime):
        house.plan("ev-a")


PATIENCE: dict[str, tuple[Sent, timedelta | None]] = {
    "HTTP 429 with seconds": (sent(429, PAGE, Retry_After="120"), timedelta(seconds=120)),
    "HTTP 429 with a date": (sent(429, PAGE, Retry_After="Wed, 08 Jul 2026 12:05:00 GMT"), timedelta(minutes=5)),
    "HTTP 429 with a date long gone": (sent(429, PAGE, Retry_After="Wed, 08 Jul 2026 11:05:00 GMT"), timedelta(0)),
    "HTTP 429 for a week": (sent(429, PAGE, Retry_After="604800"), timedelta(hours=1)),
    "HTTP 429 for ever": (sent(429, PAGE, Retry_After="9" * 900), timedelta(hours=1)),
    "HTTP 429 until next year": (sent(429, PAGE, Retry_After="Thu, 08 Jul 2027 12:05:00 -0000"), timedelta(hours=1)),
    "HTTP 429 with a riddle": (sent(429, PAGE, Retry_After="soon"), None),
    "HTTP 429 with less than nothing": (sent(429, PAGE, Retry_After="-5"), None),
    "HTTP 429 in silence": (sent(429, {"errors": []}), None),
    "HTTP 403 with a page": (sent(403, PAGE), None),
    "KT-CT-1199": (failed("KT-CT-1199", "d0"), None),
    "KT-CT-1199 with seconds": (
        sent(200, {"data": None, "errors": [error("KT-CT-1199")]}, Retry_After="60"),
        timedelta(minutes=1),
    ),
    "KT-CT-1199 with HTTP 403": (sent(403, {"errors": [error("KT-CT-1199")]}), None),
    "KT-CT-1199 for one part": (
        sent(200, {"data": {"devices": [car("ev-a")], "d0": None}, "errors": [error("KT-CT-1199", "d0")]}),
        None,
    ),
}


@pytest.mark.parametrize(("answer", "wait"), PATIENCE.values(), ids=PATIENCE)
def test_who_asks_for_patience_is_heard_and_the_token_kept(house: House, answer: Sent, wait: timedelta | None) -> None:
    house.keep()
    house.kraken.next_answers.append(answer)

    with pytest.raises(Throttled) as raised:
        house.plan("ev-a")

    assert raised.value.retry_after == wait
    assert house.kraken.logins == []
    assert house.kept()["token"] == "kept-token"


def echo(status: int = 200, *, code: str | None = "KT-CT-1138") -> Sent:
    """An answer that repeats all it was told."""
    words = " ".join((*SECRETS, "kept-token", "kept-refresh", "auth0-refresh-0"))
    listed = [error(code, "devices", message=words) | {"extensions": {"errorCode": code, "errorDescription": words}}]
    return sent(status, {"data": None, "error": words, "error_description": words, "errors": listed}, X_Echo=words)


FAILURES = {
    "a refused password": {"logins": [echo()]},
    "an unknown refusal": {"logins": [echo(code="KT-CT-9999")]},
    "a code that is a secret": {"logins": [echo(code=PASSWORD)]},
    "a sign-in turned away": {"logins": [echo(403)]},
    "a lost sign-in": {"logins": [requests.ConnectionError(f"{EMAIL}:{PASSWORD}")]},
    "a page in place of a sign-in": {"logins": [sent(200, f"<html>{EMAIL} {PASSWORD}</html>")]},
    "an odd token": {"logins": [sent(200, {"data": {"obtainKrakenToken": {"token": "kept-token\r\nX: y"}}})]},
    "a refused question": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1188")]},
    "another's account": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1145")]},
    "a token refused twice": {"kept": ["kraken"], "answers": [echo(code="KT-CT-1124")] * 2},
    "patience": {"kept": ["kraken"], "answers": [echo(429)]},
    "half an answer": {"kept": ["kraken"], "answers": [sent(200, f'{{"data": "{NUMBER}')]},
    "a lost answer": {"kept": ["kraken"], "answers": [requests.exceptions.InvalidHeader("kept-token")]},
    "an unknown field": {"kept": ["kraken"], "answers": [echo(400, code=None)]},
    "a spent token": {"kept": ["auth0"], "exchanges": [sent(403, {"error": "invalid_grant", "x": "auth0-refresh-0"})]},
    "an odd exchange": {"kept": ["auth0"], "exchanges": [echo(400)]},
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_no_trouble_gives_a_secret_away(
    house: House, failure: dict[str, list[object]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    if failure.get("kept") == ["kraken"]:
        house.keep()
    elif failure.get("kept") == ["auth0"]:
        house.keep(kind="auth0", refresh_token="auth0-refresh-0", until=None)
    house.kraken.next_logins.extend(failure.get("logins", []))
    house.kraken.next_answers.extend(failure.get("answers", []))
    house.kraken.next_exchanges.extend(failure.get("exchanges", []))

    with pytest.raises(Trouble) as raised:
        house.plan("ev-a")

    told = f"{spoken(raised.value)} {caplog.text} {house.account!r}"
    given_away = [secret for secret in (*SECRETS, "kept-token", "kept-refresh", "auth0-refresh-0") if secret in told]
    assert given_away == []


def spoken(trouble: BaseException) -> str:
    """All that a log could hold of an exception, its whole ancestry included."""
    ancestors = [each for each in (trouble.__cause__, trouble.__context__) if each is not None]
    words = [*traceback.format_exception(trouble), repr(trouble), repr(vars(trouble)), *map(spoken, ancestors)]
    return " ".join(words)


def test_no_plan_gives_a_secret_away(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    house.kraken.devices = [car("ev-a"), car("ev-b")]
    house.kraken.plans = {"ev-a": [smart("12:30", "14:00", kind=NUMBER)]}
    house.kraken.faults = {"ev-b": "KT-CT-4340", "completedDispatches": "KT-CT-4341"}

    plan = house.plan("ev-a", "ev-b")

    assert plan.trouble is not None
    assert [secret for secret in SECRETS if secret in f"{plan} {caplog.text}"] == []

"""How the adapter signs in at Kraken itself, how long a token lasts, and which refusals are final."""

import json
from datetime import datetime, timedelta

import pytest
from fake_kraken import EMAIL, NOW, PASSWORD, KrakenInstallation, error_response, graphql_error, make_jwt, make_response

from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError


def obtained(**changes: object) -> tuple[int, object, str]:
    """A login's answer."""
    given = {"token": "new-token", "payload": None, "refreshToken": "new-refresh", "refreshExpiresIn": None}
    return make_response(200, {"data": {"obtainKrakenToken": given | changes}})


def stamp(lifetime: timedelta) -> int:
    return int((NOW + lifetime).timestamp())


def until(house: KrakenInstallation) -> datetime:
    return datetime.fromisoformat(str(house.kept()["until"]))


def test_a_first_sign_in_is_kept_for_its_owner_alone(house: KrakenInstallation) -> None:
    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]
    assert house.token_file.stat().st_mode & 0o777 == 0o600
    assert until(house) == NOW + timedelta(minutes=60)
    assert house.kept()["refresh_until"] == "2026-07-15T12:00:00Z"
    assert PASSWORD not in house.token_file.read_text()


def test_a_kept_token_is_used_until_five_minutes_before_its_end(house: KrakenInstallation) -> None:
    house.keep(until="2026-07-08T12:20:00Z")

    house.plan("ev-a")
    house.plan("ev-a", now=NOW + timedelta(minutes=15))
    assert house.kraken.logins == []

    house.plan("ev-a", now=NOW + timedelta(minutes=16))
    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}]
    assert house.kraken.asked[-1].authorization == f"JWT {house.kept()['token']}"


PAYLOADS: dict[str, tuple[dict[str, object], timedelta]] = {
    "an object": ({"payload": {"exp": stamp(timedelta(minutes=60))}}, timedelta(minutes=60)),
    "a JSON text": ({"payload": json.dumps({"exp": stamp(timedelta(minutes=60))})}, timedelta(minutes=60)),
    "an unreadable text": ({"payload": "{exp", "token": make_jwt(timedelta(minutes=40))}, timedelta(minutes=40)),
    "none, and a token that tells": ({"token": make_jwt(timedelta(minutes=40))}, timedelta(minutes=40)),
    "none, and a token that does not": ({}, timedelta(minutes=50)),
    "none, and a token with an odd inside": ({"token": "a.!!!.c"}, timedelta(minutes=50)),
    "an end in the past": ({"payload": {"exp": stamp(timedelta(hours=-2))}}, timedelta(minutes=50)),
    "an end that is almost there": ({"payload": {"exp": stamp(timedelta(minutes=2))}}, timedelta(minutes=50)),
    "an end beyond any life": ({"payload": {"exp": stamp(timedelta(days=9000))}}, timedelta(minutes=50)),
    "an end that is a truth": ({"payload": {"exp": True}}, timedelta(minutes=50)),
    "an end beyond all years": ({"payload": {"exp": 1e300}}, timedelta(minutes=50)),
    "a payload without an end": ({"payload": {"iat": 1}}, timedelta(minutes=50)),
}


@pytest.mark.parametrize(("given", "life"), PAYLOADS.values(), ids=PAYLOADS)
def test_a_tokens_end_is_read_or_assumed(house: KrakenInstallation, given: dict[str, object], life: timedelta) -> None:
    house.kraken.next_logins.append(obtained(**given))

    house.plan("ev-a")

    assert until(house) == NOW + life


@pytest.mark.parametrize("given", [604_800, "soon", None, 1e300], ids=["a duration", "a word", "null", "a far end"])
def test_an_implausible_end_of_a_refresh_token_is_unknown(house: KrakenInstallation, given: object) -> None:
    house.kraken.next_logins.append(obtained(refreshExpiresIn=given))

    house.plan("ev-a")

    assert house.kept()["refresh_until"] is None
    assert house.kept()["refresh_token"] == "new-refresh"


def test_a_refresh_that_brings_no_new_refresh_token_keeps_the_old(house: KrakenInstallation) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins.append(obtained(refreshToken=None))

    house.plan("ev-a")

    assert (house.kept()["token"], house.kept()["refresh_token"]) == ("new-token", "kept-refresh")


@pytest.mark.parametrize("code", ["KT-CT-1134", "KT-CT-1135", "KT-CT-1137"])
def test_a_refused_refresh_is_made_good_by_one_sign_in(house: KrakenInstallation, code: str) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins.append(error_response(code, "obtainKrakenToken"))

    house.plan("ev-a")

    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}, {"email": EMAIL, "password": PASSWORD}]
    assert house.kept()["refresh_token"] == "kraken-refresh-2"


def test_a_refresh_token_known_to_be_over_is_not_presented(house: KrakenInstallation) -> None:
    house.keep(until="2026-07-08T12:04:00Z", refresh_until="2026-07-08T11:00:00Z")

    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]


def test_a_refused_refresh_and_a_refused_password_end_the_run(house: KrakenInstallation) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins += [error_response("KT-CT-1135"), error_response("KT-CT-1138")]

    with pytest.raises(SignInRefusedError):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 2
    assert house.kraken.asked == []


def test_a_refused_password_names_both_causes(house: KrakenInstallation) -> None:
    house.kraken.next_logins.append(error_response("KT-CT-1138", "obtainKrakenToken"))

    with pytest.raises(SignInRefusedError) as refused:
        house.plan("ev-a")

    words = "wrong password, or your account has moved to the new E.ON sign-in: run `smartcharge login kraken`"
    assert words in str(refused.value)
    assert len(house.kraken.logins) == 1
    assert not house.token_file.exists()


FINAL = ["KT-CT-1136", "KT-CT-1137", "KT-CT-1139", "KT-CT-1141", "KT-CT-1142", "KT-CT-1146", "KT-CT-1148", "KT-CT-1160"]


@pytest.mark.parametrize("code", FINAL)
def test_every_refusal_of_a_sign_in_is_final(house: KrakenInstallation, code: str) -> None:
    house.kraken.next_logins.append(error_response(code, "obtainKrakenToken"))

    with pytest.raises(SignInRefusedError, match=code):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1


@pytest.mark.parametrize(
    "code", [None, "KT-CT-1111", "KT-CT-1113", "KT-CT-1124", "KT-CT-1147", "KT-CT-9999", "OE-0103"]
)
def test_a_code_that_refuses_no_sign_in_is_trouble_of_the_supplier(house: KrakenInstallation, code: str | None) -> None:
    house.kraken.next_logins.append(error_response(code, "obtainKrakenToken"))

    with pytest.raises(UnreachableError):
        house.plan("ev-a")


GATES: dict[str, tuple[int, object]] = {
    "HTTP 403 with a page": (403, "<html>Request blocked</html>"),
    "HTTP 403 with JSON": (403, {"errors": [graphql_error("KT-CT-1111")]}),
    "HTTP 429": (429, "<html>Slow down</html>"),
    "KT-CT-1199": (200, {"data": None, "errors": [graphql_error("KT-CT-1199", "obtainKrakenToken")]}),
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_sign_in_that_is_turned_away_is_no_wrong_password(
    house: KrakenInstallation, gate: tuple[int, object]
) -> None:
    house.kraken.next_logins.append(make_response(*gate))

    with pytest.raises(ThrottledError):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1


@pytest.mark.parametrize(
    "given", [None, [], {"token": None}, {"token": "two words"}, {"token": "a\r\nb"}, {"token": 7}]
)
def test_a_sign_in_without_a_usable_token_is_nonsense(house: KrakenInstallation, given: object) -> None:
    house.kraken.next_logins.append(make_response(200, {"data": {"obtainKrakenToken": given}}))

    with pytest.raises(UnreachableError):
        house.plan("ev-a")

    assert not house.token_file.exists()

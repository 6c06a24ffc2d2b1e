"""How the adapter comes by a token, keeps it, renews it, and when it stops asking."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import requests
from kraken_case import EMAIL, NOW, PASSWORD, House, error, failed, jwt, sent

from smartcharge.adapters.tariff_kraken import KrakenTariff, sign_in_fingerprint
from smartcharge.errors import ConfigurationRefused, SignInRefused, Throttled, Unreachable


def obtained(**changes: object) -> tuple[int, object, str]:
    """A login's answer."""
    given = {"token": "new-token", "payload": None, "refreshToken": "new-refresh", "refreshExpiresIn": None}
    return sent(200, {"data": {"obtainKrakenToken": given | changes}})


def stamp(lifetime: timedelta) -> int:
    return int((NOW + lifetime).timestamp())


def until(house: House) -> datetime:
    return datetime.fromisoformat(str(house.kept()["until"]))


def test_a_first_sign_in_is_kept_for_its_owner_alone(house: House) -> None:
    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]
    assert house.token_file.stat().st_mode & 0o777 == 0o600
    assert until(house) == NOW + timedelta(minutes=60)
    assert house.kept()["refresh_until"] == "2026-07-15T12:00:00Z"
    assert PASSWORD not in house.token_file.read_text()


def test_a_kept_token_is_used_until_five_minutes_before_its_end(house: House) -> None:
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
    "an unreadable text": ({"payload": "{exp", "token": jwt(timedelta(minutes=40))}, timedelta(minutes=40)),
    "none, and a token that tells": ({"token": jwt(timedelta(minutes=40))}, timedelta(minutes=40)),
    "none, and a token that does not": ({}, timedelta(minutes=50)),
    "none, and a token with an odd inside": ({"token": "a.!!!.c"}, timedelta(minutes=50)),
    "an end in the past": ({"payload": {"exp": stamp(timedelta(hours=-2))}}, timedelta(minutes=50)),
    "an end beyond any life": ({"payload": {"exp": stamp(timedelta(days=9000))}}, timedelta(minutes=50)),
    "an end that is a truth": ({"payload": {"exp": True}}, timedelta(minutes=50)),
    "an end beyond all years": ({"payload": {"exp": 1e300}}, timedelta(minutes=50)),
    "a payload without an end": ({"payload": {"iat": 1}}, timedelta(minutes=50)),
}


@pytest.mark.parametrize(("given", "life"), PAYLOADS.values(), ids=PAYLOADS)
def test_a_tokens_end_is_read_or_assumed(house: House, given: dict[str, object], life: timedelta) -> None:
    house.kraken.next_logins.append(obtained(**given))

    house.plan("ev-a")

    assert until(house) == NOW + life


@pytest.mark.parametrize("given", [604_800, "soon", None, 1e300], ids=["a duration", "a word", "null", "a far end"])
def test_an_implausible_end_of_a_refresh_token_is_unknown(house: House, given: object) -> None:
    house.kraken.next_logins.append(obtained(refreshExpiresIn=given))

    house.plan("ev-a")

    assert house.kept()["refresh_until"] is None
    assert house.kept()["refresh_token"] == "new-refresh"


def test_a_refresh_that_brings_no_new_refresh_token_keeps_the_old(house: House) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins.append(obtained(refreshToken=None))

    house.plan("ev-a")

    assert (house.kept()["token"], house.kept()["refresh_token"]) == ("new-token", "kept-refresh")


@pytest.mark.parametrize("code", ["KT-CT-1134", "KT-CT-1135", "KT-CT-1137"])
def test_a_refused_refresh_is_made_good_by_one_sign_in(house: House, code: str) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins.append(failed(code, "obtainKrakenToken"))

    house.plan("ev-a")

    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}, {"email": EMAIL, "password": PASSWORD}]
    assert house.kept()["refresh_token"] == "kraken-refresh-2"


def test_a_refresh_token_known_to_be_over_is_not_presented(house: House) -> None:
    house.keep(until="2026-07-08T12:04:00Z", refresh_until="2026-07-08T11:00:00Z")

    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]


def test_a_refused_refresh_and_a_refused_password_end_the_run(house: House) -> None:
    house.keep(until="2026-07-08T12:04:00Z")
    house.kraken.next_logins += [failed("KT-CT-1135"), failed("KT-CT-1138")]

    with pytest.raises(SignInRefused):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 2
    assert house.kraken.asked == []


def test_a_refused_password_names_both_causes(house: House) -> None:
    house.kraken.next_logins.append(failed("KT-CT-1138", "obtainKrakenToken"))

    with pytest.raises(SignInRefused) as refused:
        house.plan("ev-a")

    words = "wrong password, or your account has moved to the new E.ON sign-in: run `smartcharge login kraken`"
    assert words in str(refused.value)
    assert len(house.kraken.logins) == 1
    assert not house.token_file.exists()


FINAL = ["KT-CT-1111", "KT-CT-1113", "KT-CT-1136", "KT-CT-1137", "KT-CT-1139", "KT-CT-1141", "KT-CT-1142", "KT-CT-1146"]


@pytest.mark.parametrize("code", [*FINAL, "KT-CT-1148", "KT-CT-9999", "OE-0103"])
def test_every_refusal_of_a_sign_in_is_final(house: House, code: str) -> None:
    house.kraken.next_logins.append(failed(code, "obtainKrakenToken"))

    with pytest.raises(SignInRefused, match=code):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1


@pytest.mark.parametrize("code", [None, "KT-CT-1147"])
def test_a_fault_of_the_supplier_is_no_refusal(house: House, code: str | None) -> None:
    house.kraken.next_logins.append(failed(code, "obtainKrakenToken"))

    with pytest.raises(Unreachable):
        house.plan("ev-a")


GATES: dict[str, tuple[int, object]] = {
    "HTTP 403 with a page": (403, "<html>Request blocked</html>"),
    "HTTP 403 with JSON": (403, {"errors": [error("KT-CT-1111")]}),
    "HTTP 429": (429, "<html>Slow down</html>"),
    "KT-CT-1199": (200, {"data": None, "errors": [error("KT-CT-1199", "obtainKrakenToken")]}),
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_sign_in_that_is_turned_away_is_no_wrong_password(house: House, gate: tuple[int, object]) -> None:
    house.kraken.next_logins.append(sent(*gate))

    with pytest.raises(Throttled):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1


@pytest.mark.parametrize("given", [None, [], {"token": None}, {"token": "two words"}, {"token": "a\r\nb"}, {"token": 7}])
def test_a_sign_in_without_a_usable_token_is_nonsense(house: House, given: object) -> None:
    house.kraken.next_logins.append(sent(200, {"data": {"obtainKrakenToken": given}}))

    with pytest.raises(Unreachable):
        house.plan("ev-a")

    assert not house.token_file.exists()


def test_an_api_key_signs_in_where_there_is_one(house: House) -> None:
    octopus = replace(house, account=replace(house.account, supplier="octopus", api_key="sk_live_secret"))

    octopus.plan("ev-a")
    octopus.plan("ev-a")

    assert house.kraken.logins == [{"APIKey": "sk_live_secret"}]
    assert "sk_live_secret" not in octopus.token_file.read_text()


def test_a_changed_api_key_is_signed_in_with_at_once(house: House) -> None:
    account = replace(house.account, supplier="octopus", api_key="sk_live_one")
    replace(house, account=account).plan("ev-a")

    replace(house, account=replace(account, api_key="sk_live_two")).plan("ev-a")

    assert house.kraken.logins == [{"APIKey": "sk_live_one"}, {"APIKey": "sk_live_two"}]


@pytest.mark.parametrize("other", [{"owner": "someone@else.example"}, {"supplier": "edf"}])
def test_another_persons_sign_in_is_not_used(house: House, other: dict[str, object]) -> None:
    house.keep(**other)

    house.plan("ev-a")

    assert house.kraken.logins == [{"email": EMAIL, "password": PASSWORD}]


def test_a_kept_sign_in_needs_no_configured_one(house: House) -> None:
    house.keep()
    bare = replace(house, account=replace(house.account, email=None, password=""))

    assert bare.plan("ev-a").planned.keys() == {"ev-a"}


def test_no_sign_in_at_all_is_the_owners_business(house: House) -> None:
    bare = replace(house, account=replace(house.account, password=None))

    with pytest.raises(SignInRefused, match="smartcharge login kraken"):
        bare.plan("ev-a")

    assert house.kraken.logins == []


def test_a_check_in_asks_nothing_where_a_token_is_kept(house: House) -> None:
    house.keep()

    KrakenTariff(house.account).check_in(NOW)

    assert (house.kraken.logins, house.kraken.asked) == ([], [])


def test_a_check_in_signs_in_where_none_is_kept(house: House) -> None:
    KrakenTariff(house.account).check_in(NOW)

    assert len(house.kraken.logins) == 1
    assert house.kraken.asked == []


BROKEN = {
    "an empty file": b"",
    "half a file": b'{"kind": "kraken", "supp',
    "bytes": b"\xff\xfe\x00",
    "a list": b"[]",
    "an unknown kind": b'{"kind": "magic", "supplier": "eon-next"}',
    "a token with a line break": b'{"kind": "kraken", "supplier": "eon-next", "token": "a\\r\\nX-Evil: 1"}',
    "a time without a zone": b'{"kind": "kraken", "supplier": "eon-next", "until": "2026-07-08T12:40:00"}',
    "a deep file": b"[" * 50_000,
    "a file without end": b'{"kind": "' + b"x" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_token_file_is_set_aside_with_a_remark(house: House, content: bytes) -> None:
    house.token_file.write_bytes(content)

    plan = house.plan("ev-a")

    assert plan.remarks == (".kraken.json could not be understood; it is kept as .kraken.json.broken",)
    assert house.token_file.with_name(".kraken.json.broken").read_bytes() == content
    assert house.kept()["token"]


def test_a_token_file_that_others_may_read_is_tightened(house: House) -> None:
    house.keep()
    house.token_file.chmod(0o644)

    house.plan("ev-a")

    assert house.token_file.stat().st_mode & 0o777 == 0o600


def test_a_token_file_that_cannot_be_read_is_the_owners_business(house: House) -> None:
    house.token_file.mkdir()

    with pytest.raises(ConfigurationRefused, match="cannot be read"):
        house.plan("ev-a")


def test_a_folder_that_is_missing_is_made(house: House) -> None:
    deep = replace(house, account=replace(house.account, token_file=house.folder / "data" / ".kraken.json"))

    deep.plan("ev-a")

    assert deep.token_file.exists()


@pytest.mark.parametrize("until", ["2026-07-08T11:00:00Z", "2027-07-08T12:00:00Z", None])
def test_a_token_of_unbelievable_life_is_renewed(house: House, until: str | None) -> None:
    house.keep(until=until)

    house.plan("ev-a")

    assert len(house.kraken.logins) == 1


EXPIRED: dict[str, Callable[[], object]] = {
    "KT-CT-1111 on everything": lambda: failed("KT-CT-1111", "devices"),
    **{code: lambda code=code: failed(code, "devices") for code in ("KT-CT-1112", "KT-CT-1120", "KT-CT-1124")},
    **{code: lambda code=code: failed(code) for code in ("KT-CT-1125", "KT-CT-1126", "KT-CT-1127", "KT-CT-1130")},
    **{code: lambda code=code: failed(code) for code in ("KT-CT-1139", "KT-CT-1143", "KT-CT-1144")},
    "UNAUTHENTICATED": lambda: sent(200, {"data": None, "errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}),
    "HTTP 401 with a page": lambda: sent(401, "<html>who are you</html>"),
    "HTTP 401 with JSON": lambda: sent(401, {"detail": "no"}),
    "HTTP 403 with JSON": lambda: sent(403, {"errors": [error("KT-CT-1111")]}),
}


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED)
def test_a_refused_token_is_renewed_once_and_the_question_asked_again(
    house: House, answer: Callable[[], object]
) -> None:
    house.keep()
    house.kraken.next_answers.append(answer())

    plan = house.plan("ev-a")

    assert plan.planned["ev-a"]
    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}]
    assert [asked.authorization for asked in house.kraken.asked] == ["JWT kept-token", f"JWT {house.kept()['token']}"]


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED)
def test_a_token_refused_twice_ends_the_run(house: House, answer: Callable[[], object]) -> None:
    house.keep()
    house.kraken.next_answers += [answer(), answer()]

    with pytest.raises(Unreachable):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1
    assert len(house.kraken.asked) == 2


def test_after_a_renewal_in_vain_no_more_tokens_are_asked_for_a_while(house: House) -> None:
    house.keep()
    house.kraken.next_answers += [failed("KT-CT-1124") for _ in range(3)]
    with pytest.raises(Unreachable):
        house.plan("ev-a")

    with pytest.raises(Unreachable, match="refused new tokens too"):
        house.plan("ev-a", now=NOW + timedelta(minutes=3))
    assert len(house.kraken.logins) == 1

    house.kraken.next_answers.append(failed("KT-CT-1124"))
    assert house.plan("ev-a", now=NOW + timedelta(minutes=18)).planned["ev-a"]
    assert len(house.kraken.logins) == 2


def test_unauthorised_for_one_device_is_not_about_the_token(house: House) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-1111"}

    plan = house.plan("ev-a")

    assert plan.planned == {"ev-a": None}
    assert house.kraken.logins == []


def test_the_account_number_is_suspected_where_nothing_is_allowed(house: House) -> None:
    house.keep()
    house.kraken.next_answers += [failed("KT-CT-1111", "devices")] * 2

    with pytest.raises(Unreachable, match="check eon_next.import_account"):
        house.plan("ev-a")


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

    with pytest.raises(SignInRefused, match="eon_next.auth_client_id"):
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


def test_a_fingerprint_changes_with_credentials_and_with_the_token_file(house: House) -> None:
    account = house.account
    prints = {sign_in_fingerprint(account)}
    for name in ("email", "password", "api_key", "auth_client_id"):
        prints.add(sign_in_fingerprint(replace(account, **{name: "changed"})))
    house.keep()
    prints.add(sign_in_fingerprint(account))
    house.keep(refresh_token="another-refresh")
    prints.add(sign_in_fingerprint(account))

    assert len(prints) == 7
    assert sign_in_fingerprint(account) == sign_in_fingerprint(replace(account))


def test_a_refusal_leaves_the_fingerprint_as_it_is(house: House) -> None:
    house.kraken.next_logins += [failed("KT-CT-1138"), failed("KT-CT-1138")]
    prints = []
    for _ in range(2):
        with pytest.raises(SignInRefused):
            house.plan("ev-a")
        prints.append(sign_in_fingerprint(house.account))

    assert prints[0] == prints[1]
    assert not any(secret in prints[0] for secret in (EMAIL, PASSWORD))

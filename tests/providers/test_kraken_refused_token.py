"""A token that Kraken does not take: one new one, one more question, then the run is over."""

from datetime import timedelta

import pytest
from fake_kraken import (
    NOW,
    CannedResponse,
    KrakenInstallation,
    error_response,
    graphql_error,
    make_response,
    registered_car,
)

from smartcharge.errors import UnreachableError

ON_EVERYTHING = ["KT-CT-1111", "KT-CT-1112", "KT-CT-1120", "KT-CT-1124", "KT-CT-1125", "KT-CT-1126", "KT-CT-1127"]
EXPIRED = {
    **{code: error_response(code, "devices") for code in ON_EVERYTHING},
    **{code: error_response(code) for code in ("KT-CT-1130", "KT-CT-1139", "KT-CT-1143", "KT-CT-1144")},
    "UNAUTHENTICATED": make_response(200, {"data": None, "errors": [{"extensions": {"code": "UNAUTHENTICATED"}}]}),
    "HTTP 401 with a page": make_response(401, "<html>who are you</html>"),
    "HTTP 401 with JSON": make_response(401, {"detail": "no"}),
    "HTTP 403 with JSON": make_response(403, {"errors": [graphql_error("KT-CT-1111")]}),
}


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED)
def test_a_refused_token_is_renewed_once_and_the_question_asked_again(
    house: KrakenInstallation, answer: CannedResponse
) -> None:
    house.keep()
    house.kraken.next_answers.append(answer)

    plan = house.plan("ev-a")

    assert plan.planned["ev-a"]
    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}]
    assert [asked.authorization for asked in house.kraken.asked] == ["JWT kept-token", f"JWT {house.kept()['token']}"]


@pytest.mark.parametrize("answer", EXPIRED.values(), ids=EXPIRED)
def test_a_token_refused_twice_ends_the_run(house: KrakenInstallation, answer: CannedResponse) -> None:
    house.keep()
    house.kraken.next_answers += [answer, answer]

    with pytest.raises(UnreachableError):
        house.plan("ev-a")

    assert len(house.kraken.logins) == 1
    assert len(house.kraken.asked) == 2


def test_after_a_renewal_in_vain_no_more_tokens_are_asked_for_a_while(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.next_answers += [error_response("KT-CT-1124") for _ in range(3)]
    with pytest.raises(UnreachableError):
        house.plan("ev-a")

    with pytest.raises(UnreachableError, match="refused new tokens"):
        house.plan("ev-a", now=NOW + timedelta(minutes=3))
    assert len(house.kraken.logins) == 1

    house.kraken.next_answers.append(error_response("KT-CT-1124"))
    assert house.plan("ev-a", now=NOW + timedelta(minutes=18)).planned["ev-a"]
    assert len(house.kraken.logins) == 2


def test_a_run_renews_the_token_once_however_many_questions_it_has(house: KrakenInstallation) -> None:
    house.keep()
    first = make_response(200, {"data": {"devices": [registered_car("ev-a")], "completedDispatches": []}})
    house.kraken.next_answers += [error_response("KT-CT-1124"), first, error_response("KT-CT-1124")]

    with pytest.raises(UnreachableError, match="KT-CT-1124"):
        house.plan()

    assert len(house.kraken.logins) == 1


def test_unauthorised_for_one_device_is_not_about_the_token(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-1111"}

    plan = house.plan("ev-a")

    assert plan.planned == {"ev-a": None}
    assert house.kraken.logins == []


def test_the_account_number_is_suspected_where_nothing_is_allowed(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.next_answers += [error_response("KT-CT-1111", "devices")] * 2

    with pytest.raises(UnreachableError, match=r"check eon_next\.import_account"):
        house.plan("ev-a")

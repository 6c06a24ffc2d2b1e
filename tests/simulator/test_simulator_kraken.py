"""Kraken as `requests` meets it."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from smartcharge.simulator.kraken_account import SimulatedDevice
from smartcharge.simulator.simulator import Simulator

URL = "https://api.eonnext-kraken.energy/v1/graphql/"
SIGN_IN = """
mutation ($input: ObtainJSONWebTokenInput!) {
  obtainKrakenToken(input: $input) { token payload refreshToken refreshExpiresIn }
}
"""
PLAN = """
query ($account: String!, $device: String!) {
  devices(accountNumber: $account) { ...device }
  one: flexPlannedDispatches(deviceId: $device) { start end type energyAddedKwh }
  completedDispatches(accountNumber: $account) { start end delta meta { source location } }
}
fragment device on SmartFlexDeviceInterface {
  id deviceType provider status { current isSuspended currentState } ... on SmartFlexVehicle { make model }
}
"""
WINDOW = {"start": "2026-12-09T13:00:00+00:00", "end": "2026-12-09T14:30:00+00:00", "type": "SMART"}


def ask(query: str, variables: dict[str, object], authorization: str = "") -> requests.Response:
    headers = {"Authorization": authorization} if authorization else {}
    with requests.Session() as session:
        return session.post(URL, json={"query": query, "variables": variables}, headers=headers, timeout=60)


def sign_in(**given: str) -> dict[str, Any]:
    answer: dict[str, Any] = ask(SIGN_IN, {"input": given}).json()
    return answer


def signed_in(simulator: Simulator) -> str:
    house = simulator.house
    answer = sign_in(email=house.kraken_email, password=house.kraken_password)
    return str(answer["data"]["obtainKrakenToken"]["token"])


def plan(simulator: Simulator, authorization: str, device: str = "") -> dict[str, Any]:
    variables: dict[str, object] = {
        "account": simulator.house.account_number,
        "device": device or simulator.house.device_id,
    }
    answer: dict[str, Any] = ask(PLAN, variables, authorization).json()
    return answer


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["errorCode"] for error in answer.get("errors", [])]


def test_email_and_password_give_an_hour_and_a_refresh_token_for_a_week(simulator: Simulator) -> None:
    given = sign_in(email=simulator.house.kraken_email, password=simulator.house.kraken_password)
    token = given["data"]["obtainKrakenToken"]

    assert token["payload"]["exp"] == (simulator.now + timedelta(hours=1)).timestamp()
    assert token["refreshExpiresIn"] == (simulator.now + timedelta(days=7)).timestamp()
    assert simulator.account.sign_ins == 1
    assert simulator.requests[0].operation == "obtainKrakenToken"


def test_a_wrong_password_is_told_by_its_code_and_counted_as_a_sign_in(simulator: Simulator) -> None:
    assert codes(sign_in(email=simulator.house.kraken_email, password="wrong")) == ["KT-CT-1138"]
    assert simulator.account.sign_ins == 1


def test_a_refresh_token_is_good_until_its_week_is_over(simulator: Simulator) -> None:
    given = sign_in(email=simulator.house.kraken_email, password=simulator.house.kraken_password)
    refresh = given["data"]["obtainKrakenToken"]["refreshToken"]

    assert "errors" not in sign_in(refreshToken=refresh)
    assert codes(sign_in(refreshToken="made up")) == ["KT-CT-1135"]
    simulator.set_time(simulator.now + timedelta(days=7))
    assert codes(sign_in(refreshToken=refresh)) == ["KT-CT-1134"]


def test_two_kinds_of_credentials_at_once_are_refused(simulator: Simulator) -> None:
    given = sign_in(email=simulator.house.kraken_email, password="x", APIKey=simulator.house.kraken_api_key)

    assert codes(given) == ["KT-CT-1137"]


def test_an_api_key_signs_in_too(simulator: Simulator) -> None:
    assert "errors" not in sign_in(APIKey=simulator.house.kraken_api_key)


@pytest.mark.parametrize("form", ["JWT {}", "Bearer {}", "{}"])
def test_the_token_is_accepted_in_all_three_forms(simulator: Simulator, form: str) -> None:
    simulator.account.plans = {simulator.house.device_id: [{**WINDOW, "energyAddedKwh": "-7.9"}]}

    answer = plan(simulator, form.format(signed_in(simulator)))

    assert "errors" not in answer
    assert answer["data"]["one"] == [{**WINDOW, "energyAddedKwh": "-7.9"}]
    assert answer["data"]["devices"][0]["status"]["current"] == "LIVE"
    assert simulator.requests[-1].operation == "devices+flexPlannedDispatches+completedDispatches"


def test_a_token_expires_after_an_hour_of_the_street_s_time(simulator: Simulator) -> None:
    token = signed_in(simulator)
    simulator.set_time(simulator.now + timedelta(minutes=60))

    assert codes(plan(simulator, token)) == ["KT-CT-1124"] * 3


def test_a_missing_and_a_made_up_token_have_codes_of_their_own(simulator: Simulator) -> None:
    assert codes(plan(simulator, "")) == ["KT-CT-1112"] * 3
    assert codes(plan(simulator, "JWT a.b.c")) == ["KT-CT-1143"] * 3


def test_an_unknown_device_spoils_its_own_field_only(simulator: Simulator) -> None:
    answer = plan(simulator, signed_in(simulator), device="elsewhere")

    assert codes(answer) == ["KT-CT-4301"]
    assert answer["data"]["one"] is None
    assert len(answer["data"]["devices"]) == 1


def test_an_account_of_somebody_else_is_unauthorised(simulator: Simulator) -> None:
    query = 'query { completedDispatches(accountNumber: "A-00000000") { start } }'

    assert codes(ask(query, {}, signed_in(simulator)).json()) == ["KT-CT-1111"]


@pytest.mark.parametrize(
    "query",
    [
        'query { devices(accountNumber: "A") { status { stateOfCharge } } }',
        "query { noSuchField }",
        "query { viewer { ",
        "",
    ],
)
def test_a_query_that_does_not_fit_the_schema_is_http_400(simulator: Simulator, query: str) -> None:
    answer = ask(query, {}, signed_in(simulator))

    assert answer.status_code == 400
    assert answer.json()["errors"]


def test_the_sixth_flex_field_of_a_minute_is_throttled(simulator: Simulator) -> None:
    token = signed_in(simulator)

    answers = [codes(plan(simulator, token)) for _ in range(6)]
    simulator.set_time(simulator.now + timedelta(minutes=1))

    assert answers == [[], [], [], [], [], ["KT-CT-1199"]]
    assert codes(plan(simulator, token)) == []


def test_a_type_nobody_has_heard_of_is_passed_on(simulator: Simulator) -> None:
    simulator.account.devices = (SimulatedDevice(simulator.house.device_id, provider="BRAND_NEW_V9"),)
    simulator.account.plans = {simulator.house.device_id: [{**WINDOW, "type": "SUPERSMART"}, None]}

    answer = plan(simulator, signed_in(simulator))

    assert answer["data"]["devices"][0]["provider"] == "BRAND_NEW_V9"
    assert [item and item["type"] for item in answer["data"]["one"]] == ["SUPERSMART", None]


def test_the_old_query_answers_with_source_and_delta(simulator: Simulator) -> None:
    simulator.account.plans = {simulator.house.device_id: [{**WINDOW, "energyAddedKwh": "-7.9"}]}
    query = "query ($a: String!) { plannedDispatches(accountNumber: $a) { start end delta meta { source } } }"

    answer = ask(query, {"a": simulator.house.account_number}, signed_in(simulator)).json()

    assert answer["data"]["plannedDispatches"][0]["delta"] == "-7.9"
    assert answer["data"]["plannedDispatches"][0]["meta"] == {"source": "smart-charge"}


def test_the_accounts_of_the_viewer_are_told(simulator: Simulator) -> None:
    answer = ask("{ viewer { accounts { number } } }", {}, signed_in(simulator)).json()

    assert answer["data"]["viewer"]["accounts"] == [{"number": simulator.house.account_number}]


PLAN_FAULTS = {"KT-CT-4340": (["KT-CT-4340"], None), "plan-null": ([], None), "plan-empty": ([], [])}


@pytest.mark.parametrize("kind", PLAN_FAULTS)
def test_an_unsure_supplier_says_so_in_one_of_three_ways(simulator: Simulator, kind: str) -> None:
    simulator.account.plans = {simulator.house.device_id: [dict(WINDOW)]}
    token = signed_in(simulator)

    with simulator.fault("kraken", kind):
        answer = plan(simulator, token)

    assert (codes(answer), answer["data"]["one"]) == PLAN_FAULTS[kind]
    assert plan(simulator, token)["data"]["one"]


def test_a_fault_may_strike_one_device_and_spare_the_other(simulator: Simulator) -> None:
    simulator.account.devices = (SimulatedDevice("one"), SimulatedDevice("two"))
    token = signed_in(simulator)

    with simulator.fault("kraken", "KT-CT-4340", device="one"):
        assert codes(plan(simulator, token, "one")) == ["KT-CT-4340"]
        assert codes(plan(simulator, token, "two")) == []


def test_a_field_can_go_missing_or_be_removed(simulator: Simulator) -> None:
    token = signed_in(simulator)

    with simulator.fault("kraken", "plan-missing"):
        missing = plan(simulator, token)
    with simulator.fault("kraken", "flex-removed"):
        removed = ask(PLAN, {"account": "A", "device": "d"}, token)

    assert "one" not in missing["data"]
    assert "devices" in missing["data"]
    assert removed.status_code == 400


def test_throttling_may_strike_the_sign_in_itself(simulator: Simulator) -> None:
    with simulator.fault("kraken", "KT-CT-1199", only="obtainKrakenToken"):
        answer = sign_in(email=simulator.house.kraken_email, password=simulator.house.kraken_password)

    assert codes(answer) == ["KT-CT-1199"]
    assert answer["data"]["obtainKrakenToken"] is None

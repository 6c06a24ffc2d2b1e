"""The adapter against the pretend street: real sockets, TLS, a proxy, and questions that are really executed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.policy.model import Dispatch, SupplierPlan
from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.login import login_with_refresh_token
from smartcharge.simulator.kraken_account import SimulatedDevice
from smartcharge.simulator.simulator import Simulator

PLANNED = Dispatch(datetime(2026, 12, 9, 13, tzinfo=UTC), datetime(2026, 12, 9, 14, 30, tzinfo=UTC), 7.9)


@pytest.fixture
def account(simulator: Simulator, tmp_path: Path) -> KrakenAccount:
    house = simulator.house
    simulator.account.plans[house.device_id] = [
        {
            "start": "2026-12-09T13:00:00+00:00",
            "end": "2026-12-09T14:30:00+00:00",
            "type": "SMART",
            "energyAddedKwh": "-7.9",
        }
    ]
    file = tmp_path / ".kraken.json"
    return KrakenAccount("eon-next", house.account_number, file, house.kraken_email, house.kraken_password)


def plan(simulator: Simulator, account: KrakenAccount, *devices: str) -> SupplierPlan:
    return KrakenTariff(account).plan(devices or (simulator.house.device_id,), simulator.now)


def test_a_day_of_questions_costs_one_password_and_a_refresh_an_hour(
    simulator: Simulator, account: KrakenAccount
) -> None:
    for _ in range(40):
        assert plan(simulator, account).planned == {simulator.house.device_id: (PLANNED,)}
        simulator.set_time(simulator.now + timedelta(minutes=3))

    assert simulator.account.sign_ins == 1
    assert simulator.count("kraken") == 40 + 1 + 2


def test_a_car_registered_anew_is_found_in_the_same_run(simulator: Simulator, account: KrakenAccount) -> None:
    simulator.account.devices = (SimulatedDevice("new-registration"),)
    simulator.account.plans["new-registration"] = []

    assert plan(simulator, account).planned == {"new-registration": ()}


def test_a_refresh_token_from_the_browser_carries_on_for_hours(simulator: Simulator, account: KrakenAccount) -> None:
    moved = replace(account, email=None, password=None)
    login_with_refresh_token(moved, simulator.kraken_auth.issue_refresh_token(), simulator.now)

    for _ in range(4):
        assert plan(simulator, moved).planned == {simulator.house.device_id: (PLANNED,)}
        simulator.set_time(simulator.now + timedelta(minutes=58))

    assert simulator.account.sign_ins == 0
    assert simulator.count("kraken-auth") == 4


def test_a_revoked_sign_in_is_the_owners_business(simulator: Simulator, account: KrakenAccount) -> None:
    spent = simulator.kraken_auth.issue_refresh_token()
    login_with_refresh_token(account, spent, simulator.now)
    with pytest.raises(SignInRefusedError):
        login_with_refresh_token(account, spent, simulator.now)
    simulator.set_time(simulator.now + timedelta(hours=1))

    with pytest.raises(SignInRefusedError, match="smartcharge login kraken"):
        plan(simulator, account)


def test_where_the_plan_per_device_was_removed_the_older_one_is_asked(
    simulator: Simulator, account: KrakenAccount
) -> None:
    with simulator.fault("kraken", "flex-removed"):
        found = plan(simulator, account)
        again = plan(simulator, account)

    assert found.planned.keys() == again.planned.keys() == {simulator.house.device_id}
    assert simulator.count("kraken", lambda request: "flexPlannedDispatches" in request.operation) == 1


FAULTS: dict[str, type[UnreachableError]] = {
    "http-403": ThrottledError,
    "http-429": ThrottledError,
    "KT-CT-1199": ThrottledError,
    "http-401": UnreachableError,
    "http-500": UnreachableError,
    "http-503": UnreachableError,
    "html": UnreachableError,
    "null": UnreachableError,
    "list": UnreachableError,
    "empty": UnreachableError,
    "huge": UnreachableError,
    "drop": UnreachableError,
    "KT-CT-1124": UnreachableError,
}


@pytest.mark.parametrize(("kind", "trouble"), FAULTS.items())
def test_trouble_in_the_street_is_told(
    simulator: Simulator, account: KrakenAccount, kind: str, trouble: type[UnreachableError]
) -> None:
    plan(simulator, account)

    with simulator.fault("kraken", kind), pytest.raises(UnreachableError) as raised:
        plan(simulator, account)

    assert isinstance(raised.value, trouble)
    assert plan(simulator, account).planned == {simulator.house.device_id: (PLANNED,)}
    assert simulator.account.sign_ins == 1


@pytest.mark.parametrize("kind", ["KT-CT-4340", "KT-CT-1111", "plan-null", "plan-missing"])
def test_an_unknown_plan_is_not_an_empty_one(simulator: Simulator, account: KrakenAccount, kind: str) -> None:
    with simulator.fault("kraken", kind):
        found = plan(simulator, account)

    assert found.planned == {simulator.house.device_id: None}
    assert found.trouble is not None


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_an_answer_that_never_ends_uses_up_its_share_and_no_more(
    simulator: Simulator, account: KrakenAccount, kind: str
) -> None:
    plan(simulator, account)

    with simulator.fault("kraken", kind), pytest.raises(DeadlineExceeded), time_limit(0.4):
        plan(simulator, account)

    assert plan(simulator, account).trouble is None

"""The adapter against the pretend street: real sockets, TLS, a proxy, and questions that are really executed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from smartcharge import budget
from smartcharge.adapters.tariff_kraken import KrakenAccount, KrakenTariff, login_with_refresh_token
from smartcharge.core.answers import Dispatch, Plan
from smartcharge.errors import SignInRefused, Throttled, Unreachable
from smartcharge.world.kraken_account import Device
from smartcharge.world.street import Street

PLANNED = Dispatch(datetime(2026, 12, 9, 13, tzinfo=UTC), datetime(2026, 12, 9, 14, 30, tzinfo=UTC), 7.9)


@pytest.fixture
def account(street: Street, tmp_path: Path) -> KrakenAccount:
    house = street.house
    street.account.plans[house.device_id] = [
        {
            "start": "2026-12-09T13:00:00+00:00",
            "end": "2026-12-09T14:30:00+00:00",
            "type": "SMART",
            "energyAddedKwh": "-7.9",
        }
    ]
    file = tmp_path / ".kraken.json"
    return KrakenAccount("eon-next", house.account_number, file, house.kraken_email, house.kraken_password)


def plan(street: Street, account: KrakenAccount, *devices: str) -> Plan:
    return KrakenTariff(account).plan(devices or (street.house.device_id,), street.now)


def test_a_day_of_questions_costs_one_password_and_a_refresh_an_hour(street: Street, account: KrakenAccount) -> None:
    for _ in range(40):
        assert plan(street, account).planned == {street.house.device_id: (PLANNED,)}
        street.set_time(street.now + timedelta(minutes=3))

    assert street.account.sign_ins == 1
    assert street.count("kraken") == 40 + 1 + 2


def test_a_car_registered_anew_is_found_in_the_same_run(street: Street, account: KrakenAccount) -> None:
    street.account.devices = (Device("new-registration"),)
    street.account.plans["new-registration"] = []

    assert plan(street, account).planned == {"new-registration": ()}


def test_a_refresh_token_from_the_browser_carries_on_for_hours(street: Street, account: KrakenAccount) -> None:
    moved = replace(account, email=None, password=None)
    login_with_refresh_token(moved, street.kraken_auth.issue_refresh_token(), street.now)

    for _ in range(4):
        assert plan(street, moved).planned == {street.house.device_id: (PLANNED,)}
        street.set_time(street.now + timedelta(minutes=58))

    assert street.account.sign_ins == 0
    assert street.count("kraken-auth") == 4


def test_a_revoked_sign_in_is_the_owners_business(street: Street, account: KrakenAccount) -> None:
    spent = street.kraken_auth.issue_refresh_token()
    login_with_refresh_token(account, spent, street.now)
    with pytest.raises(SignInRefused):
        login_with_refresh_token(account, spent, street.now)
    street.set_time(street.now + timedelta(hours=1))

    with pytest.raises(SignInRefused, match="smartcharge login kraken"):
        plan(street, account)


def test_where_the_plan_per_device_was_removed_the_older_one_is_asked(street: Street, account: KrakenAccount) -> None:
    with street.fault("kraken", "flex-removed"):
        found = plan(street, account)
        again = plan(street, account)

    assert found.planned.keys() == again.planned.keys() == {street.house.device_id}
    assert street.count("kraken", lambda request: "flexPlannedDispatches" in request.operation) == 1


FAULTS: dict[str, type[Unreachable]] = {
    "http-403": Throttled,
    "http-429": Throttled,
    "KT-CT-1199": Throttled,
    "http-401": Unreachable,
    "http-500": Unreachable,
    "http-503": Unreachable,
    "html": Unreachable,
    "null": Unreachable,
    "list": Unreachable,
    "empty": Unreachable,
    "huge": Unreachable,
    "drop": Unreachable,
    "KT-CT-1124": Unreachable,
}


@pytest.mark.parametrize(("kind", "trouble"), FAULTS.items())
def test_trouble_in_the_street_is_told(
    street: Street, account: KrakenAccount, kind: str, trouble: type[Unreachable]
) -> None:
    plan(street, account)

    with street.fault("kraken", kind), pytest.raises(Unreachable) as raised:
        plan(street, account)

    assert isinstance(raised.value, trouble)
    assert plan(street, account).planned == {street.house.device_id: (PLANNED,)}
    assert street.account.sign_ins == 1


@pytest.mark.parametrize("kind", ["KT-CT-4340", "KT-CT-1111", "plan-null", "plan-missing"])
def test_an_unknown_plan_is_not_an_empty_one(street: Street, account: KrakenAccount, kind: str) -> None:
    with street.fault("kraken", kind):
        found = plan(street, account)

    assert found.planned == {street.house.device_id: None}
    assert found.trouble is not None


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_an_answer_that_never_ends_uses_up_its_share_and_no_more(
    street: Street, account: KrakenAccount, kind: str
) -> None:
    plan(street, account)

    with street.fault("kraken", kind), pytest.raises(budget.OutOfTime), budget.share(0.4):
        plan(street, account)

    assert plan(street, account).trouble is None

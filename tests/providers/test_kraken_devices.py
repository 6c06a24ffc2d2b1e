"""Which devices are watched: live cars under control, or the pinned one alone."""

from dataclasses import replace
from datetime import datetime

import pytest
from fake_kraken import ACCOUNT_NUMBER, OMITTED, KrakenInstallation, error_response, registered_car

from smartcharge.errors import ConfigurationError
from smartcharge.policy.model import Dispatch, RegisteredDevice


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}:00+00:00")


NOT_WATCHED = {
    "a suspended car": registered_car("other", suspended=True),
    "a retired car": registered_car("other", current="RETIRED"),
    "a car in its registration": registered_car("other", current="PENDING_LIVE"),
    "a car without a status": {"id": "other", "deviceType": "ELECTRIC_VEHICLES", "status": None},
    "a smart meter": registered_car("other") | {"deviceType": "ELECTRICITY_METERS"},
    "a house battery": registered_car("other") | {"deviceType": "BATTERIES"},
}


@pytest.mark.parametrize("other", NOT_WATCHED.values(), ids=NOT_WATCHED)
def test_only_a_live_car_under_control_is_watched(house: KrakenInstallation, other: dict[str, object]) -> None:
    house.keep()
    house.kraken.devices = [other, registered_car("ev-a")]

    plan = house.plan("ev-a", "other")

    assert plan.devices is not None
    assert [device.watched for device in plan.devices] == [False, True]
    assert plan.planned.keys() == {"ev-a"}


def test_a_car_whose_control_is_not_said_to_be_suspended_is_watched(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a", suspended=None)]

    assert house.plan("ev-a").planned.keys() == {"ev-a"}


def test_unknown_words_about_a_device_are_accepted(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a", state="SOMETHING_ELSE", provider="BRAND_NEW_V9")]

    assert house.plan("ev-a").devices == (RegisteredDevice("ev-a", watched=True, state="SOMETHING_ELSE"),)


def test_a_forced_charge_is_told(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a", state="BOOSTING")]

    assert house.plan("ev-a").devices == (RegisteredDevice("ev-a", watched=True, boosting=True, state="BOOSTING"),)


def test_no_device_is_not_the_same_as_nothing_planned(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = []

    plan = house.plan("ev-a")

    assert plan.devices == ()
    assert plan.planned == {}
    assert plan.trouble == "no device is registered with the supplier"


def test_no_car_under_control_is_known_and_no_trouble(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a", suspended=True)]

    plan = house.plan("ev-a")

    assert (plan.planned, plan.trouble) == ({}, None)
    assert plan.remarks == ("no registered car is live and under the supplier's control",)


@pytest.mark.parametrize("devices", [None, OMITTED, {"id": "ev-a"}], ids=["null", "missing", "no list"])
def test_unknown_devices_leave_the_known_ones_in_use(house: KrakenInstallation, devices: object) -> None:
    house.keep()
    house.kraken.devices = devices

    plan = house.plan("ev-a")

    assert plan.devices is None
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),)}
    assert plan.trouble is not None
    assert plan.trouble.startswith("the devices are unknown (")


def test_of_endless_devices_no_endless_question_is_made(house: KrakenInstallation) -> None:
    house.keep()
    names = [f"ev-{n}" for n in range(30)]
    house.kraken.devices = [registered_car(name) for name in names]
    house.kraken.plans = {name: [] for name in names}

    plan = house.plan()

    assert max(len(asked.variables) for asked in house.kraken.asked) == 10
    assert plan.planned == dict.fromkeys(names[:10], ()) | dict.fromkeys(names[10:])


def pinned(house: KrakenInstallation) -> KrakenInstallation:
    house.keep()
    return replace(house, account=replace(house.account, pinned_device="ev-a"))


def test_a_pinned_device_is_watched_alone(house: KrakenInstallation) -> None:
    house.kraken.devices = [registered_car("ev-a"), registered_car("ev-b")]

    plan = pinned(house).plan("ev-b")

    assert [dict(asked.variables) for asked in house.kraken.asked] == [{"account": ACCOUNT_NUMBER, "d0": "ev-a"}]
    assert plan.planned.keys() == {"ev-a"}
    assert plan.devices is not None
    assert [device.watched for device in plan.devices] == [True, False]


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([registered_car("ev-c")], "names a device that is gone. To fix: set it to ev-c"),
        (
            [registered_car("ev-a", current="RETIRED"), registered_car("ev-c"), registered_car("ev-d")],
            "To fix: set it to ev-c, ev-d",
        ),
        (
            [registered_car("ev-a", current="RETIRED"), registered_car("ev-c")],
            "names a device that is RETIRED (ELECTRIC_VEHICLES).",
        ),
        ([], "names a device that is gone. To fix: connect your car"),
    ],
)
def test_a_pinned_device_that_is_gone_is_the_owners_business(
    house: KrakenInstallation, devices: list[dict[str, object]], words: str
) -> None:
    house.kraken.devices = devices

    with pytest.raises(ConfigurationError) as refused:
        pinned(house).plan("ev-a")

    assert refused.value.key == "eon_next.device_id"
    assert words in str(refused.value)


def test_a_pinned_device_that_is_suspended_has_no_plan_and_is_no_mistake(house: KrakenInstallation) -> None:
    house.kraken.devices = [registered_car("ev-a", suspended=True)]

    plan = pinned(house).plan()

    assert (plan.planned, plan.trouble) == ({}, None)


def test_an_unknown_list_of_devices_leaves_the_pinned_one_in_use(house: KrakenInstallation) -> None:
    house.kraken.devices = None

    assert pinned(house).plan().planned.keys() == {"ev-a"}


def test_another_persons_account_number_is_the_owners_business(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.next_answers.append(error_response("KT-CT-1145", "devices"))

    with pytest.raises(ConfigurationError) as refused:
        house.plan("ev-a")

    assert refused.value.key == "eon_next.import_account"
    assert ACCOUNT_NUMBER not in str(refused.value)


def test_the_suppliers_sisters_are_asked_at_their_own_addresses(house: KrakenInstallation) -> None:
    house.keep(supplier="octopus")
    sister = replace(house, account=replace(house.account, supplier="octopus"))

    assert sister.plan("ev-a").planned.keys() == {"ev-a"}

"""The conversation with Kraken: how much is asked, of which devices, and what is told of them."""

from datetime import datetime

import pytest
from fake_kraken import (
    ACCOUNT_NUMBER,
    OMITTED,
    KrakenInstallation,
    graphql_error,
    make_response,
    older_dispatch,
    planned_dispatch,
    registered_car,
)

from smartcharge import __version__
from smartcharge.policy.model import Dispatch, RegisteredDevice


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}:00+00:00")


def test_the_steady_state_is_one_question(house: KrakenInstallation) -> None:
    house.keep()

    plan = house.plan("ev-a")

    assert len(house.kraken.asked) == 1
    assert house.kraken.logins == []
    assert plan.devices == (RegisteredDevice("ev-a", watched=True, state="SMART_CONTROL_CAPABLE"),)
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),)}
    assert plan.completed == ()
    assert (plan.remarks, plan.trouble) == ((), None)


def test_values_travel_as_variables_only(house: KrakenInstallation) -> None:
    house.keep()

    house.plan("ev-a")

    asked = house.kraken.asked[0]
    assert asked.variables == {"account": ACCOUNT_NUMBER, "d0": "ev-a"}
    assert ACCOUNT_NUMBER not in asked.query
    assert "ev-a" not in asked.query
    assert asked.authorization == "JWT kept-token"
    assert asked.user_agent == f"smartcharge/{__version__}"


def test_devices_are_discovered_in_the_same_run(house: KrakenInstallation) -> None:
    house.keep()

    plan = house.plan()

    assert [set(asked.variables) for asked in house.kraken.asked] == [{"account"}, {"d0"}]
    assert plan.planned.keys() == {"ev-a"}
    assert plan.trouble is None


def test_a_new_car_is_asked_about_in_the_same_run(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a"), registered_car("ev-b")]
    house.kraken.plans["ev-b"] = [planned_dispatch("15:00", "16:00")]

    plan = house.plan("ev-a")

    assert [dict(asked.variables) for asked in house.kraken.asked] == [
        {"account": ACCOUNT_NUMBER, "d0": "ev-a"},
        {"d0": "ev-b"},
    ]
    assert plan.planned == {
        "ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),),
        "ev-b": (Dispatch(at("15:00"), at("16:00"), 4.6),),
    }


def test_a_registration_that_ended_is_replaced_in_the_same_run(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-new")]
    house.kraken.plans = {"ev-new": [planned_dispatch("12:30", "14:00")]}
    house.kraken.faults = {"ev-old": "KT-CT-4301"}

    plan = house.plan("ev-old")

    assert len(house.kraken.asked) == 2
    assert plan.planned.keys() == {"ev-new"}
    assert plan.trouble is None


def test_a_listed_device_that_is_denied_is_asked_about_once_more_and_no_oftener(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-4301"}

    plan = house.plan("ev-a")

    assert len(house.kraken.asked) == 2
    assert plan.planned == {"ev-a": None}
    assert plan.trouble == "the planned dispatches of device ev-a are unknown (KT-CT-4301)"


def test_of_two_cars_under_control_both_count(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a", name="Zoe"), registered_car("ev-b", name="Zoe")]
    house.kraken.plans["ev-b"] = []

    plan = house.plan("ev-a", "ev-b")

    assert len(house.kraken.asked) == 1
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),), "ev-b": ()}


def test_a_failing_device_does_not_spoil_the_others(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = [registered_car("ev-a"), registered_car("ev-b")]
    house.kraken.faults = {"ev-b": "KT-CT-4340"}

    plan = house.plan("ev-a", "ev-b")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),), "ev-b": None}
    assert plan.trouble == "the planned dispatches of device ev-b are unknown (KT-CT-4340)"


NO_ANSWER = {"null": None, "a missing field": OMITTED, "a word": "none", "an object": {"edges": []}}


@pytest.mark.parametrize("given", NO_ANSWER.values(), ids=NO_ANSWER)
def test_only_a_list_is_a_plan(house: KrakenInstallation, given: object) -> None:
    house.keep()

    plan = house.planned(given)

    assert plan.planned == {"ev-a": None}
    assert plan.trouble is not None


def test_an_empty_list_says_that_nothing_is_planned(house: KrakenInstallation) -> None:
    house.keep()

    plan = house.planned([])

    assert (plan.planned, plan.trouble) == ({"ev-a": ()}, None)


@pytest.mark.parametrize("path", [("d0",), ("d0", 0, "start"), ()], ids=["its own", "an item's", "nobody's"])
def test_an_empty_list_beside_an_error_says_nothing(house: KrakenInstallation, path: tuple[object, ...]) -> None:
    house.keep()
    data = {"devices": [registered_car("ev-a")], "d0": [], "completedDispatches": [older_dispatch("08:30", "09:00")]}
    house.kraken.next_answers.append(make_response(200, {"data": data, "errors": [graphql_error("KT-CT-4340", *path)]}))

    plan = house.plan("ev-a")

    assert plan.planned == {"ev-a": None}
    assert plan.devices is not None
    assert plan.completed is not None


def test_a_failed_history_is_unknown_and_only_remarked(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.faults = {"completedDispatches": "KT-CT-4341"}

    plan = house.plan("ev-a")

    assert plan.completed is None
    assert plan.trouble is None
    assert plan.remarks == ("the completed dispatches are unknown (KT-CT-4341)",)


def test_completed_dispatches_are_told_whoever_wanted_them(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.completed = [
        older_dispatch("09:00", "09:30", source=None, location="AT_HOME"),
        older_dispatch("08:30", "09:00", "bump-charge"),
    ]

    assert house.plan("ev-a").completed == (
        Dispatch(at("09:00"), at("09:30"), 3.37, None, "AT_HOME"),
        Dispatch(at("08:30"), at("09:00"), 3.37, "bump-charge", None),
    )

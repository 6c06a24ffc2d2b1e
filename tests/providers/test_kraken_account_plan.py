"""Where the supplier tells no plan per device, the account's older one is used, and the newer tried daily."""

from datetime import UTC, datetime, timedelta

import pytest
from fake_kraken import NOW, KrakenInstallation, make_response, older_dispatch, registered_car

from smartcharge.errors import UnreachableError
from smartcharge.policy.model import Dispatch, RegisteredDevice


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}:00+00:00")


def without_flex(house: KrakenInstallation) -> KrakenInstallation:
    house.keep()
    house.kraken.flex_is_unknown = True
    house.kraken.old_planned = [older_dispatch("12:30", "14:00")]
    return house


def test_where_the_plan_per_device_is_unknown_the_older_one_is_used(house: KrakenInstallation) -> None:
    plan = without_flex(house).plan("ev-a")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),)}
    assert plan.devices == (RegisteredDevice("ev-a", watched=True, state="SMART_CONTROL_CAPABLE"),)
    assert plan.trouble is None
    assert len(house.kraken.asked) == 2


def test_where_the_plan_per_device_is_disabled_the_older_one_is_used(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-1113"}
    house.kraken.old_planned = [older_dispatch("12:30", "14:00")]

    assert house.plan("ev-a").planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),)}


def test_the_older_plan_needs_no_known_device(house: KrakenInstallation) -> None:
    plan = without_flex(house).plan()

    assert plan.planned.keys() == {"ev-a"}
    assert len(house.kraken.asked) == 3


def test_the_newer_plan_is_tried_once_a_day(house: KrakenInstallation) -> None:
    without_flex(house).plan("ev-a")
    assert house.kept()["flex_refused_on"] == "2026-07-08"
    house.kraken.asked.clear()

    house.plan("ev-a", now=NOW + timedelta(minutes=3))
    the_same_day = len(house.kraken.asked)
    house.kraken.flex_is_unknown = False
    house.kraken.asked.clear()
    tomorrow = house.plan("ev-a", now=datetime(2026, 7, 9, 0, 1, tzinfo=UTC))

    assert the_same_day == 1
    assert "flexPlannedDispatches" in house.kraken.asked[0].query
    assert tomorrow.planned["ev-a"] == (Dispatch(at("12:30"), at("14:00"), 4.6),)


def test_what_is_remembered_of_the_newer_plan_outlives_a_renewed_token(house: KrakenInstallation) -> None:
    house.keep(flex_refused_on="2026-07-08", until="2026-07-08T12:01:00Z")

    house.plan("ev-a")

    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}]
    assert house.kept()["flex_refused_on"] == "2026-07-08"


def test_the_older_plan_is_the_first_cars(house: KrakenInstallation) -> None:
    without_flex(house).kraken.devices = [registered_car("ev-a"), registered_car("ev-b")]

    plan = house.plan("ev-a", "ev-b")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),), "ev-b": ()}


def test_an_older_plan_that_is_no_answer_is_unknown(house: KrakenInstallation) -> None:
    without_flex(house).kraken.old_planned = None

    plan = house.plan("ev-a")

    assert (plan.planned, plan.trouble) == ({"ev-a": None}, "the planned dispatches are unknown (null)")


def test_where_the_older_plan_is_unknown_too_there_is_no_answer(house: KrakenInstallation) -> None:
    house.keep()
    gone = [
        make_response(400, {"errors": [{"message": f"Cannot query field '{field}' on type 'Query'."}]})
        for field in ("flexPlannedDispatches", "plannedDispatches")
    ]
    house.kraken.next_answers.extend(gone)

    with pytest.raises(UnreachableError, match="refused the question"):
        house.plan("ev-a")

    assert "flex_refused_on" not in house.kept()


def test_another_unknown_field_is_not_mistaken_for_the_plan(house: KrakenInstallation) -> None:
    house.keep()
    message = "Cannot query field 'completedDispatches' on type 'Query'. Did you mean 'flexPlannedDispatches'?"
    house.kraken.next_answers.append(make_response(400, {"errors": [{"message": message}]}))

    with pytest.raises(UnreachableError):
        house.plan("ev-a")

    assert len(house.kraken.asked) == 1

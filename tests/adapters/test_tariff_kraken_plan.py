"""The conversation with Kraken: how much is asked, of which devices, and what is told of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from kraken_case import MISSING, NOW, NUMBER, House, car, error, failed, old, sent, smart

from smartcharge import __version__
from smartcharge.core.answers import Device, Dispatch
from smartcharge.errors import ConfigurationRefused, Unreachable


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}:00+00:00")


def test_the_steady_state_is_one_question(house: House) -> None:
    house.keep()

    plan = house.plan("ev-a")

    assert len(house.kraken.asked) == 1
    assert house.kraken.logins == []
    assert plan.devices == (Device("ev-a", watched=True, state="SMART_CONTROL_CAPABLE"),)
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),)}
    assert plan.completed == ()
    assert (plan.remarks, plan.trouble) == ((), None)


def test_values_travel_as_variables_only(house: House) -> None:
    house.keep()

    house.plan("ev-a")

    asked = house.kraken.asked[0]
    assert asked.variables == {"account": NUMBER, "d0": "ev-a"}
    assert NUMBER not in asked.query
    assert "ev-a" not in asked.query
    assert asked.authorization == "JWT kept-token"
    assert asked.user_agent == f"smartcharge/{__version__}"


def test_devices_are_discovered_in_the_same_run(house: House) -> None:
    house.keep()

    plan = house.plan()

    assert [set(asked.variables) for asked in house.kraken.asked] == [{"account"}, {"d0"}]
    assert plan.planned.keys() == {"ev-a"}
    assert plan.trouble is None


def test_a_new_car_is_asked_about_in_the_same_run(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a"), car("ev-b")]
    house.kraken.plans["ev-b"] = [smart("15:00", "16:00")]

    plan = house.plan("ev-a")

    assert [dict(asked.variables) for asked in house.kraken.asked] == [
        {"account": NUMBER, "d0": "ev-a"},
        {"d0": "ev-b"},
    ]
    assert plan.planned == {
        "ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),),
        "ev-b": (Dispatch(at("15:00"), at("16:00"), 4.6),),
    }


def test_a_registration_that_ended_is_replaced_in_the_same_run(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-new")]
    house.kraken.plans = {"ev-new": [smart("12:30", "14:00")]}
    house.kraken.faults = {"ev-old": "KT-CT-4301"}

    plan = house.plan("ev-old")

    assert len(house.kraken.asked) == 2
    assert plan.planned.keys() == {"ev-new"}
    assert plan.trouble is None


def test_a_listed_device_that_is_denied_is_asked_about_once_more_and_no_oftener(house: House) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-4301"}

    plan = house.plan("ev-a")

    assert len(house.kraken.asked) == 2
    assert plan.planned == {"ev-a": None}
    assert plan.trouble == "the planned dispatches of device ev-a are unknown (KT-CT-4301)"


def test_of_two_cars_under_control_both_count(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a", name="Zoe"), car("ev-b", name="Zoe")]
    house.kraken.plans["ev-b"] = []

    plan = house.plan("ev-a", "ev-b")

    assert len(house.kraken.asked) == 1
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),), "ev-b": ()}


NOT_WATCHED = {
    "a suspended car": car("other", suspended=True),
    "a retired car": car("other", current="RETIRED"),
    "a car in its registration": car("other", current="PENDING_LIVE"),
    "a car without a status": {"id": "other", "deviceType": "ELECTRIC_VEHICLES", "status": None},
    "a smart meter": car("other") | {"deviceType": "ELECTRICITY_METERS"},
    "a house battery": car("other") | {"deviceType": "BATTERIES"},
}


@pytest.mark.parametrize("other", NOT_WATCHED.values(), ids=NOT_WATCHED)
def test_only_a_live_car_under_control_is_watched(house: House, other: dict[str, object]) -> None:
    house.keep()
    house.kraken.devices = [other, car("ev-a")]

    plan = house.plan("ev-a", "other")

    assert plan.devices is not None
    assert [device.watched for device in plan.devices] == [False, True]
    assert plan.planned.keys() == {"ev-a"}


def test_a_car_whose_control_is_not_said_to_be_suspended_is_watched(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a", suspended=None)]

    assert house.plan("ev-a").planned.keys() == {"ev-a"}


def test_unknown_words_about_a_device_are_accepted(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a", state="SOMETHING_ELSE", provider="BRAND_NEW_V9")]

    assert house.plan("ev-a").devices == (Device("ev-a", watched=True, state="SOMETHING_ELSE"),)


def test_a_forced_charge_is_told(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a", state="BOOSTING")]

    assert house.plan("ev-a").devices == (Device("ev-a", watched=True, boosting=True, state="BOOSTING"),)


def test_no_device_is_not_the_same_as_nothing_planned(house: House) -> None:
    house.keep()
    house.kraken.devices = []

    plan = house.plan("ev-a")

    assert plan.devices == ()
    assert plan.planned == {}
    assert plan.trouble == "no device is registered with the supplier"


def test_no_car_under_control_is_known_and_no_trouble(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a", suspended=True)]

    plan = house.plan("ev-a")

    assert (plan.planned, plan.trouble) == ({}, None)
    assert plan.remarks == ("no registered car is live and under the supplier's control",)


@pytest.mark.parametrize("devices", [None, MISSING, {"id": "ev-a"}], ids=["null", "missing", "no list"])
def test_unknown_devices_leave_the_known_ones_in_use(house: House, devices: object) -> None:
    house.keep()
    house.kraken.devices = devices

    plan = house.plan("ev-a")

    assert plan.devices is None
    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),)}
    assert plan.trouble is not None
    assert plan.trouble.startswith("the devices are unknown (")


def test_a_failing_device_does_not_spoil_the_others(house: House) -> None:
    house.keep()
    house.kraken.devices = [car("ev-a"), car("ev-b")]
    house.kraken.faults = {"ev-b": "KT-CT-4340"}

    plan = house.plan("ev-a", "ev-b")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 4.6),), "ev-b": None}
    assert plan.trouble == "the planned dispatches of device ev-b are unknown (KT-CT-4340)"


NO_ANSWER = {"null": None, "a missing field": MISSING, "a word": "none", "an object": {"edges": []}}


@pytest.mark.parametrize("given", NO_ANSWER.values(), ids=NO_ANSWER)
def test_only_a_list_is_a_plan(house: House, given: object) -> None:
    house.keep()

    plan = house.planned(given)

    assert plan.planned == {"ev-a": None}
    assert plan.trouble is not None


def test_an_empty_list_says_that_nothing_is_planned(house: House) -> None:
    house.keep()

    plan = house.planned([])

    assert (plan.planned, plan.trouble) == ({"ev-a": ()}, None)


@pytest.mark.parametrize("path", [("d0",), ("d0", 0, "start"), ()], ids=["its own", "an item's", "nobody's"])
def test_an_empty_list_beside_an_error_says_nothing(house: House, path: tuple[object, ...]) -> None:
    house.keep()
    data = {"devices": [car("ev-a")], "d0": [], "completedDispatches": [old("08:30", "09:00")]}
    house.kraken.next_answers.append(sent(200, {"data": data, "errors": [error("KT-CT-4340", *path)]}))

    plan = house.plan("ev-a")

    assert plan.planned == {"ev-a": None}
    assert plan.devices is not None
    assert plan.completed is not None


def test_a_failed_history_is_unknown_and_only_remarked(house: House) -> None:
    house.keep()
    house.kraken.faults = {"completedDispatches": "KT-CT-4341"}

    plan = house.plan("ev-a")

    assert plan.completed is None
    assert plan.trouble is None
    assert plan.remarks == ("the completed dispatches are unknown (KT-CT-4341)",)


def test_completed_dispatches_are_told_whoever_wanted_them(house: House) -> None:
    house.keep()
    house.kraken.completed = [old("09:00", "09:30", source=None, location="AT_HOME"), old("08:30", "09:00", "bump-charge")]

    assert house.plan("ev-a").completed == (
        Dispatch(at("09:00"), at("09:30"), 3.37, None, "AT_HOME"),
        Dispatch(at("08:30"), at("09:00"), 3.37, "bump-charge", None),
    )


def test_of_endless_devices_no_endless_question_is_made(house: House) -> None:
    house.keep()
    names = [f"ev-{n}" for n in range(30)]
    house.kraken.devices = [car(name) for name in names]
    house.kraken.plans = {name: [] for name in names}

    plan = house.plan()

    assert max(len(asked.variables) for asked in house.kraken.asked) == 10
    assert plan.planned == dict.fromkeys(names[:10], ()) | dict.fromkeys(names[10:])


def pinned(house: House) -> House:
    house.keep()
    return replace(house, account=replace(house.account, pinned_device="ev-a"))


def test_a_pinned_device_is_watched_alone(house: House) -> None:
    house.kraken.devices = [car("ev-a"), car("ev-b")]

    plan = pinned(house).plan("ev-b")

    assert [dict(asked.variables) for asked in house.kraken.asked] == [{"account": NUMBER, "d0": "ev-a"}]
    assert plan.planned.keys() == {"ev-a"}
    assert plan.devices is not None
    assert [device.watched for device in plan.devices] == [True, False]


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ([car("ev-c")], "names a device that is gone. Now it seems to be ev-c."),
        ([car("ev-a", current="RETIRED"), car("ev-c"), car("ev-d")], "Now it seems to be ev-c, ev-d."),
        ([car("ev-a", current="RETIRED"), car("ev-c")], "names a device that is RETIRED (ELECTRIC_VEHICLES)."),
        ([], "names a device that is gone. No live car is registered with the supplier now."),
    ],
)
def test_a_pinned_device_that_is_gone_is_the_owners_business(
    house: House, devices: list[dict[str, object]], words: str
) -> None:
    house.kraken.devices = devices

    with pytest.raises(ConfigurationRefused) as refused:
        pinned(house).plan("ev-a")

    assert refused.value.key == "eon_next.device_id"
    assert words in str(refused.value)


def test_a_pinned_device_that_is_suspended_has_no_plan_and_is_no_mistake(house: House) -> None:
    house.kraken.devices = [car("ev-a", suspended=True)]

    plan = pinned(house).plan()

    assert (plan.planned, plan.trouble) == ({}, None)


def test_an_unknown_list_of_devices_leaves_the_pinned_one_in_use(house: House) -> None:
    house.kraken.devices = None

    assert pinned(house).plan().planned.keys() == {"ev-a"}


def test_another_persons_account_number_is_the_owners_business(house: House) -> None:
    house.keep()
    house.kraken.next_answers.append(failed("KT-CT-1145", "devices"))

    with pytest.raises(ConfigurationRefused) as refused:
        house.plan("ev-a")

    assert refused.value.key == "eon_next.import_account"
    assert NUMBER not in str(refused.value)


def test_the_suppliers_sisters_are_asked_at_their_own_addresses(house: House) -> None:
    house.keep(supplier="octopus")
    sister = replace(house, account=replace(house.account, supplier="octopus"))

    assert sister.plan("ev-a").planned.keys() == {"ev-a"}


def without_flex(house: House) -> House:
    house.keep()
    house.kraken.flex_is_unknown = True
    house.kraken.old_planned = [old("12:30", "14:00")]
    return house


def test_where_the_plan_per_device_is_unknown_the_older_one_is_used(house: House) -> None:
    plan = without_flex(house).plan("ev-a")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),)}
    assert plan.devices == (Device("ev-a", watched=True, state="SMART_CONTROL_CAPABLE"),)
    assert plan.trouble is None
    assert len(house.kraken.asked) == 2


def test_where_the_plan_per_device_is_disabled_the_older_one_is_used(house: House) -> None:
    house.keep()
    house.kraken.faults = {"ev-a": "KT-CT-1113"}
    house.kraken.old_planned = [old("12:30", "14:00")]

    assert house.plan("ev-a").planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),)}


def test_the_older_plan_needs_no_known_device(house: House) -> None:
    plan = without_flex(house).plan()

    assert plan.planned.keys() == {"ev-a"}
    assert len(house.kraken.asked) == 3


def test_the_newer_plan_is_tried_once_a_day(house: House) -> None:
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


def test_what_is_remembered_of_the_newer_plan_outlives_a_renewed_token(house: House) -> None:
    house.keep(flex_refused_on="2026-07-08", until="2026-07-08T12:01:00Z")

    house.plan("ev-a")

    assert house.kraken.logins == [{"refreshToken": "kept-refresh"}]
    assert house.kept()["flex_refused_on"] == "2026-07-08"


def test_the_older_plan_is_the_first_cars(house: House) -> None:
    without_flex(house).kraken.devices = [car("ev-a"), car("ev-b")]

    plan = house.plan("ev-a", "ev-b")

    assert plan.planned == {"ev-a": (Dispatch(at("12:30"), at("14:00"), 3.37, "smart-charge"),), "ev-b": ()}


def test_an_older_plan_that_is_no_answer_is_unknown(house: House) -> None:
    without_flex(house).kraken.old_planned = None

    plan = house.plan("ev-a")

    assert (plan.planned, plan.trouble) == ({"ev-a": None}, "the planned dispatches are unknown (null)")


def test_where_the_older_plan_is_unknown_too_there_is_no_answer(house: House) -> None:
    house.keep()
    gone = [
        sent(400, {"errors": [{"message": f"Cannot query field '{field}' on type 'Query'."}]})
        for field in ("flexPlannedDispatches", "plannedDispatches")
    ]
    house.kraken.next_answers.extend(gone)

    with pytest.raises(Unreachable, match="refused the question"):
        house.plan("ev-a")

    assert "flex_refused_on" not in house.kept()


def test_another_unknown_field_is_not_mistaken_for_the_plan(house: House) -> None:
    house.keep()
    message = "Cannot query field 'completedDispatches' on type 'Query'. Did you mean 'flexPlannedDispatches'?"
    house.kraken.next_answers.append(sent(400, {"errors": [{"message": message}]}))

    with pytest.raises(Unreachable):
        house.plan("ev-a")

    assert len(house.kraken.asked) == 1

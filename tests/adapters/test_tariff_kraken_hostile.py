"""Answers that mean harm, or are merely broken: nothing of them spreads, and reading them ends soon."""

import json
from datetime import datetime

import pytest
from kraken_case import House, car, old, sent, smart

from smartcharge.core.answers import Dispatch
from smartcharge.errors import Unreachable


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}+00:00")


@pytest.fixture(autouse=True)
def _signed_in(house: House) -> None:
    house.keep()


def test_remarks_are_not_told_without_end(house: House) -> None:
    plan = house.planned([smart("14:00", f"13:{n:02}") for n in range(60)])

    assert len(plan.remarks) == 21
    assert plan.remarks[-1] == "and 40 remarks more"


BAD_IDS = {
    "no id": {},
    "a number": {"id": 7},
    "empty": {"id": ""},
    "control": {"id": "a\r\nb"},
    "long": {"id": "x" * 101},
}


@pytest.mark.parametrize("bad", BAD_IDS.values(), ids=BAD_IDS)
def test_a_device_without_a_usable_id_is_ignored(house: House, bad: dict[str, object]) -> None:
    house.kraken.devices = [{"deviceType": "ELECTRIC_VEHICLES", "status": {"current": "LIVE"}, **bad}, car("ev-a")]

    plan = house.plan("ev-a")

    assert plan.planned.keys() == {"ev-a"}
    assert plan.remarks == ("a device without a usable id is ignored",)


def test_devices_that_are_no_objects_are_ignored(house: House) -> None:
    house.kraken.devices = [None, 7, [], {"id": "x", "status": "LIVE", "deviceType": {}}, car("ev-a")]

    assert house.plan("ev-a").planned.keys() == {"ev-a"}


def test_words_from_outside_lose_their_control_characters(house: House) -> None:
    house.kraken.devices = [car("ev-a", state="BOO\x1b[31m\r\n\u202eSTING")]
    house.kraken.completed = [old("08:30", "09:00", "smart\x00-charge", "AT\nHOME")]

    plan = house.plan("ev-a")

    assert plan.devices is not None
    assert plan.devices[0].state == "BOO[31mSTING"
    assert plan.completed == (Dispatch(at("08:30:00"), at("09:00:00"), 3.37, "smart-charge", "ATHOME"),)


def test_a_list_without_end_is_nonsense(house: House) -> None:
    with pytest.raises(Unreachable, match="more than 500 items"):
        house.planned([smart("12:30", "14:00")] * 501)


HOSTILE = {
    "a deep answer": "[" * 500_000,
    "a deep object": '{"data":' * 200_000,
    "an answer over 2 MiB": '{"data": {"d0": "' + "x" * (2 * 1024 * 1024) + '"}}',
    "a number without end": '{"data": {"d0": ' + "9" * 100_000 + "}}",
    "bytes that are no text": "\ud800",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_nonsense_soon(house: House, body: str) -> None:
    text = body.encode("utf-8", "surrogatepass")
    house.kraken.next_answers.append((200, {}, text))

    with pytest.raises(Unreachable):
        house.plan("ev-a")


ODD_ERRORS: dict[str, object] = {
    "a word": "broken",
    "a list of words": ["broken", None, 7],
    "codes that are no words": [{"extensions": {"errorCode": ["KT-CT-1120"]}, "path": [0]}],
    "extensions that are a list": [{"extensions": [], "path": "d0", "message": None}],
    "very many": [{"message": "x"}] * 5000,
}


@pytest.mark.parametrize("errors", ODD_ERRORS.values(), ids=ODD_ERRORS)
def test_odd_errors_spoil_no_given_answer(house: House, errors: object) -> None:
    data = {"devices": [car("ev-a")], "d0": [smart("12:30", "14:00")], "completedDispatches": None}
    house.kraken.next_answers.append(sent(200, json.dumps({"data": data, "errors": errors})))

    plan = house.plan("ev-a")

    assert plan.planned["ev-a"] == (Dispatch(at("12:30:00"), at("14:00:00"), 4.6),)
    assert plan.completed is None

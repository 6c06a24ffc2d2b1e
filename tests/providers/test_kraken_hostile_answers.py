"""Answers that mean harm, or are merely broken: nothing of them spreads, and reading them ends soon."""

import copy
import json
import math
from collections.abc import Iterator
from datetime import datetime

import pytest
from fake_kraken import KrakenInstallation, make_response, older_dispatch, planned_dispatch, registered_car
from msgspec import Struct
from msgspec.structs import fields

from smartcharge.errors import AppError, UnreachableError
from smartcharge.policy.model import Dispatch


def at(time: str) -> datetime:
    return datetime.fromisoformat(f"2026-07-08T{time}+00:00")


@pytest.fixture(autouse=True)
def _signed_in(house: KrakenInstallation) -> None:
    house.keep()


def test_remarks_are_not_told_without_end(house: KrakenInstallation) -> None:
    plan = house.planned([planned_dispatch("14:00", f"13:{n:02}") for n in range(60)])

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
def test_a_device_without_a_usable_id_is_ignored(house: KrakenInstallation, bad: dict[str, object]) -> None:
    house.kraken.devices = [
        {"deviceType": "ELECTRIC_VEHICLES", "status": {"current": "LIVE"}, **bad},
        registered_car("ev-a"),
    ]

    plan = house.plan("ev-a")

    assert plan.planned.keys() == {"ev-a"}
    assert plan.remarks == ("a device without a usable id is ignored",)


def test_devices_that_are_no_objects_are_ignored(house: KrakenInstallation) -> None:
    house.kraken.devices = [None, 7, [], {"id": "x", "status": "LIVE", "deviceType": {}}, registered_car("ev-a")]

    assert house.plan("ev-a").planned.keys() == {"ev-a"}


def test_words_from_outside_lose_their_control_characters(house: KrakenInstallation) -> None:
    house.kraken.devices = [registered_car("ev-a", state="BOO\x1b[31m\r\n\u202eSTING")]
    house.kraken.completed = [older_dispatch("08:30", "09:00", "smart\x00-charge", "AT\nHOME")]

    plan = house.plan("ev-a")

    assert plan.devices is not None
    assert plan.devices[0].state == "BOO[31mSTING"
    assert plan.completed == (Dispatch(at("08:30:00"), at("09:00:00"), 3.37, "smart-charge", "ATHOME"),)


def test_a_list_without_end_is_nonsense(house: KrakenInstallation) -> None:
    with pytest.raises(UnreachableError, match="more than 500 items"):
        house.planned([planned_dispatch("12:30", "14:00")] * 501)


HOSTILE = {
    "a deep answer": "[" * 500_000,
    "a deep object": '{"data":' * 200_000,
    "an answer over 4 MiB": '{"data": {"d0": "' + "x" * (4 * 1024 * 1024) + '"}}',
    "a number without end": '{"data": {"d0": ' + "9" * 100_000 + "}}",
    "bytes that are no text": "\ud800",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_is_nonsense_soon(house: KrakenInstallation, body: str) -> None:
    text = body.encode("utf-8", "surrogatepass")
    house.kraken.next_answers.append((200, {}, text))

    with pytest.raises(UnreachableError):
        house.plan("ev-a")


ODD_ERRORS: dict[str, object] = {
    "a word": "broken",
    "a list of words": ["broken", None, 7],
    "codes that are no words": [{"extensions": {"errorCode": ["KT-CT-1120"]}, "path": [0]}],
    "extensions that are a list": [{"extensions": [], "path": "d0", "message": None}],
    "very many": [{"message": "x"}] * 5000,
}


@pytest.mark.parametrize("errors", ODD_ERRORS.values(), ids=ODD_ERRORS)
def test_odd_errors_spoil_no_given_answer(house: KrakenInstallation, errors: object) -> None:
    data = {
        "devices": [registered_car("ev-a")],
        "d0": [planned_dispatch("12:30", "14:00")],
        "completedDispatches": None,
    }
    house.kraken.next_answers.append(make_response(200, json.dumps({"data": data, "errors": errors})))

    plan = house.plan("ev-a")

    assert plan.planned["ev-a"] == (Dispatch(at("12:30:00"), at("14:00:00"), 4.6),)
    assert plan.completed is None


NASTY: tuple[object, ...] = (None, "\x1b[31m\r\n\ud800", {"a": [None]}, [[]], math.nan, -1e300)


def places(node: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in an answer, the answer itself included."""
    yield at
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in children:
        yield from places(child, (*at, key))


def with_nasty(node: object, at: tuple[str | int, ...], value: object) -> object:
    """The answer with one value replaced."""
    if not at:
        return value
    copied = copy.copy(node)
    assert isinstance(copied, dict | list)
    copied[at[0]] = with_nasty(copied[at[0]], at[1:], value)  # type: ignore[call-overload,index]
    return copied


def words(value: object) -> Iterator[str]:
    """Every text in a plan."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from (*words(key), *words(each))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from words(each)
    elif isinstance(value, Struct):
        for field in fields(value):
            yield from words(getattr(value, field.name))


def test_whatever_stands_anywhere_in_an_answer_only_plain_words_and_our_own_errors_leave(
    house: KrakenInstallation,
) -> None:
    error = {"message": "m", "path": ["completedDispatches"], "extensions": {"errorCode": "KT-CT-4341"}}
    data = {
        "devices": [registered_car("ev-a")],
        "d0": [planned_dispatch("12:30", "14:00")],
        "completedDispatches": [older_dispatch("08:30", "09:00")],
    }
    answer = {"data": data, "errors": [error]}
    said = []
    for at in places(answer):
        for nasty in NASTY:
            house.kraken.next_answers.clear()
            house.kraken.next_answers.append(make_response(200, json.dumps(with_nasty(answer, at, nasty))))
            try:
                said += words(house.plan("ev-a"))
            except AppError as trouble:
                said.append(str(trouble))
            house.keep()

    assert len(said) > 500
    assert [text for text in said if not text.isprintable()] == []

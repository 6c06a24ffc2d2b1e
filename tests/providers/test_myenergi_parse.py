"""What a Zappi's record says about the car."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from zappi_records import BASE_RECORD, LEFT_OUT, NOW, THRESHOLD_W, parse_records, zappi_record

from smartcharge.policy.model import ChargerReading, ChargerState
from smartcharge.providers.myenergi import parse_error_status, parse_reading

SUMMER = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
CHARGING, IDLE, UNKNOWN = ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN

NO_POWER = {"ectp1": 0, "div": 0}
THREE_PHASES = {"ectt2": "Internal Load", "ectt3": "Internal Load"}


ONE_ZAPPI = {
    "a car that draws 7 kW charges": ({}, CHARGING),
    "an offer without power is no charge": (NO_POWER, IDLE),
    "older firmware leaves zeros out": ({"ectp1": LEFT_OUT, "div": LEFT_OUT}, IDLE),
    "a clamp's noise is no charge": ({"ectp1": 4, "div": 4}, IDLE),
    "negative noise is no charge": ({"ectp1": -6, "div": 0}, IDLE),
    "two of three phases draw while the first and the status rest": (
        {"sta": 1, **THREE_PHASES, "ectp1": 0, "ectp2": 1900, "ectp3": 1900, "div": 3800}, CHARGING),
    "three phases are added up where div is missing": (
        {**THREE_PHASES, "ectp1": 300, "ectp2": 300, "ectp3": 300, "div": LEFT_OUT}, CHARGING),
    "a boost by schedule or supplier is a charge": ({"sta": 4, "bst": 1, "zmo": 3}, CHARGING),
    "the status stays at boosting when the car has gone": ({"sta": 4, "pst": "A", "zsh": 1, **NO_POWER}, IDLE),
    "the status stays at boosting when the car is full": ({"sta": 4, "pst": "B2", "zsh": 10, **NO_POWER}, IDLE),
    "waiting for the sun is no charge": ({"pst": "B1", "sta": 1, "zmo": 3, "zsh": 5, **NO_POWER}, IDLE),
    "a car that delays is no charge": ({"pst": "B2", "sta": 1, "zsh": 9, **NO_POWER}, IDLE),
    "a full car is no charge": ({"pst": "B2", "sta": 5, "zsh": 10, **NO_POWER}, IDLE),
    "a car that asks in vain is no charge": ({"pst": "C1", "sta": 1, **NO_POWER}, IDLE),
    "measured power outranks a pilot without offer": ({"pst": "C1", "ectp1": 1600, "div": 1600}, CHARGING),
    "a fault that draws is contradictory": ({"pst": "F"}, UNKNOWN),
    "a car that is gone and draws is contradictory": ({"pst": "A"}, UNKNOWN),
    "a car that is full and draws is contradictory": ({"pst": "B2"}, UNKNOWN),
    "a blank pilot that draws is contradictory": ({"pst": ""}, UNKNOWN),
    "a missing pilot that draws is contradictory": ({"pst": LEFT_OUT}, UNKNOWN),
    "a pilot in lower case is a stranger": ({"pst": "c2"}, UNKNOWN),
    "a pilot that is no text is a stranger": ({"pst": ["C2"]}, UNKNOWN),
    "a ventilated charge is a charge": ({"pst": "D2"}, CHARGING),
    "a ventilated charge without offer is a charge": ({"pst": "D1"}, CHARGING),
    "an unknown pilot without power is no charge": ({"pst": "X9", **NO_POWER}, IDLE),
    "a stopped charger is no charge": ({"zmo": 4, "pst": "B1", "sta": 1, "zsh": 53, **NO_POWER}, IDLE),
    "yesterday's record proves nothing": ({"dat": "21-11-2026"}, UNKNOWN),
    "a record of 300 s is still fresh": ({"tim": "13:25:00"}, CHARGING),
    "a record of 301 s proves nothing": ({"tim": "13:24:59"}, UNKNOWN),
    "an old record of an idle car proves nothing either": ({"tim": "13:24:59", **NO_POWER}, UNKNOWN),
    "a stamp 65 min ahead may be local time": ({"tim": "14:35:00"}, CHARGING),
    "a stamp further ahead proves nothing": ({"tim": "14:35:01"}, UNKNOWN),
    "a record without a day proves nothing": ({"dat": LEFT_OUT}, UNKNOWN),
    "a record without a time proves nothing": ({"tim": None}, UNKNOWN),
    "a day that never was proves nothing": ({"dat": "31-02-2026"}, UNKNOWN),
    "a stamp in another notation proves nothing": ({"dat": "2026-11-22"}, UNKNOWN),
    "a stamp that is a number proves nothing": ({"tim": 132940}, UNKNOWN),
    "without a built-in clamp div decides": ({"ectt1": "Generation", "ectp1": 0}, CHARGING),
    "without a built-in clamp div decides against, too": ({"ectt1": "Generation", "ectp1": 9000, "div": 0}, IDLE),
    "the larger of clamp and div counts": ({"div": 0}, CHARGING),
    "the larger of div and clamp counts": ({"ectp1": 0}, CHARGING),
    "reversed flow is no draw": ({"ectp1": -7150, "div": -7150}, UNKNOWN),
    "reversed flow as strong as the threshold is no draw": ({"ectp1": -500, "div": -500}, UNKNOWN),
    "a null for power proves nothing": ({"div": None}, UNKNOWN),
    "a null at the built-in clamp proves nothing": ({"ectp1": None}, UNKNOWN),
    "a null at a foreign clamp does not matter": ({"ectp2": None}, CHARGING),
    "power as text proves nothing": ({"div": "7150"}, UNKNOWN),
    "power as a boolean proves nothing": ({"div": True}, UNKNOWN),
    "power that is not a number proves nothing": ({"ectp1": float("nan"), "div": float("nan")}, UNKNOWN),
    "endless power proves nothing": ({"div": float("inf")}, UNKNOWN),
    "power beyond belief proves nothing": ({"div": 10**400}, UNKNOWN),
    "no power anywhere proves nothing": ({"ectt1": "None", "div": LEFT_OUT}, UNKNOWN),
    "a taper below the threshold is no charge": ({"ectp1": 300, "div": 300}, IDLE),
    "499 W are no charge": ({"ectp1": 499, "div": 499}, IDLE),
    "500 W are a charge": ({"ectp1": 500, "div": 500}, CHARGING),
    "the random delay at a slot's start is no charge": ({"pst": "B1", "sta": 1, "zsh": 54, **NO_POWER}, IDLE),
    "a locked charger is no charge": ({"pst": "B1", "sta": 1, "zsh": 6, "lck": 7, **NO_POWER}, IDLE),
    "complete while the pilot still offers is no charge": ({"sta": 5, "zsh": 10, **NO_POWER}, IDLE),
    "unknown keys and another label are tolerated": ({"new": {"a": 1}, "cmt": 7, "ectt1": "Int Load"}, CHARGING),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "expected"), ONE_ZAPPI.values(), ids=ONE_ZAPPI)
def test_one_zappi(changes: dict[str, object], expected: ChargerState) -> None:
    assert parse_records(zappi_record(**changes)).state is expected


def test_a_stamp_in_summer_is_utc() -> None:
    summer = zappi_record(dat="01-07-2026", tim="11:59:50", dst=1)

    assert parse_records(summer, now=SUMMER).state is CHARGING


def test_a_summer_stamp_in_local_time_is_tolerated() -> None:
    summer = zappi_record(dat="01-07-2026", tim="12:59:50", dst=1)

    assert parse_records(summer, now=SUMMER).state is CHARGING


IDLE_ZAPPI = zappi_record(pst="A", **NO_POWER)
SECOND_ZAPPI = zappi_record(sno=17000002)
OLD_ZAPPI = zappi_record(sno=17000003, dat="21-11-2026")

SEVERAL_ZAPPIS = {
    "any that charges wins over an idle one": ([IDLE_ZAPPI, SECOND_ZAPPI], None, CHARGING),
    "any that charges wins over an unknown one": ([OLD_ZAPPI, SECOND_ZAPPI], None, CHARGING),
    "any unknown wins over an idle one": ([IDLE_ZAPPI, OLD_ZAPPI], None, UNKNOWN),
    "all idle is idle": ([IDLE_ZAPPI, zappi_record(sno=17000002, pst="B2", **NO_POWER)], None, IDLE),
    "a pinned serial restricts the view": ([zappi_record(pst="B2", **NO_POWER), SECOND_ZAPPI], "17000001", IDLE),
    "a pinned serial that charges is seen": ([IDLE_ZAPPI, SECOND_ZAPPI], "17000002", CHARGING),
    "a serial as text is the same serial": ([zappi_record(sno="17000001")], "17000001", CHARGING),
    "a pinned serial that is missing is unknown": ([IDLE_ZAPPI], "17000009", UNKNOWN),
    "two without a serial are both looked at": (
        [zappi_record(sno=None, **NO_POWER), zappi_record(sno=LEFT_OUT)],
        None,
        CHARGING,
    ),
    "an entry that is no record is unknown": ([IDLE_ZAPPI, None], None, UNKNOWN),
    "no Zappi at all is unknown": ([], None, UNKNOWN),
}


@pytest.mark.parametrize(("records", "pinned", "expected"), SEVERAL_ZAPPIS.values(), ids=SEVERAL_ZAPPIS)
def test_several_zappis(records: list[object], pinned: str | None, expected: ChargerState) -> None:
    assert parse_records(*records, pinned=pinned).state is expected


NO_RECORDS: dict[str, object] = {
    "null": None,
    "a list": [{"zappi": [BASE_RECORD]}],
    "a text": "zappi",
    "a number": 1,
    "an empty object": {},
    "a group that is null": {"zappi": None},
    "a group that is an object": {"zappi": BASE_RECORD},
    "another group": {"eddi": [BASE_RECORD]},
    "a status object": {"status": -14, "statustext": ""},
}


@pytest.mark.parametrize("answer", NO_RECORDS.values(), ids=NO_RECORDS)
def test_an_answer_without_records_is_unknown_and_says_why(answer: object) -> None:
    reading = parse_reading(answer, NOW, threshold_w=THRESHOLD_W, pinned_serial=None)

    assert (reading.state, reading.watts, reading.serials) == (UNKNOWN, None, ())
    assert reading.why


def test_a_reading_carries_what_people_want_to_know() -> None:
    reading = parse_records(IDLE_ZAPPI, SECOND_ZAPPI)

    assert reading == ChargerReading(
        CHARGING, NOW, watts=7150, why="7,150 W, pilot C2", session_kwh=4.8, serials=("17000001", "17000002")
    )


SOLAR_ONLY = {
    "Eco+ with the surplus of the sun": ([{"zmo": 3, "sta": 3, "bst": 0}], True),
    "Eco+ of a firmware that leaves zeros out": ([{"zmo": 3, "sta": 3, "bst": LEFT_OUT}], True),
    "Eco+ that boosts": ([{"zmo": 3, "sta": 4, "bst": 0}], False),
    "Eco+ that is boosted": ([{"zmo": 3, "sta": 3, "bst": 1}], False),
    "Eco tops up from the grid": ([{"zmo": 2, "sta": 3, "bst": 0}], False),
    "Fast": ([{"zmo": 1, "sta": 3, "bst": 0}], False),
    "a record that does not name the mode": ([{"zmo": LEFT_OUT, "sta": 3, "bst": 0}], False),
    "an idle car": ([{"zmo": 3, "sta": 3, "bst": 0, **NO_POWER}], False),
    "two cars, one with power from the grid": ([{"zmo": 3, "sta": 3, "bst": 0}, {"zmo": 1}], False),
    "two cars, the one in Fast idle": ([{"zmo": 3, "sta": 3, "bst": 0}, {"zmo": 1, **NO_POWER}], True),
}


@pytest.mark.parametrize(("records", "expected"), SOLAR_ONLY.values(), ids=SOLAR_ONLY)
def test_a_zappi_in_eco_plus_without_a_boost_charges_from_the_sun_alone(
    records: list[dict[str, Any]], *, expected: bool
) -> None:
    assert parse_records(*(zappi_record(**changes) for changes in records)).solar_only is expected


def test_the_power_of_all_zappis_is_added_up() -> None:
    assert parse_records(zappi_record(), SECOND_ZAPPI).watts == 14_300


def test_an_unknown_reading_tells_no_power() -> None:
    assert parse_records(zappi_record(pst="F")).watts is None


def test_noise_is_told_as_no_power() -> None:
    assert parse_records(zappi_record(ectp1=-6, div=-6)).watts == 0


def test_a_session_counter_that_is_no_number_is_left_out() -> None:
    assert parse_records(zappi_record(che="2.4")).session_kwh is None


WHYS = {
    "an idle car": (zappi_record(pst="B2", **NO_POWER), "0 W, pilot B2"),
    "a contradiction": (zappi_record(pst="F"), "7,150 W, pilot F: contradictory"),
    "a foreign sign": (zappi_record(pst="\x1b[31m"), "7,150 W, pilot ?: contradictory"),
    "nine minutes": (zappi_record(tim="13:21:00"), "record is 9 min old"),
    "a morning": (zappi_record(tim="09:30:00"), "record is 4 h old"),
    "nine days": (zappi_record(dat="13-11-2026"), "record is 9 days old"),
    "the future": (zappi_record(tim="15:10:00"), "record is 100 min ahead of the clock"),
    "no time": (zappi_record(tim=""), "record without a readable time"),
    "no power": (zappi_record(div=None), "record without a usable power"),
    "reversed flow": (zappi_record(ectp1=-7150, div=-7150), "-7,150 W flow out of the car"),
}


@pytest.mark.parametrize(("one", "why"), WHYS.values(), ids=WHYS)
def test_a_reading_says_why(one: dict[str, Any], why: str) -> None:
    assert parse_records(one).why == why


def test_a_missing_pinned_zappi_is_named() -> None:
    assert parse_records(IDLE_ZAPPI, pinned="17000009").why == "no Zappi 17000009 in the answer"


STATUSES: dict[str, tuple[object, int | None]] = {
    "a number": ({"status": -14, "statustext": ""}, -14),
    "a text": ({"status": "-26", "statustext": ""}, -26),
    "no error": ({"status": 0, "statustext": ""}, None),
    "records": ({"zappi": [BASE_RECORD]}, None),
    "a boolean": ({"status": True}, None),
    "words": ({"status": "busy"}, None),
    "an endless text": ({"status": "9" * 5000}, None),
    "null": (None, None),
}


@pytest.mark.parametrize(("answer", "expected"), STATUSES.values(), ids=STATUSES)
def test_the_error_number_of_an_answer(answer: object, expected: int | None) -> None:
    assert parse_error_status(answer) == expected


def test_an_error_number_is_told() -> None:
    reading = parse_reading({"status": -14, "statustext": ""}, NOW, threshold_w=THRESHOLD_W, pinned_serial=None)

    assert reading.why == "the hub answered with error -14"


def test_what_python_reads_from_json_beyond_the_standard_is_no_power() -> None:
    answer = json.loads(json.dumps({"zappi": [BASE_RECORD]}).replace('"div": 7150', '"div": -Infinity'))

    assert parse_reading(answer, NOW, threshold_w=THRESHOLD_W, pinned_serial=None).state is UNKNOWN

"""Energy of half hours by the charger's counter and power, by the battery, and by the supplier."""

import pytest
from ledger_words import WHOLE_DAY, build_facts, describe_half_hour
from state_words import at

from smartcharge.policy.ledger import build_ledger

CAR = {
    "the counter's rise is spread in proportion to time": (
        "13:10 charging 1.0, 13:40 idle 4.0",
        {"13:00": "started, car 2.00 measured", "13:30": "started, car 1.00 measured"}),
    "a counter that went down is a new session": (
        "13:00 charging 8.2, 13:20 idle 0.4", {"13:00": "started, car 0.40 measured"}),
    "a counter that wavers is no new session": ("13:00 idle 8.21, 13:20 idle 8.20", {"13:00": "car 0.00 measured"}),
    "the sum of two chargers does not tell whose session is new": (
        "13:00 charging 18.2 1 2, 13:20 idle 8.7 1 2", {"13:00": "started, car 1.20 estimated"}),
    "the sum of two chargers rises": (
        "13:00 charging 18.2 1 2, 13:20 idle 21.2 2 1", {"13:00": "started, car 3.00 measured"}),
    "another charger's counter is not compared": (
        "13:00 charging 1.0 1, 13:20 charging 3.4 1, 13:22 charging 9.0 1 2, 13:25 charging 9.6 1 2",
        {"13:00": "started, car 3.24 estimated"}),
    "a rise that no charger can deliver is ignored": (
        "13:00 idle 1.0, 13:20 idle 900.0", {"13:00": "car 0.00 estimated"}),
    "without a counter, the mean of the powers counts": (
        "13:00 charging -, 13:20 idle -", {"13:00": "started, car 1.20 estimated"}),
    "a sum is as reliable as its least reliable part": (
        "13:00 charging 1.0, 13:10 charging 2.2, 13:20 idle -", {"13:00": "started, car 1.80 estimated"}),
    "without a later reading the car is assumed to charge to the end of the half hour": (
        "13:10 charging 1.0", {"13:00": "started, car 2.40 estimated", "13:30": ""}),
    "without a later reading nothing is estimated for the last minutes": (
        "13:00 charging 1.0, 13:28 charging 4.3", {"13:00": "started, car 3.30 measured"}),
    "the next reading is too late: when it flowed is unknown": (
        "13:10 charging 1.0, 13:56 idle 3.0", {"13:00": "started, car 2.40 estimated", "13:30": ""}),
    "readings 45 minutes apart": (
        "13:10 charging 1.0, 13:55 idle 4.0",
        {"13:00": "started, car 1.33 measured", "13:30": "started, car 1.67 measured"}),
    "an unknown reading is left out, with its counter": (
        "13:00 charging 1.0, 13:10 unknown 1.0, 13:20 idle 3.4", {"13:00": "started, car 2.40 measured"}),
    "two readings of the same moment are one": (
        "13:00 charging 1.0, 13:20 idle 3.0, 13:20 idle 3.4", {"13:00": "started, car 2.40 measured"}),
    "a car that stops before the half hour did not charge in it": (
        "13:29 charging 1.0, 13:59 idle 1.1", {"13:00": "started, car 0.00 measured", "13:30": "car 0.10 measured"}),
    "a car that stops within the half hour did charge in it": (
        "13:29 charging 1.0, 13:59 idle 1.3",
        {"13:00": "started, car 0.01 measured", "13:30": "started, car 0.29 measured"}),
    "an idle car whose counter rose proves no start in either half hour": (
        "13:20 idle 1.0, 13:50 idle 4.0", {"13:00": "car 1.00 measured", "13:30": "car 2.00 measured"}),
}  # fmt: skip


@pytest.mark.parametrize(("car", "expected"), CAR.values(), ids=CAR)
def test_energy_into_the_car(car: str, expected: dict[str, str]) -> None:
    entries = {entry.starts_at: entry for entry in build_ledger(build_facts(car=car), WHOLE_DAY)}

    assert {clock: describe_half_hour(entries[at(clock)]) for clock in expected} == expected


BILLED = {
    "a dispatch over several half hours is spread in proportion to time": (
        "13:15-14:15 6.0 15:00", {"13:00": 1.5, "13:30": 3.0, "14:00": 1.5}),
    "the last piece grows": ("13:00-13:17 2.0 13:20, 13:00-13:30 3.5 13:40", {"13:00": 3.5}),
    "a dispatch is split": (
        "13:00-14:00 6.0 14:05, 13:00-13:30 2.9 15:00, 13:30-13:47 1.8 15:00", {"13:00": 2.9, "13:30": 1.8}),
    "a dispatch is shortened": ("13:00-14:00 6.0 14:05, 13:00-13:30 2.9 15:00", {"13:00": 2.9, "13:30": None}),
    "the last change counts, not the last report": (
        "13:00-14:00 6.0 14:05 16:00, 13:00-13:30 2.9 15:00", {"13:00": 3.0, "13:30": 3.0}),
    "an overlap within one answer": ("13:00-13:30 3.5 15:00, 13:10-13:30 2.0 15:00", {"13:00": 3.5}),
    "neighbours do not overlap": ("13:00-13:30 3.5 15:00, 13:30-14:00 2.0 16:00", {"13:00": 3.5, "13:30": 2.0}),
    "replaced by a charge elsewhere": ("13:00-13:30 3.5 15:00, 13:00-13:29 3.4 17:00 away", {"13:00": None}),
    "the supplier does not report the energy": ("13:00-13:30 - 15:00", {"13:00": None}),
}  # fmt: skip


@pytest.mark.parametrize(("told", "expected"), BILLED.values(), ids=BILLED)
def test_energy_as_the_supplier_reports_it(told: str, expected: dict[str, float | None]) -> None:
    entries = {entry.starts_at: entry for entry in build_ledger(build_facts(told=told), WHOLE_DAY)}
    cars = {clock: entries[at(clock)].car for clock in expected}

    assert {clock: car and pytest.approx(car.kwh) for clock, car in cars.items()} == expected
    assert {car.basis for car in cars.values() if car} <= {"reported"}


DENIALS = {
    "a later dispatch was reported, and none for this half hour": ("15:00-15:30 3.0 16:00", False),
    "a later dispatch was reported when the list no longer reached this half hour": ("24:00-24:30 3.0 25:01", None),
    "an earlier dispatch was reported": ("12:00-12:30 3.0 16:00", None),
    "a dispatch that begins within the half hour": ("13:20-13:40 3.0 16:00", True),
}


@pytest.mark.parametrize(("told", "completed"), DENIALS.values(), ids=DENIALS)
def test_whether_the_supplier_reported_a_dispatch(told: str, *, completed: bool | None) -> None:
    entries = {entry.starts_at: entry for entry in build_ledger(build_facts("48:00", told=told), WHOLE_DAY)}

    assert entries[at("13:00")].completed is completed


HELD, TWICE = "13:00-13:59 14:00", "13:00-13:29 13:30, 13:31-13:59 14:00"
BATTERY = {
    "gains between readings of a hold": (
        HELD, "13:00 50 10, 13:29 64.5 10, 13:59 79.5 10", {"13:00": "1.50 measured", "13:30": "1.45 measured"}),
    "what a held battery loses is not counted": (
        HELD, "13:00 50 10, 13:30 49 10, 13:59 60 10", {"13:00": "0.00 measured", "13:30": "1.10 measured"}),
    "what it gains between two holds is not counted": (
        TWICE, "13:00 50 10, 13:29 60 10, 13:31 62 10, 13:59 70 10",
        {"13:00": "1.00 measured", "13:30": "0.80 measured"}),
    "the reading at the release is late": (
        "13:00-13:29 13:30", "13:00 50 10, 13:35 64 10, 13:40 65 10",
        {"13:00": "1.20 measured", "13:30": "0.20 measured"}),
    "the reading at the release is far too late": ("13:00-13:29 13:30", "13:00 50 10, 14:15 80 10", {"13:00": ""}),
    "the next hold's first reading is none of this one's": (
        TWICE, "13:00 50 10, 13:31 62 10, 13:59 70 10", {"13:00": "", "13:30": "0.80 measured"}),
    "before the hold and after it": (HELD, "12:50 10 10, 14:50 90 10", {"13:00": ""}),
    "a reading without a figure is left out": (
        HELD, "13:00 50 10, 13:29 - 10, 13:40 70 10", {"13:00": "1.50 measured", "13:30": "0.50 measured"}),
    "readings far apart: when it flowed is an estimate": (
        HELD, "13:00 50 10, 13:59 79.5 10", {"13:00": "1.50 estimated", "13:30": "1.45 estimated"}),
    "with an unknown capacity it is an estimate": (HELD, "13:00 50, 13:30 60", {"13:00": "1.35 estimated"}),
    "a capacity that was reported at another time": (
        HELD, "03:00 20 13, 13:00 50, 13:30 60", {"13:00": "1.30 measured"}),
    "the capacity shrinks": (HELD, "13:00 50 10, 13:30 60 9.9", {"13:00": "0.99 measured"}),
    "an open hold counts what was read so far": (
        "13:00-now 14:00", "13:00 50 10, 13:30 65 10", {"13:00": "1.50 measured", "13:30": ""}),
}  # fmt: skip


@pytest.mark.parametrize(("held", "battery", "expected"), BATTERY.values(), ids=BATTERY)
def test_energy_into_the_battery(held: str, battery: str, expected: dict[str, str]) -> None:
    entries = {
        entry.starts_at: entry for entry in build_ledger(build_facts("14:00", held=held, battery=battery), WHOLE_DAY)
    }
    found = {clock: entries[at(clock)].battery for clock in expected}

    assert {clock: f"{e.kwh:.2f} {e.basis}" if e else "" for clock, e in found.items()} == expected

"""What would have changed a decision, and what comes next: never anything but what `decide` itself answers."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from random_situations import THOROUGH, situations
from situations import HOUSE, at, hold, situation

from smartcharge.core.decide import decide
from smartcharge.core.explain import CHANGES, ahead, otherwise
from smartcharge.core.model import ChargerState, Pause, Situation, StandDown

PAUSED = replace(situation("13:10", "13:00-14:00", "charging"), pause=Pause())
LEFT_ALONE = replace(PAUSED, pause=None, stand_down=StandDown(at("13:05"), at("14:30")))
DOUBTFUL = replace(PAUSED, pause=None, clock_is_doubtful=True)
CAPPED = replace(
    situation("13:10", "13:00-14:00", "charging", policy=replace(HOUSE, max_hours_per_day=1.0)),
    held_since_noon=timedelta(hours=1),
)
STUBBORN = situation("13:59", "13:00-14:00", "charging", "14:00", policy=replace(HOUSE, extension=False))
OTHERWISE: dict[str, tuple[Situation, str, str]] = {
    "a car that charges in a window": (
        situation("13:10", "13:00-14:00", "charging"), "the car not been charging", "nothing",
    ),
    "a car that does not": (situation("13:10", "13:00-14:00", "idle"), "the car been charging", "13:30"),
    "a Zappi that is silent": (situation("13:10", "13:00-14:00"), "the car been charging", "13:30"),
    "an old plan": (situation("13:10", "13:00-14:00 stale", "charging"), "Kraken answered just now", "13:30"),
    "a young plan": (situation("13:10", "13:00-14:00", "charging"), "Kraken given no answer for long", "nothing"),
    "a withdrawn window": (
        situation("13:10", "13:00-14:00 withdrawn", "charging"), "the window not been taken back", "13:30",
    ),
    "no window": (situation("13:10", "", "charging"), "a cheap window been planned", "13:30"),
    "a boost": (situation("13:10", "13:00-14:00 boosting", "charging"), "the charge not been boosted by hand", "13:30"),
    "a pause": (PAUSED, "you not paused", "13:30"),
    "a stand-down": (LEFT_ALONE, "nobody else set the battery", "13:30"),
    "a doubtful clock": (DOUBTFUL, "this machine's clock been right", "13:30"),
    "a day's hours used up": (CAPPED, "the day's hours not been used up", "13:30"),
    "an overrun": (
        situation("13:59", "13:00-14:00", "charging", "14:00"), "the extra half hour been switched off", "nothing",
    ),
    "no overrun": (STUBBORN, "the extra half hour been switched on", "14:30 extended"),
    "a hold in the middle of its slot": (
        situation("13:10", "13:00-14:00", "idle", "13:30"), "its release been due", "nothing",
    ),
}  # fmt: skip
NEXT: dict[str, tuple[Situation, list[str]]] = {
    "a hold is renewed or released": (
        situation("13:10", "13:00-14:00", "charging", "13:30"),
        ["13:29 14:00 CHARGING", "13:29 nothing IDLE UNKNOWN"],
    ),
    "an extension ends early if the car stops": (
        situation("14:05", "13:00-14:00", "charging", "14:30 extended"),
        ["14:06 nothing IDLE", "14:29 nothing CHARGING UNKNOWN"],
    ),
    "a window begins": (situation("12:40", "13:00-14:00"), ["13:00 13:30 CHARGING"]),
    "a window that begins at night is held in the morning": (
        situation("05:10", "05:00-07:00", "charging"), ["06:00 06:30 CHARGING"],
    ),
    "an old plan begins nothing": (situation("12:40", "13:00-14:00 stale", "charging"), []),
    "nothing is planned": (situation("12:40"), []),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "had", "held"), OTHERWISE.values(), ids=OTHERWISE)
def test_one_fact_would_have_changed(seen: Situation, had: str, held: str) -> None:
    assert {each.had: each.decision.hold for each in otherwise(seen)}[(had,)] == hold(held)


@pytest.mark.parametrize(("seen", "expected"), NEXT.values(), ids=NEXT)
def test_what_comes_next_when(seen: Situation, expected: list[str]) -> None:
    told = [(each.at, each.decision.hold, set(each.cars)) for each in ahead(seen)]
    words = [line.split() for line in expected]
    cars = [{ChargerState[word] for word in line if word in ChargerState.__members__} for line in words]
    assert told == [(at(line[0]), hold(line[1]), car) for line, car in zip(words, cars, strict=True)]


def test_where_no_single_fact_would_do_it_takes_two() -> None:
    (told,) = otherwise(situation("15:10"))
    assert set(told.had) == {"the car been charging", "a cheap window been planned"}
    assert told.decision.hold == hold("15:30")


def test_at_night_nothing_would_have_changed_it() -> None:
    assert otherwise(situation("03:10", "03:00-04:00", "charging")) == ()


def test_every_fact_that_can_be_changed_decides_somewhere() -> None:
    assert {words for seen, words, _ in OTHERWISE.values()} | {"the Zappi given no answer"} == set(CHANGES)


@settings(THOROUGH, max_examples=60)
@given(situations())
def test_whatever_would_have_changed_it_is_something_else(seen: Situation) -> None:
    held = decide(seen).hold
    for each in otherwise(seen):
        assert each.decision.hold != held
        assert len(each.had) == 1 or all(decide(CHANGES[had](seen)).hold == held for had in each.had)


@settings(THOROUGH, max_examples=40)
@given(situations())
def test_what_comes_next_differs_from_what_is(seen: Situation) -> None:
    told = ahead(seen)
    assert all(each.at > seen.now and each.decision.hold != decide(seen).hold for each in told)
    cars = [car for each in told for car in each.cars]
    assert len(cars) == len(set(cars))

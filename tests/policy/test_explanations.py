"""What would have changed a decision, and what comes next: never anything but what `decide` itself answers."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from msgspec.structs import replace
from random_states import LAW_SETTINGS, random_states
from state_words import DEFAULT_POLICY, at, build_state, parse_hold

from smartcharge.policy.decide import decide
from smartcharge.policy.explain import COUNTERFACTUAL_CHANGES, find_counterfactuals, find_next_changes
from smartcharge.policy.model import ChargerState, ManualOverride, Pause, State

PAUSED = replace(build_state("13:10", "13:00-14:00", "charging"), pause=Pause())
LEFT_ALONE = replace(PAUSED, pause=None, manual_override=ManualOverride(at("13:05"), at("14:30")))
DOUBTFUL = replace(PAUSED, pause=None, clock_is_doubtful=True)
CAPPED = replace(
    build_state("13:10", "13:00-14:00", "charging", policy=replace(DEFAULT_POLICY, max_hours_per_day=1.0)),
    held_since_noon=timedelta(hours=1),
)
STUBBORN = build_state("13:59", "13:00-14:00", "charging", "14:00", policy=replace(DEFAULT_POLICY, extension=False))
OTHERWISE: dict[str, tuple[State, str, str]] = {
    "a car that charges in a window": (
        build_state("13:10", "13:00-14:00", "charging"), "the car had not been charging", "nothing",
    ),
    "a car that does not": (build_state("13:10", "13:00-14:00", "idle"), "the car had been charging", "13:30"),
    "a Zappi that is silent": (build_state("13:10", "13:00-14:00"), "the car had been charging", "13:30"),
    "an old plan": (
        build_state("13:10", "13:00-14:00 stale", "charging"), "your supplier had just sent its schedule", "13:30",
    ),
    "a recent plan": (
        build_state("13:10", "13:00-14:00", "charging"), "your supplier had not answered for a long time", "nothing",
    ),
    "a withdrawn window": (
        build_state("13:10", "13:00-14:00 withdrawn", "charging"), "the slot had not been withdrawn", "13:30",
    ),
    "no window": (build_state("13:10", "", "charging"), "a smart-charging slot had been scheduled", "13:30"),
    "a boost": (
        build_state("13:10", "13:00-14:00 boosting", "charging"), "the car had not been boosted by hand", "13:30",
    ),
    "a pause": (PAUSED, "you had not paused smartcharge", "13:30"),
    "a stand-down": (LEFT_ALONE, "no one else had set the Powerwall", "13:30"),
    "a doubtful clock": (DOUBTFUL, "the clock had been right", "13:30"),
    "a day's hours used up": (CAPPED, "the hours of the day had not been used up", "13:30"),
    "an overrun": (
        build_state("13:59", "13:00-14:00", "charging", "14:00"), "the extra half hour had been switched off",
        "nothing",
    ),
    "no overrun": (STUBBORN, "the extra half hour had been switched on", "14:30 extended"),
    "a hold in the middle of its slot": (
        build_state("13:10", "13:00-14:00", "idle", "13:30"), "the end of the half hour had been near", "nothing",
    ),
}  # fmt: skip
NEXT: dict[str, tuple[State, list[str]]] = {
    "a hold is renewed or released": (
        build_state("13:10", "13:00-14:00", "charging", "13:30"),
        ["13:29 14:00 CHARGING", "13:29 nothing IDLE UNKNOWN"],
    ),
    "an extension ends early if the car stops": (
        build_state("14:05", "13:00-14:00", "charging", "14:30 extended"),
        ["14:06 nothing IDLE", "14:29 nothing CHARGING UNKNOWN"],
    ),
    "a window begins": (build_state("12:40", "13:00-14:00"), ["13:00 13:30 CHARGING"]),
    "a window that begins at night is held in the morning": (
        build_state("05:10", "05:00-07:00", "charging"), ["06:00 06:30 CHARGING"],
    ),
    "an old plan begins nothing": (build_state("12:40", "13:00-14:00 stale", "charging"), []),
    "nothing is planned": (build_state("12:40"), []),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "had", "held"), OTHERWISE.values(), ids=OTHERWISE)
def test_one_fact_would_have_changed(seen: State, had: str, held: str) -> None:
    assert {each.conditions: each.decision.hold for each in find_counterfactuals(seen)}[(had,)] == parse_hold(held)


@pytest.mark.parametrize(("seen", "expected"), NEXT.values(), ids=NEXT)
def test_what_comes_next_when(seen: State, expected: list[str]) -> None:
    told = [(each.at, each.decision.hold, set(each.charger_states)) for each in find_next_changes(seen)]
    words = [line.split() for line in expected]
    cars = [{ChargerState[word] for word in line if word in ChargerState.__members__} for line in words]
    assert told == [(at(line[0]), parse_hold(line[1]), car) for line, car in zip(words, cars, strict=True)]


def test_where_no_single_fact_would_do_it_takes_two() -> None:
    (told,) = find_counterfactuals(build_state("15:10"))
    assert set(told.conditions) == {"the car had been charging", "a smart-charging slot had been scheduled"}
    assert told.decision.hold == parse_hold("15:30")


def test_at_night_nothing_would_have_changed_it() -> None:
    assert find_counterfactuals(build_state("03:10", "03:00-04:00", "charging")) == ()


def test_every_fact_that_can_be_changed_decides_somewhere() -> None:
    assert {words for seen, words, _ in OTHERWISE.values()} | {"the Zappi had not answered"} == set(
        COUNTERFACTUAL_CHANGES
    )


@settings(LAW_SETTINGS, max_examples=60)
@given(random_states())
def test_whatever_would_have_changed_it_is_something_else(seen: State) -> None:
    held = decide(seen).hold
    for each in find_counterfactuals(seen):
        assert each.decision.hold != held
        assert len(each.conditions) == 1 or all(
            decide(COUNTERFACTUAL_CHANGES[had](seen)).hold == held for had in each.conditions
        )


@settings(LAW_SETTINGS, max_examples=40)
@given(random_states())
def test_what_comes_next_differs_from_what_is(seen: State) -> None:
    told = find_next_changes(seen)
    assert all(each.at > seen.now and each.decision.hold != decide(seen).hold for each in told)
    cars = [car for each in told for car in each.charger_states]
    assert len(cars) == len(set(cars))

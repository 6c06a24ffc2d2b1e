"""The rules of the policy, one by one; all times are a winter day's in London."""

from datetime import timedelta

import pytest
from msgspec.structs import replace
from state_words import DEFAULT_POLICY, at, build_state, parse_hold, parse_window, seconds

from smartcharge.policy.decide import decide, decision_depends_on_charger, is_release_certain
from smartcharge.policy.model import Pause, Policy, Reason, State

# ruff: noqa: FBT001 - truth values are columns of the tables


OPENING = {
    # when, the plan, the car is, held after, because
    "a charging car in a window opens a hold": ("13:05", "13:00-14:00", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "the window's first second will do": ("13:00:00", "13:00-14:00", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "a second before it, nothing": ("12:59:59", "13:00-14:00", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a window that begins mid-slot": ("13:37:11", "13:37:11-15:00", "charging", "14:00", "CHARGING_IN_WINDOW"),
    "an idle car opens nothing": ("13:05", "13:00-14:00", "idle", "nothing", "NOTHING_TO_HOLD"),
    "an unknown car opens nothing": ("13:05", "13:00-14:00", "unknown", "nothing", "NOTHING_TO_HOLD"),
    "a car outside any plan opens nothing": ("13:05", "", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a stale plan opens nothing": ("13:05", "13:00-14:00 stale", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a withdrawn window opens nothing": ("13:05", "13:00-14:00 withdrawn", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a superseded window opens nothing": ("13:05", "13:00-14:00 superseded", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a forced charge opens nothing": ("13:05", "13:00-14:00 boosting", "charging", "nothing", "NOTHING_TO_HOLD"),
    "three minutes left are worth it": ("13:27:00", "13:00-14:00", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "a second less is not": ("13:27:01", "13:00-14:00", "charging", "nothing", "NOTHING_TO_HOLD"),
    "nor is the last second before the lead": ("13:28:29", "13:00-14:00", "charging", "nothing", "NOTHING_TO_HOLD"),
    "within the lead the next slot counts": ("13:28:30", "13:00-14:00", "charging", "14:00", "CHARGING_IN_WINDOW"),
    "a window ending mid-slot fills its slot": ("17:10", "16:45-17:25", "charging", "17:30", "CHARGING_IN_WINDOW"),
    "until a lead before its end": ("17:23:29", "16:45-17:25", "charging", "17:30", "CHARGING_IN_WINDOW"),
    "but no later": ("17:23:30", "16:45-17:25", "charging", "nothing", "NOTHING_TO_HOLD"),
    "a sliver of 76 seconds is too short": ("13:37:11", "13:37:11-13:38:27", "charging", "nothing", "NOTHING_TO_HOLD"),
    "one of three minutes buys its slot": ("13:37:00", "13:37-13:40", "charging", "14:00", "CHARGING_IN_WINDOW"),
    "a window of another car is as good": ("13:05", "13:00-14:00 van", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "one stale car does not spoil the other": (
        "13:05", "13:00-14:00 stale, 13:00-14:00 van", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "one forced charge does not either": (
        "13:05", "13:00-14:00 boosting, 13:00-14:00 van", "charging", "13:30", "CHARGING_IN_WINDOW"),
    "the revision counts, not what it replaced": (
        "14:05", "13:00-15:00 superseded, 13:00-14:00", "charging", "nothing", "NOTHING_TO_HOLD"),
}  # fmt: skip

HOLDING = {
    # when, the plan, the car is, held before, held after, because
    "a charging car goes on": ("13:10", "13:00-14:00", "charging", "13:30", "13:30", "CHARGING_IN_WINDOW"),
    "just before the lead nothing changes": (
        "13:28:29", "13:00-14:00", "charging", "13:30", "13:30", "SLOT_ALREADY_CHEAP"),
    "at the lead the next slot is taken": (
        "13:28:30", "13:00-14:00", "charging", "13:30", "14:00", "CHARGING_IN_WINDOW"),
    "a stop mid-slot keeps the paid half hour": (
        "14:10", "13:00-15:00", "idle", "14:30", "14:30", "SLOT_ALREADY_CHEAP"),
    "so does not knowing": ("14:10", "13:00-15:00", "unknown", "14:30", "14:30", "SLOT_ALREADY_CHEAP"),
    "to the last second before the lead": ("14:28:29", "13:00-15:00", "idle", "14:30", "14:30", "SLOT_ALREADY_CHEAP"),
    "then a stopped car releases": ("14:28:30", "13:00-15:00", "idle", "14:30", "nothing", "SLOT_ENDS"),
    "and an unknown one too": ("14:28:30", "13:00-15:00", "unknown", "14:30", "nothing", "SLOT_ENDS"),
    "a withdrawal mid-slot keeps the half hour": (
        "13:10", "13:00-14:00 withdrawn", "charging", "13:30", "13:30", "SLOT_ALREADY_CHEAP"),
    "but is not prolonged": ("13:28:30", "13:00-14:00 withdrawn", "charging", "13:30", "nothing", "SLOT_ENDS"),
    "a silent Kraken keeps the half hour": (
        "13:10", "13:00-14:00 stale", "charging", "13:30", "13:30", "SLOT_ALREADY_CHEAP"),
    "and does not prolong it": ("13:28:30", "13:00-14:00 stale", "charging", "13:30", "nothing", "SLOT_ENDS"),
    "a forced charge is not prolonged": (
        "13:28:30", "13:00-14:00 boosting", "charging", "13:30", "nothing", "SLOT_ENDS"),
    "contiguous windows are one": (
        "13:58:30", "13:00-14:00, 14:00-15:00", "charging", "14:00", "14:30", "CHARGING_IN_WINDOW"),
    "an open hold bridges a gap inside the lead": (
        "13:59", "13:00-13:58, 14:00-15:00", "charging", "14:00", "14:30", "CHARGING_IN_WINDOW"),
    "a late tick still releases an idle car": ("14:04", "13:00-15:00", "idle", "14:00", "nothing", "SLOT_ENDS"),
    "and one hours late": ("17:00", "13:00-15:00", "unknown", "14:00", "nothing", "SLOT_ENDS"),
    "a late tick in a window goes on with it": (
        "14:04", "13:00-15:00", "charging", "14:00", "14:30", "CHARGING_IN_WINDOW"),
    "unless its slot is nearly over": ("14:28", "13:00-15:00", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "a late tick with a stale plan releases": (
        "14:04", "13:00-15:00 stale", "charging", "14:00", "nothing", "SLOT_ENDS"),
}  # fmt: skip

EXTENDING = {
    # when, the plan, the car is, held before, held after, because
    "an overrun buys one half hour": ("13:58:30", "13:00-14:00", "charging", "14:00", "14:30 extended", "OVERRUN"),
    "a run 45 minutes late extends nothing": ("14:45", "13:00-14:00", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "not before the release would begin": (
        "13:58:29", "13:00-14:00", "charging", "14:00", "14:00", "SLOT_ALREADY_CHEAP"),
    "an idle car buys none": ("13:58:30", "13:00-14:00", "idle", "14:00", "nothing", "SLOT_ENDS"),
    "an unknown car buys none": ("13:58:30", "13:00-14:00", "unknown", "14:00", "nothing", "SLOT_ENDS"),
    "a window ending mid-slot is extended from its slot": (
        "17:28:30", "16:45-17:25", "charging", "17:30", "18:00 extended", "OVERRUN"),
    "one that ended in the slot's first second counts": (
        "13:58:30", "13:00-13:30:01", "charging", "14:00", "14:30 extended", "OVERRUN"),
    "one that ended as the slot began does not": (
        "13:58:30", "13:00-13:30", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "nor one that ends in a later slot": (
        "14:28", "13:00-14:00:01", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "a withdrawn window is not extended": (
        "13:58:30", "13:00-14:00 withdrawn", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "nor a superseded one": ("13:58:30", "13:00-14:00 superseded", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "but the revision that took its place is": (
        "13:58:30", "13:00-15:00 superseded, 13:00-13:50", "charging", "14:00", "14:30 extended", "OVERRUN"),
    "a stale plan is not extended": ("13:58:30", "13:00-14:00 stale", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "a forced charge is not extended": (
        "13:58:30", "13:00-14:00 boosting", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "a stale car's window is not extended for the other's": (
        "13:58:30", "13:00-14:00 stale, 15:00-16:00 van", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "a late tick may still extend": ("14:28:29", "13:00-14:00", "charging", "14:00", "14:30 extended", "OVERRUN"),
    "but not into a half hour that is over": ("14:28:30", "13:00-14:00", "charging", "14:00", "nothing", "SLOT_ENDS"),
    "the extension stands while the car draws": (
        "14:10", "13:00-14:00", "charging", "14:30 extended", "14:30 extended", "SLOT_ALREADY_CHEAP"),
    "and while nobody knows": (
        "14:10", "13:00-14:00", "unknown", "14:30 extended", "14:30 extended", "SLOT_ALREADY_CHEAP"),
    "a stop ends it at once": ("14:10", "13:00-14:00", "idle", "14:30 extended", "nothing", "CAR_STOPPED"),
    "even in its first moment": ("13:58:30", "13:00-14:00", "idle", "14:30 extended", "nothing", "CAR_STOPPED"),
    "an extension is never extended": ("14:28:30", "13:00-14:00", "charging", "14:30 extended", "nothing", "SLOT_ENDS"),
    "nor because a window ended beside it": (
        "14:28:30", "13:00-14:00, 14:10-14:20", "charging", "14:30 extended", "nothing", "SLOT_ENDS"),
    "a new window makes it a window's hold again": (
        "14:20", "13:00-14:00, 14:20-15:00", "charging", "14:30 extended", "14:30", "CHARGING_IN_WINDOW"),
    "which is renewed": (
        "14:28:30", "13:00-14:00, 14:20-15:00", "charging", "14:30 extended", "15:00", "CHARGING_IN_WINDOW"),
    "and extended in its turn": (
        "14:58:30", "13:00-14:00, 14:20-15:00", "charging", "15:00", "15:30 extended", "OVERRUN"),
}  # fmt: skip

NUMBERS = {
    # the policy with, when, the plan, held before, held after, because (the car charges)
    "without extensions the slot just ends": (
        replace(DEFAULT_POLICY, extension=False), "13:58:30", "13:00-14:00", "14:00", "nothing", "SLOT_ENDS"),
    "a longer lead renews earlier": (
        replace(DEFAULT_POLICY, release_lead=seconds(300)), "13:25:00", "13:00-14:00", "13:30", "14:00", "CHARGING_IN_WINDOW"),  # noqa: E501
    "and not a second before that": (
        replace(DEFAULT_POLICY, release_lead=seconds(300)), "13:24:59", "13:00-14:00", "13:30", "13:30", "CHARGING_IN_WINDOW"),  # noqa: E501
    "a longer minimum lets the rest of a slot go": (
        replace(DEFAULT_POLICY, min_hold=seconds(1500)), "13:05:01", "13:00-14:00", "nothing", "nothing", "NOTHING_TO_HOLD"),  # noqa: E501
    "and takes one that is just long enough": (
        replace(DEFAULT_POLICY, min_hold=seconds(1500)), "13:05:00", "13:00-14:00", "nothing", "13:30", "CHARGING_IN_WINDOW"),  # noqa: E501
}  # fmt: skip


def assert_decides(seen: State, held: str, reason: str) -> None:
    """Compare the rule as well as the hold: a right answer for a wrong reason is a wrong answer."""
    decision = decide(seen)
    assert (decision.hold, decision.reason) == (parse_hold(held), Reason[reason])


@pytest.mark.parametrize(("when", "plan", "car", "after", "reason"), OPENING.values(), ids=OPENING)
def test_what_opens_a_hold(when: str, plan: str, car: str, after: str, reason: str) -> None:
    assert_decides(build_state(when, plan, car), after, reason)


CASES = HOLDING | EXTENDING


@pytest.mark.parametrize(("when", "plan", "car", "before", "after", "reason"), CASES.values(), ids=CASES)
def test_what_becomes_of_an_open_hold(when: str, plan: str, car: str, before: str, after: str, reason: str) -> None:
    assert_decides(build_state(when, plan, car, before), after, reason)


@pytest.mark.parametrize(("policy", "when", "plan", "before", "after", "reason"), NUMBERS.values(), ids=NUMBERS)
def test_the_owners_numbers_count(policy: Policy, when: str, plan: str, before: str, after: str, reason: str) -> None:
    assert_decides(build_state(when, plan, "charging", before, policy=policy), after, reason)


DAILY_LIMIT = {
    # when, held since noon (minutes), held before, held after, because (the limit is two hours, the car charges)
    "the whole promised slot fits": ("13:05", 95, "nothing", "13:30", "CHARGING_IN_WINDOW"),
    "the promised slot would exceed it": ("13:05", 96, "nothing", "nothing", "NOTHING_TO_HOLD"),
    "an open hold stands to the end of its slot": ("13:05", 120, "13:30", "13:30", "SLOT_ALREADY_CHEAP"),
    "a renewal that fits": ("13:28:30", 88.5, "13:30", "14:00", "CHARGING_IN_WINDOW"),
    "a renewal would exceed it": ("13:28:30", 88.6, "13:30", "nothing", "SLOT_ENDS"),
    "an extension that fits": ("13:58:30", 88.5, "14:00", "14:30 extended", "OVERRUN"),
    "an extension would exceed it": ("13:58:30", 88.6, "14:00", "nothing", "SLOT_ENDS"),
}


@pytest.mark.parametrize(("when", "minutes", "before", "after", "reason"), DAILY_LIMIT.values(), ids=DAILY_LIMIT)
def test_the_daily_limit_counts_the_slot_about_to_be_promised(
    when: str, minutes: float, before: str, after: str, reason: str
) -> None:
    state = build_state(when, "13:00-14:00", "charging", before, policy=replace(DEFAULT_POLICY, max_hours_per_day=2))
    assert_decides(replace(state, held_since_noon=timedelta(minutes=minutes)), after, reason)


LIMIT_AT_NOON = {
    # held since yesterday's noon (minutes), limit (hours), held after (the car charges at 11:58:30, held until 12:00)
    "the slot after noon counts for the new day": (118.5, 2.0, "12:30"),
    "the last minutes before noon count for the old day": (118.6, 2.0, "nothing"),
    "the slot after noon exceeds the limit by itself": (0, 0.4, "nothing"),
}


@pytest.mark.parametrize(("minutes", "limit", "after"), LIMIT_AT_NOON.values(), ids=LIMIT_AT_NOON)
def test_the_daily_limit_starts_again_at_noon(minutes: float, limit: float, after: str) -> None:
    policy = replace(DEFAULT_POLICY, max_hours_per_day=limit)
    state = build_state("11:58:30", "11:00-13:00", "charging", "12:00", policy=policy)
    assert decide(replace(state, held_since_noon=timedelta(minutes=minutes))).hold == parse_hold(after)


SOLAR_ONLY = {
    # when, the plan, held before, held after, because (the car charges from the sun alone)
    "a window is held for": ("13:05", "13:00-14:00", "nothing", "13:30", "CHARGING_IN_WINDOW"),
    "and renewed": ("13:28:30", "13:00-14:00", "13:30", "14:00", "CHARGING_IN_WINDOW"),
    "its end is no overrun": ("13:58:30", "13:00-14:00", "14:00", "nothing", "SLOT_ENDS"),
    "an extension ends at once": ("14:05", "13:00-14:00", "14:30 extended", "nothing", "CAR_STOPPED"),
    "a window's slot stands to its end": ("13:05", "13:00-14:00 withdrawn", "13:30", "13:30", "SLOT_ALREADY_CHEAP"),
}


@pytest.mark.parametrize(("when", "plan", "before", "after", "reason"), SOLAR_ONLY.values(), ids=SOLAR_ONLY)
def test_a_car_that_charges_from_the_sun_alone_never_causes_an_extension(
    when: str, plan: str, before: str, after: str, reason: str
) -> None:
    state = build_state(when, plan, "charging", before)
    assert_decides(state.with_charger(state.charger, solar_only=True), after, reason)


FRESHNESS = {
    "a younger answer is fresh": (599, "13:30", "CHARGING_IN_WINDOW"),
    "ten minutes are too old": (600, "nothing", "NOTHING_TO_HOLD"),
    "a stamp a little ahead is a clock's error": (-599, "13:30", "CHARGING_IN_WINDOW"),
    "one far ahead is no evidence": (-600, "nothing", "NOTHING_TO_HOLD"),
}


@pytest.mark.parametrize(("age", "after", "reason"), FRESHNESS.values(), ids=FRESHNESS)
def test_only_a_fresh_plan_opens(age: int, after: str, reason: str) -> None:
    now = at("13:05")
    plan = replace(parse_window("13:00-14:00", now), seen_at=now - seconds(age))
    assert_decides(replace(build_state("13:05", car="charging"), windows=(plan,)), after, reason)


def test_a_clock_that_cannot_be_right_is_no_ground_to_hold() -> None:
    """Not even the owner's words are read with it: they carry times as well."""
    seen = replace(build_state("13:05", "13:00-14:00", "charging", "13:30"), clock_is_doubtful=True)
    assert_decides(seen, "nothing", "CLOCK_IS_DOUBTFUL")
    assert_decides(replace(seen, pause=Pause()), "nothing", "CLOCK_IS_DOUBTFUL")
    assert is_release_certain(seen)


QUESTIONS = {
    # when, the plan, held before, the charger matters, a release is due
    "a window with nothing held": ("13:05", "13:00-14:00", "nothing", True, False),
    "a window whose slot is held": ("13:05", "13:00-14:00", "13:30", False, False),
    "a window whose slot ends": ("13:28:30", "13:00-14:00", "13:30", True, False),
    "no window at all": ("13:05", "", "nothing", False, False),
    "a stale plan and nothing held": ("13:05", "13:00-14:00 stale", "nothing", False, False),
    "a stale plan as the slot ends": ("13:28:30", "13:00-14:00 stale", "13:30", False, True),
    "a withdrawal as the slot ends": ("13:28:30", "13:00-14:00 withdrawn", "13:30", False, True),
    "a withdrawal mid-slot": ("13:10", "13:00-14:00 withdrawn", "13:30", False, False),
    "a window's last slot ends": ("13:58:30", "13:00-14:00", "14:00", True, False),
    "an extension": ("14:10", "13:00-14:00", "14:30 extended", True, False),
    "an extension that ends": ("14:28:30", "13:00-14:00", "14:30 extended", False, True),
    "a hold kept into the night": ("24:00", "23:00-25:00", "24:00", False, True),
}


@pytest.mark.parametrize(("when", "plan", "before", "matters", "due"), QUESTIONS.values(), ids=QUESTIONS)
def test_the_charger_is_asked_only_where_it_matters(
    when: str,
    plan: str,
    before: str,
    matters: bool,
    due: bool,
) -> None:
    seen = build_state(when, plan, "unknown", before)
    assert (decision_depends_on_charger(seen), is_release_certain(seen)) == (matters, due)

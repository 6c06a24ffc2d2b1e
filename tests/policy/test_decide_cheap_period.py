"""The rules around the cheap period; when that begins and ends on each night is in `test_slots`."""

from datetime import date, time

import pytest
from msgspec.structs import replace
from state_words import (
    CHEAP_PERIOD,
    DAY,
    DEFAULT_POLICY,
    LONDON,
    OCTOPUS_CHEAP_PERIOD,
    build_state,
    parse_hold,
    seconds,
)

from smartcharge.policy.decide import decide
from smartcharge.policy.model import Reason
from smartcharge.policy.slots import CheapPeriod

# ruff: noqa: FBT001 - truth values are columns of the tables


ODD = CheapPeriod(time(22, 40), time(4, 10), LONDON)
SHORT = CheapPeriod(time(13), time(13, 10), LONDON)
SUMMER = date(2026, 7, 8)
SPRING = date(2026, 3, 28)
"""The evening before London's clocks go forward, at 01:00 UTC of 29 March."""

CASES = {
    # tariff, evening of, when (UTC; 24:30 is past midnight), the plan (UTC), held before, held after, because
    "nothing opens inside it": (CHEAP_PERIOD, DAY, "24:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "its first second releases": (CHEAP_PERIOD, DAY, "24:00", "23:00-25:00", "24:00", "nothing", "CHEAP_PERIOD"),
    "its last minute": (CHEAP_PERIOD, DAY, "05:59", "05:54-07:30", "nothing", "nothing", "CHEAP_PERIOD"),
    "at its end the day begins": (CHEAP_PERIOD, DAY, "06:00", "05:54-07:30", "nothing", "06:30", "CHARGING_IN_WINDOW"),
    "a window across midnight is held to midnight": (
        CHEAP_PERIOD, DAY, "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "the last slot before it is released in time": (
        CHEAP_PERIOD, DAY, "23:58:45", "23:30-25:00", "24:00", "nothing", "SLOT_ENDS"),
    "nothing new begins for the rest of that slot": (
        CHEAP_PERIOD, DAY, "23:58:45", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "a hold of three minutes before it": (
        CHEAP_PERIOD, DAY, "23:57:00", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "a second less is too short": (
        CHEAP_PERIOD, DAY, "23:57:01", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "no extension into it": (CHEAP_PERIOD, DAY, "23:58:45", "23:00-24:00", "24:00", "nothing", "SLOT_ENDS"),
    "an extension up to it": (CHEAP_PERIOD, DAY, "23:28:30", "23:00-23:30", "23:30", "24:00 extended", "OVERRUN"),
    "a hold of yesterday, seen after it": (CHEAP_PERIOD, DAY, "06:05", "05:00-06:00", "00:00", "nothing", "SLOT_ENDS"),
    "in summer it begins at 23:00 UTC": (
        CHEAP_PERIOD, SUMMER, "23:00", "22:00-24:00", "23:00", "nothing", "CHEAP_PERIOD"),
    "a summer evening is held up to it": (
        CHEAP_PERIOD, SUMMER, "22:31", "22:30-24:30", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "as the clocks go forward it ends at 05:00 UTC": (
        CHEAP_PERIOD, SPRING, "29:00", "28:30-30:00", "nothing", "29:30", "CHARGING_IN_WINDOW"),
    "Octopus' begins earlier": (
        OCTOPUS_CHEAP_PERIOD, DAY, "23:10", "23:00-25:00", "nothing", "23:30", "CHARGING_IN_WINDOW"),
    "one that cuts a slot": (ODD, DAY, "22:31", "22:00-24:00", "nothing", "22:40", "CHARGING_IN_WINDOW"),
    "one that cuts an extension": (ODD, DAY, "22:28:30", "22:00-22:30", "22:30", "22:40 extended", "OVERRUN"),
    "a late run does not extend to what is over": (
        ODD, DAY, "22:38:30", "22:00-22:30", "22:30", "nothing", "SLOT_ENDS"),
    "an extension never begins in one, even one that is over": (
        SHORT, DAY, "13:10", "12:00-13:00", "13:00", "nothing", "SLOT_ENDS"),
    "the rest of the slot after one": (ODD, DAY, "04:10", "04:00-05:00", "nothing", "04:30", "CHARGING_IN_WINDOW"),
}  # fmt: skip


@pytest.mark.parametrize(("tariff", "day", "when", "plan", "before", "after", "reason"), CASES.values(), ids=CASES)
def test_a_charging_car_around_the_cheap_period(
    tariff: CheapPeriod, day: date, when: str, plan: str, before: str, after: str, reason: str
) -> None:
    policy = replace(DEFAULT_POLICY, cheap_period=tariff)
    decision = decide(build_state(when, plan, "charging", before, day=day, policy=policy))
    assert (decision.hold, decision.reason) == (parse_hold(after, day), Reason[reason])


def test_a_long_lead_never_lengthens_a_hold_into_the_cheap_period() -> None:
    policy = replace(DEFAULT_POLICY, release_lead=seconds(300), min_hold=seconds(300))
    for when in ("23:54:59", "23:55:00", "23:55:01", "23:59:59"):
        decided = decide(build_state(when, "23:00-25:00", "charging", "24:00", policy=policy)).hold
        assert decided in {parse_hold("24:00"), None}


GRACE_AT_NIGHT = {
    "just under twenty minutes are fresh": ("24:30", 1199, True),
    "twenty are not": ("24:30", 1200, False),
    "a stamp ahead counts the same": ("24:30", -1200, False),
    "after its end ten minutes are too old": ("06:00", 600, False),
}


@pytest.mark.parametrize(("when", "age", "fresh"), GRACE_AT_NIGHT.values(), ids=GRACE_AT_NIGHT)
def test_an_answer_counts_twice_as_long_inside_the_cheap_period(when: str, age: int, fresh: bool) -> None:
    seen = build_state(when, "13:00-14:00")
    window = replace(seen.windows[0], seen_at=seen.now - seconds(age))
    assert seen.is_fresh(window) is fresh

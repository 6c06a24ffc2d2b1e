"""The rules around the cheap period, in winter, in summer and in the nights of the clock changes."""

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
"""The evening before 29 March: at 01:00 UTC London's clocks go from 01:00 to 02:00."""
NEXT_SPRING = date(2027, 3, 27)
AUTUMN = date(2026, 10, 24)
"""The evening before 25 October: at 01:00 UTC London's clocks go from 02:00 back to 01:00."""

EVENINGS = {
    # tariff, evening of, when (UTC; 24:30 is past midnight), the plan (UTC), held before, held after, because
    "nothing opens in the night": (CHEAP_PERIOD, DAY, "24:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "its first second releases": (CHEAP_PERIOD, DAY, "24:00", "23:00-25:00", "24:00", "nothing", "CHEAP_PERIOD"),
    "a minute before six it still is night": (CHEAP_PERIOD, DAY, "05:59", "05:54-07:30", "nothing", "nothing", "CHEAP_PERIOD"),  # noqa: E501
    "at six the day begins": (CHEAP_PERIOD, DAY, "06:00", "05:54-07:30", "nothing", "06:30", "CHARGING_IN_WINDOW"),
    "a window across midnight is held to midnight": (
        CHEAP_PERIOD, DAY, "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "the last slot before it is let go in time": (
        CHEAP_PERIOD, DAY, "23:58:45", "23:30-25:00", "24:00", "nothing", "SLOT_ENDS"),
    "and nothing new begins for its rest": (
        CHEAP_PERIOD, DAY, "23:58:45", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "three minutes before it a hold is worth it": (
        CHEAP_PERIOD, DAY, "23:57:00", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "a second later it is not": (CHEAP_PERIOD, DAY, "23:57:01", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "no extension into the night": (CHEAP_PERIOD, DAY, "23:58:45", "23:00-24:00", "24:00", "nothing", "SLOT_ENDS"),
    "one up to the night": (CHEAP_PERIOD, DAY, "23:28:30", "23:00-23:30", "23:30", "24:00 extended", "OVERRUN"),
    "yesterday's hold does not survive the night": (
        CHEAP_PERIOD, DAY, "06:05", "05:00-06:00", "00:00", "nothing", "SLOT_ENDS"),
    "a summer night begins at 23:00 UTC": (CHEAP_PERIOD, SUMMER, "23:00", "22:00-24:00", "23:00", "nothing", "CHEAP_PERIOD"),  # noqa: E501
    "a summer evening is held up to it": (
        CHEAP_PERIOD, SUMMER, "22:31", "22:30-24:30", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "and ends at 05:00 UTC": (CHEAP_PERIOD, SUMMER, "05:00", "04:54-06:30", "nothing", "05:30", "CHARGING_IN_WINDOW"),
    "a second before, it is night": (CHEAP_PERIOD, SUMMER, "04:59:59", "04:54-06:30", "nothing", "nothing", "CHEAP_PERIOD"),  # noqa: E501
    "Octopus' night begins earlier": (
        OCTOPUS_CHEAP_PERIOD, DAY, "23:10", "23:00-25:00", "nothing", "23:30", "CHARGING_IN_WINDOW"),
    "and is released for": (OCTOPUS_CHEAP_PERIOD, DAY, "23:28:45", "23:00-25:00", "23:30", "nothing", "SLOT_ENDS"),
    "and not extended into": (OCTOPUS_CHEAP_PERIOD, DAY, "23:28:45", "23:00-23:30", "23:30", "nothing", "SLOT_ENDS"),
    "it is cheap across midnight": (OCTOPUS_CHEAP_PERIOD, DAY, "24:10", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),  # noqa: E501
    "and ends at half past five": (
        OCTOPUS_CHEAP_PERIOD, DAY, "05:30", "05:00-06:30", "nothing", "06:00", "CHARGING_IN_WINDOW"),
    "an odd night cuts a slot": (ODD, DAY, "22:31", "22:00-24:00", "nothing", "22:40", "CHARGING_IN_WINDOW"),
    "an odd night cuts an extension": (ODD, DAY, "22:28:30", "22:00-22:30", "22:30", "22:40 extended", "OVERRUN"),
    "a late tick does not extend to what is over": (
        ODD, DAY, "22:38:30", "22:00-22:30", "22:30", "nothing", "SLOT_ENDS"),
    "an extension never begins in the night, even one that is over": (
        SHORT, DAY, "13:10", "12:00-13:00", "13:00", "nothing", "SLOT_ENDS"),
    "after an odd night the slot's rest counts": (
        ODD, DAY, "04:10", "04:00-05:00", "nothing", "04:30", "CHARGING_IN_WINDOW"),
}  # fmt: skip

CLOCK_CHANGES = {
    "spring: an evening ends at midnight GMT": (
        CHEAP_PERIOD, SPRING, "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "spring: the night is cheap before the change": (
        CHEAP_PERIOD, SPRING, "24:30", "24:30-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: and after it": (CHEAP_PERIOD, SPRING, "25:30", "24:30-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: to 04:59:59 UTC": (CHEAP_PERIOD, SPRING, "28:59:59", "28:30-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: six o'clock comes an hour early": (
        CHEAP_PERIOD, SPRING, "29:00", "28:30-30:00", "nothing", "29:30", "CHARGING_IN_WINDOW"),
    "spring: in the next year too": (
        CHEAP_PERIOD, NEXT_SPRING, "29:00", "28:30-30:00", "nothing", "29:30", "CHARGING_IN_WINDOW"),
    "spring: its midnight is midnight GMT as well": (
        CHEAP_PERIOD, NEXT_SPRING, "23:58:45", "23:00-24:00", "24:00", "nothing", "SLOT_ENDS"),
    "spring: next year's night is short too": (
        CHEAP_PERIOD, NEXT_SPRING, "28:59:59", "28:30-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: the evening after begins at 23:00 UTC": (
        CHEAP_PERIOD, date(2026, 3, 29), "22:40", "22:30-24:00", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "spring: Octopus from 23:30 GMT": (
        OCTOPUS_CHEAP_PERIOD, SPRING, "23:10", "23:00-25:00", "nothing", "23:30", "CHARGING_IN_WINDOW"),
    "spring: Octopus to half past five BST": (
        OCTOPUS_CHEAP_PERIOD, SPRING, "28:29:59", "28:00-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: which is 04:30 UTC": (
        OCTOPUS_CHEAP_PERIOD, SPRING, "28:30", "28:00-30:00", "nothing", "29:00", "CHARGING_IN_WINDOW"),
    "spring: Octopus in the next year": (
        OCTOPUS_CHEAP_PERIOD, NEXT_SPRING, "28:30", "28:00-30:00", "nothing", "29:00", "CHARGING_IN_WINDOW"),
    "autumn: an evening ends at midnight BST": (
        CHEAP_PERIOD, AUTUMN, "22:40", "22:30-26:00", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "autumn: which is 23:00 UTC": (CHEAP_PERIOD, AUTUMN, "23:00", "22:30-26:00", "23:00", "nothing", "CHEAP_PERIOD"),
    "autumn: half past one comes once": (CHEAP_PERIOD, AUTUMN, "24:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),  # noqa: E501
    "autumn: and once more": (CHEAP_PERIOD, AUTUMN, "25:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: the night has seven hours": (
        CHEAP_PERIOD, AUTUMN, "29:59:59", "29:00-31:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: and ends at six GMT": (CHEAP_PERIOD, AUTUMN, "30:00", "29:00-31:00", "nothing", "30:30", "CHARGING_IN_WINDOW"),  # noqa: E501
    "autumn: the evening after begins at midnight UTC": (
        CHEAP_PERIOD, date(2026, 10, 25), "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "autumn: Octopus from 22:30 UTC": (
        OCTOPUS_CHEAP_PERIOD, AUTUMN, "22:28:45", "22:00-22:30", "22:30", "nothing", "SLOT_ENDS"),
    "autumn: Octopus to 05:29:59 UTC": (
        OCTOPUS_CHEAP_PERIOD, AUTUMN, "29:29:59", "29:00-31:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: and then by day": (
        OCTOPUS_CHEAP_PERIOD, AUTUMN, "29:30", "29:00-31:00", "nothing", "30:00", "CHARGING_IN_WINDOW"),
}  # fmt: skip
CASES = EVENINGS | CLOCK_CHANGES


@pytest.mark.parametrize(("tariff", "day", "when", "plan", "before", "after", "reason"), CASES.values(), ids=CASES)
def test_a_charging_car_around_the_night(
    tariff: CheapPeriod, day: date, when: str, plan: str, before: str, after: str, reason: str
) -> None:
    policy = replace(DEFAULT_POLICY, cheap_period=tariff)
    decision = decide(build_state(when, plan, "charging", before, day=day, policy=policy))
    assert (decision.hold, decision.reason) == (parse_hold(after, day), Reason[reason])


def test_an_open_hold_is_never_lengthened_into_the_night_by_a_long_lead() -> None:
    policy = replace(DEFAULT_POLICY, release_lead=seconds(300), min_hold=seconds(300))
    for when in ("23:54:59", "23:55:00", "23:55:01", "23:59:59"):
        decided = decide(build_state(when, "23:00-25:00", "charging", "24:00", policy=policy)).hold
        assert decided in {parse_hold("24:00"), None}


GRACE_AT_NIGHT = {
    "by day ten minutes are too old": ("13:05", 600, False),
    "by night they are not": ("24:30", 600, True),
    "just under twenty are fresh": ("24:30", 1199, True),
    "twenty are not": ("24:30", 1200, False),
    "a stamp ahead counts the same": ("24:30", -1200, False),
    "after six the day's grace applies": ("06:00", 600, False),
}


@pytest.mark.parametrize(("when", "age", "fresh"), GRACE_AT_NIGHT.values(), ids=GRACE_AT_NIGHT)
def test_the_plan_may_be_older_where_it_is_asked_less(when: str, age: int, fresh: bool) -> None:
    seen = build_state(when, "13:00-14:00")
    window = replace(seen.windows[0], seen_at=seen.now - seconds(age))
    assert seen.is_fresh(window) is fresh

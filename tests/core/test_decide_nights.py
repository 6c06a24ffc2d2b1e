"""The rules around the cheap period, in winter, in summer and in the nights of the clock changes."""
# ruff: noqa: FBT001 - truth values are columns of the tables

from datetime import date, time

import pytest
from msgspec.structs import replace
from situations import DAY, HOUSE, LONDON, NIGHT, OCTOPUS_NIGHT, hold, seconds, situation

from smartcharge.core.decide import decide
from smartcharge.core.model import Because
from smartcharge.core.slots import CheapPeriod

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
    "nothing opens in the night": (NIGHT, DAY, "24:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "its first second releases": (NIGHT, DAY, "24:00", "23:00-25:00", "24:00", "nothing", "CHEAP_PERIOD"),
    "a minute before six it still is night": (NIGHT, DAY, "05:59", "05:54-07:30", "nothing", "nothing", "CHEAP_PERIOD"),
    "at six the day begins": (NIGHT, DAY, "06:00", "05:54-07:30", "nothing", "06:30", "CHARGING_IN_WINDOW"),
    "a window across midnight is held to midnight": (
        NIGHT, DAY, "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "the last slot before it is let go in time": (
        NIGHT, DAY, "23:58:45", "23:30-25:00", "24:00", "nothing", "SLOT_ENDS"),
    "and nothing new begins for its rest": (
        NIGHT, DAY, "23:58:45", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "three minutes before it a hold is worth it": (
        NIGHT, DAY, "23:57:00", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "a second later it is not": (NIGHT, DAY, "23:57:01", "23:30-25:00", "nothing", "nothing", "NOTHING_TO_HOLD"),
    "no extension into the night": (NIGHT, DAY, "23:58:45", "23:00-24:00", "24:00", "nothing", "SLOT_ENDS"),
    "one up to the night": (NIGHT, DAY, "23:28:30", "23:00-23:30", "23:30", "24:00 extended", "OVERRUN"),
    "yesterday's hold does not survive the night": (
        NIGHT, DAY, "06:05", "05:00-06:00", "00:00", "nothing", "SLOT_ENDS"),
    "a summer night begins at 23:00 UTC": (NIGHT, SUMMER, "23:00", "22:00-24:00", "23:00", "nothing", "CHEAP_PERIOD"),
    "a summer evening is held up to it": (
        NIGHT, SUMMER, "22:31", "22:30-24:30", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "and ends at 05:00 UTC": (NIGHT, SUMMER, "05:00", "04:54-06:30", "nothing", "05:30", "CHARGING_IN_WINDOW"),
    "a second before, it is night": (NIGHT, SUMMER, "04:59:59", "04:54-06:30", "nothing", "nothing", "CHEAP_PERIOD"),
    "Octopus' night begins earlier": (
        OCTOPUS_NIGHT, DAY, "23:10", "23:00-25:00", "nothing", "23:30", "CHARGING_IN_WINDOW"),
    "and is released for": (OCTOPUS_NIGHT, DAY, "23:28:45", "23:00-25:00", "23:30", "nothing", "SLOT_ENDS"),
    "and not extended into": (OCTOPUS_NIGHT, DAY, "23:28:45", "23:00-23:30", "23:30", "nothing", "SLOT_ENDS"),
    "it is cheap across midnight": (OCTOPUS_NIGHT, DAY, "24:10", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "and ends at half past five": (
        OCTOPUS_NIGHT, DAY, "05:30", "05:00-06:30", "nothing", "06:00", "CHARGING_IN_WINDOW"),
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
        NIGHT, SPRING, "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "spring: the night is cheap before the change": (
        NIGHT, SPRING, "24:30", "24:30-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: and after it": (NIGHT, SPRING, "25:30", "24:30-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: to 04:59:59 UTC": (NIGHT, SPRING, "28:59:59", "28:30-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: six o'clock comes an hour early": (
        NIGHT, SPRING, "29:00", "28:30-30:00", "nothing", "29:30", "CHARGING_IN_WINDOW"),
    "spring: in the next year too": (
        NIGHT, NEXT_SPRING, "29:00", "28:30-30:00", "nothing", "29:30", "CHARGING_IN_WINDOW"),
    "spring: its midnight is midnight GMT as well": (
        NIGHT, NEXT_SPRING, "23:58:45", "23:00-24:00", "24:00", "nothing", "SLOT_ENDS"),
    "spring: next year's night is short too": (
        NIGHT, NEXT_SPRING, "28:59:59", "28:30-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: the evening after begins at 23:00 UTC": (
        NIGHT, date(2026, 3, 29), "22:40", "22:30-24:00", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "spring: Octopus from 23:30 GMT": (
        OCTOPUS_NIGHT, SPRING, "23:10", "23:00-25:00", "nothing", "23:30", "CHARGING_IN_WINDOW"),
    "spring: Octopus to half past five BST": (
        OCTOPUS_NIGHT, SPRING, "28:29:59", "28:00-30:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "spring: which is 04:30 UTC": (
        OCTOPUS_NIGHT, SPRING, "28:30", "28:00-30:00", "nothing", "29:00", "CHARGING_IN_WINDOW"),
    "spring: Octopus in the next year": (
        OCTOPUS_NIGHT, NEXT_SPRING, "28:30", "28:00-30:00", "nothing", "29:00", "CHARGING_IN_WINDOW"),
    "autumn: an evening ends at midnight BST": (
        NIGHT, AUTUMN, "22:40", "22:30-26:00", "nothing", "23:00", "CHARGING_IN_WINDOW"),
    "autumn: which is 23:00 UTC": (NIGHT, AUTUMN, "23:00", "22:30-26:00", "23:00", "nothing", "CHEAP_PERIOD"),
    "autumn: half past one comes once": (NIGHT, AUTUMN, "24:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: and once more": (NIGHT, AUTUMN, "25:30", "24:00-26:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: the night has seven hours": (
        NIGHT, AUTUMN, "29:59:59", "29:00-31:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: and ends at six GMT": (NIGHT, AUTUMN, "30:00", "29:00-31:00", "nothing", "30:30", "CHARGING_IN_WINDOW"),
    "autumn: the evening after begins at midnight UTC": (
        NIGHT, date(2026, 10, 25), "23:40", "23:30-25:00", "nothing", "24:00", "CHARGING_IN_WINDOW"),
    "autumn: Octopus from 22:30 UTC": (
        OCTOPUS_NIGHT, AUTUMN, "22:28:45", "22:00-22:30", "22:30", "nothing", "SLOT_ENDS"),
    "autumn: Octopus to 05:29:59 UTC": (
        OCTOPUS_NIGHT, AUTUMN, "29:29:59", "29:00-31:00", "nothing", "nothing", "CHEAP_PERIOD"),
    "autumn: and then by day": (
        OCTOPUS_NIGHT, AUTUMN, "29:30", "29:00-31:00", "nothing", "30:00", "CHARGING_IN_WINDOW"),
}  # fmt: skip
CASES = EVENINGS | CLOCK_CHANGES


@pytest.mark.parametrize(("tariff", "day", "when", "plan", "before", "after", "because"), CASES.values(), ids=CASES)
def test_a_charging_car_around_the_night(
    tariff: CheapPeriod, day: date, when: str, plan: str, before: str, after: str, because: str
) -> None:
    policy = replace(HOUSE, cheap_period=tariff)
    decision = decide(situation(when, plan, "charging", before, day=day, policy=policy))
    assert (decision.hold, decision.because) == (hold(after, day), Because[because])


def test_an_open_hold_is_never_lengthened_into_the_night_by_a_long_lead() -> None:
    policy = replace(HOUSE, release_lead=seconds(300), min_hold=seconds(300))
    for when in ("23:54:59", "23:55:00", "23:55:01", "23:59:59"):
        decided = decide(situation(when, "23:00-25:00", "charging", "24:00", policy=policy)).hold
        assert decided in {hold("24:00"), None}


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
    seen = situation(when, "13:00-14:00")
    window = replace(seen.windows[0], seen_at=seen.now - seconds(age))
    assert seen.is_fresh(window) is fresh

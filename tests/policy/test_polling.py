"""When a service may be asked; all times are a winter day's in London."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_states import LAW_SETTINGS
from state_words import DAY, DEFAULT_POLICY, at, build_state, seconds

from smartcharge.policy.decide import decide
from smartcharge.policy.model import State
from smartcharge.policy.polling import (
    backoff_delay,
    can_poll_charger,
    charger_interval,
    has_elapsed,
    is_blocked,
    is_plan_due,
    plan_interval,
    plan_retry_at,
)

# ruff: noqa: FBT001 - truth values are columns of the tables


PLAN_CADENCE = {
    # when, the plan, held, seconds between two questions
    "an idle day": ("15:00", "", "nothing", 180),
    "eleven minutes before a window": ("12:49:59", "13:00-14:00", "nothing", 180),
    "ten minutes before it": ("12:50:00", "13:00-14:00", "nothing", 120),
    "in a window": ("13:20", "13:00-14:00", "nothing", 120),
    "in its last second": ("13:59:59", "13:00-14:00", "nothing", 120),
    "after it": ("14:00", "13:00-14:00", "nothing", 180),
    "after it, with a hold open": ("14:00", "13:00-14:00", "14:30 extended", 120),
    "in a window taken back": ("13:20", "13:00-14:00 withdrawn", "nothing", 180),
    "in one that was replaced": ("13:20", "13:00-14:00 superseded", "nothing", 180),
    "at night": ("03:00", "", "nothing", 900),
    "at night in a window": ("03:00", "02:00-04:00", "nothing", 900),
    "from its first second": ("24:00", "", "nothing", 900),
    "to a quarter of an hour before its end": ("05:44:59", "", "nothing", 900),
    "then as by day": ("05:45:00", "", "nothing", 180),
    "with a window at six": ("05:50", "06:00-07:00", "nothing", 120),
}


@pytest.mark.parametrize(("when", "plan", "held", "interval"), PLAN_CADENCE.values(), ids=PLAN_CADENCE)
def test_the_supplier_is_asked_more_often_where_it_matters(when: str, plan: str, held: str, interval: int) -> None:
    assert plan_interval(build_state(when, plan, held=held)) == seconds(interval)


PLAN_DUE = {
    # asked how many seconds ago, told to wait so many seconds more, due
    "never asked": (None, None, True),
    "just asked": (0, None, False),
    "fifteen seconds are forgiven": (165, None, True),
    "sixteen are not": (164, None, False),
    "long ago": (10_000, None, True),
    "a stamp in the future is a clock put back": (-1, None, True),
    "told to wait": (10_000, 1, False),
    "the wait is over": (10_000, 0, True),
    "a wait of a day is believed": (10_000, 25 * 3600, False),
    "a longer one is a clock put back": (10_000, 25 * 3600 + 1, True),
}


@pytest.mark.parametrize(("ago", "wait", "due"), PLAN_DUE.values(), ids=PLAN_DUE)
def test_the_supplier_is_asked_when_due(ago: int | None, wait: int | None, due: bool) -> None:
    seen = build_state("15:00")
    asked_at = None if ago is None else seen.now - seconds(ago)
    not_before = None if wait is None else seen.now + seconds(wait)
    assert is_plan_due(seen, asked_at, not_before) is due


RETRIES = {
    # failures running, throttled, Retry-After in s, not before so many seconds from now
    "throttled once": (1, True, None, 105),
    "twice": (2, True, None, 225),
    "three times": (3, True, None, 465),
    "four times": (4, True, None, 885),
    "and for ever after": (40, True, None, 885),
    "a longer Retry-After is honoured": (1, True, 3600, 3600),
    "a shorter one does not shorten": (2, True, 30, 225),
    "a lost packet costs nothing": (1, False, None, 0),
    "nor do four": (4, False, None, 0),
    "the fifth does": (5, False, None, 345),
    "the sixth more": (6, False, None, 585),
    "more do not wait for ever": (60, False, None, 705),
}


@pytest.mark.parametrize(("failures", "throttled", "after", "wait"), RETRIES.values(), ids=RETRIES)
def test_trouble_with_the_supplier_is_met_with_patience(
    failures: int,
    throttled: bool,
    after: int | None,
    wait: int,
) -> None:
    retry_after = None if after is None else seconds(after)
    assert plan_retry_at(at("15:00"), failures, throttled=throttled, retry_after=retry_after) - at("15:00") == seconds(
        wait
    )


def test_throttled_ticks_skip_two_four_eight_and_fifteen_minutes() -> None:
    """Ticks a minute apart that are never quite on time: the tolerance makes up for cron."""
    for failures, minutes in enumerate((2, 4, 8, 15), start=1):
        not_before = plan_retry_at(at("15:00:09"), failures, throttled=True, retry_after=None)
        first = next(n for n in range(1, 60) if not is_blocked(at("15:00") + seconds(60 * n), not_before))
        assert first == minutes


CHARGER_CADENCE = {
    "a young window": ("13:14:59", "13:00-14:00", 60),
    "an older one": ("13:15:00", "13:00-14:00", 120),
    "a young slot": ("13:34:59", "13:00-14:00", 60),
    "an older one of the same window": ("13:35:00", "13:00-14:00", 120),
    "a young window mid-slot": ("13:47", "13:40-15:00", 60),
    "windows that touch are one": ("14:07", "13:00-14:00, 14:00-15:00", 120),
    "a window taken back is none": ("13:10", "13:00-14:00 withdrawn", 120),
    "no window": ("13:10", "", 120),
    "no window in a young slot": ("13:04", "", 60),
}


@pytest.mark.parametrize(("when", "plan", "interval"), CHARGER_CADENCE.values(), ids=CHARGER_CADENCE)
def test_the_charger_is_asked_keenly_where_a_car_may_start(when: str, plan: str, interval: int) -> None:
    assert charger_interval(build_state(when, plan)) == seconds(interval)


CHARGER_DUE = {
    # when (a window runs 13:00-14:00), held, asked so many s ago, failures running, told to wait s, may be asked
    "never asked": ("13:20", "nothing", None, 0, None, True),
    "keenly after a minute": ("13:05", "nothing", 60, 0, None, True),
    "ten seconds are forgiven": ("13:05", "nothing", 50, 0, None, True),
    "eleven are not": ("13:05", "nothing", 49, 0, None, False),
    "calmly after two": ("13:20", "nothing", 110, 0, None, True),
    "and not before": ("13:20", "nothing", 109, 0, None, False),
    "a clock put back": ("13:20", "nothing", -5, 0, None, True),
    "one failure skips a minute": ("13:05", "nothing", 60, 1, None, False),
    "and no more": ("13:05", "nothing", 120, 1, None, True),
    "two skip two": ("13:05", "nothing", 120, 2, None, False),
    "and then": ("13:05", "nothing", 180, 2, None, True),
    "three skip four": ("13:05", "nothing", 240, 3, None, False),
    "and then again": ("13:05", "nothing", 300, 3, None, True),
    "four skip five": ("13:05", "nothing", 300, 4, None, False),
    "and then as well": ("13:05", "nothing", 360, 4, None, True),
    "and never more": ("13:05", "nothing", 360, 400, None, True),
    "a due tick minds no interval": ("13:28:30", "13:30", 30, 0, None, True),
    "nor a back-off": ("13:28:30", "13:30", 30, 4, None, True),
    "but a word to wait": ("13:28:30", "13:30", 300, 0, 1, False),
    "a second before it is due it does": ("13:28:29", "13:30", 60, 4, None, False),
    "a word to wait is minded": ("13:20", "nothing", 300, 0, 1, False),
    "until it is over": ("13:20", "nothing", 300, 0, 0, True),
}


@pytest.mark.parametrize(("when", "held", "ago", "failures", "wait", "may"), CHARGER_DUE.values(), ids=CHARGER_DUE)
def test_the_charger_is_asked_politely(
    when: str,
    held: str,
    ago: int | None,
    failures: int,
    wait: int | None,
    may: bool,
) -> None:
    seen = build_state(when, "13:00-14:00", held=held)
    asked_at = None if ago is None else seen.now - seconds(ago)
    not_before = None if wait is None else seen.now + seconds(wait)
    assert can_poll_charger(seen, asked_at, failures, not_before) is may


def test_a_ladder_has_a_first_and_a_last_rung() -> None:
    assert [backoff_delay((1, 2, 4), failures) / timedelta(minutes=1) for failures in (0, 1, 2, 3, 4, 100)] == [
        0,
        1,
        2,
        4,
        4,
        4,
    ]


def test_time_that_has_not_passed_is_waited_for() -> None:
    now = at("15:00")
    assert [has_elapsed(now, now - seconds(ago), seconds(60)) for ago in (0, 59, 60, -1)] == [False, False, True, True]


def asked_on_a_day(noon: datetime, seconds_late: list[int]) -> int:
    """How often an idle day's ticks ask the supplier, each a little late after its minute."""
    asked_at, count = None, 0
    for minute in range(24 * 60):
        now = noon + seconds(60 * minute + seconds_late[minute % len(seconds_late)])
        if is_plan_due(State(now, DEFAULT_POLICY), asked_at, None):
            asked_at, count = now, count + 1
    return count


@settings(LAW_SETTINGS, max_examples=20)
@given(
    st.sampled_from([DAY, date(2026, 7, 8), date(2026, 3, 28), date(2026, 10, 24)]),
    st.lists(st.integers(0, 14), min_size=1, max_size=50),
)
def test_an_idle_day_asks_seldom_and_still_follows_the_plan(day: date, late: list[int]) -> None:
    assert 370 <= asked_on_a_day(at("12:00", day), late) <= 410


@pytest.mark.parametrize("started", ["13:00", "13:07", "13:14", "13:30", "13:33", "14:00"])
def test_a_car_that_starts_early_in_a_window_or_slot_is_held_for_within_a_tick(started: str) -> None:
    """A minute after a question that came just too early, the next one is allowed and finds the car charging."""
    seen = build_state(started, "13:00-15:00", "charging")
    assert can_poll_charger(seen, seen.now - seconds(60), 0, None)
    assert decide(seen).hold is not None

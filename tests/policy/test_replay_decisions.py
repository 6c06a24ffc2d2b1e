"""Past minutes decided again, with the numbers of then and with others."""

import sys
from collections.abc import Sequence
from datetime import date, timedelta

import pytest
from msgspec.structs import replace
from replay_words import CRON_DELAY, MINUTE, build_record, day_span, known_state
from state_words import DEFAULT_POLICY, LONDON, at, parse_hold, seconds

from smartcharge.policy.ledger import local_days_span
from smartcharge.policy.model import ChargerReading, ChargerState, Policy, Reason
from smartcharge.policy.replay import (
    PolicyChange,
    RecordedWindow,
    ReplayData,
    ReplayedMinute,
    hold_differences,
    recorded_holds,
    replay_decisions,
)
from smartcharge.policy.slots import Span

AFTERNOON = day_span("12:30", "16:00")
WINDOW = "13:00-14:00"
OVERRUN = build_record(
    WINDOW,
    "13:01 idle, 13:02 charging, 13:29 charging, 13:59 charging, 14:01 charging, 14:28 charging",
    (
        known_state("13:02", WINDOW, "charging"),
        known_state("13:29", WINDOW, "charging", "13:30"),
        known_state("13:59", WINDOW, "charging", "14:00"),
        known_state("14:29", WINDOW, "unknown", "14:30 extended"),
    ),
)
"""A car that charges on after its window, as it would be written down."""
SUPPOSED: dict[str, tuple[Policy, list[str]]] = {
    "without the extra half hour": (replace(DEFAULT_POLICY, extension=False), ["13:59-14:29 not held"]),
    "released earlier": (replace(DEFAULT_POLICY, release_lead=seconds(210)), ["14:27-14:29 not held"]),
    "released later": (replace(DEFAULT_POLICY, release_lead=seconds(30)), ["14:29-14:30 held"]),
    "only long holds": (replace(DEFAULT_POLICY, min_hold=seconds(1700)), ["13:02-13:29 not held"]),
    "half an hour a day": (replace(DEFAULT_POLICY, max_hours_per_day=0.5), ["13:29-14:29 not held"]),
    "as it was": (DEFAULT_POLICY, []),
}


def course(of: ReplayData, amend: PolicyChange = lambda policy: policy) -> list[ReplayedMinute]:
    return list(replay_decisions(of, AFTERNOON, amend))


def told(stretches: Sequence[object]) -> list[str]:
    return [
        f"{each.span.starts_at:%H:%M}-{each.span.ends_at:%H:%M} {'' if each.held else 'not '}held"  # type: ignore[attr-defined]
        for each in stretches
    ]


def held_from(ticks: Sequence[ReplayedMinute]) -> list[str]:
    """When what is held changes, and to what."""
    pairs = zip([None, *(tick.hold for tick in ticks)], ticks, strict=False)
    changes = [tick for before, tick in pairs if tick.hold != before]
    return [f"{tick.at:%H:%M} {tick.hold.until if tick.hold else '':%H:%M}" for tick in changes]


def test_the_minutes_come_out_as_they_were() -> None:
    assert [tick.hold for tick in course(OVERRUN)] == [tick.hold for tick in recorded_holds(OVERRUN, AFTERNOON)]
    assert hold_differences(recorded_holds(OVERRUN, AFTERNOON), course(OVERRUN)) == ()


def test_each_minute_carries_the_rule_that_decided_it() -> None:
    rules = {f"{tick.at:%H:%M}": tick.reason for tick in course(OVERRUN)}

    assert rules["13:01"] is Reason.NOTHING_TO_HOLD
    assert rules["13:02"] is Reason.CHARGING_IN_WINDOW
    assert rules["13:59"] is Reason.OVERRUN
    assert rules["14:29"] is Reason.SLOT_ENDS


@pytest.mark.parametrize(("policy", "expected"), SUPPOSED.values(), ids=SUPPOSED)
def test_what_would_have_differed(policy: Policy, expected: list[str]) -> None:
    other = course(OVERRUN, lambda _: policy)

    assert told(hold_differences(course(OVERRUN), other)) == expected


def test_minutes_in_which_nobody_ran_are_not_decided() -> None:
    slept = build_record(
        WINDOW, "13:02 charging", (known_state("13:02", WINDOW, "charging"), known_state("15:10", WINDOW, held="13:30"))
    )
    ticks = {f"{tick.at:%H:%M}": tick for tick in course(slept)}

    assert ticks["15:09"].hold == parse_hold("13:30")
    assert ticks["15:09"].reason is None
    assert ticks["15:10"].hold is None


def test_where_the_record_is_silent_and_the_car_would_matter_it_says_so() -> None:
    silent = build_record(WINDOW, "13:00 idle, 13:01 idle")
    guessed = [f"{tick.at:%H:%M}" for tick in course(silent) if tick.guessed]

    assert guessed[0] == "13:03"
    assert guessed[-1] < "14:00"
    assert all(tick.hold is None for tick in course(silent))


def test_a_hold_is_carried_in_from_before_the_first_minute() -> None:
    ticks = list(replay_decisions(OVERRUN, day_span("13:40", "13:45")))

    assert {tick.hold for tick in ticks} == {parse_hold("14:00")}


def test_hours_count_from_noon_also_where_the_day_begins_later() -> None:
    capped = replace(DEFAULT_POLICY, max_hours_per_day=0.4)
    ticks = list(replay_decisions(OVERRUN, day_span("13:28", "13:31"), lambda _: capped))

    assert [tick.hold for tick in ticks] == [parse_hold("13:30"), None, None]


@pytest.mark.parametrize(
    ("day", "minutes"), [(date(2026, 3, 29), 1380), (date(2026, 10, 25), 1500), (date(2026, 11, 22), 1440)]
)
def test_every_minute_of_a_day_is_decided_once_however_long_it_is(day: date, minutes: int) -> None:
    span = local_days_span(day, day, LONDON)
    ticks = list(replay_decisions(build_record(), span))

    assert len(ticks) == len({tick.at for tick in ticks}) == minutes
    assert len({tick.at.replace(minute=tick.at.minute // 30 * 30) for tick in ticks}) * 30 == minutes
    nights = [tick for tick in ticks if tick.reason is Reason.CHEAP_PERIOD]
    assert len(nights) == minutes - 18 * 60


def test_a_minute_takes_a_few_calls_however_long_the_record_is() -> None:
    """Counted on a week with three windows a day, each revised twice, and a car that is asked every other minute."""
    held, calls = counted(busy(7))

    assert held > 7 * 300
    assert calls < 7 * 1440 * 200
    assert counted(busy(70))[1] < calls * 1.1


def counted(made: ReplayData) -> tuple[int, int]:
    """How many minutes of a week are held in, and how many calls it took to find out."""
    calls, before = 0, sys.getprofile()

    def count(_frame: object, event: str, _what: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        week = Span(at("00:00"), at("00:00") + timedelta(days=7))
        held = sum(tick.hold is not None for tick in replay_decisions(made, week))
    finally:
        sys.setprofile(before)
    return held, calls


def busy(number: int) -> ReplayData:
    """The record of a busy household over some days."""
    starts = [at("00:00") + timedelta(days=day, hours=hour) for day in range(number) for hour in (12, 15, 20)]
    recorded_windows = [
        RecordedWindow(
            start,
            start + timedelta(hours=2, minutes=10 * revision),
            start - timedelta(hours=3 - revision / 2),
            "car",
            withdrawn_at=None if revision == 2 else start - timedelta(hours=2.5 - revision / 2),
        )
        for start in starts
        for revision in range(3)
    ]
    readings = [
        ChargerReading(ChargerState.CHARGING, start + n * MINUTE + CRON_DELAY)
        for start in starts
        for n in range(0, 130, 2)
    ]
    return replace(build_record(), recorded_windows=tuple(recorded_windows), readings=tuple(readings))

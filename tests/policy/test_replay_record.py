"""What a record tells of a minute, and where it is silent."""

import pytest
from hypothesis import given
from msgspec.structs import replace
from random_states import LAW_SETTINGS, random_states
from replay_words import CRON_DELAY, build_record, day_span, known_state
from state_words import DEFAULT_POLICY, at

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Pause, State
from smartcharge.policy.replay import MinuteFacts, ReplayData, iter_minute_facts

CHARGING, IDLE = ChargerState.CHARGING, ChargerState.IDLE
CARS: dict[str, tuple[str, str, ChargerState | None]] = {
    "a reading stands for what it is": ("13:05 idle", "13:05", IDLE),
    "and in the next minute": ("13:05 charging", "13:06", CHARGING),
    "but not for two": ("13:05 charging", "13:07", None),
    "between two readings of one charge the car charges": ("13:05 charging, 13:29 charging", "13:20", CHARGING),
    "between two that lie far apart nobody knows": ("13:05 charging, 14:05 charging", "13:20", None),
    "between two that disagree nobody knows": ("13:05 charging, 13:29 idle", "13:20", None),
    "before the first nobody knows": ("13:05 charging", "13:04", None),
}


def told(of: ReplayData, clock: str) -> MinuteFacts:
    """What a record tells of one minute of an afternoon."""
    return next(
        facts for facts in iter_minute_facts(of, day_span("12:00", "18:00")) if facts.now.replace(second=0) == at(clock)
    )


def is_fresh(of: ReplayData, clock: str) -> bool:
    """Whether the window's plan is young enough to act on."""
    facts = told(of, clock)
    return facts.now - facts.windows[0].seen_at < DEFAULT_POLICY.grace


def is_planned(of: ReplayData, *clocks: str) -> list[bool]:
    """In which of these minutes a window stands."""
    return [bool(told(of, clock).windows) for clock in clocks]


@pytest.mark.parametrize(("readings", "clock", "expected"), CARS.values(), ids=CARS)
def test_the_car(readings: str, clock: str, expected: ChargerState | None) -> None:
    assert told(build_record(readings=readings), clock).charger is expected


def test_a_window_is_known_from_the_minute_it_was_first_seen() -> None:
    assert is_planned(build_record("13:00-14:00 seen 12:31"), "12:30", "12:31") == [False, True]


def test_a_window_stands_until_the_minute_it_was_withdrawn() -> None:
    assert is_planned(build_record("13:00-14:00 gone 13:21"), "13:20", "13:21") == [True, False]


def test_a_withdrawal_that_was_taken_back_is_known_from_who_decided_by_it() -> None:
    gone, back = (
        known_state("13:29", "13:00-14:00 withdrawn", held="13:30"),
        known_state("13:33", "13:00-14:00", "charging"),
    )
    of = build_record("13:00-14:00", known=(gone, back))

    assert is_planned(of, "13:28", "13:29", "13:32", "13:33") == [True, False, False, True]


@LAW_SETTINGS
@given(random_states())
def test_what_was_taken_back_decides_nothing_and_may_be_left_out(seen: State) -> None:
    assert decide(replace(seen, windows=tuple(window for window in seen.windows if window.live))) == decide(seen)


def test_a_boost_is_known_from_who_decided_by_it() -> None:
    of = build_record("13:00-14:00", known=(known_state("13:29", "13:00-14:00 boosting", held="13:30"),))

    assert [told(of, clock).windows[0].boosting for clock in ("13:28", "13:29", "13:40")] == [False, True, True]


def test_the_supplier_answered_unless_a_later_decision_knew_of_no_answer() -> None:
    stale = known_state("13:29", "13:00-14:00 stale", held="13:30")
    of = build_record("13:00-14:00", known=(stale,))

    assert [is_fresh(of, clock) for clock in ("13:15", "13:29", "13:40")] == [True, False, True]
    assert told(of, "13:29").windows[0].seen_at == stale.windows[0].seen_at


def test_of_two_decisions_in_a_minute_the_last_one_s_answer_counts() -> None:
    before, after = (
        known_state("13:29", "13:00-14:00 stale", held="13:30"),
        known_state("13:29", "13:00-14:00", "charging"),
    )

    assert is_fresh(build_record("13:00-14:00", known=(before, after)), "13:29")


def test_an_outage_that_the_owner_was_told_of_ends_with_the_next_answer() -> None:
    of = build_record("13:00-14:00", outage=("13:10", "13:30"))

    assert [is_fresh(of, clock) for clock in ("13:08", "13:12", "13:29", "13:30")] == [True, False, False, True]


def test_an_outage_is_none_of_a_car_that_was_answered_for_meanwhile() -> None:
    of = build_record(
        "13:00-14:00", known=(known_state("13:29", "13:00-14:00", "charging"),), outage=("13:10", "13:50")
    )

    assert [is_fresh(of, clock) for clock in ("13:15", "13:29", "13:40")] == [True, True, True]


def test_a_pause_stands_until_a_later_decision_knew_of_none() -> None:
    of = build_record(known=(replace(known_state("13:20", held="13:30"), pause=Pause()), known_state("13:41")))

    assert [told(of, clock).pause for clock in ("13:19", "13:20", "13:40", "13:41")] == [None, Pause(), Pause(), None]


def test_a_window_left_to_somebody_else_is_known_from_that_minute() -> None:
    of = build_record("13:00-14:00", known=(known_state("13:05", "13:00-14:00", "charging"),), stood_down=("13:05",))

    assert told(of, "13:04").manual_override is None
    assert (left := told(of, "13:05").manual_override) is not None
    assert left.at == at("13:05") + CRON_DELAY


def test_a_hold_that_ended_late_tells_that_nobody_ran() -> None:
    late = known_state("15:10", "13:00-14:00", held="13:30")
    of = build_record("13:00-14:00", known=(known_state("13:05", "13:00-14:00", "charging"), late))

    assert [told(of, clock).is_run_missing for clock in ("13:28", "13:29", "15:09", "15:10")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_hold_that_is_open_long_after_its_end_tells_that_nobody_has_run_since() -> None:
    of = replace(build_record("13:00-14:00"), latest=known_state("15:10", "13:00-14:00", held="13:30"))

    assert [told(of, clock).is_run_missing for clock in ("13:28", "13:29", "15:09")] == [False, True, True]


def test_a_run_comes_as_late_in_its_minute_as_runs_did() -> None:
    assert told(build_record(known=(known_state("13:05"),)), "14:00").now == at("14:00") + CRON_DELAY

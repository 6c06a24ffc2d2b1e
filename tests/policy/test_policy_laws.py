"""The laws of the policy: what holds in every state, whatever the rules are."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from random_states import LAW_SETTINGS, random_states
from state_words import seconds

from smartcharge.policy.decide import decide, decision_depends_on_charger, is_release_certain
from smartcharge.policy.model import ChargerState, HoldKind, Pause, Reason, State
from smartcharge.policy.slots import SLOT, slot_start

# ruff: noqa: FBT001 - truth values are columns of the tables


NOT_CHARGING = st.sampled_from([ChargerState.IDLE, ChargerState.UNKNOWN])


@pytest.mark.parametrize("reason", Reason)
def test_the_random_states_reach_every_rule(reason: Reason) -> None:
    many = settings(LAW_SETTINGS, max_examples=3000, phases=[Phase.generate])
    found = find(random_states(), lambda seen: decide(seen).reason is reason, settings=many)
    assert decide(found).reason is reason


@LAW_SETTINGS
@given(random_states())
def test_deciding_again_changes_nothing(seen: State) -> None:
    once = decide(seen)
    assert decide(replace(seen, hold=once.hold)).hold == once.hold


@LAW_SETTINGS
@given(random_states())
def test_a_hold_ends_ahead_on_a_half_hour_or_with_the_day(seen: State) -> None:
    held = decide(seen).hold
    if held is None:
        return
    night = seen.policy.cheap_period.next_start(seen.now)
    assert held.until == slot_start(held.until) or held.until == night
    assert seen.now < held.until <= night


@LAW_SETTINGS
@given(random_states())
def test_nothing_is_held_in_the_cheap_period(seen: State) -> None:
    tonight = seen.policy.cheap_period.next_start(seen.now)
    assume(seen.policy.cheap_period.containing(tonight))
    assert decide(replace(seen, now=tonight)).hold is None


@LAW_SETTINGS
@given(random_states(), NOT_CHARGING)
def test_without_a_reading_of_the_car_nothing_begins_or_is_prolonged(seen: State, car: ChargerState) -> None:
    assert decide(replace(seen, charger=car)).hold in {None, seen.hold}


@LAW_SETTINGS
@given(random_states(), st.sampled_from([600, 1200, 90_000, -600, -90_000]))
def test_without_a_fresh_plan_nothing_begins_or_is_prolonged(seen: State, age: int) -> None:
    stale = tuple(replace(window, seen_at=seen.now - seconds(age)) for window in seen.windows)
    assert decide(replace(seen, windows=stale)).hold in {None, seen.hold}


@LAW_SETTINGS
@given(random_states())
def test_nothing_opens_outside_a_live_window(seen: State) -> None:
    inside = any(window.live and window.covers(seen.now) for window in seen.windows)
    if not inside:
        assert decide(replace(seen, hold=None)).hold is None


@LAW_SETTINGS
@given(random_states(), NOT_CHARGING)
def test_a_due_hold_ends_unless_the_car_charges(seen: State, car: ChargerState) -> None:
    """However late the run comes."""
    after = decide(replace(seen, charger=car)).hold
    assert after is None or seen.release_complete_at < after.until


@LAW_SETTINGS
@given(random_states(), st.timedeltas(seconds(0), seconds(172_800)), NOT_CHARGING)
def test_a_release_may_come_any_time_late(seen: State, late: timedelta, car: ChargerState) -> None:
    assume(seen.hold)
    assert seen.hold is not None
    then = max(seen.now, seen.hold.until - seen.policy.release_lead) + late
    assert decide(replace(seen, now=then, charger=car)).hold is None


@LAW_SETTINGS
@given(random_states())
def test_an_extension_never_follows_an_extension(seen: State) -> None:
    held = decide(seen).hold
    if held is not None and held.kind is HoldKind.EXTENSION and held != seen.hold:
        assert seen.hold is not None
        assert seen.hold.kind is HoldKind.WINDOW
        assert held.until <= seen.hold.until + SLOT
        assert any(window.live and window.ends_at <= seen.hold.until for window in seen.windows)


@LAW_SETTINGS
@given(random_states())
def test_a_withdrawal_never_prolongs(seen: State) -> None:
    gone = tuple(replace(window, withdrawn=True) for window in seen.windows)
    assert decide(replace(seen, windows=gone)).hold in {None, seen.hold}


@LAW_SETTINGS
@given(random_states())
def test_the_charger_is_asked_exactly_if_its_answer_matters(seen: State) -> None:
    holds = [
        decide(seen.with_charger(answer, solar_only=solar)).hold for answer in ChargerState for solar in (False, True)
    ]
    assert decision_depends_on_charger(seen) == any(held != holds[0] for held in holds)
    assert is_release_certain(seen) == (seen.hold is not None and set(holds) == {None})


@LAW_SETTINGS
@given(random_states())
def test_a_journal_row_decides_the_same_again(seen: State) -> None:
    replayed = msgspec.json.decode(msgspec.json.encode(seen), type=State)
    assert replayed == seen
    assert decide(replayed) == decide(seen)


@LAW_SETTINGS
@given(random_states(), st.booleans())
def test_a_pause_and_an_override_leave_nothing_held(seen: State, paused: bool) -> None:
    told = replace(seen, pause=Pause()) if paused else seen
    if told.is_paused or told.manual_override_until:
        assert decide(told).hold is None

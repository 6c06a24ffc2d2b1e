"""`next_step` over values alone: random memories and readings, and the laws that hold for all of them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from random_states import LAW_SETTINGS
from state_words import at

from smartcharge.policy.battery import (
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    BatterySite,
    Lockout,
    UnconfirmedCommands,
)
from smartcharge.policy.battery_run import Done, Goal, Run, StandBack, Verify, Wait, Wanted, Write
from smartcharge.policy.battery_steps import next_step

NOW = at("13:30")
RESTING = BatterySettings(MODE_AUTONOMOUS, 20)
HOME, ELSEWHERE = BatterySite("cloud", "1"), BatterySite("cloud", "2")
MODES = st.sampled_from([MODE_BACKUP, MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION])
RESERVES = st.sampled_from([0, 20, 50, 80, 100])
MOMENTS = st.integers(-900, 900).map(lambda seconds: NOW + timedelta(seconds=seconds))
UNCONFIRMED = st.builds(
    UnconfirmedCommands,
    releasing=st.booleans(),
    runs=st.integers(0, 30),
    mode=st.none() | MODES,
    mode_at=st.none() | MOMENTS,
    reserve_pct=st.none() | RESERVES,
    reserve_at=st.none() | MOMENTS,
)
MEMORIES = st.builds(
    BatteryMemory,
    owned_since=st.just(NOW),
    owns_mode=st.booleans(),
    owns_reserve=st.booleans(),
    settings_before=st.none() | st.builds(BatterySettings, MODES, RESERVES),
    confirmed_mode=st.none() | MODES,
    confirmed_reserve_pct=st.none() | RESERVES,
    in_doubt_since=st.none() | MOMENTS,
    unverified_until=st.none() | MOMENTS,
    site=st.none() | st.just(HOME),
    unconfirmed=st.none() | UNCONFIRMED,
)
READINGS = st.builds(
    BatteryReading,
    mode=st.none() | MODES,
    reserve_pct=st.none() | RESERVES.map(float),
    soe_pct=st.none() | st.just(55.0),
    lockouts=st.none() | st.sampled_from([frozenset(), frozenset(), frozenset({Lockout.STORM_WATCH})]),
)
WANTED = st.builds(
    Wanted,
    goal=st.sampled_from(Goal),
    resting=st.just(RESTING),
    restore_previous=st.booleans(),
    fill=st.booleans(),
    until=st.just(at("14:00")),
)


@LAW_SETTINGS
@given(MEMORIES, READINGS, WANTED)
def test_another_battery_than_the_owned_one_is_never_written_to(
    memory: BatteryMemory, reading: BatteryReading, wanted: Wanted
) -> None:
    step = next_step(memory, reading, wanted, NOW, Run(memory, ELSEWHERE))

    if memory.owned and memory.site is not None:
        assert step == StandBack(memory, BatteryOutcome.OTHER_SITE)


@LAW_SETTINGS
@given(MEMORIES, READINGS, WANTED)
def test_nothing_is_written_during_a_lockout(memory: BatteryMemory, reading: BatteryReading, wanted: Wanted) -> None:
    step = next_step(memory, reading, wanted, NOW, Run(memory, HOME))

    if reading.lockouts:
        assert isinstance(step, Wait)


@LAW_SETTINGS
@given(MEMORIES, READINGS, WANTED)
def test_a_first_step_writes_only_what_is_owned_and_in_doubt(
    memory: BatteryMemory, reading: BatteryReading, wanted: Wanted
) -> None:
    step = next_step(memory, reading, wanted, NOW, Run(memory, HOME))

    if not isinstance(step, Write):
        return
    assert step.memory.in_doubt_since is not None
    if wanted.goal is Goal.HOLD:
        assert None not in {reading.mode, reading.reserve_pct, reading.lockouts}
        assert step.memory.owns_mode and step.memory.owns_reserve  # noqa: PT018  # one claim
        assert step.memory.settings_before is not None
    elif wanted.goal is Goal.RELEASE or wanted.restore_previous:
        assert memory.owns_mode if step.command.mode is not None else memory.owns_reserve
    value = reading.reserve_pct if step.command.mode is None else reading.mode
    assert step.is_blind == (value is None)


@LAW_SETTINGS
@given(MEMORIES, MODES, RESERVES)
def test_a_release_that_reads_what_it_wants_writes_nothing(memory: BatteryMemory, mode: str, reserve_pct: int) -> None:
    resting = BatterySettings(mode, reserve_pct)
    wanted = Wanted(goal=Goal.RELEASE, resting=resting)

    step = next_step(memory, BatteryReading(mode, reserve_pct, 55.0), wanted, NOW, Run(memory, HOME))

    assert isinstance(step, Done | Wait | StandBack)
    assert not isinstance(step, Wait) or step.outcome is BatteryOutcome.SETTLING


@LAW_SETTINGS
@given(MEMORIES, READINGS, WANTED)
def test_a_command_that_was_accepted_is_not_repeated_within_90_seconds(
    memory: BatteryMemory, reading: BatteryReading, wanted: Wanted
) -> None:
    step = next_step(memory, reading, wanted, NOW, Run(memory, HOME))

    earlier = memory.unconfirmed
    if earlier is None or not isinstance(step, Write | Verify) or earlier.releasing != (wanted.goal is not Goal.HOLD):
        return
    asked, at_ = (
        (earlier.mode == step.command.mode, earlier.mode_at)
        if step.command.mode is not None
        else (earlier.reserve_pct == step.command.reserve_pct, earlier.reserve_at)
    )
    is_young = at_ is not None and timedelta(0) <= NOW - at_ < timedelta(seconds=90)
    assert isinstance(step, Verify) == (asked and is_young)

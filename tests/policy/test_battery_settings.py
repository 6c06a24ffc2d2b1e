"""The Powerwall's two values: what they read, whose they are, and which is written next."""

import pytest
from msgspec.structs import replace
from state_words import at

from smartcharge.policy.battery import (
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    BatteryCommand,
    BatteryMemory,
    BatteryReading,
    BatterySettings,
    find_manual_changes,
    has_hold_settings,
    reserve_matches,
)
from smartcharge.policy.battery_ladder import commands_to_reach

# ruff: noqa: FBT001 - truth values are columns of the tables


HOLDING, RESTING = BatterySettings(MODE_BACKUP, 100), BatterySettings(MODE_AUTONOMOUS, 20)
HELD = BatteryMemory(
    owned_since=at("13:00"),
    owns_mode=True,
    owns_reserve=True,
    settings_before=RESTING,
    confirmed_mode=MODE_BACKUP,
    confirmed_reserve_pct=100,
)

RESERVES = {
    # reads, wanted, clamped, agrees
    "the same": (20, 20, False, True),
    "a rounding": (20.9, 20, False, True),
    "a whole per cent": (19, 20, False, True),
    "more than that": (21.1, 20, False, False),
    "unknown": (None, 20, False, False),
    "nothing at all": (0, 20, True, False),
    "zero is a reserve": (0, 0, False, True),
    "eighty where a hundred is clamped": (80, 100, True, True),
    "eighty and a rounding": (80.6, 100, True, True),
    "eighty where it is not": (80, 100, False, False),
    "eighty is not ninety": (80, 90, True, False),
    "a hundred is not eighty": (100, 80, True, False),
}


@pytest.mark.parametrize(("reads", "wanted", "clamped", "agreed"), RESERVES.values(), ids=RESERVES)
def test_a_reserve_agrees(reads: float | None, wanted: int, clamped: bool, agreed: bool) -> None:
    assert reserve_matches(reads, wanted, clamped=clamped) is agreed


STRANGERS = {
    "at rest": (BatteryReading(MODE_AUTONOMOUS, 20), False),
    "in backup": (BatteryReading(MODE_BACKUP, 20), True),
    "at a full reserve": (BatteryReading(MODE_SELF_CONSUMPTION, 100), True),
    "at a reserve of eighty": (BatteryReading(MODE_SELF_CONSUMPTION, 80), False),
    "unknown": (BatteryReading(None, None), False),
}


@pytest.mark.parametrize(("reading", "held"), STRANGERS.values(), ids=STRANGERS)
def test_a_battery_that_somebody_holds_is_seen(reading: BatteryReading, held: bool) -> None:
    assert has_hold_settings(reading) is held


CHANGES = {
    # memory, reading, wanted, (mode, reserve) changed by hand
    "as confirmed": (HELD, BatteryReading(MODE_BACKUP, 100), HOLDING, (False, False)),
    "as wanted next": (HELD, BatteryReading(MODE_AUTONOMOUS, 20), RESTING, (False, False)),
    "another mode": (HELD, BatteryReading(MODE_SELF_CONSUMPTION, 100), HOLDING, (True, False)),
    "another reserve": (HELD, BatteryReading(MODE_BACKUP, 50), HOLDING, (False, True)),
    "both": (HELD, BatteryReading(MODE_SELF_CONSUMPTION, 50), RESTING, (True, True)),
    "another mode at the release, with our reserve": (
        HELD, BatteryReading(MODE_SELF_CONSUMPTION, 100), RESTING, (True, False)),
    "our mode at the release, with another reserve": (HELD, BatteryReading(MODE_BACKUP, 50), RESTING, (False, True)),
    "a reserve that Tesla clamped": (HELD, BatteryReading(MODE_BACKUP, 80), HOLDING, (False, False)),
    "a clamped reserve at the release": (HELD, BatteryReading(MODE_BACKUP, 80), RESTING, (False, False)),
    "eighty where we rest at twenty": (
        replace(HELD, confirmed_mode=MODE_AUTONOMOUS, confirmed_reserve_pct=20),
        BatteryReading(MODE_AUTONOMOUS, 80), HOLDING, (False, True)),
    "a rounding": (HELD, BatteryReading(MODE_BACKUP, 99.4), HOLDING, (False, False)),
    "a missing field is no change": (HELD, BatteryReading(None, None), HOLDING, (False, False)),
    "in doubt nothing is foreign": (
        replace(HELD, in_doubt_since=at("13:01")), BatteryReading(MODE_SELF_CONSUMPTION, 50), HOLDING, (False, False)),
    "nothing confirmed, nothing foreign": (
        replace(HELD, confirmed_mode=None, confirmed_reserve_pct=None),
        BatteryReading(MODE_SELF_CONSUMPTION, 50), HOLDING, (False, False)),
    "the owner's mode may change again": (
        replace(HELD, owns_mode=False), BatteryReading(MODE_SELF_CONSUMPTION, 50), RESTING, (False, True)),
    "and the owner's reserve": (
        replace(HELD, owns_reserve=False), BatteryReading(MODE_SELF_CONSUMPTION, 50), RESTING, (True, False)),
    "a confirmed reserve of zero": (
        replace(HELD, confirmed_reserve_pct=0), BatteryReading(MODE_BACKUP, 5), HOLDING, (False, True)),
}  # fmt: skip


@pytest.mark.parametrize(("memory", "reading", "wanted", "changed"), CHANGES.values(), ids=CHANGES)
def test_the_owner_s_hand_is_told_value_by_value(
    memory: BatteryMemory, reading: BatteryReading, wanted: BatterySettings, changed: tuple[bool, bool]
) -> None:
    assert find_manual_changes(memory, reading, wanted) == changed


MODE_FIRST = {
    # reading, wanted, may touch mode, may touch reserve, the writes
    "into the hold": (
        RESTING,
        HOLDING,
        True,
        True,
        [BatteryCommand(mode=MODE_BACKUP), BatteryCommand(reserve_pct=100)],
    ),
    "and out of it": (
        HOLDING,
        RESTING,
        True,
        True,
        [BatteryCommand(mode=MODE_AUTONOMOUS), BatteryCommand(reserve_pct=20)],
    ),
    "what is right is not written": (HOLDING, HOLDING, True, True, []),
    "only the mode differs": (
        BatterySettings(MODE_BACKUP, 20),
        RESTING,
        True,
        True,
        [BatteryCommand(mode=MODE_AUTONOMOUS)],
    ),
    "only the reserve differs": (
        BatterySettings(MODE_AUTONOMOUS, 100),
        RESTING,
        True,
        True,
        [BatteryCommand(reserve_pct=20)],
    ),
    "the mode is the owner's": (HOLDING, RESTING, False, True, [BatteryCommand(reserve_pct=20)]),
    "the reserve is the owner's": (HOLDING, RESTING, True, False, [BatteryCommand(mode=MODE_AUTONOMOUS)]),
    "both are": (HOLDING, RESTING, False, False, []),
    "eighty is brought back to twenty": (
        BatterySettings(MODE_AUTONOMOUS, 80),
        RESTING,
        True,
        True,
        [BatteryCommand(reserve_pct=20)],
    ),
    "a per cent's rounding is right": (BatterySettings(MODE_AUTONOMOUS, 21), RESTING, True, True, []),
}


@pytest.mark.parametrize(("reads", "wanted", "mode", "reserve", "expected"), MODE_FIRST.values(), ids=MODE_FIRST)
def test_what_differs_is_written_mode_first(
    reads: BatterySettings,
    wanted: BatterySettings,
    mode: bool,
    reserve: bool,
    expected: list[BatteryCommand],
) -> None:
    reading = BatteryReading(reads.mode, reads.reserve_pct)
    assert list(commands_to_reach(reading, wanted, mode=mode, reserve=reserve)) == expected


def test_what_could_not_be_read_is_written() -> None:
    assert list(commands_to_reach(BatteryReading(None, None), RESTING, mode=True, reserve=True)) == [
        BatteryCommand(mode=MODE_AUTONOMOUS), BatteryCommand(reserve_pct=20)]  # fmt: skip


SEEN = {
    "a mode that took": (BatteryCommand(mode=MODE_BACKUP), BatteryReading(MODE_BACKUP, 20), True),
    "a mode that did not": (BatteryCommand(mode=MODE_BACKUP), BatteryReading(MODE_AUTONOMOUS, 100), False),
    "a mode that is not told": (BatteryCommand(mode=MODE_BACKUP), BatteryReading(None, 100), False),
    "a reserve that took": (BatteryCommand(reserve_pct=20), BatteryReading(MODE_BACKUP, 20), True),
    "a reserve that was clamped": (BatteryCommand(reserve_pct=100), BatteryReading(MODE_BACKUP, 80), True),
    "a reserve that did not": (BatteryCommand(reserve_pct=20), BatteryReading(MODE_BACKUP, 100), False),
    "a reserve that is not told": (BatteryCommand(reserve_pct=0), BatteryReading(MODE_BACKUP, None), False),
    "no command shows nothing": (BatteryCommand(), BatteryReading(MODE_BACKUP, 20), False),
}


@pytest.mark.parametrize(("write", "reading", "took"), SEEN.values(), ids=SEEN)
def test_a_command_counts_when_its_effect_is_read(write: BatteryCommand, reading: BatteryReading, took: bool) -> None:
    assert write.is_confirmed_by(reading) is took


CONFIRMED = {
    "the stance that was read back": (HELD, HOLDING, True),
    "another": (HELD, RESTING, False),
    "one whose reserve was clamped": (replace(HELD, confirmed_reserve_pct=80), HOLDING, True),
    "one with another reserve": (replace(HELD, confirmed_reserve_pct=50), HOLDING, False),
    "one in doubt": (replace(HELD, in_doubt_since=at("13:01")), HOLDING, False),
    "one whose reserve nobody read": (replace(HELD, confirmed_reserve_pct=None), HOLDING, False),
    "one whose mode nobody read": (replace(HELD, confirmed_mode=None), HOLDING, False),
}


@pytest.mark.parametrize(("memory", "wanted", "confirmed"), CONFIRMED.values(), ids=CONFIRMED)
def test_a_stance_is_confirmed_by_a_read_back(memory: BatteryMemory, wanted: BatterySettings, confirmed: bool) -> None:
    assert memory.has_confirmed(wanted) is confirmed


def test_either_value_makes_the_battery_ours() -> None:
    both, mode, reserve = HELD, replace(HELD, owns_reserve=False), replace(HELD, owns_mode=False)
    assert [memory.owned for memory in (both, mode, reserve)] == [True, True, True]
    assert not replace(mode, owns_mode=False).owned

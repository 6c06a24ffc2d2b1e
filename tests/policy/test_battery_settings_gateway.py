"""Commands that a gateway takes in one or ends by itself, and readings that are a point or two off."""

from datetime import UTC, datetime, timedelta

import pytest

from smartcharge.policy.battery import (
    BatteryCommand,
    BatteryMemory,
    BatteryReading,
    BatterySettings,
    find_manual_changes,
    reserve_pct_to_remember,
)
from smartcharge.policy.battery_ladder import commands_to_reach, merge_commands

HALF_PAST = datetime(2026, 12, 9, 13, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REST = BatterySettings("autonomous", 20)


def read(mode: str, reserve_pct: float, until: datetime | None = None) -> BatteryReading:
    return BatteryReading(mode, reserve_pct, reserve_accuracy_pct=2.0, timed_hold_until=until)


@pytest.mark.parametrize(
    ("reading", "told"),
    [
        (read("backup", 100), [BatteryCommand("autonomous", 20)]),
        (read("backup", 20), [BatteryCommand(mode="autonomous")]),
        (read("autonomous", 100), [BatteryCommand(reserve_pct=20)]),
        (read("autonomous", 21.9), []),
    ],
)
def test_what_differs_goes_in_one_command(reading: BatteryReading, told: list[BatteryCommand]) -> None:
    assert list(merge_commands(commands_to_reach(reading, REST, mode=True, reserve=True))) == told


SEEN = {
    "both": (BatteryCommand("autonomous", 20), read("autonomous", 21.5), True),
    "the mode alone": (BatteryCommand("autonomous", 20), read("autonomous", 100), False),
    "the reserve alone": (BatteryCommand("autonomous", 20), read("backup", 20), False),
    "a lease": (BatteryCommand("backup", 100, until=HALF_PAST), read("backup", 100, HALF_PAST + 50 * SECOND), True),
    "the lease before it": (
        BatteryCommand("backup", 100, until=HALF_PAST),
        read("backup", 100, HALF_PAST - timedelta(minutes=30)),
        False,
    ),
    "backup without a lease": (BatteryCommand("backup", 100, until=HALF_PAST), read("backup", 100), False),
    "the end of a lease": (BatteryCommand(cancels_timed_hold=True), read("autonomous", 20), True),
    "a lease that goes on": (BatteryCommand(cancels_timed_hold=True), read("backup", 100, HALF_PAST), False),
}


@pytest.mark.parametrize(("write", "reading", "took"), SEEN.values(), ids=SEEN)
def test_a_command_counts_when_all_of_it_is_read(write: BatteryCommand, reading: BatteryReading, took: bool) -> None:  # noqa: FBT001 - a table
    assert write.is_confirmed_by(reading) is took


@pytest.mark.parametrize(("seen_pct", "known"), [(20, 20), (18.1, 20), (22, 20), (22.1, 22), (17.4, 17)])
def test_a_reserve_as_near_as_readings_come_is_remembered_as_the_wanted_one(seen_pct: float, known: int) -> None:
    assert reserve_pct_to_remember(read("autonomous", seen_pct), 20) == known
    assert reserve_pct_to_remember(BatteryReading("autonomous", None), 20) is None


@pytest.mark.parametrize(("seen_pct", "by_hand"), [(60, False), (61.9, False), (58, False), (63, True), (20, False)])
def test_a_point_or_two_are_nobody_s_hand(seen_pct: float, by_hand: bool) -> None:  # noqa: FBT001 - a table
    held = BatteryMemory(owns_reserve=True, confirmed_reserve_pct=60)

    assert find_manual_changes(held, read("self_consumption", seen_pct), REST) == (False, by_hand)

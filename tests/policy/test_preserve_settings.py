"""The stance that keeps the battery as it is: from the reading at entry, within what Tesla accepts."""

from datetime import UTC, datetime

import pytest

from smartcharge.policy.battery import (
    BatteryMemory,
    BatteryReading,
    BatterySettings,
    confirmed_preserve_settings,
    preserve_settings,
)

NOON = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)

CASES = {  # state of energy, reserve found, reserve wanted
    "the reserve goes up to the state of energy": (60.0, 20.0, 60),
    "a fraction is rounded down, so that nothing is charged": (60.9, 20.0, 60),
    "80 % is the last that Tesla takes": (80.9, 20.0, 80),
    "above 80 % only 100 % lets nothing out": (81.0, 20.0, 100),
    "nearly full is full": (99.6, 20.0, 100),
    "a reserve above the state of energy stands": (30.0, 50.0, 50),
    "even one that cannot be written": (85.5, 90.0, 90),
    "an empty battery stays empty": (0.4, 0.0, 0),
}


@pytest.mark.parametrize(("soe_pct", "found_pct", "wanted_pct"), CASES.values(), ids=CASES)
def test_the_battery_is_kept_as_it_is(soe_pct: float, found_pct: float, wanted_pct: int) -> None:
    reading = BatteryReading("autonomous", found_pct, soe_pct=soe_pct)

    assert preserve_settings(reading) == BatterySettings("self_consumption", wanted_pct)


@pytest.mark.parametrize(("soe_pct", "found_pct"), [(None, 20.0), (60.0, None)])
def test_half_a_reading_preserves_nothing(soe_pct: float | None, found_pct: float | None) -> None:
    assert preserve_settings(BatteryReading("autonomous", found_pct, soe_pct=soe_pct)) is None


HELD = {"owns_mode": True, "owns_reserve": True, "confirmed_mode": "self_consumption", "confirmed_reserve_pct": 60}
NOT_HELD = {
    "another mode": {"confirmed_mode": "backup"},
    "a mode in doubt": {"confirmed_mode": None},
    "a reserve in doubt": {"confirmed_reserve_pct": None},
    "all of it in doubt": {"in_doubt_since": NOON},
    "a stance that is the owner's": {"owns_mode": False, "owns_reserve": False},
}


def test_what_was_read_back_is_what_is_preserved() -> None:
    assert confirmed_preserve_settings(BatteryMemory(**HELD)) == BatterySettings("self_consumption", 60)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", NOT_HELD.values(), ids=NOT_HELD)
def test_anything_less_is_not_preserved(change: dict[str, object]) -> None:
    assert confirmed_preserve_settings(BatteryMemory(**HELD | change)) is None  # type: ignore[arg-type]

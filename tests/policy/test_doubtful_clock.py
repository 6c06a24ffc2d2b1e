"""When the clock is too doubtful to begin anything."""

from datetime import UTC, datetime, timedelta

import pytest
from state_words import at, seconds

from smartcharge.policy.decide import is_before_program_release, is_clock_implausible

NOW = at("13:00")
CLOCKS = {
    # now, the newest stored time, is it implausible
    "nothing is stored": (NOW, None, False),
    "the newest time is past": (NOW, NOW - timedelta(days=400), False),
    "it is two minutes ahead": (NOW, NOW + seconds(120), False),
    "it is further ahead": (NOW, NOW + seconds(121), True),
    "the clock was never set": (datetime(1970, 1, 1, tzinfo=UTC), None, True),
    "the last second of 2019": (datetime(2019, 12, 31, 23, 59, 59, tzinfo=UTC), None, True),
    "the first second of 2020": (datetime(2020, 1, 1, tzinfo=UTC), None, False),
}


@pytest.mark.parametrize(("now", "newest_at", "expected"), CLOCKS.values(), ids=CLOCKS)
def test_a_clock_behind_stored_times_or_never_set_is_implausible(
    now: datetime, newest_at: datetime | None, *, expected: bool
) -> None:
    assert is_clock_implausible(now, newest_at) is expected


def test_the_program_was_released_on_22_november_2026() -> None:
    assert is_before_program_release(datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC))
    assert not is_before_program_release(datetime(2026, 11, 22, tzinfo=UTC))

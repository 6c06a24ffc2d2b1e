"""Whether a clock can be right: by the age of this program, and by what was written down earlier."""

from datetime import UTC, datetime, timedelta

WRITTEN_AT = datetime(2026, 11, 22, tzinfo=UTC)
"""This program is no older than that; whoever reads an earlier time has no clock yet (a host without a battery)."""
SLACK = timedelta(minutes=2)
"""Clocks that are kept by NTP step a little, and a run may wait behind one that began later."""
NEVER_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
"""Older than any dispatch of this kind, so that days of the past can be played, and 1970 is seen for what it is."""
BELIEVED = timedelta(hours=2)
"""A stamp further ahead is itself the odd one: written while the clock ran ahead, it must not stop us for ever."""


def is_too_early(now: datetime) -> bool:
    """Whether it is earlier than this program can be."""
    return now < WRITTEN_AT


def is_behind(now: datetime, written_at: datetime | None) -> bool:
    """Whether something was written down later than now."""
    return written_at is not None and now + SLACK < written_at


def is_doubtful(now: datetime, newest_at: datetime | None) -> bool:
    """Whether nothing may be begun by this clock; newest_at: the newest stamp not beyond `now` + `BELIEVED`."""
    return now < NEVER_BEFORE or is_behind(now, newest_at)

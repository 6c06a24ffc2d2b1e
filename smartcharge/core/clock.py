"""Whether a clock can be right: by the age of this program, and by what was written down earlier."""

from datetime import UTC, datetime, timedelta

WRITTEN_AT = datetime(2026, 11, 22, tzinfo=UTC)
"""This program is no older than that; whoever reads an earlier time has no clock yet (a host without a battery)."""
SLACK = timedelta(minutes=2)
"""Clocks that are kept by NTP step a little."""


def is_too_early(now: datetime) -> bool:
    """Whether it is earlier than this program can be."""
    return now < WRITTEN_AT


def is_behind(now: datetime, written_at: datetime | None) -> bool:
    """Whether something was written down later than now."""
    return written_at is not None and now + SLACK < written_at

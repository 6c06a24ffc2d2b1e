"""The one spelling of an instant in the database: `2026-11-22T13:30:00Z`, so that text order is time order."""

from datetime import UTC, datetime

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time that has not come yet: older than anything that can be fresh."""


def format_instant(instant: datetime) -> str:
    """Spell an aware instant; parts of a second are cut. A naive one is a ValueError."""
    if instant.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {instant}")
    return f"{instant.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def parse_instant(text: str) -> datetime:
    """Read an instant back as UTC. A naive one, or no instant at all, is a ValueError."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {text}")
    return instant.astimezone(UTC)


def format_optional_instant(instant: datetime | None) -> str | None:
    """As `to_text`, and None stays None."""
    return None if instant is None else format_instant(instant)


def parse_optional_instant(text: str | None) -> datetime | None:
    """As `from_text`, and None stays None."""
    return None if text is None else parse_instant(text)

"""The one spelling of an instant in the database: `2026-11-22T13:30:00Z`, so that text order is time order."""

from datetime import UTC, datetime

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands for a time that has not come yet: older than anything that can be fresh."""


def to_text(moment: datetime) -> str:
    """Spell an aware instant; parts of a second are cut. A naive one is a ValueError."""
    if moment.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {moment}")
    return f"{moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def from_text(text: str) -> datetime:
    """Read an instant back as UTC. A naive one, or no instant at all, is a ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"an instant without a time zone: {text}")
    return moment.astimezone(UTC)


def to_text_or_none(moment: datetime | None) -> str | None:
    """As `to_text`, and None stays None."""
    return None if moment is None else to_text(moment)


def from_text_or_none(text: str | None) -> datetime | None:
    """As `from_text`, and None stays None."""
    return None if text is None else from_text(text)

"""The one place that reads the wall clock: once a run, and everything in the run goes by that instant."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """Now, as UTC."""
    return datetime.now(UTC)

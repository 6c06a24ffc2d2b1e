"""What became of a mail at the mail server, and when it is tried again."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.core.politeness import MINUTE, step
from smartcharge.core.slots import local_day

RETRIES = (5, 10, 30, 60)
"""Minutes after the n-th failure running, the last for all that follow."""
TOLERANCE = timedelta(seconds=15)
"""Cron's minutes are not exact."""
DAILY_CAP = 50
"""Mails of a local day: a tenth of what a Gmail account may send, however much the plan flaps."""


class Fate(StrEnum):
    """What became of one message.

    UNKNOWN: the link was lost while it was handed over, so it may have arrived. NO_SUCH_ADDRESS, REFUSED: this
    message will never be taken, for its recipient or for what it is.
    """

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    NO_SUCH_ADDRESS = "no such address"
    REFUSED = "refused"


class Receipt(Struct, frozen=True):
    """The mail server's last word on a message. code: such as "550 5.1.1", empty where it said nothing."""

    fate: Fate
    code: str = ""


def retry_at(now: datetime, failures: int, retry_after: timedelta | None) -> datetime:
    """When the mail server is asked again after the n-th failure running; retry_after: what it asked for, if it did."""
    return now + max(step(RETRIES, failures) - TOLERANCE, retry_after or MINUTE)


def day_start(now: datetime, zone: str) -> datetime:
    """When the local day began that the daily cap counts for."""
    return datetime.combine(local_day(now, zone), time(0), ZoneInfo(zone)).astimezone(UTC)

"""When a service may be asked: intervals, back-off, and the tolerance that cron's inexact minutes need."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from smartcharge.policy.model import State, merge_windows
from smartcharge.policy.slots import local_day, slot_start

MINUTE = timedelta(minutes=1)
NEAR_WINDOW = timedelta(minutes=10)
PLAN_INTERVAL_NEAR_WINDOW, PLAN_INTERVAL_DAY, PLAN_INTERVAL_NIGHT = (
    timedelta(seconds=120),
    timedelta(seconds=180),
    timedelta(seconds=900),
)
PLAN_TOLERANCE = timedelta(seconds=15)
PLAN_DAY_INTERVAL_LEAD = timedelta(minutes=15)
PLAN_THROTTLED_BACKOFF_MINUTES = (2, 4, 8, 15)
PLAN_UNREACHABLE_BACKOFF_MINUTES = (0, 0, 0, 0, 6, 10, 12)
CHARGER_INTERVAL_SHORT, CHARGER_INTERVAL_LONG = timedelta(seconds=60), timedelta(seconds=120)
CHARGER_TOLERANCE = timedelta(seconds=10)
WINDOW_START_PERIOD, SLOT_START_PERIOD = timedelta(minutes=15), timedelta(minutes=5)
CHARGER_BACKOFF_MINUTES = (1, 2, 4, 5)
MAX_WAIT = timedelta(hours=25)
"""No service asks for a longer wait; a time further ahead means that the clock has jumped back."""


def backoff_delay(minutes: Sequence[int], failures: int) -> timedelta:
    """Give the n-th of a list of minutes after n failures in a row, the last for all that follow."""
    return minutes[min(failures, len(minutes)) - 1] * MINUTE if failures else timedelta(0)


def is_blocked(now: datetime, not_before: datetime | None) -> bool:
    """Whether a service asked us to wait, and the wait is not over."""
    return not_before is not None and now < not_before <= now + MAX_WAIT


def has_elapsed(now: datetime, since: datetime | None, wait: timedelta) -> bool:
    """Whether `wait` has passed since then; a time in the future (the clock went back) counts as long ago."""
    return since is None or not timedelta(0) <= now - since < wait


def plan_interval(state: State) -> timedelta:
    """Give how often the supplier is asked: seldom at night, often around windows."""
    night = state.policy.cheap_period.containing(state.now)
    if night is not None and state.now < night.ends_at - PLAN_DAY_INTERVAL_LEAD:
        return PLAN_INTERVAL_NIGHT
    near = any(w.live and w.starts_at - NEAR_WINDOW <= state.now < w.ends_at for w in state.windows)
    return PLAN_INTERVAL_NEAR_WINDOW if near or state.hold is not None else PLAN_INTERVAL_DAY


def is_plan_due(state: State, asked_at: datetime | None, not_before: datetime | None) -> bool:
    """Whether the supplier is to be asked now. asked_at: the start of the run that asked last."""
    return not is_blocked(state.now, not_before) and has_elapsed(
        state.now, asked_at, plan_interval(state) - PLAN_TOLERANCE
    )


def plan_retry_at(now: datetime, failures: int, *, throttled: bool, retry_after: timedelta | None) -> datetime:
    """Give when the supplier may be asked again after the n-th failure in a row."""
    backoff = backoff_delay(PLAN_THROTTLED_BACKOFF_MINUTES if throttled else PLAN_UNREACHABLE_BACKOFF_MINUTES, failures)
    return now + max(backoff - PLAN_TOLERANCE, retry_after or timedelta(0))


def charger_interval(state: State) -> timedelta:
    """Give how often the charger is asked: more often where a car may just have started."""
    window = next((span for span in merge_windows(state.windows) if span.covers(state.now)), None)
    is_window_new = window is not None and state.now - window.starts_at < WINDOW_START_PERIOD
    is_slot_new = state.now - slot_start(state.now) < SLOT_START_PERIOD
    return CHARGER_INTERVAL_SHORT if is_window_new or is_slot_new else CHARGER_INTERVAL_LONG


def can_poll_charger(state: State, asked_at: datetime | None, failures: int, not_before: datetime | None) -> bool:
    """Whether the charger may be asked; when a release is due, only an explicit "wait" (`not_before`) forbids it.

    There is one such run per half hour, and its answer decides whether the battery is released or held on.
    After the n-th failure in a row, 1, 2, 4, then 5 minutes are skipped.
    """
    if is_blocked(state.now, not_before):
        return False
    return state.is_release_due or has_elapsed(state.now, asked_at, charger_poll_delay(state, failures))


def charger_poll_delay(state: State, failures: int) -> timedelta:
    """Give how long after one request the next is allowed."""
    return (
        CHARGER_INTERVAL_SHORT + backoff_delay(CHARGER_BACKOFF_MINUTES, failures)
        if failures
        else charger_interval(state)
    ) - CHARGER_TOLERANCE


MAIL_BACKOFF_MINUTES = (5, 10, 30, 60)
"""Minutes to wait after the n-th failure in a row, the last for all that follow."""
MAIL_RETRY_TOLERANCE = timedelta(seconds=15)
"""Cron's minutes are not exact."""
DAILY_MAIL_LIMIT = 50
"""Mails of a local day: a tenth of what a Gmail account may send, however often the plan changes."""


class DeliveryStatus(StrEnum):
    """How the sending of one message ended.

    UNKNOWN: the connection was lost while it was sent, so it may have arrived. NO_SUCH_ADDRESS, REFUSED: this
    message will never be accepted, because of its recipient or of its content.
    """

    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    NO_SUCH_ADDRESS = "no such address"
    REFUSED = "refused"


class DeliveryResult(Struct, frozen=True):
    """The mail server's answer to a message. code: such as "550 5.1.1", empty where it gave none."""

    status: DeliveryStatus
    code: str = ""


def mail_retry_at(now: datetime, failures: int, retry_after: timedelta | None) -> datetime:
    """Give when mail is tried again after the n-th failure in a row; retry_after: what the server asked for."""
    return now + max(backoff_delay(MAIL_BACKOFF_MINUTES, failures) - MAIL_RETRY_TOLERANCE, retry_after or MINUTE)


def local_day_start(now: datetime, zone: str) -> datetime:
    """Give when the local day began that `DAILY_MAIL_LIMIT` counts for (UTC)."""
    return datetime.combine(local_day(now, zone), time(0), ZoneInfo(zone)).astimezone(UTC)

"""When a service may be asked: cadence, back-off, and the tolerance that cron's inexact minutes need."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from smartcharge.core.model import Situation, contiguous
from smartcharge.core.slots import slot_start

MINUTE = timedelta(minutes=1)
NEAR = timedelta(minutes=10)
PLAN_NEAR, PLAN_QUIET, PLAN_NIGHT = timedelta(seconds=120), timedelta(seconds=180), timedelta(seconds=900)
PLAN_TOLERANCE = timedelta(seconds=15)
PLAN_WAKES = timedelta(minutes=15)
PLAN_THROTTLED = (2, 4, 8, 15)
PLAN_UNREACHABLE = (0, 0, 0, 0, 6, 10, 12)
CHARGER_KEEN, CHARGER_CALM = timedelta(seconds=60), timedelta(seconds=120)
CHARGER_TOLERANCE = timedelta(seconds=10)
WINDOW_BEGINS, SLOT_BEGINS = timedelta(minutes=15), timedelta(minutes=5)
SKIPS = (1, 2, 4, 5)
LONGEST_WAIT = timedelta(hours=25)
"""No honest wait is longer; a stamp further ahead means that the clock has jumped back."""


def step(minutes: Sequence[int], failures: int) -> timedelta:
    """The n-th of a ladder of minutes, its last rung for all that follow; nothing before the first failure."""
    return minutes[min(failures, len(minutes)) - 1] * MINUTE if failures else timedelta(0)


def is_blocked(now: datetime, not_before: datetime | None) -> bool:
    """Whether a service asked us to wait, and the wait is not over."""
    return not_before is not None and now < not_before <= now + LONGEST_WAIT


def has_passed(now: datetime, since: datetime | None, wait: timedelta) -> bool:
    """Whether `wait` has gone by since then; a stamp in the future (the clock went back) counts as long ago."""
    return since is None or not timedelta(0) <= now - since < wait


def plan_interval(seen: Situation) -> timedelta:
    """How often the supplier is asked: seldom at night, often around windows."""
    night = seen.policy.cheap_period.holding(seen.now)
    if night is not None and seen.now < night.ends_at - PLAN_WAKES:
        return PLAN_NIGHT
    near = any(w.live and w.starts_at - NEAR <= seen.now < w.ends_at for w in seen.windows)
    return PLAN_NEAR if near or seen.hold is not None else PLAN_QUIET


def plan_is_due(seen: Situation, asked_at: datetime | None, not_before: datetime | None) -> bool:
    """Whether the supplier is asked now; `asked_at` is the start of the tick that asked last."""
    return not is_blocked(seen.now, not_before) and has_passed(seen.now, asked_at, plan_interval(seen) - PLAN_TOLERANCE)


def plan_retry(now: datetime, failures: int, *, throttled: bool, retry_after: timedelta | None) -> datetime:
    """Not before when, after the n-th failure running."""
    ladder = step(PLAN_THROTTLED if throttled else PLAN_UNREACHABLE, failures)
    return now + max(ladder - PLAN_TOLERANCE, retry_after or timedelta(0))


def charger_interval(seen: Situation) -> timedelta:
    """How often the charger is asked: keenly where a car may just have started, calmly otherwise."""
    window = next((span for span in contiguous(seen.windows) if span.covers(seen.now)), None)
    window_is_young = window is not None and seen.now - window.starts_at < WINDOW_BEGINS
    slot_is_young = seen.now - slot_start(seen.now) < SLOT_BEGINS
    return CHARGER_KEEN if window_is_young or slot_is_young else CHARGER_CALM


def charger_may_be_asked(
    seen: Situation, asked_at: datetime | None, failures: int, not_before: datetime | None
) -> bool:
    """Whether a question is allowed; a due tick minds only an explicit "wait" (`not_before`).

    There is one due tick per slot, and its answer decides whether the battery is released or goes on.
    After the n-th failure running, 1, 2, 4, then 5 minutes are skipped.
    """
    if is_blocked(seen.now, not_before):
        return False
    return seen.due or has_passed(seen.now, asked_at, charger_wait(seen, failures))


def charger_wait(seen: Situation, failures: int) -> timedelta:
    """How long after a question the next is allowed."""
    return (CHARGER_KEEN + step(SKIPS, failures) if failures else charger_interval(seen)) - CHARGER_TOLERANCE

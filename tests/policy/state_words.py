"""A short notation for times, plans and holds in the tests of the policy."""

from datetime import UTC, date, datetime, time, timedelta

from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, Policy, State
from smartcharge.policy.slots import CheapPeriod

DAY = date(2026, 11, 22)
"""A winter day: London's clocks show UTC."""
LONDON = "Europe/London"
CHEAP_PERIOD = CheapPeriod(time(0), time(6), LONDON)
OCTOPUS_CHEAP_PERIOD = CheapPeriod(time(23, 30), time(5, 30), LONDON)
DEFAULT_POLICY = Policy(CHEAP_PERIOD)


def at(clock: str, day: date = DAY) -> datetime:
    """Read 13:05 or 13:05:30 as UTC of a day; 24:30 is half past midnight of the next."""
    hours, minutes, *seconds = (int(part) for part in clock.split(":"))
    return datetime.combine(day, time(), UTC) + timedelta(hours=hours, minutes=minutes, seconds=sum(seconds))


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def parse_window(words: str, now: datetime, day: date = DAY) -> DispatchWindow:
    """Read "13:00-14:00", then any of: withdrawn, superseded, stale, boosting, van (the second car)."""
    span, *marks = words.split()
    starts, ends = span.split("-")
    return DispatchWindow(
        starts_at=at(starts, day),
        ends_at=at(ends, day),
        seen_at=now - DEFAULT_POLICY.grace if "stale" in marks else now,
        device="van" if "van" in marks else "car",
        withdrawn="withdrawn" in marks,
        superseded="superseded" in marks,
        boosting="boosting" in marks,
    )


def parse_hold(words: str, day: date = DAY) -> Hold | None:
    """Read "nothing", "13:30" or "13:30 extended"."""
    if words == "nothing":
        return None
    until, *extended = words.split()
    return Hold(at(until, day), HoldKind.EXTENSION if extended else HoldKind.WINDOW)


def build_state(
    when: str,
    plan: str = "",
    car: str = "unknown",
    held: str = "nothing",
    *,
    day: date = DAY,
    policy: Policy = DEFAULT_POLICY,
) -> State:
    """Build the state of a decision; the plan is a list of windows with commas between."""
    now = at(when, day)
    return State(
        now=now,
        policy=policy,
        windows=tuple(parse_window(words, now, day) for words in plan.split(", ") if words),
        charger=ChargerState[car.upper()],
        hold=parse_hold(held, day),
    )

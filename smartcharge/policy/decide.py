"""The policy, rule by rule: the first that fits wins."""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from smartcharge.policy.model import ChargerState, Decision, Hold, HoldKind, Reason, State
from smartcharge.policy.slots import SLOT


def decide(state: State) -> Decision:
    """What should hold now, and why."""
    if state.clock_is_doubtful:
        return Decision(None, Reason.CLOCK_IS_DOUBTFUL)
    if state.is_paused:
        return Decision(None, Reason.PAUSED)
    if state.manual_override_until:
        return Decision(None, Reason.STOOD_DOWN)
    if state.is_cheap_now:
        return Decision(None, Reason.CHEAP_PERIOD)
    if should_hold(state):
        return Decision(Hold(state.next_hold_until, HoldKind.WINDOW), Reason.CHARGING_IN_WINDOW)
    if state.hold is None:
        return Decision(None, Reason.NOTHING_TO_HOLD)
    if state.hold.kind is HoldKind.EXTENSION and state.charger is ChargerState.IDLE:
        return Decision(None, Reason.CAR_STOPPED)
    if not state.is_release_due:
        return Decision(state.hold, Reason.SLOT_ALREADY_CHEAP)
    if can_extend(state, state.hold):
        return Decision(Hold(state.cap_at_cheap_period(state.hold.until + SLOT), HoldKind.EXTENSION), Reason.OVERRUN)
    return Decision(None, Reason.SLOT_ENDS)


def should_hold(state: State) -> bool:
    """Whether a window carries the charging car past the release lead, and for long enough to be worth two writes."""
    is_under_way = state.hold is not None or state.is_covered(state.now)
    is_long_enough = state.next_hold_until - state.now >= state.policy.min_hold
    return state.is_charging and is_under_way and state.is_covered(state.release_complete_at) and is_long_enough


def can_extend(state: State, hold: Hold) -> bool:
    """Whether the half hour after a due hold may be held on the car's word alone: once, and not for the night."""
    return (
        state.is_charging
        and state.policy.extension
        and hold.kind is HoldKind.WINDOW
        and state.release_complete_at < state.cap_at_cheap_period(hold.until + SLOT)
        and state.policy.cheap_period.containing(hold.until) is None
        and state.has_window_ending_with(hold)
    )


def decision_depends_on_charger(state: State) -> bool:
    """Whether any answer from the charger could change what we hold."""
    return len(_possible_holds(state)) > 1


def is_release_certain(state: State) -> bool:
    """Whether an open hold ends whatever the charger would say: known before anyone is asked."""
    return state.hold is not None and _possible_holds(state) == {None}


def _possible_holds(state: State) -> set[Hold | None]:
    return {decide(replace(state, charger=charger_state)).hold for charger_state in ChargerState}


PROGRAM_RELEASED_AT = datetime(2026, 11, 22, tzinfo=UTC)
"""This program is no older than that; whoever reads an earlier time has no clock yet (a host without a battery)."""
CLOCK_TOLERANCE = timedelta(minutes=2)
"""Clocks that are kept by NTP step a little, and a run may wait behind one that began later."""
EARLIEST_VALID_TIME = datetime(2020, 1, 1, tzinfo=UTC)
"""Older than any dispatch of this kind, so that days of the past can be played, and 1970 is seen for what it is."""
MAX_TRUSTED_CLOCK_LEAD = timedelta(hours=2)
"""A stamp further ahead is itself the odd one: written while the clock ran ahead, it must not stop us for ever."""


def is_before_program_release(now: datetime) -> bool:
    """Whether it is earlier than this program can be."""
    return now < PROGRAM_RELEASED_AT


def is_clock_behind(now: datetime, written_at: datetime | None) -> bool:
    """Whether something was written down later than now."""
    return written_at is not None and now + CLOCK_TOLERANCE < written_at


def is_clock_implausible(now: datetime, newest_at: datetime | None) -> bool:
    """Whether nothing may be begun by this clock; newest_at: the newest stamp not beyond `now` + `BELIEVED`."""
    return now < EARLIEST_VALID_TIME or is_clock_behind(now, newest_at)

"""What should be held now: the rules of the policy in their order, the first that fits decides."""

from datetime import UTC, datetime, timedelta

from smartcharge.policy.model import ChargerState, Decision, Hold, HoldKind, Reason, State
from smartcharge.policy.slots import SLOT


def decide(state: State) -> Decision:
    """Decide what should be held, and name the rule. Pure: the state is all that it knows."""
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
    if state.hold.kind is HoldKind.EXTENSION and state.has_stopped_using_grid:
        return Decision(None, Reason.CAR_STOPPED)
    if not state.is_release_due:
        return Decision(state.hold, Reason.SLOT_ALREADY_CHEAP)
    if can_extend(state, state.hold):
        return Decision(Hold(extension_end(state, state.hold), HoldKind.EXTENSION), Reason.OVERRUN)
    return Decision(None, Reason.SLOT_ENDS)


def should_hold(state: State) -> bool:
    """Whether the car charges in a planned window, and a hold to the end of the slot is allowed and long enough."""
    until = state.next_hold_until
    return (
        state.is_charging
        and state.is_within_daily_limit(until)
        and state.is_covered(state.release_complete_at)
        and (state.hold is not None or state.is_covered(state.now))
        and until - state.now >= state.policy.min_hold
    )


def can_extend(state: State, hold: Hold) -> bool:
    """Whether one unplanned half hour may follow a due hold, because the car still charges from the grid."""
    until = extension_end(state, hold)
    return (
        state.release_complete_at < until  # a run that comes later than that finds the half hour over
        and hold.kind is HoldKind.WINDOW
        and state.is_charging_from_grid
        and state.is_within_daily_limit(until)
        and state.has_window_ending_with(hold)
        and state.policy.extension
        and state.policy.cheap_period.containing(hold.until) is None
    )


def extension_end(state: State, hold: Hold) -> datetime:
    """Where an extension of a hold ends: half an hour later, or where the cheap period begins."""
    return state.cap_at_cheap_period(hold.until + SLOT)


def decision_depends_on_charger(state: State) -> bool:
    """Whether the charger's answer could change what is held; if not, it need not be asked."""
    return len(_possible_holds(state)) > 1


def is_release_certain(state: State) -> bool:
    """Whether an open hold ends whatever the charger answers; if so, the release comes before any question."""
    return state.hold is not None and _possible_holds(state) == {None}


def _possible_holds(state: State) -> set[Hold | None]:
    """What `decide` holds for every answer of the charger. Charging from the sun alone adds no further outcome.

    A window is held for as for any charging car, and without one nothing is extended, as for an idle car.
    """
    return {decide(state.with_charger(charger)).hold for charger in ChargerState}


PROGRAM_RELEASED_AT = datetime(2026, 11, 22, tzinfo=UTC)
"""An earlier time means that the clock has not been set yet, as on a host without a battery-backed clock."""
CLOCK_TOLERANCE = timedelta(minutes=2)
"""NTP steps a clock a little, and a run may wait for the lock behind one that began later."""
EARLIEST_VALID_TIME = datetime(2020, 1, 1, tzinfo=UTC)
"""No real run is earlier, but the simulator may play past days. A clock that was never set says 1970."""
MAX_TRUSTED_CLOCK_LEAD = timedelta(hours=2)
"""A stored time further in the future is wrong itself, and is ignored, so that it cannot block every later run."""


def is_before_program_release(now: datetime) -> bool:
    """Whether the clock shows a time before this program existed."""
    return now < PROGRAM_RELEASED_AT


def is_clock_behind(now: datetime, written_at: datetime | None) -> bool:
    """Whether a stored time lies in the future of the clock."""
    return written_at is not None and now + CLOCK_TOLERANCE < written_at


def is_clock_implausible(now: datetime, newest_at: datetime | None) -> bool:
    """Whether the clock is too doubtful to begin anything. newest_at: the newest stored time that is believed."""
    return now < EARLIEST_VALID_TIME or is_clock_behind(now, newest_at)

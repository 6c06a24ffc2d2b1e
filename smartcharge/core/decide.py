"""The policy, rule by rule: the first that fits wins."""

from msgspec.structs import replace

from smartcharge.core.model import Because, ChargerState, Decision, Hold, HoldKind, Situation
from smartcharge.core.slots import SLOT


def decide(seen: Situation) -> Decision:
    """What should hold now, and why."""
    if seen.clock_is_doubtful:
        return Decision(None, Because.CLOCK_IS_DOUBTFUL)
    if seen.paused:
        return Decision(None, Because.PAUSED)
    if seen.stood_down_until:
        return Decision(None, Because.STOOD_DOWN)
    if seen.cheap_now:
        return Decision(None, Because.CHEAP_PERIOD)
    if is_worth_holding(seen):
        return Decision(Hold(seen.next_until, HoldKind.WINDOW), Because.CHARGING_IN_WINDOW)
    if seen.hold is None:
        return Decision(None, Because.NOTHING_TO_HOLD)
    if seen.hold.kind is HoldKind.EXTENSION and seen.charger is ChargerState.IDLE:
        return Decision(None, Because.CAR_STOPPED)
    if not seen.due:
        return Decision(seen.hold, Because.SLOT_ALREADY_CHEAP)
    if may_extend(seen, seen.hold):
        return Decision(Hold(seen.cut(seen.hold.until + SLOT), HoldKind.EXTENSION), Because.OVERRUN)
    return Decision(None, Because.SLOT_ENDS)


def is_worth_holding(seen: Situation) -> bool:
    """Whether a window carries the charging car past the release lead, and for long enough to be worth two writes."""
    under_way = seen.hold is not None or seen.covered(seen.now)
    long_enough = seen.next_until - seen.now >= seen.policy.min_hold
    return seen.charging and under_way and seen.covered(seen.ahead) and long_enough


def may_extend(seen: Situation, hold: Hold) -> bool:
    """Whether the half hour after a due hold may be held on the car's word alone: once, and not for the night."""
    return (
        seen.charging
        and seen.policy.extension
        and hold.kind is HoldKind.WINDOW
        and seen.ahead < seen.cut(hold.until + SLOT)
        and seen.policy.cheap_period.holding(hold.until) is None
        and seen.window_ends_with(hold)
    )


def depends_on_charger(seen: Situation) -> bool:
    """Whether any answer from the charger could change what we hold."""
    return len(_holds_for_any_answer(seen)) > 1


def release_is_due(seen: Situation) -> bool:
    """Whether an open hold ends whatever the charger would say: known before anyone is asked."""
    return seen.hold is not None and _holds_for_any_answer(seen) == {None}


def _holds_for_any_answer(seen: Situation) -> set[Hold | None]:
    return {decide(replace(seen, charger=state)).hold for state in ChargerState}

"""Why a decision came out as it did: what would have changed it, and what comes next, by deciding again.

There is one rule set. Nothing here knows a rule: every answer is `decide` itself, asked about another situation.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Decision, DispatchWindow, Hold, State
from smartcharge.policy.polling import MINUTE
from smartcharge.policy.slots import SLOT, last_noon, slot_end, slot_start

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
LOOKAHEAD_LIMIT = timedelta(hours=36)
"""Further ahead nobody plans."""


class Counterfactual(Struct, frozen=True):
    """What would have been decided if these facts had been different; each is a clause that follows "if"."""

    conditions: tuple[str, ...]
    decision: Decision


class NextChange(Struct, frozen=True):
    """When something else will be held, what, and for which answers of the charger; nothing else happens meanwhile."""

    at: datetime
    charger_states: tuple[ChargerState, ...]
    decision: Decision


def find_counterfactuals(state: State) -> tuple[Counterfactual, ...]:
    """Every fact that alone would have changed what is held; where none would, every two that would."""
    return tuple(_counterfactuals_of(state, 1)) or tuple(_counterfactuals_of(state, 2))


def find_next_changes(state: State) -> tuple[NextChange, ...]:
    """The next changes of what is held, soonest first; the supplier answers as it did, and plans nothing new."""
    changes = [
        (charger_state, change)
        for charger_state in ChargerState
        if (change := _next_change(state, charger_state)) is not None
    ]
    changes_by_hold: dict[tuple[datetime, Hold | None], NextChange] = {}
    for charger_state, (at, decision) in changes:
        known = changes_by_hold.get((at, decision.hold), NextChange(at, (), decision))
        changes_by_hold[at, decision.hold] = replace(known, charger_states=(*known.charger_states, charger_state))
    return tuple(sorted(changes_by_hold.values(), key=lambda each: each.at))


def _counterfactuals_of(state: State, facts: int) -> Iterator[Counterfactual]:
    until = _hold_end(decide(state))
    for changes in combinations(COUNTERFACTUAL_CHANGES.items(), facts):
        other = state
        for _, change in changes:
            other = change(other)
        decision = decide(other)
        if _hold_end(decision) != until:
            yield Counterfactual(tuple(words for words, _ in changes), decision)


def _hold_end(decision: Decision) -> datetime | None:
    return decision.hold.until if decision.hold else None


def _next_change(state: State, charger_state: ChargerState) -> tuple[datetime, Decision] | None:
    """The first full minute at which something else is held than now, if the charger answers so from now on."""
    held = decide(state).hold
    ends = [window.ends_at for window in state.windows if window.live] + ([held.until] if held else [])
    last = min(max(ends, default=state.now) + SLOT, state.now + LOOKAHEAD_LIMIT)
    moment = state.now.replace(second=0, microsecond=0) + MINUTE
    while moment <= last:
        decision = decide(_state_at(state, moment, held).with_charger(charger_state))
        if decision.hold != held:
            return moment, decision
        moment += MINUTE
    return None


def _state_at(state: State, moment: datetime, hold: Hold | None) -> State:
    """The same at a later moment, with this held all the while and the supplier's answers as young as they are."""
    noon = last_noon(moment, state.policy.cheap_period.zone)
    before = state.held_since_noon if noon <= state.now else timedelta(0)
    since = moment - max(noon, state.now) if hold else timedelta(0)
    windows = tuple(replace(w, seen_at=w.seen_at + (moment - state.now)) for w in state.windows)
    return replace(state, now=moment, hold=hold, windows=windows, held_since_noon=before + since)


def _with_charger_state(charger_state: ChargerState) -> Callable[[State], State]:
    return lambda state: state.with_charger(charger_state)


def _with_planned_window(state: State) -> State:
    """A window over this half hour and the next decision; where there is one already, that is the fact."""
    if any(window.covers(state.release_complete_at) for window in state.windows):
        return state
    window = DispatchWindow(slot_start(state.now), slot_end(state.release_complete_at), seen_at=state.now)
    return replace(state, windows=(*state.windows, window))


def _with_windows_restored(state: State) -> State:
    return replace(state, windows=tuple(replace(w, withdrawn=False, superseded=False) for w in state.windows))


def _with_answers_at(at: Callable[[State], datetime]) -> Callable[[State], State]:
    return lambda state: replace(state, windows=tuple(replace(w, seen_at=at(state)) for w in state.windows))


def _without_boost(state: State) -> State:
    return replace(state, windows=tuple(replace(w, boosting=False) for w in state.windows))


def _with_extension(*, extension: bool) -> Callable[[State], State]:
    return lambda state: replace(state, policy=replace(state.policy, extension=extension))


def _without_daily_cap(state: State) -> State:
    return replace(state, policy=replace(state.policy, max_hours_per_day=None))


def _at_release_time(state: State) -> State:
    """The moment at which the release of what is decided would begin."""
    hold = decide(state).hold
    return state if hold is None else _state_at(state, max(state.now, hold.until - state.policy.release_lead), hold)


NEAR_END_CONDITION = "the end of the half hour had been near"
COUNTERFACTUAL_CHANGES: dict[str, Callable[[State], State]] = {
    "the clock had been right": lambda state: replace(state, clock_is_doubtful=False),
    "you had not paused smartcharge": lambda state: replace(state, pause=None),
    "no one else had set the Powerwall": lambda state: replace(state, manual_override=None),
    "the car had been charging": _with_charger_state(ChargerState.CHARGING),
    "the car had not been charging": _with_charger_state(ChargerState.IDLE),
    "the Zappi had not answered": _with_charger_state(ChargerState.UNKNOWN),
    "a smart-charging slot had been scheduled": _with_planned_window,
    "the slot had not been withdrawn": _with_windows_restored,
    "your supplier had just sent its schedule": _with_answers_at(lambda state: state.now),
    "your supplier had not answered for a long time": _with_answers_at(lambda _: LONG_AGO),
    "the car had not been boosted by hand": _without_boost,
    "the hours of the day had not been used up": _without_daily_cap,
    "the extra half hour had been switched on": _with_extension(extension=True),
    "the extra half hour had been switched off": _with_extension(extension=False),
    NEAR_END_CONDITION: _at_release_time,
}
"""Each changes one fact, described by a clause that follows "if"."""

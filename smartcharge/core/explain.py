"""Why a decision came out as it did: what would have changed it, and what comes next, by deciding again.

There is one rule set. Nothing here knows a rule: every answer is `decide` itself, asked about another situation.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.core.decide import decide
from smartcharge.core.model import ChargerState, Decision, Hold, Situation, Window
from smartcharge.core.politeness import MINUTE
from smartcharge.core.slots import SLOT, last_noon, slot_end, slot_start

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
FURTHEST = timedelta(hours=36)
"""Further ahead nobody plans."""


class Otherwise(Struct, frozen=True):
    """What would be held, had these facts been others; each continues the word "had"."""

    had: tuple[str, ...]
    decision: Decision


class Next(Struct, frozen=True):
    """When something else will be held, what, and for which answers of the charger; nothing else happens meanwhile."""

    at: datetime
    cars: tuple[ChargerState, ...]
    decision: Decision


def otherwise(seen: Situation) -> tuple[Otherwise, ...]:
    """Every fact that alone would have changed what is held; where none would, every two that would."""
    return tuple(_otherwise(seen, 1)) or tuple(_otherwise(seen, 2))


def ahead(seen: Situation) -> tuple[Next, ...]:
    """The next changes of what is held, soonest first; the supplier answers as it did, and plans nothing new."""
    changes = [(car, change) for car in ChargerState if (change := _next_change(seen, car)) is not None]
    alike: dict[tuple[datetime, Hold | None], Next] = {}
    for car, (at, decision) in changes:
        known = alike.get((at, decision.hold), Next(at, (), decision))
        alike[at, decision.hold] = replace(known, cars=(*known.cars, car))
    return tuple(sorted(alike.values(), key=lambda each: each.at))


def _otherwise(seen: Situation, facts: int) -> Iterator[Otherwise]:
    until = _until(decide(seen))
    for changes in combinations(CHANGES.items(), facts):
        other = seen
        for _, change in changes:
            other = change(other)
        decision = decide(other)
        if _until(decision) != until:
            yield Otherwise(tuple(words for words, _ in changes), decision)


def _until(decision: Decision) -> datetime | None:
    return decision.hold.until if decision.hold else None


def _next_change(seen: Situation, car: ChargerState) -> tuple[datetime, Decision] | None:
    """The first full minute at which something else is held than now, if the charger answers so from now on."""
    held = decide(seen).hold
    ends = [window.ends_at for window in seen.windows if window.live] + ([held.until] if held else [])
    last = min(max(ends, default=seen.now) + SLOT, seen.now + FURTHEST)
    moment = seen.now.replace(second=0, microsecond=0) + MINUTE
    while moment <= last:
        decision = decide(replace(_later(seen, moment, held), charger=car))
        if decision.hold != held:
            return moment, decision
        moment += MINUTE
    return None


def _later(seen: Situation, moment: datetime, hold: Hold | None) -> Situation:
    """The same at a later moment, with this held all the while and the supplier's answers as young as they are."""
    noon = last_noon(moment, seen.policy.cheap_period.zone)
    before = seen.held_since_noon if noon <= seen.now else timedelta(0)
    since = moment - max(noon, seen.now) if hold else timedelta(0)
    windows = tuple(replace(w, seen_at=w.seen_at + (moment - seen.now)) for w in seen.windows)
    return replace(seen, now=moment, hold=hold, windows=windows, held_since_noon=before + since)


def _as_car(car: ChargerState) -> Callable[[Situation], Situation]:
    return lambda seen: replace(seen, charger=car)


def _planned(seen: Situation) -> Situation:
    """A window over this half hour and the next decision; where there is one already, that is the fact."""
    if any(window.covers(seen.ahead) for window in seen.windows):
        return seen
    window = Window(slot_start(seen.now), slot_end(seen.ahead), seen_at=seen.now)
    return replace(seen, windows=(*seen.windows, window))


def _standing(seen: Situation) -> Situation:
    return replace(seen, windows=tuple(replace(w, withdrawn=False, superseded=False) for w in seen.windows))


def _answered(at: Callable[[Situation], datetime]) -> Callable[[Situation], Situation]:
    return lambda seen: replace(seen, windows=tuple(replace(w, seen_at=at(seen)) for w in seen.windows))


def _unboosted(seen: Situation) -> Situation:
    return replace(seen, windows=tuple(replace(w, boosting=False) for w in seen.windows))


def _extending(*, extension: bool) -> Callable[[Situation], Situation]:
    return lambda seen: replace(seen, policy=replace(seen.policy, extension=extension))


def _uncapped(seen: Situation) -> Situation:
    return replace(seen, policy=replace(seen.policy, max_hours_per_day=None))


def _at_release(seen: Situation) -> Situation:
    """The moment at which the release of what is decided would begin."""
    hold = decide(seen).hold
    return seen if hold is None else _later(seen, max(seen.now, hold.until - seen.policy.release_lead), hold)


CHANGES: dict[str, Callable[[Situation], Situation]] = {
    "this machine's clock been right": lambda seen: replace(seen, clock_is_doubtful=False),
    "you not paused": lambda seen: replace(seen, pause=None),
    "nobody else set the battery": lambda seen: replace(seen, stand_down=None),
    "the car been charging": _as_car(ChargerState.CHARGING),
    "the car not been charging": _as_car(ChargerState.IDLE),
    "the Zappi given no answer": _as_car(ChargerState.UNKNOWN),
    "a cheap window been planned": _planned,
    "the window not been taken back": _standing,
    "Kraken answered just now": _answered(lambda seen: seen.now),
    "Kraken given no answer for long": _answered(lambda _: LONG_AGO),
    "the charge not been boosted by hand": _unboosted,
    "the day's hours not been used up": _uncapped,
    "the extra half hour been switched on": _extending(extension=True),
    "the extra half hour been switched off": _extending(extension=False),
    "its release been due": _at_release,
}
"""One fact changed each, in words that follow "had"; where it is so already, nothing changes."""

"""The facts of a decision in the owner's words, each with its source and its age."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain

from msgspec import Struct

from smartcharge.act.words import clock, span, when
from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import Situation, Window
from smartcharge.core.politeness import CHARGER_CALM, has_passed
from smartcharge.core.slots import SLOT

SHOWN_WINDOWS = 3
Sightings = Mapping[tuple[str, datetime, datetime], datetime]
"""When the supplier first named a window, by its device, start and end."""


class Fact(Struct, frozen=True):
    """One fact: who says so, what, and since when it is known (UTC); None where nobody noted it."""

    source: str
    says: str
    at: datetime | None = None


class Evidence(Struct, frozen=True):
    """What a decision rested on beside its situation.

    reading: the charger's newest. answered_at: the supplier's last answer. opened_at: of the open hold, where known.
    """

    reading: ChargerReading | None
    answered_at: datetime | None
    opened_at: datetime | None
    sightings: Sightings


def facts(seen: Situation, known: Evidence) -> tuple[Fact, ...]:
    """Everything the decision looked at, the most telling first."""
    parts = (_owner(seen), _car(seen, known.reading), _plan(seen, known), _hold(seen, known.opened_at), _limits(seen))
    return tuple(chain.from_iterable(parts))


def _owner(seen: Situation) -> Iterator[Fact]:
    zone = seen.policy.cheap_period.zone
    if seen.clock_is_doubtful:
        yield Fact("this machine's clock", "lies before what was written down already")
    if seen.paused:
        until = seen.pause.until if seen.pause else None
        yield Fact("you", f"paused until {when(until, seen.now, zone) if until else '`smartcharge resume`'}")
    if seen.stand_down and seen.stood_down_until:
        left = f"was set by somebody else: left alone until {when(seen.stood_down_until, seen.now, zone)}"
        yield Fact("the Powerwall", left, seen.stand_down.at)


def _car(seen: Situation, reading: ChargerReading | None) -> Iterator[Fact]:
    if reading is None:
        yield Fact("the Zappi", "not asked; it is asked only where its answer matters")
        return
    old = "; too old to count" if has_passed(seen.now, reading.at, CHARGER_CALM) else f": {reading.state.lower()}"
    yield Fact("the Zappi", f"{reading.why or 'no reason given'}{old}", reading.at)


def _plan(seen: Situation, known: Evidence) -> Iterator[Fact]:
    if known.answered_at is None:
        yield Fact("Kraken", "has not answered yet")
        return
    windows = _telling(seen)
    if not windows:
        yield Fact("Kraken", f"no window near now{_freshness(seen, known.answered_at)}", known.answered_at)
    for window in windows[:SHOWN_WINDOWS]:
        first = known.sightings.get((window.device, window.starts_at, window.ends_at))
        named = f", first named at {when(first, seen.now, seen.policy.cheap_period.zone)}" if first else ""
        yield Fact("Kraken", f"{_window(seen, window)}{named}{_freshness(seen, window.seen_at)}", window.seen_at)
    if len(windows) > SHOWN_WINDOWS:
        yield Fact("Kraken", f"and {len(windows) - SHOWN_WINDOWS} windows more")


def _telling(seen: Situation) -> list[Window]:
    """The windows that stand near now or ahead; where none covers now, those taken back that would."""
    live = [window for window in seen.windows if window.live and window.ends_at + SLOT > seen.now]
    covered = any(window.covers(seen.now) for window in live)
    gone = [window for window in seen.windows if not window.live and window.covers(seen.now)]
    return sorted(live if covered else [*gone, *live], key=lambda window: window.starts_at)


def _window(seen: Situation, window: Window) -> str:
    about = f", about {window.energy_kwh:.1f} kWh" if window.energy_kwh else ""
    fate = ", moved" if window.superseded else ", taken back" if window.withdrawn else ""
    boosted = ", but the charge is boosted by hand" if window.boosting else ""
    return f"window {span(window.starts_at, window.ends_at, seen.policy.cheap_period.zone)}{about}{fate}{boosted}"


def _freshness(seen: Situation, answered_at: datetime) -> str:
    return "" if seen.is_young(answered_at) else "; too old to count"


def _hold(seen: Situation, opened_at: datetime | None) -> Iterator[Fact]:
    if seen.hold is not None:
        until = clock(seen.hold.until, seen.policy.cheap_period.zone)
        extra = " (the extra half hour)" if seen.hold.kind == "EXTENSION" else ""
        yield Fact("the hold", f"promised until {until}{extra}", opened_at)


def _limits(seen: Situation) -> Iterator[Fact]:
    period, cap = seen.policy.cheap_period, seen.policy.max_hours_per_day
    applies = ", now" if seen.cheap_now else ""
    yield Fact("your tariff", f"night rate {period.starts:%H:%M}-{period.ends:%H:%M}{applies}")
    if cap is not None:
        hours = seen.held_since_noon / timedelta(hours=1)
        yield Fact("your tariff", f"held {hours:.1f} of {cap:g} hours since noon")

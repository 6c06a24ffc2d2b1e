"""Past days decided again, minute by minute, from what is written down; also with other numbers of the policy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.core.decide import decide
from smartcharge.core.model import Because, ChargerState, Hold, Policy, Situation
from smartcharge.core.politeness import MINUTE
from smartcharge.core.record import Facts, Record, minutes, tell, usual_second
from smartcharge.core.slots import Span, last_noon

Amend = Callable[[Policy], Policy]
"""The policy as it was to the policy that is tried out."""


class Tick(NamedTuple):
    """What is held after one minute's run.

    because: the rule, None where nothing was decided. guessed: the car would have mattered, and the record is silent.
    """

    at: datetime
    hold: Hold | None
    because: Because | None = None
    guessed: bool = False


class Stretch(Struct, frozen=True):
    """A run of minutes that are held in one course of a day and not in another.

    held: whether they are in the other. because: the other's rule where the stretch begins.
    """

    span: Span
    held: bool
    because: Because | None


def walk(record: Record, span: Span, amend: Amend = lambda policy: policy) -> Iterator[Tick]:
    """Decide every minute of a span again, each with the hold that the minute before left; lazily.

    Begins unseen at the noon before, because the hours held count from there.
    """
    zone = record.latest.policy.cheap_period.zone
    begin = last_noon(span.starts_at, zone)
    knew: Situation | None = None
    policy = amend(record.known[0].policy if record.known else record.latest.policy)
    hold, held = _promised_before(record, begin), timedelta(0)
    for facts in tell(record, Span(begin, span.ends_at)):
        if facts.knew is not None and facts.knew is not knew:
            knew, policy = facts.knew, amend(facts.knew.policy)
        held = timedelta(0) if _is_noon(facts.now, zone) else held
        tick = _decided(facts, policy, hold, held)
        if tick.at >= span.starts_at:
            yield tick
        hold, held = tick.hold, held + (MINUTE if tick.hold else timedelta(0))


def promised(record: Record, span: Span) -> Iterator[Tick]:
    """What was held after each minute in truth: what the decisions of that day say."""
    coming, lag = deque(_promises(record)), usual_second(record)
    hold = None
    for minute in minutes(span):
        while coming and coming[0][0] < minute + MINUTE:
            hold = coming.popleft()[1]
        yield Tick(minute + lag, hold)


def differences(one: Iterable[Tick], other: Iterable[Tick]) -> tuple[Stretch, ...]:
    """The stretches that are held in one course of a day and not in the other; both tell of the same minutes."""
    found: list[Stretch] = []
    for was, now in zip(one, other, strict=True):
        held = now.hold is not None
        if held is (was.hold is not None):
            continue
        last = found[-1] if found else None
        if last and last.held is held and last.span.ends_at == now.at:
            found[-1] = Stretch(Span(last.span.starts_at, now.at + MINUTE), held, last.because)
        else:
            found.append(Stretch(Span(now.at, now.at + MINUTE), held, now.because))
    return tuple(found)


def _decided(facts: Facts, policy: Policy, hold: Hold | None, held: timedelta) -> Tick:
    if facts.asleep:
        return Tick(facts.now, hold)
    charger = facts.charger or ChargerState.UNKNOWN
    seen = Situation(facts.now, policy, facts.windows, charger, hold, facts.pause, facts.stand_down, held)
    decision = decide(seen)
    guessed = facts.charger is None and _would_matter(seen, decision.hold)
    return Tick(facts.now, decision.hold, decision.because, guessed)


def _would_matter(seen: Situation, decided: Hold | None) -> bool:
    """Whether a charging car would have changed what is held."""
    if seen.hold is None and not any(window.covers(seen.now) for window in seen.windows):
        return False
    return decide(replace(seen, charger=ChargerState.CHARGING)).hold != decided


def _promises(record: Record) -> list[tuple[datetime, Hold | None]]:
    """What was held from when on; a window left to somebody else ends what was decided at the same moment."""
    decided = [(known.now, 0, decide(known).hold) for known in record.known]
    left = [(at, 1, None) for at in record.stood_down_at]
    return [(at, hold) for at, _, hold in sorted([*decided, *left], key=lambda each: each[:2])]


def _promised_before(record: Record, moment: datetime) -> Hold | None:
    return next((hold for at, hold in reversed(_promises(record)) if at < moment), None)


def _is_noon(now: datetime, zone: str) -> bool:
    return now.minute == 0 and last_noon(now, zone) > now - MINUTE

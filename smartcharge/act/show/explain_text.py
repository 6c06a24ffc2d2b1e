"""An explanation in the owner's words, fit for a screen of 80 by 24 signs, and as one object for programs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from smartcharge.act.show import plain_words
from smartcharge.act.show.explain import Explanation
from smartcharge.act.show.explain_facts import Fact
from smartcharge.act.show.layout import GAP, LABEL, Row, folded
from smartcharge.act.words import age, clock, when
from smartcharge.act.words import stance as in_words
from smartcharge.core.decide import decide
from smartcharge.core.model import Because, ChargerState, Hold, HoldKind
from smartcharge.core.stance import BatteryMemory, Stance
from smartcharge.store.journal import JournalRow

SHOWN = 2
"""Of what came of a decision, the last lines are enough."""
TWO_LINES = 2
A_SECOND = timedelta(seconds=1)
CHARGING, IDLE, UNKNOWN = ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN
IF = {
    frozenset({CHARGING, IDLE, UNKNOWN}): "",
    frozenset({CHARGING, IDLE}): ", if the Zappi answers",
    frozenset({CHARGING, UNKNOWN}): ", unless the car is known not to charge",
    frozenset({IDLE, UNKNOWN}): ", unless the car is known to charge",
    frozenset({CHARGING}): ", if the car charges",
    frozenset({IDLE}): ", if the car does not charge",
    frozenset({UNKNOWN}): ", if the Zappi gives no answer",
}


def lines(told: Explanation, width: int | None) -> Iterator[str]:
    """The whole explanation, in local time, folded to a width (None: not at all)."""
    for row in rows(told):
        yield from folded(f"{row.label:<{LABEL}}" if row.label else "", row.text, width, most_lines=row.most_lines)


def rows(told: Explanation) -> Iterator[Row]:
    """The same before it is folded: each part under its label."""
    yield Row("", _head(told))
    yield GAP
    following = told.past.following if told.past else None
    parts = {
        "because": _because(told),
        "done": _done(told),
        "facts": (_fact(told, fact) for fact in told.facts),
        "otherwise": _otherwise(told),
        "then" if following else "next": iter([_followed(told, following)]) if following else _next(told),
    }
    for label, paragraphs in parts.items():
        for place, text in enumerate(paragraphs):
            yield Row(" " if place else label, text, most_lines=TWO_LINES if label == "done" else None)


def as_json(told: Explanation) -> dict[str, object]:
    """The same for programs; instants are left to the encoder."""
    because = told.decision.because
    return {
        "at": told.at,
        "decided_at": told.seen.now if told.past else None,
        "because": because,
        "sentence": because.sentence,
        "hold": _hold(told.decision.hold),
        "held_before": _hold(told.seen.hold),
        "agrees": told.agrees,
        "facts": [{"source": fact.source, "at": fact.at, "says": fact.says} for fact in told.facts],
        "otherwise": [
            {"had": each.had, "hold": _hold(each.decision.hold), "because": each.decision.because}
            for each in told.otherwise
        ],
        "next": [
            {"at": each.at, "charger": each.cars, "hold": _hold(each.decision.hold), "because": each.decision.because}
            for each in told.ahead
        ],
    }


def _head(told: Explanation) -> str:
    zone = told.seen.policy.cheap_period.zone
    stamp = f"{told.at.astimezone(ZoneInfo(zone)):%a %d %b} {clock(told.at, zone)}"
    if told.past:
        return f"{stamp}: {_held(told, told.decision.hold)}, as decided at {when(told.seen.now, told.at, zone)}."
    before, after = told.seen.hold, told.decision.hold
    follows = f"; after the next run {_held(told, after)}" if after != before else ""
    return f"{stamp}: {_held(told, before)}{_battery(told.battery, before)}{follows}."


def _battery(memory: BatteryMemory | None, held: Hold | None) -> str:
    if memory is None:
        return "; no Powerwall is configured"
    if memory.confirmed_mode is None or memory.confirmed_reserve_pct is None:
        return "; Tesla has not confirmed how the Powerwall stands"
    stands = in_words(Stance(memory.confirmed_mode, memory.confirmed_reserve_pct))
    return f"; the Powerwall is in {stands}{', and being brought back' if memory.owned and held is None else ''}"


def _held(told: Explanation, hold: Hold | None, nothing: str = "nothing is held") -> str:
    if hold is None:
        return nothing
    extra = "for the extra half hour, " if hold.kind is HoldKind.EXTENSION else ""
    return f"held {extra}until {_clock(told, hold.until)}"


def _because(told: Explanation) -> Iterator[str]:
    yield _rule(told.decision.because)
    if told.hold and told.hold.because is not told.decision.because:
        yield f"the hold itself: {_rule(told.hold.because)}"
    if told.past and told.past.row.because and not told.agrees:
        yield f"then it was: {_rule(told.past.row.because)}; the program has changed since"


def _rule(because: Because) -> str:
    return f"{because.sentence} ({because})"


def _done(told: Explanation) -> Iterator[str]:
    for row in (told.past.came_of_it if told.past else ())[-SHOWN:]:
        yield f"{_clock(told, row.at)} {plain_words.entry(replace(row, because=None))}"


def _fact(told: Explanation, fact: Fact) -> str:
    if fact.at is None:
        return f"{fact.source}: {fact.says}"
    elapsed = told.seen.now - fact.at
    if abs(elapsed) < A_SECOND:
        return f"{fact.source}, {'just then' if told.past else 'just now'}: {fact.says}"
    return f"{fact.source}, {age(elapsed)} {'before' if told.past else 'ago'}: {fact.says}"


def _otherwise(told: Explanation) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for each in told.otherwise:
        alike.setdefault(_held(told, each.decision.hold, "not held"), []).append(" and ".join(each.had))
    yield from (f"{held}, had {', or '.join(had)}" for held, had in alike.items())
    if not alike:
        yield "no other fact would have changed it"


def _next(told: Explanation) -> Iterator[str]:
    for each in told.ahead:
        what = _held(told, each.decision.hold, "released")
        yield f"{_clock(told, each.at)} {what}{IF[frozenset(each.cars)]}: {each.decision.because.sentence}"
    if not told.ahead:
        yield f"nothing changes by itself; {_night(told)}"


def _night(told: Explanation) -> str:
    """What the clock alone brings."""
    period, now = told.seen.policy.cheap_period, told.seen.now
    if (night := period.holding(now)) is not None:
        return f"the night rate ends at {_clock(told, night.ends_at)}"
    return f"the night rate begins at {_clock(told, period.next_start(now))}, and the Powerwall is brought to rest"


def _followed(told: Explanation, row: JournalRow) -> str:
    """The next decision, as it really came."""
    hold = decide(row.situation).hold if row.situation else None
    return f"{_clock(told, row.at)} {_held(told, hold, 'released')}: {row.because.sentence if row.because else ''}"


def _clock(told: Explanation, moment: datetime) -> str:
    return when(moment, told.at, told.seen.policy.cheap_period.zone)


def _hold(hold: Hold | None) -> dict[str, object] | None:
    return None if hold is None else {"until": hold.until, "kind": hold.kind}

"""A day that was decided again, in the owner's words."""

from collections.abc import Iterator
from datetime import timedelta

from smartcharge.act.show.layout import GAP, LABEL, Row, folded
from smartcharge.act.show.replay import Redecided, Replayed, Supposed
from smartcharge.act.words import clock
from smartcharge.core.model import HoldKind
from smartcharge.core.politeness import MINUTE
from smartcharge.core.replay import Stretch

BETWEEN = "Between two readings of one charge the car counts as charging."


def lines(told: Replayed, setting: str, width: int | None) -> Iterator[str]:
    """The day, and what would have differed with a setting such as "control.extension=false" ("" for none)."""
    for row in _rows(told, setting):
        yield from folded(f"{row.label:<{LABEL}} " if row.label else "", row.text, width)


def _rows(told: Replayed, setting: str) -> Iterator[Row]:
    name = f"{told.day:%a %d %b %Y}"
    if not told.noted:
        yield Row("", f"The journal has nothing of {name}: nothing was planned then, nothing ran, or it is forgotten.")
        return
    if not told.decisions:
        yield Row("", f"{name}: nothing was decided anew, so nothing was held.")
    else:
        yield from _decisions(told, name)
    if told.supposed is not None:
        yield GAP
        yield from _supposed(told, told.supposed, setting)


def _decisions(told: Replayed, name: str) -> Iterator[Row]:
    """The decisions with what is decided today, and whether the minutes between them come out as they were."""
    changed = sum(not each.agrees for each in told.decisions)
    verdict = f"{changed} no longer as it was: the program has changed" if changed else "each as it was"
    yield Row("", f"{name}, decided again: {_count(len(told.decisions), 'decision')}, {verdict}")
    for each in told.decisions:
        yield Row(clock(each.row.at, told.zone), f"{_what(told, each)}: {each.decision.because.sentence}{_then(each)}")
    yield Row("", f"Held for {_minutes(told.held)}.")
    for gap in told.gaps:
        other = "held" if gap.held else "not held"
        yield Row(_span(told, gap), f"{other} when decided minute by minute: the record cannot tell what happened")


def _supposed(told: Replayed, supposed: Supposed, setting: str) -> Iterator[Row]:
    yield Row("", f"With {setting}:" if supposed.differences else f"With {setting} nothing would have differed.")
    for each in supposed.differences:
        what = "held" if each.held else "not held"
        why = f": {each.because.sentence}" if each.because else ""
        yield Row(_span(told, each), f"{what} for {_minutes(each.span.ends_at - each.span.starts_at)}{why}")
    if supposed.differences:
        yield Row("", f"Held for {_minutes(supposed.held)} instead of {_minutes(supposed.was_held)}.")
        yield Row("", _pence(supposed))
    if supposed.guessed:
        silent = f"For {_minutes(supposed.guessed)} the record does not say whether the car charged"
        yield Row("", f"{silent}, though it would have mattered: there it counts as not charging. {BETWEEN}")


def _pence(supposed: Supposed) -> str:
    found = supposed.worth
    if found is None:
        return "What that comes to in pence nobody knows: no prices are set, or the battery was not measured."
    less = "less" if found.pence < 0 else "more"
    into = f"{abs(found.kwh):.1f} kWh {'less' if found.kwh < 0 else 'more'} into the Powerwall"
    usual = ", by the day's usual power" if found.usual else ""
    return f"Estimated{usual}: {into}, {abs(found.pence):.0f} p {less} saved."


def _what(told: Replayed, each: Redecided) -> str:
    hold = each.decision.hold
    if hold is None:
        return "released" if each.row.situation and each.row.situation.hold else "nothing held"
    extra = "for the extra half hour, " if hold.kind is HoldKind.EXTENSION else ""
    return f"held {extra}until {clock(hold.until, told.zone)}"


def _then(each: Redecided) -> str:
    return "" if each.agrees or each.row.because is None else f" (then: {each.row.because.sentence})"


def _span(told: Replayed, stretch: Stretch) -> str:
    return f"{clock(stretch.span.starts_at, told.zone)}-{clock(stretch.span.ends_at, told.zone)}"


def _minutes(held: timedelta) -> str:
    return f"{held // MINUTE} min"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"

"""The lanes of a report's picture that tell what was promised: the rates, the plan's revisions, and the holds."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from smartcharge.act.report.words import View, hours, kwh
from smartcharge.core.ledger import HalfHour, Leak
from smartcharge.core.report import Lane, Look, Mark
from smartcharge.core.slots import Span
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.holds import OpenHold

PLANNED = "planned"


def rates(view: View, entries: Iterable[HalfHour]) -> Lane:
    """When the cheap rate applied, and why; half hours that are alike are one stretch."""
    marks = []
    for (look, what), alike in groupby(entries, _rate):
        if look is not None:
            found = list(alike)
            marks.append(view.stretch(look, found[0].starts_at, found[-1].ends_at, what))
    return Lane("Rate", tuple(marks))


def plan(view: View, rows: Iterable[ListedDispatch]) -> Lane:
    """Every window and every revision of it that was ever planned for this day, in the order they were seen."""
    planned = sorted((row for row in rows if row.kind == PLANNED), key=lambda row: (row.first_seen_at, row.id))
    return Lane("Plan", tuple(_window(view, row) for row in planned), note="every revision, as it came")


def holds(view: View, rows: Iterable[OpenHold], entries: Sequence[HalfHour]) -> Lane:
    """What was held, which part of it on the car's word alone, and when it was let go."""
    return Lane("Hold", tuple(mark for row in rows for mark in _held(view, row, entries)))


def _rate(entry: HalfHour) -> tuple[Look | None, str]:
    if entry.night:
        return Look.NIGHT, "night rate"
    if entry.leak is Leak.HELD_WITHOUT_CHEAP:
        return Look.DEAR, "held at the standard rate"
    missed = ", and not held" if entry.leak is Leak.CHEAP_MISSED else ""
    if entry.cheap and entry.completed:
        return Look.CHEAP, f"cheap, the supplier says{missed}"
    return (Look.BELIEVED, f"cheap as planned, not yet confirmed{missed}") if entry.cheap else (None, "")


def _window(view: View, row: ListedDispatch) -> Mark:
    look, fate = Look.LIVE, ""
    if row.withdrawn_at is not None:
        look = Look.REPLACED if row.superseded_by else Look.WITHDRAWN
        fate = f", {'replaced by a revision' if row.superseded_by else 'withdrawn'} at {view.clock(row.withdrawn_at)}"
    about = f", about {kwh(row.energy_kwh)}" if row.energy_kwh else ""
    what = f"window seen at {view.clock(row.first_seen_at)}{about}{fate}"
    return view.stretch(look, row.starts_at, row.ends_at, what, label=view.between(row.starts_at, row.ends_at))


def _held(view: View, row: OpenHold, entries: Iterable[HalfHour]) -> Iterator[Mark]:
    """A hold in its parts; one that was ended as soon as it began is a release alone."""
    stands = "" if row.closed_at else f", stands until {view.clock(row.hold.until)}"
    would = ""
    for (in_shadow, extra), part in _parts(Span(row.opened_at, row.closed_at or row.hold.until), entries):
        would = "would have been " if in_shadow else ""
        look = Look.REHEARSED if in_shadow else Look.EXTENSION if extra else Look.HOLD
        more = " more, as the car went on" if extra else ""
        what = f"{would}held for {hours(part.ends_at - part.starts_at)}{more}{stands}"
        yield view.stretch(look, part.starts_at, part.ends_at, what)
    if row.closed_at and row.closed_because and view.span.covers(row.closed_at):
        yield view.moment(Look.RELEASE, row.closed_at, f"{would}released: {row.closed_because.sentence}")


def _parts(held: Span, entries: Iterable[HalfHour]) -> Iterator[tuple[tuple[bool, bool], Span]]:
    """The stretches of a hold, told apart by whether they lie in the shadow, and rest on the car's word alone."""
    touched = [each for each in entries if each.starts_at < held.ends_at and held.starts_at < each.ends_at]
    for kind, alike in groupby(touched, lambda each: (each.in_shadow, each.extension)):
        found = list(alike)
        yield kind, Span(max(found[0].starts_at, held.starts_at), min(found[-1].ends_at, held.ends_at))

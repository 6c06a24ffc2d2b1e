"""A day's picture, gathered from the memory: nothing is asked, nothing is written."""

from collections.abc import Sequence
from datetime import timedelta

from msgspec.structs import replace

from smartcharge.act.report import measured, plan, shadow, told
from smartcharge.act.report.words import View
from smartcharge.core.ledger import HalfHour
from smartcharge.core.report import Lane, Look, Mark, Picture
from smartcharge.store import dispatches, episodes, holds, journal, readings
from smartcharge.toolbox import Toolbox

LOOK_BACK = timedelta(days=3)
"""How far back a stance that still stood at midnight is looked for."""
LANE_MARKS = 50
"""So many of a lane are drawn and listed; a page stays a page, and `smartcharge history` tells the rest."""


def picture(tools: Toolbox, view: View, entries: Sequence[HalfHour]) -> Picture:
    """Everything that the memory tells of a day, as lanes."""
    db, since, until = tools.peek, view.span.starts_at, view.span.ends_at
    held, noted = holds.history(db, since, until), journal.rows(db, since=since, until=until)
    lanes = (
        plan.rates(view, entries),
        plan.plan(view, dispatches.history(db, since, until, tools.now)),
        measured.car(view, readings.chargers(db, since, until)),
        plan.holds(view, held, entries),
        measured.asked(view, [row for row in held if not shadow.falls_on(row, entries)]),
        measured.confirmed(view, journal.rows(db, since=since - LOOK_BACK, until=until)),
        measured.level(view, readings.batteries(db, since, until)),
        told.mail(view, noted),
        told.trouble(view, noted, episodes.open_episodes(db)),
    )
    now = tools.now if view.span.covers(tools.now) else None
    return Picture(view.span, view.zone, tuple(bounded(view, lane) for lane in lanes), now)


def bounded(view: View, lane: Lane) -> Lane:
    """A lane with no more marks than a page bears; the last one stands for the rest."""
    if len(lane.marks) <= LANE_MARKS:
        return lane
    shown, rest = lane.marks[: LANE_MARKS - 1], lane.marks[LANE_MARKS - 1 :]
    return replace(lane, marks=(*shown, _rest(view, rest)))


def _rest(view: View, marks: Sequence[Mark]) -> Mark:
    first, last = min(mark.span.starts_at for mark in marks), max(mark.span.ends_at for mark in marks)
    return view.stretch(Look.MORE, first, last, f"{len(marks)} more; `smartcharge history` tells them all")

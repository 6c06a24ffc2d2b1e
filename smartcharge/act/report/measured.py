"""The lanes of a report's picture that tell what was seen: the car's power, the battery's level and its stance."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from smartcharge.act.report.words import View, count
from smartcharge.act.words import MODES
from smartcharge.core.answers import BatteryLevel, ChargerReading
from smartcharge.core.model import ChargerState
from smartcharge.core.report import Lane, Look, Mark, Point
from smartcharge.core.stance import BACKUP, Ending
from smartcharge.store.holds import OpenHold
from smartcharge.store.journal import JournalRow

KILO = 1000
FULL_PCT = 100.0
LEAST_TOP_KW = 7.4
"""A single-phase charger's most: days with less are drawn to the same scale."""
GAP = timedelta(minutes=35)
"""A reading stands for the time up to the next, unless that took longer than a half hour's questions lie apart."""
A_MINUTE = timedelta(minutes=1)
LOOKS = {
    ChargerState.CHARGING: Look.CHARGING,
    ChargerState.IDLE: Look.IDLE,
    ChargerState.UNKNOWN: Look.UNKNOWN,
}
RESTING = {"written", "already at rest"}
IN_OTHER_HANDS = {str(Ending.BY_HAND), str(Ending.NOT_OURS), str(Ending.WAITING), "waiting"}


def car(view: View, rows: Sequence[ChargerReading]) -> Lane:
    """The car's power; readings that say the same one after the other are one stretch."""
    marks = tuple(_car(view, run, until) for run, until in _runs(rows))
    top = max((row.watts or 0 for row in rows), default=0) / KILO
    return Lane("Car", marks, top=max(top, LEAST_TOP_KW), unit="kW")


def level(view: View, rows: Sequence[BatteryLevel]) -> Lane:
    """The battery's state of energy, where it was read anyway."""
    marks, run = [], list[Point]()
    points = [Point(row.at, row.soe_pct) for row in rows if row.soe_pct is not None]
    for point, following in zip(points, [*points[1:], None], strict=False):
        run.append(point)
        if following is None or following.at - point.at > GAP:
            marks.append(_level(view, tuple(run)))
            run = []
    return Lane("Battery level", tuple(marks), top=FULL_PCT, unit="%")


def asked(view: View, rows: Iterable[OpenHold]) -> Lane:
    """When the holding stance was wanted of the battery; at other times it is left at rest."""
    ends = ((row, row.closed_at or view.known.ends_at) for row in rows)
    marks = (
        view.stretch(Look.ASKED, row.opened_at, end, "backup, reserve 100 %")
        for row, end in ends
        if row.opened_at < end
    )
    return Lane("Battery asked", tuple(marks))


def confirmed(view: View, rows: Iterable[JournalRow]) -> Lane:
    """How the battery stood, as it was read back; each reading stands until the next."""
    told = [(row.at, *told) for row in rows if (told := stance(row)) is not None]
    once = [each for before, each in zip([None, *told], told, strict=False) if before is None or before[1:] != each[1:]]
    marks = []
    for (at, look, what), until in zip(once, [*(each[0] for each in once[1:]), view.known.ends_at], strict=False):
        if look is not None and view.span.starts_at < until and at < view.span.ends_at:
            marks.append(view.stretch(look, at, until, what))
    return Lane("Battery confirmed", tuple(marks))


def stance(row: JournalRow) -> tuple[Look | None, str] | None:
    """What a row of the journal says of how the battery was set from here; None where it says nothing of it.

    The look is None where nobody knows any more.
    """
    detail = row.detail or ""
    if row.command == "midnight-reset":
        return (Look.REST, detail) if row.outcome in RESTING else None
    if row.command != "reconcile":
        return None
    if row.outcome == Ending.CONFIRMED:
        words = detail.partition(" until ")[0]
        return (Look.BACKUP if words.startswith(MODES[BACKUP]) else Look.REST), words
    if row.outcome == "failed":
        return Look.DOUBT, f"not confirmed: {row.error or ''}"
    if row.outcome in IN_OTHER_HANDS:
        return Look.HAND, detail
    return (None, "") if row.outcome == "waited" else None


def _runs(rows: Sequence[ChargerReading]) -> Iterator[tuple[list[ChargerReading], datetime]]:
    """Readings of one state without a gap between them, each with the moment up to which it stands."""
    run: list[ChargerReading] = []
    for row, following in zip(rows, [*rows[1:], None], strict=False):
        run.append(row)
        if following is None or following.at - row.at > GAP:
            yield run, row.at + A_MINUTE
            run = []
        elif following.state is not row.state:
            yield run, following.at
            run = []


def _car(view: View, run: Sequence[ChargerReading], until: datetime) -> Mark:
    first, last = run[0], run[-1]
    known = [row.watts for row in run if row.watts is not None]
    points = tuple(Point(row.at, row.watts / KILO) for row in run if row.watts is not None)
    if first.state is ChargerState.UNKNOWN:
        what = f"the charger was not known: {last.why or 'no answer'}"
        points = ()
    elif first.state is ChargerState.IDLE:
        what = "the car drew no power"
    else:
        low, high = (f"{watts / KILO:.1f}" for watts in (min(known, default=0), max(known, default=0)))
        what = f"the car drew {low if low == high else f'{low} to {high}'} kW"
    if points:
        points = (*points, Point(until, points[-1].value))
    return view.stretch(LOOKS[first.state], first.at, until, f"{what} ({count(len(run), 'reading')})", points=points)


def _level(view: View, run: Sequence[Point]) -> Mark:
    first, last = run[0], run[-1]
    what = f"level {first.value:.0f} %" if len(run) == 1 else f"level from {first.value:.0f} to {last.value:.0f} %"
    return view.stretch(Look.LEVEL, first.at, last.at, what, points=tuple(run))

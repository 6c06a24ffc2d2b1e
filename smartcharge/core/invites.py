"""Which revisions of the family's calendar are due: what is planned and held, against what it was last told.

Nothing here depends on who noticed a change, or when: the same evidence always gives the same calendar.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.calendar import Evidence, Held, Method, Revision
from smartcharge.core.invite_windows import DayWindow, day_windows, joined, outside
from smartcharge.core.slots import Span

SECOND = timedelta(seconds=1)


class _Event(Struct, frozen=True):
    """What belongs together: a window that is planned, and what the calendar was last told; either may be missing."""

    first_start: datetime
    window: DayWindow | None
    known: Revision | None

    @property
    def shown(self) -> Span | None:
        """What the calendar shows now."""
        return self.known.span if self.known and self.known.method is Method.REQUEST else None

    @property
    def spans(self) -> tuple[Span, ...]:
        """Where it is at home."""
        return tuple(span for span in (self.window and self.window.span, self.shown) if span)

    @property
    def starts_at(self) -> datetime:
        """Where its time begins."""
        return min((span.starts_at for span in self.spans), default=self.first_start)

    def is_touched_by(self, span: Span) -> bool:
        """Whether something that was held belongs here."""
        return any(_touch(span, each) for each in self.spans)


def due(seen: Evidence) -> tuple[Revision, ...]:
    """Give the revisions that bring the calendar to what it should say; none where it says so already."""
    events = list(_events(seen))
    charged: dict[datetime, list[tuple[Span, bool]]] = {event.first_start: [] for event in events}
    for hold in sorted(seen.holds, key=lambda hold: hold.opened_at):
        for stretch in outside(hold.span, seen.cheap_period):
            for event, span in _allotted(stretch, events):
                charged[event.first_start].append((span, hold.closed_at is None))
    revisions = (_revision(seen, event, charged[event.first_start]) for event in events)
    return tuple(revision for revision in revisions if revision is not None)


def _events(seen: Evidence) -> Iterator[_Event]:
    """Each window with the event that it belongs to; then the events whose windows are planned no more.

    An event that was charged in keeps every window that lies in its time. Any other keeps the window that bears
    its name. Where there is none, one that lies close by will do.
    """
    known = {revision.first_start: revision for revision in seen.known}
    free = list(day_windows(seen.plan, seen.cheap_period))
    taken: dict[datetime, DayWindow] = {}
    for find in (_charged_windows, _named_windows, _near_windows):
        for name, revision in known.items():
            if name not in taken and (found := find(revision, free, seen.holds)):
                taken[name] = joined(found)
                free = [window for window in free if window not in found]
    for window in free:
        taken[_new_name(window, {*taken, *known})] = window
    for name in sorted({*taken, *known}):
        yield _Event(name, taken.get(name), known.get(name))


def _charged_windows(told: Revision, free: Iterable[DayWindow], holds: Iterable[Held]) -> list[DayWindow]:
    charged = _charged(told, holds)
    return [window for window in free if charged and _overlap(window.span, charged)]


def _named_windows(told: Revision, free: Iterable[DayWindow], holds: Iterable[Held]) -> list[DayWindow]:
    if _charged(told, holds):
        return []
    return [window for window in free if window.first_start == told.first_start][:1]


def _near_windows(told: Revision, free: Iterable[DayWindow], holds: Iterable[Held]) -> list[DayWindow]:
    home = _charged(told, holds) or told.span
    return [window for window in free if told.method is Method.REQUEST and _touch(window.span, home)][:1]


def _charged(told: Revision, holds: Iterable[Held]) -> Span | None:
    """From an event's start to the end of what was held of the time that it shows; None where nothing was."""
    if told.method is not Method.REQUEST:
        return None
    ends = [min(hold.span.ends_at, told.ends_at) for hold in holds if _overlap(hold.span, told.span)]
    return Span(told.starts_at, max(ends)) if ends else None


def _new_name(window: DayWindow, used: set[datetime]) -> datetime:
    """A name that no other event has; a second is added where even the window's start is taken."""
    name = window.first_start if window.first_start not in used else window.starts_at
    while name in used:
        name += SECOND
    return name


def _allotted(held: Span, events: Iterable[_Event]) -> Iterator[tuple[_Event, Span]]:
    """Share what was held among the events: up to the next one's start it belongs to the one before."""
    touched = [event for event in events if event.is_touched_by(held)]
    heirs = sorted((e for e in touched if not _is_swallowed(e, touched)), key=lambda event: event.starts_at)
    for place, event in enumerate(heirs):
        begin = held.starts_at if place == 0 else max(held.starts_at, event.starts_at)
        end = min([held.ends_at, *(later.starts_at for later in heirs[place + 1 :])])
        if begin < end:
            yield event, Span(begin, end)


def _is_swallowed(event: _Event, others: Iterable[_Event]) -> bool:
    """Whether an event shows a time that the window of another has grown into, and has none of its own any more."""
    shown = event.shown
    if event.window or shown is None:
        return False
    return any(_overlap(other.window.span, shown) for other in others if other.window)


def _revision(seen: Evidence, event: _Event, charged: list[tuple[Span, bool]]) -> Revision | None:
    known, wanted = event.known, _wanted(seen, event, charged)
    span = wanted or event.shown
    if span is None or not _is_news(seen, event, wanted, charged):
        return None
    now = seen.now.replace(microsecond=0)
    return Revision(
        first_start=event.first_start,
        sequence=known.sequence + 1 if known else 0,
        method=Method.REQUEST if wanted else Method.CANCEL,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        stamped_at=max(now, known.stamped_at + SECOND) if known else now,
        energy_kwh=_energy_kwh(event, span),
    )


def _is_news(seen: Evidence, event: _Event, wanted: Span | None, charged: list[tuple[Span, bool]]) -> bool:
    """Whether the calendar says otherwise; what was over before it ever heard of it, it need not hear."""
    if event.known and event.known.starts_at < seen.since:
        return False
    is_over = wanted is not None and wanted.ends_at <= seen.now and not any(is_open for _, is_open in charged)
    return wanted != event.shown and not (is_over and event.shown is None)


def _wanted(seen: Evidence, event: _Event, charged: list[tuple[Span, bool]]) -> Span | None:
    """What the calendar should show: once charging has begun, never less than was charged, and its old start."""
    window = event.window
    if not charged:
        return window.span if window and seen.when_planned and seen.now < window.ends_at else None
    starts = [charged[0][0].starts_at.replace(second=0, microsecond=0), *(span.starts_at for span in event.spans)]
    ends = [span.ends_at for span, _ in charged]
    if window and any(is_open for _, is_open in charged):
        ends.append(window.ends_at)
    return Span(min(starts), max(ends))


def _energy_kwh(event: _Event, span: Span) -> float | None:
    """What the plan says for the span; where there is none any more, the old figure in proportion."""
    if event.window and (energy_kwh := event.window.energy_within(span)):
        return energy_kwh
    known = event.known
    if known is None or known.energy_kwh is None:
        return None
    return known.energy_kwh * ((span.ends_at - span.starts_at) / (known.ends_at - known.starts_at))


def _overlap(one: Span, other: Span) -> bool:
    return max(one.starts_at, other.starts_at) < min(one.ends_at, other.ends_at)


def _touch(one: Span, other: Span) -> bool:
    return one.starts_at <= other.ends_at and other.starts_at <= one.ends_at

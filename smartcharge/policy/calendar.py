"""Calendar events of charging windows: which events there should be, and which revisions must be sent."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from smartcharge.policy.slots import DAY, CheapPeriod, Span, last_slot_end, local_day, slot_end


class CalendarDispatch(Struct, frozen=True):
    """One dispatch that is planned now, UTC.

    first_start: its start when it was first seen, at first_seen_at, before any revision. energy_kwh: planned energy
    into the car, None if the supplier does not say.
    """

    starts_at: datetime
    ends_at: datetime
    first_start: datetime
    first_seen_at: datetime
    energy_kwh: float | None = None

    def energy_within(self, span: Span) -> float | None:
        """Return the share of the planned energy (kWh) that falls into a span, None if unknown."""
        shared = min(self.ends_at, span.ends_at) - max(self.starts_at, span.starts_at)
        if self.energy_kwh is None or shared <= timedelta(0):
            return None
        return self.energy_kwh * (shared / (self.ends_at - self.starts_at))


class CalendarWindow(Struct, frozen=True):
    """A contiguous window, or the part of it between two cheap periods.

    ends_at: end of its last half hour, which is off-peak to its end. first_start: identifies it, and never changes.
    """

    starts_at: datetime
    ends_at: datetime
    first_start: datetime
    parts: tuple[CalendarDispatch, ...]

    @property
    def span(self) -> Span:
        """Start and end as a span."""
        return Span(self.starts_at, self.ends_at)

    def energy_within(self, span: Span) -> float | None:
        """Return the planned energy (kWh) of a span, None if unknown."""
        shares = [share for part in self.parts if (share := part.energy_within(span)) is not None]
        return sum(shares) or None


def calendar_windows(plan: Iterable[CalendarDispatch], cheap: CheapPeriod) -> tuple[CalendarWindow, ...]:
    """Group the dispatches into windows outside the cheap periods, in the order of time."""
    return tuple(
        CalendarWindow(span.starts_at, span.ends_at, _window_first_start(parts, span, cheap), parts)
        for whole, parts in _group_dispatches(plan)
        for span in parts_outside_cheap_period(whole, cheap)
    )


def join_windows(windows: Sequence[CalendarWindow]) -> CalendarWindow:
    """Join windows, which are sorted by time, and the gaps between them into one."""
    first, last = windows[0], windows[-1]
    parts = tuple(part for window in windows for part in window.parts)
    return CalendarWindow(first.starts_at, last.ends_at, first.first_start, parts)


def parts_outside_cheap_period(span: Span, cheap: CheapPeriod) -> Iterator[Span]:
    """Yield the parts of a span that lie outside the cheap periods."""
    at = span.starts_at
    while at < span.ends_at:
        if night := cheap.containing(at):
            at = night.ends_at
            continue
        end = min(span.ends_at, cheap.next_start(at))
        yield Span(at, end)
        at = end


def _group_dispatches(plan: Iterable[CalendarDispatch]) -> Iterator[tuple[Span, tuple[CalendarDispatch, ...]]]:
    """Yield groups of dispatches whose half hours touch or overlap."""
    group: list[CalendarDispatch] = []
    end = None
    for part in sorted((p for p in plan if p.starts_at < p.ends_at), key=lambda p: (p.starts_at, p.ends_at)):
        if end is not None and part.starts_at > end:
            yield Span(group[0].starts_at, end), tuple(group)
            group, end = [], None
        group.append(part)
        end = max(last_slot_end(part.ends_at), end or part.ends_at)
    if end is not None:
        yield Span(group[0].starts_at, end), tuple(group)


def _window_first_start(parts: Iterable[CalendarDispatch], span: Span, cheap: CheapPeriod) -> datetime:
    """Return the first-seen start; the parts of a window before and after a cheap period get different ones."""
    oldest = min(parts, key=lambda part: (part.first_seen_at, part.first_start))
    morning = _last_cheap_period_end(span.starts_at, cheap)
    if oldest.first_start < morning:
        return morning
    return oldest.first_start if oldest.first_start < cheap.next_start(span.starts_at) else span.starts_at


def _last_cheap_period_end(moment: datetime, cheap: CheapPeriod) -> datetime:
    """Return when the last cheap period ended, not after `moment`."""
    today = local_day(moment, cheap.zone)
    return max(end for n in range(-3, 1) if (end := cheap.starting_on(today + n * DAY).ends_at) <= moment)


class InviteMethod(StrEnum):
    """What a revision does to its event (RFC 5546): create or change it, or cancel it."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


class EventRevision(Struct, frozen=True):
    """One state of one event, UTC, half-open.

    first_start: start of the window when first seen; the event's UID is made from it. sequence: grows with every
    revision. stamped_at: when the revision was made; later than the one before. energy_kwh: planned energy into the
    car, None if unknown.
    """

    first_start: datetime
    sequence: int
    method: InviteMethod
    starts_at: datetime
    ends_at: datetime
    stamped_at: datetime
    energy_kwh: float | None = None

    @property
    def span(self) -> Span:
        """Start and end as a span."""
        return Span(self.starts_at, self.ends_at)


class Invite(Struct, frozen=True):
    """A revision with the UID of its event: all that an iCalendar message needs."""

    uid: str
    revision: EventRevision


class HoldRecord(Struct, frozen=True):
    """A hold, open or closed. until: the end of its last slot; closed_at: when it was released."""

    opened_at: datetime
    until: datetime
    closed_at: datetime | None = None

    @property
    def span(self) -> Span:
        """What the calendar shows of it: to the end of the slot of its release; empty if closed when it was opened."""
        if self.closed_at is None:
            return Span(self.opened_at, self.until)
        if self.closed_at <= self.opened_at:
            return Span(self.opened_at, self.opened_at)
        return Span(self.opened_at, min(self.until, slot_end(self.closed_at)))


class CalendarInputs(Struct, frozen=True):
    """Everything that the events are computed from.

    since: where the data begin; events that started earlier are left unchanged. known: the last revision of every
    event. show_planned: create an event for every planned window, not only for windows in which the battery was held.
    """

    now: datetime
    since: datetime
    cheap_period: CheapPeriod
    plan: tuple[CalendarDispatch, ...] = ()
    holds: tuple[HoldRecord, ...] = ()
    known: tuple[EventRevision, ...] = ()
    show_planned: bool = False


ONE_SECOND = timedelta(seconds=1)


class _CalendarEvent(Struct, frozen=True):
    """A planned window and the last revision of its event; either may be missing."""

    first_start: datetime
    window: CalendarWindow | None
    known: EventRevision | None

    @property
    def shown(self) -> Span | None:
        """What the calendar shows now; None if nothing."""
        return self.known.span if self.known and self.known.method is InviteMethod.REQUEST else None

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans of the window and of what the calendar shows."""
        return tuple(span for span in (self.window and self.window.span, self.shown) if span)

    @property
    def starts_at(self) -> datetime:
        """The earliest start of these spans."""
        return min((span.starts_at for span in self.spans), default=self.first_start)

    def is_touched_by(self, span: Span) -> bool:
        """Whether a held span belongs to this event."""
        return any(_spans_touch(span, each) for each in self.spans)


def due_revisions(inputs: CalendarInputs) -> tuple[EventRevision, ...]:
    """Return the revisions that must be sent so that the calendar is right; none if it is right already."""
    events = list(_match_events(inputs))
    charged: dict[datetime, list[tuple[Span, bool]]] = {event.first_start: [] for event in events}
    for hold in sorted(inputs.holds, key=lambda hold: hold.opened_at):
        for stretch in parts_outside_cheap_period(hold.span, inputs.cheap_period):
            for event, span in _divide_among_events(stretch, events):
                charged[event.first_start].append((span, hold.closed_at is None))
    revisions = (_make_revision(inputs, event, charged[event.first_start]) for event in events)
    return tuple(revision for revision in revisions if revision is not None)


def _match_events(inputs: CalendarInputs) -> Iterator[_CalendarEvent]:
    """Yield each window with its event, and the events whose windows are no longer planned.

    An event with a held span keeps every window that overlaps it. Any other event keeps the window with the same
    first start; if there is none, a window that touches it.
    """
    known = {revision.first_start: revision for revision in inputs.known}
    unassigned = list(calendar_windows(inputs.plan, inputs.cheap_period))
    assigned: dict[datetime, CalendarWindow] = {}
    for find in (_find_charged_windows, _find_same_start_windows, _find_adjacent_windows):
        for name, revision in known.items():
            if name not in assigned and (found := find(revision, unassigned, inputs.holds)):
                assigned[name] = join_windows(found)
                unassigned = [window for window in unassigned if window not in found]
    for window in unassigned:
        assigned[_unused_first_start(window, {*assigned, *known})] = window
    for name in sorted({*assigned, *known}):
        yield _CalendarEvent(name, assigned.get(name), known.get(name))


def _find_charged_windows(
    revision: EventRevision, unassigned: Iterable[CalendarWindow], holds: Iterable[HoldRecord]
) -> list[CalendarWindow]:
    charged = _charged_span(revision, holds)
    return [window for window in unassigned if charged and _spans_overlap(window.span, charged)]


def _find_same_start_windows(
    revision: EventRevision, unassigned: Iterable[CalendarWindow], holds: Iterable[HoldRecord]
) -> list[CalendarWindow]:
    if _charged_span(revision, holds):
        return []
    return [window for window in unassigned if window.first_start == revision.first_start][:1]


def _find_adjacent_windows(
    revision: EventRevision, unassigned: Iterable[CalendarWindow], holds: Iterable[HoldRecord]
) -> list[CalendarWindow]:
    event_span = _charged_span(revision, holds) or revision.span
    return [
        window
        for window in unassigned
        if revision.method is InviteMethod.REQUEST and _spans_touch(window.span, event_span)
    ][:1]


def _charged_span(revision: EventRevision, holds: Iterable[HoldRecord]) -> Span | None:
    """Return the span from an event's start to the end of what was held within it; None if nothing was held."""
    if revision.method is not InviteMethod.REQUEST:
        return None
    ends = [min(hold.span.ends_at, revision.ends_at) for hold in holds if _spans_overlap(hold.span, revision.span)]
    return Span(revision.starts_at, max(ends)) if ends else None


def _unused_first_start(window: CalendarWindow, used: set[datetime]) -> datetime:
    """Return a first start that no other event has; seconds are added if even the window's start is used."""
    name = window.first_start if window.first_start not in used else window.starts_at
    while name in used:
        name += ONE_SECOND
    return name


def _divide_among_events(held: Span, events: Iterable[_CalendarEvent]) -> Iterator[tuple[_CalendarEvent, Span]]:
    """Divide a held span among the events that it touches: each gets the part up to the next one's start."""
    touched = [event for event in events if event.is_touched_by(held)]
    recipients = sorted((e for e in touched if not _is_absorbed(e, touched)), key=lambda event: event.starts_at)
    for index, event in enumerate(recipients):
        begin = held.starts_at if index == 0 else max(held.starts_at, event.starts_at)
        end = min([held.ends_at, *(later.starts_at for later in recipients[index + 1 :])])
        if begin < end:
            yield event, Span(begin, end)


def _is_absorbed(event: _CalendarEvent, others: Iterable[_CalendarEvent]) -> bool:
    """Whether an event has no window of its own any more, and another event's window overlaps what it shows."""
    shown = event.shown
    if event.window or shown is None:
        return False
    return any(_spans_overlap(other.window.span, shown) for other in others if other.window)


def _make_revision(
    inputs: CalendarInputs, event: _CalendarEvent, charged: list[tuple[Span, bool]]
) -> EventRevision | None:
    known, wanted = event.known, _span_to_show(inputs, event, charged)
    span = wanted or event.shown
    if span is None or not _is_revision_needed(inputs, event, wanted, charged):
        return None
    now = inputs.now.replace(microsecond=0)
    return EventRevision(
        first_start=event.first_start,
        sequence=known.sequence + 1 if known else 0,
        method=InviteMethod.REQUEST if wanted else InviteMethod.CANCEL,
        starts_at=span.starts_at,
        ends_at=span.ends_at,
        stamped_at=max(now, known.stamped_at + ONE_SECOND) if known else now,
        energy_kwh=_event_energy_kwh(event, span),
    )


def _is_revision_needed(
    inputs: CalendarInputs, event: _CalendarEvent, wanted: Span | None, charged: list[tuple[Span, bool]]
) -> bool:
    """Whether the calendar shows something else; an event that ended before it was ever shown is not added."""
    if event.known and event.known.starts_at < inputs.since:
        return False
    is_over = wanted is not None and wanted.ends_at <= inputs.now and not any(is_open for _, is_open in charged)
    return wanted != event.shown and not (is_over and event.shown is None)


def _span_to_show(inputs: CalendarInputs, event: _CalendarEvent, charged: list[tuple[Span, bool]]) -> Span | None:
    """Return what the calendar should show; once held, at least the held time, and not later than it began."""
    window = event.window
    if not charged:
        return window.span if window and inputs.show_planned and inputs.now < window.ends_at else None
    starts = [charged[0][0].starts_at.replace(second=0, microsecond=0), *(span.starts_at for span in event.spans)]
    ends = [span.ends_at for span, _ in charged]
    if window and any(is_open for _, is_open in charged):
        ends.append(window.ends_at)
    return Span(min(starts), max(ends))


def _event_energy_kwh(event: _CalendarEvent, span: Span) -> float | None:
    """Return the planned energy of the span; if it is no longer planned, the last figure in proportion."""
    if event.window and (energy_kwh := event.window.energy_within(span)):
        return energy_kwh
    known = event.known
    if known is None or known.energy_kwh is None:
        return None
    return known.energy_kwh * ((span.ends_at - span.starts_at) / (known.ends_at - known.starts_at))


def _spans_overlap(one: Span, other: Span) -> bool:
    return max(one.starts_at, other.starts_at) < min(one.ends_at, other.ends_at)


def _spans_touch(one: Span, other: Span) -> bool:
    return one.starts_at <= other.ends_at and other.starts_at <= one.ends_at


GMAIL_DOMAINS = ("gmail.com", "googlemail.com")
"""Dots and plus tags are ignored in these addresses. Source: support.google.com/mail/answer/7436150."""


def invite_address_warnings(sender: str, recipient: str | None) -> tuple[str, ...]:
    """Return what may keep invites off the calendar, each with how to fix it. recipient: None if not configured."""
    return tuple(_iter_address_warnings(sender, recipient))


def _iter_address_warnings(sender: str, recipient: str | None) -> Iterator[str]:
    if recipient is None:
        yield "gcal.invite_to is missing, so invites go to their own sender. Add the address of your calendar."
    if recipient is None or _canonical_mailbox(recipient) == _canonical_mailbox(sender):
        yield (
            f"The invites of {sender} go to the same account, and Google may not put an organiser's own invites on "
            "its calendar. Send from a second account (gcal.smtp_user), or subscribe to gcal.feed_path."
        )
    else:
        yield (
            f"Google shows invites of known senders only, unless told otherwise. Add {sender} to the contacts "
            f"of {recipient} once."
        )
    if recipient is not None and "+" in recipient.partition("@")[0]:
        yield (
            f"gcal.invite_to has a plus tag ({recipient}), and many calendars take invites to the plain address "
            "only. Give the address without it."
        )


def _canonical_mailbox(address: str) -> str:
    """Normalise an address, so that two spellings of the same mailbox are equal."""
    name, _, host = address.lower().rpartition("@")
    if host in GMAIL_DOMAINS:
        return f"{name.partition('+')[0].replace('.', '')}@gmail.com"
    return f"{name}@{host}"

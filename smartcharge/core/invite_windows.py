"""The plan as the family's calendar sees it: contiguous windows in whole half hours, outside the cheap period."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.slots import DAY, CheapPeriod, Span, last_slot_end, local_day


class Planned(Struct, frozen=True):
    """One live dispatch of the plan and where it comes from, UTC.

    first_start: the start that the plan had when it was seen for the first time, at first_seen_at, before any
    revision. energy_kwh: planned energy into the car, None where the supplier is silent.
    """

    starts_at: datetime
    ends_at: datetime
    first_start: datetime
    first_seen_at: datetime
    energy_kwh: float | None = None

    def energy_within(self, span: Span) -> float | None:
        """The share of the planned energy (kWh) that falls into a span; None where nothing is known of it."""
        shared = min(self.ends_at, span.ends_at) - max(self.starts_at, span.starts_at)
        if self.energy_kwh is None or shared <= timedelta(0):
            return None
        return self.energy_kwh * (shared / (self.ends_at - self.starts_at))


class DayWindow(Struct, frozen=True):
    """A contiguous window, as far as it lies between two cheap periods.

    ends_at: end of its last half hour, which is cheap to its end. first_start: names it for good.
    """

    starts_at: datetime
    ends_at: datetime
    first_start: datetime
    parts: tuple[Planned, ...]

    @property
    def span(self) -> Span:
        """From when to when."""
        return Span(self.starts_at, self.ends_at)

    def energy_within(self, span: Span) -> float | None:
        """Planned energy (kWh) of a span, None where nobody says."""
        shares = [share for part in self.parts if (share := part.energy_within(span)) is not None]
        return sum(shares) or None


def day_windows(plan: Iterable[Planned], cheap: CheapPeriod) -> tuple[DayWindow, ...]:
    """Group the plan and leave out what the night rate covers anyway, in the order of time."""
    return tuple(
        DayWindow(span.starts_at, span.ends_at, _name(parts, span, cheap), parts)
        for whole, parts in _groups(plan)
        for span in outside(whole, cheap)
    )


def joined(windows: Sequence[DayWindow]) -> DayWindow:
    """Windows in the order of time, and the gaps between them, as one."""
    first, last = windows[0], windows[-1]
    parts = tuple(part for window in windows for part in window.parts)
    return DayWindow(first.starts_at, last.ends_at, first.first_start, parts)


def outside(span: Span, cheap: CheapPeriod) -> Iterator[Span]:
    """The parts of a span that lie in no cheap period."""
    at = span.starts_at
    while at < span.ends_at:
        if night := cheap.holding(at):
            at = night.ends_at
            continue
        end = min(span.ends_at, cheap.next_start(at))
        yield Span(at, end)
        at = end


def _groups(plan: Iterable[Planned]) -> Iterator[tuple[Span, tuple[Planned, ...]]]:
    """Dispatches whose half hours touch or overlap, together."""
    group: list[Planned] = []
    end = None
    for part in sorted((p for p in plan if p.starts_at < p.ends_at), key=lambda p: (p.starts_at, p.ends_at)):
        if end is not None and part.starts_at > end:
            yield Span(group[0].starts_at, end), tuple(group)
            group, end = [], None
        group.append(part)
        end = max(last_slot_end(part.ends_at), end or part.ends_at)
    if end is not None:
        yield Span(group[0].starts_at, end), tuple(group)


def _name(parts: Iterable[Planned], span: Span, cheap: CheapPeriod) -> datetime:
    """The first-seen start; a window cut by the night has one name on each side of it."""
    oldest = min(parts, key=lambda part: (part.first_seen_at, part.first_start))
    morning = _last_morning(span.starts_at, cheap)
    if oldest.first_start < morning:
        return morning
    return oldest.first_start if oldest.first_start < cheap.next_start(span.starts_at) else span.starts_at


def _last_morning(moment: datetime, cheap: CheapPeriod) -> datetime:
    """When the last cheap period ended, at `moment` at the latest."""
    today = local_day(moment, cheap.zone)
    return max(end for n in range(-3, 1) if (end := cheap.on(today + n * DAY).ends_at) <= moment)

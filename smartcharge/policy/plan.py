"""Compare an answer of the supplier with what is stored: new, revised, missing, withdrawn or returned dispatches.

The supplier gives dispatches no identifier: a dispatch is its device, start and end, and both times change between
answers. So every (start, end) ever seen stays stored, and is only marked.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.policy.model import Dispatch

WITHDRAWN_AFTER_MISSING_FOR = timedelta(seconds=60)
"""A future window must be missing for this long: the supplier's list has been empty for a moment by mistake."""


class KnownDispatch(Struct, frozen=True):
    """A planned dispatch of one device as it is stored; its end has not passed."""

    id: int
    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None = None
    missing_since: datetime | None = None
    withdrawn_at: datetime | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Start and end, which identify it at the supplier."""
        return self.starts_at, self.ends_at


class PlanChanges(Struct, frozen=True):
    """What one successful answer changes for one device; ids are those of the stored rows.

    new: never seen before. returned: was missing or withdrawn, and is planned again. missing: not in the answer, for
    the first time. withdrawn: no longer planned. superseded: id, and the span of the revision that took its place.
    energy_changed: id, and the new planned energy (kWh).
    """

    new: tuple[Dispatch, ...] = ()
    returned: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()
    superseded: tuple[tuple[int, tuple[datetime, datetime]], ...] = ()
    energy_changed: tuple[tuple[int, float | None], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return any((self.new, self.returned, self.missing, self.withdrawn, self.superseded, self.energy_changed))


def diff_plan(remembered: Iterable[KnownDispatch], answer: Iterable[Dispatch], now: datetime) -> PlanChanges:
    """Compare one device's answer, taken at `now`, with its stored dispatches."""
    answered = {(d.starts_at, d.ends_at): d for d in sorted(answer, key=lambda d: (d.starts_at, d.ends_at))}
    known = {row.span: row for row in remembered if row.ends_at > now}
    standing = _still_planned([(row, answered[span]) for span, row in known.items() if span in answered])
    gone = _no_longer_planned([row for span, row in known.items() if span not in answered], answered, now)
    new = tuple(dispatch for span, dispatch in answered.items() if span not in known and dispatch.ends_at > now)
    return replace(gone, new=new, returned=standing.returned, energy_changed=standing.energy_changed)


def _still_planned(rows: list[tuple[KnownDispatch, Dispatch]]) -> PlanChanges:
    """Changes of the dispatches that the answer contains."""
    return PlanChanges(
        returned=tuple(row.id for row, _ in rows if row.withdrawn_at or row.missing_since),
        energy_changed=tuple((row.id, d.energy_kwh) for row, d in rows if row.energy_kwh != d.energy_kwh),
    )


def _no_longer_planned(
    rows: list[KnownDispatch], answered: Iterable[tuple[datetime, datetime]], now: datetime
) -> PlanChanges:
    """Changes of the dispatches that the answer lacks: superseded, withdrawn, or missing for the first time."""
    planned = [row for row in rows if row.withdrawn_at is None]
    replacements = {
        row.id: replacement for row in planned if (replacement := _find_replacement(row, answered)) is not None
    }
    unreplaced = [row for row in planned if row.id not in replacements]
    withdrawn = tuple(row.id for row in unreplaced if _is_withdrawn(row, now))
    missing = tuple(row.id for row in unreplaced if row.missing_since is None and row.id not in withdrawn)
    return PlanChanges(missing=missing, withdrawn=withdrawn, superseded=tuple(replacements.items()))


def _is_withdrawn(row: KnownDispatch, now: datetime) -> bool:
    """Whether it is withdrawn: an active window at once, a future one after a second answer a minute later."""
    return row.starts_at <= now or (
        row.missing_since is not None and now - row.missing_since >= WITHDRAWN_AFTER_MISSING_FOR
    )


def _find_replacement(
    row: KnownDispatch, answered: Iterable[tuple[datetime, datetime]]
) -> tuple[datetime, datetime] | None:
    """Return the revision that took a window's place: it overlaps it, or starts at the same time."""
    return next((s for s in answered if s[0] == row.starts_at or (s[0] < row.ends_at and row.starts_at < s[1])), None)

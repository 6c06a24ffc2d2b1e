"""An answer of the supplier against what is remembered: new, revised, missing, withdrawn, back again.

Nothing has an identifier at the supplier: a dispatch is its device, start and end, and both times move
between answers. So every (start, end) ever seen is kept, and only marked.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.core.answers import Dispatch

MISSING_FOR = timedelta(seconds=60)
"""A future window must stay away this long: the supplier's list has been seen empty for a moment."""


class Remembered(Struct, frozen=True):
    """A planned dispatch of one device as the store knows it; the end has not passed."""

    id: int
    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None = None
    missing_since: datetime | None = None
    withdrawn_at: datetime | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Its identity at the supplier."""
        return self.starts_at, self.ends_at


class Changes(Struct, frozen=True):
    """What one successful answer changes for one device; ids are the store's.

    new: never seen before. back: missing or withdrawn, and planned again. missing: not in the answer
    for the first time. withdrawn: gone. superseded: id to the span of the revision that took its place.
    revalued: id to another planned energy (kWh).
    """

    new: tuple[Dispatch, ...] = ()
    back: tuple[int, ...] = ()
    missing: tuple[int, ...] = ()
    withdrawn: tuple[int, ...] = ()
    superseded: tuple[tuple[int, tuple[datetime, datetime]], ...] = ()
    revalued: tuple[tuple[int, float | None], ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return any((self.new, self.back, self.missing, self.withdrawn, self.superseded, self.revalued))


def reconcile(remembered: Iterable[Remembered], answer: Iterable[Dispatch], now: datetime) -> Changes:
    """Hold one device's answer, taken at `now`, against what is remembered of it."""
    asked = {(d.starts_at, d.ends_at): d for d in sorted(answer, key=lambda d: (d.starts_at, d.ends_at))}
    known = {row.span: row for row in remembered if row.ends_at > now}
    standing = _standing([(row, asked[span]) for span, row in known.items() if span in asked])
    gone = _gone([row for span, row in known.items() if span not in asked], asked, now)
    new = tuple(dispatch for span, dispatch in asked.items() if span not in known and dispatch.ends_at > now)
    return replace(gone, new=new, back=standing.back, revalued=standing.revalued)


def _standing(rows: list[tuple[Remembered, Dispatch]]) -> Changes:
    """What is planned still, or again."""
    return Changes(
        back=tuple(row.id for row, _ in rows if row.withdrawn_at or row.missing_since),
        revalued=tuple((row.id, d.energy_kwh) for row, d in rows if row.energy_kwh != d.energy_kwh),
    )


def _gone(rows: list[Remembered], asked: Iterable[tuple[datetime, datetime]], now: datetime) -> Changes:
    """What is planned no more: revised, withdrawn, or missing for the first time."""
    planned = [row for row in rows if row.withdrawn_at is None]
    heirs = {row.id: heir for row in planned if (heir := _heir(row, asked)) is not None}
    orphans = [row for row in planned if row.id not in heirs]
    withdrawn = tuple(row.id for row in orphans if _is_withdrawn(row, now))
    missing = tuple(row.id for row in orphans if row.missing_since is None and row.id not in withdrawn)
    return Changes(missing=missing, withdrawn=withdrawn, superseded=tuple(heirs.items()))


def _is_withdrawn(row: Remembered, now: datetime) -> bool:
    """An active window at once; a future one when a second answer, at least a minute later, lacks it too."""
    return row.starts_at <= now or (row.missing_since is not None and now - row.missing_since >= MISSING_FOR)


def _heir(row: Remembered, asked: Iterable[tuple[datetime, datetime]]) -> tuple[datetime, datetime] | None:
    """The revision that took a window's place: it overlaps, or starts at the same moment."""
    return next((s for s in asked if s[0] == row.starts_at or (s[0] < row.ends_at and row.starts_at < s[1])), None)

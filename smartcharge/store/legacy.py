"""The dispatches of the service that this program follows, brought to one spelling and one row each.

They are history only: whatever still lay ahead when that service last wrote is marked withdrawn, and their
device is '', which is never watched.
"""

import logging
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby

from msgspec import Struct

from smartcharge.store.times import NEVER, to_text, to_text_or_none

log = logging.getLogger(__name__)

PREFIX = "legacy_"


class OldDispatch(Struct, frozen=True):
    """One row as it was, with its times understood; delta_kwh: negative = import."""

    start: datetime
    end: datetime
    delta_kwh: float | None
    type: str | None
    source: str | None
    location: str | None
    gcal_event_id: str | None
    gcal_sequence: int
    fetched_at: datetime | None

    @property
    def kind(self) -> str:
        """A dispatch was completed if it had no type and was over when last seen.

        The old service left the type empty for completed dispatches, and for planned ones from the
        plainer of its two queries as well; those it saw for the last time before they ended.
        """
        seen_over = self.fetched_at is None or self.end <= self.fetched_at
        return "completed" if self.type is None and seen_over else "planned"

    @property
    def key(self) -> tuple[str, datetime, datetime]:
        """What makes it the same dispatch, however its times were spelt."""
        return self.kind, self.start, self.end


def take_over(db: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Copy the old tables' rows into `dispatches`, merged; leaves a row in the journal that counts them."""
    rows = [row for table in tables for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608  # our own names
    understood = [old for row in rows if (old := understand(dict(row))) is not None]
    last_seen_at = max((old.fetched_at for old in understood if old.fetched_at), default=None)
    groups = [list(same) for _, same in groupby(sorted(understood, key=lambda old: old.key), key=lambda old: old.key)]
    for same in groups:
        _insert(db, merge(same), _oldest(same), last_seen_at)
    unclear = len(rows) - len(understood)
    remark = f"{len(rows)} older rows became {len(groups)} dispatches; {unclear} with unclear times stay in {tables[0]}"
    log.info(remark)
    db.execute(
        "INSERT INTO journal (at, command, outcome, detail) VALUES (?, 'migration', 'taken over', ?)",
        (to_text(last_seen_at or NEVER), remark),
    )


def understand(row: dict[str, object]) -> OldDispatch | None:
    """Read one old row; None where it does not say from when to when. Columns may be missing, and hold anything."""
    start, end = instant(row["start"]), instant(row["end"])
    if start is None or end is None or end <= start:
        return None
    delta, sequence = row.get("delta_kwh"), row.get("gcal_sequence")
    return OldDispatch(
        start=start,
        end=end,
        delta_kwh=float(delta) if isinstance(delta, int | float) else None,
        type=_text(row.get("type")),
        source=_text(row.get("source")),
        location=_text(row.get("location")),
        gcal_event_id=_text(row.get("gcal_event_id")),
        gcal_sequence=sequence if isinstance(sequence, int) else 0,
        fetched_at=instant(row.get("fetched_at")),
    )


def instant(value: object) -> datetime | None:
    """Read a time in any of the spellings that were stored; without an offset it meant UTC. Cut to the second."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def merge(same: Iterable[OldDispatch]) -> OldDispatch:
    """One row for several spellings of the same dispatch: newest values, the event id, the highest sequence."""
    newest_first = sorted(same, key=lambda old: old.fetched_at or NEVER, reverse=True)
    highest_first = sorted(newest_first, key=lambda old: old.gcal_sequence, reverse=True)
    newest = newest_first[0]
    return OldDispatch(
        start=newest.start,
        end=newest.end,
        delta_kwh=next((old.delta_kwh for old in newest_first if old.delta_kwh is not None), None),
        type=newest.type,
        source=next((old.source for old in newest_first if old.source), None),
        location=next((old.location for old in newest_first if old.location), None),
        gcal_event_id=next((old.gcal_event_id for old in highest_first if old.gcal_event_id), None),
        gcal_sequence=highest_first[0].gcal_sequence,
        fetched_at=newest.fetched_at,
    )


def _insert(db: sqlite3.Connection, old: OldDispatch, first_seen_at: datetime, last_seen_at: datetime | None) -> None:
    lay_ahead = old.kind == "planned" and (last_seen_at is None or old.end > last_seen_at)
    db.execute(
        """
        INSERT INTO dispatches (kind, start, end, delta_kwh, type, source, location, gcal_event_id, gcal_sequence,
                                fetched_at, first_seen_at, withdrawn_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            old.kind,
            to_text(old.start),
            to_text(old.end),
            old.delta_kwh,
            old.type,
            old.source,
            old.location,
            old.gcal_event_id,
            old.gcal_sequence,
            to_text(old.fetched_at or old.start),
            to_text(first_seen_at),
            to_text_or_none((last_seen_at or old.start) if lay_ahead else None),
        ),
    )


def _oldest(same: Iterable[OldDispatch]) -> datetime:
    return min(old.fetched_at or old.start for old in same)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None

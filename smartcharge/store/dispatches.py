"""The supplier's dispatches: what is remembered of the plan, what an answer changes in it, and what may be held for."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from smartcharge.core.answers import Dispatch
from smartcharge.core.dispatches import Changes, Remembered
from smartcharge.core.model import Window
from smartcharge.store import transaction
from smartcharge.store.times import NEVER, from_text, from_text_or_none, to_text

EVER = datetime.max.replace(tzinfo=UTC)
LOOK_BACK = timedelta(hours=24)
"""How long an ended dispatch still matters to a decision or to the status."""
AWAY = "AWAY"
"""The supplier's word for a car that charged elsewhere."""


class ListedDispatch(Struct, frozen=True):
    """A dispatch as `status` and `history` show it.

    kind: planned or completed. live: planned, its device watched, and at the moment asked about neither
    withdrawn nor ended. superseded_by: the id of the revision that took its place.
    """

    id: int
    kind: str
    device: str
    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None
    live: bool
    first_seen_at: datetime
    withdrawn_at: datetime | None = None
    superseded_by: int | None = None


def remembered(db: sqlite3.Connection, device: str, now: datetime) -> tuple[Remembered, ...]:
    """Give what is known of one device's plan, as far as it has not ended."""
    rows = db.execute(
        """
        SELECT id, start, end, delta_kwh, missing_since, withdrawn_at FROM dispatches
        WHERE kind = 'planned' AND device = ? AND end > ? ORDER BY start, end
        """,
        (device, to_text(now)),
    )
    return tuple(
        Remembered(
            id=row["id"],
            starts_at=from_text(row["start"]),
            ends_at=from_text(row["end"]),
            energy_kwh=_energy_kwh(row),
            missing_since=from_text_or_none(row["missing_since"]),
            withdrawn_at=from_text_or_none(row["withdrawn_at"]),
        )
        for row in rows
    )


def apply(db: sqlite3.Connection, device: str, changes: Changes, now: datetime) -> None:
    """Write what one answer, taken at `now`, changed in a device's plan; nothing changed, nothing written."""
    if not changes:
        return
    at = to_text(now)
    with transaction(db):
        for dispatch in changes.new:
            _insert(db, "planned", device, dispatch, at)
        for row in changes.back:
            db.execute(
                """
                UPDATE dispatches SET missing_since = NULL, withdrawn_at = NULL, superseded_by = NULL, fetched_at = ?
                WHERE id = ?
                """,
                (at, row),
            )
        for row, energy_kwh in changes.revalued:
            db.execute(
                "UPDATE dispatches SET delta_kwh = ?, fetched_at = ? WHERE id = ?", (_delta_kwh(energy_kwh), at, row)
            )
        for row in changes.missing:
            db.execute("UPDATE dispatches SET missing_since = ? WHERE id = ?", (at, row))
        for row in changes.withdrawn:
            db.execute("UPDATE dispatches SET withdrawn_at = ? WHERE id = ?", (at, row))
        for row, heir in changes.superseded:
            _supersede(db, row, heir, at)


def record_completed(db: sqlite3.Connection, completed: Iterable[Dispatch], now: datetime) -> int:
    """Keep completed dispatches as history, each start and end once; returns how many rows that wrote.

    They come late and may change: another energy or place is written over the old one, and a dispatch that was cut
    otherwise meanwhile is dated anew, so that the answer that came last can be told. What is told again unchanged
    writes nothing, and what the supplier is silent about stays known.
    """
    told = _by_span(completed)
    first_start = min((start for start, _ in told), default="~")
    rows = db.execute("SELECT * FROM dispatches WHERE kind = 'completed' AND end > ?", (first_start,))
    known = {(row["start"], row["end"]): row for row in rows}
    gone = [row for span, row in known.items() if span not in told]
    news = [each for span, each in told.items() if span not in known or _has_changed(each, known[span], gone)]
    if news:
        with transaction(db):
            for dispatch in news:
                _insert(db, "completed", "", dispatch, to_text(now))
    return len(news)


def _by_span(completed: Iterable[Dispatch]) -> dict[tuple[str, str], Dispatch]:
    """Each start and end once; of the same half hour at home and elsewhere, the one at home."""
    told: dict[tuple[str, str], Dispatch] = {}
    for dispatch in completed:
        span = to_text(dispatch.starts_at), to_text(dispatch.ends_at)
        if span not in told or dispatch.location != AWAY:
            told[span] = dispatch
    return told


def _has_changed(told: Dispatch, known: sqlite3.Row, gone: Iterable[sqlite3.Row]) -> bool:
    """Whether a completed dispatch is not as it is known, or had been replaced by one that is gone itself."""
    energy = told.energy_kwh is not None and told.energy_kwh != _energy_kwh(known)
    place = told.location is not None and told.location != known["location"]
    replaced = any(
        row["start"] < known["end"] and known["start"] < row["end"] and row["fetched_at"] >= known["fetched_at"]
        for row in gone
    )
    return energy or place or replaced


def windows(db: sqlite3.Connection, now: datetime) -> tuple[Window, ...]:
    """Give every planned window that lies ahead or ended less than a day ago, with its device's freshness.

    One of a device that is not watched (any more) counts as withdrawn: nobody asks whether it still stands.
    """
    rows = db.execute(
        """
        SELECT d.start, d.end, d.device, d.delta_kwh, d.withdrawn_at, d.superseded_by, f.watched, f.boosting,
               f.last_ok_at
        FROM dispatches AS d LEFT JOIN fetches AS f ON f.device = d.device
        WHERE d.kind = 'planned' AND d.end > ? ORDER BY d.start, d.end, d.device
        """,
        (to_text(now - LOOK_BACK),),
    )
    return tuple(
        Window(
            starts_at=from_text(row["start"]),
            ends_at=from_text(row["end"]),
            seen_at=from_text_or_none(row["last_ok_at"]) or NEVER,
            device=row["device"],
            withdrawn=row["withdrawn_at"] is not None or not row["watched"],
            superseded=row["superseded_by"] is not None,
            boosting=bool(row["boosting"]),
            energy_kwh=_energy_kwh(row),
        )
        for row in rows
    )


def listed(db: sqlite3.Connection, now: datetime) -> tuple[ListedDispatch, ...]:
    """Give what `status` shows: the plan of the last day and ahead with its revisions, and what was completed."""
    day_ago = now - LOOK_BACK
    rows = history(db, day_ago, EVER, now)
    return tuple(r for r in rows if r.withdrawn_at is None or r.withdrawn_at > day_ago or r.ends_at > now)


def history(db: sqlite3.Connection, since: datetime, until: datetime, now: datetime) -> tuple[ListedDispatch, ...]:
    """Give every dispatch, planned, withdrawn or completed, that touches [since, until); `now` says what is live."""
    rows = db.execute(
        """
        SELECT d.*, d.kind = 'planned' AND d.withdrawn_at IS NULL AND d.end > :now AND COALESCE(f.watched, 0) AS live
        FROM dispatches AS d LEFT JOIN fetches AS f ON f.device = d.device
        WHERE d.kind IN ('planned', 'completed') AND d.end > :since AND d.start < :until
        ORDER BY d.start, d.end, d.kind, d.device
        """,
        {"now": to_text(now), "since": to_text(since), "until": to_text(until)},
    )
    return tuple(
        ListedDispatch(
            id=row["id"],
            kind=row["kind"],
            device=row["device"],
            starts_at=from_text(row["start"]),
            ends_at=from_text(row["end"]),
            energy_kwh=_energy_kwh(row),
            live=bool(row["live"]),
            first_seen_at=from_text(row["first_seen_at"]),
            withdrawn_at=from_text_or_none(row["withdrawn_at"]),
            superseded_by=row["superseded_by"],
        )
        for row in rows
    )


def _insert(db: sqlite3.Connection, kind: str, device: str, dispatch: Dispatch, at: str) -> None:
    """Add a dispatch; one that another run has added, or withdrawn, since the answer was compared stands again."""
    db.execute(
        """
        INSERT INTO dispatches (kind, device, start, end, delta_kwh, type, source, location, fetched_at, first_seen_at)
        VALUES (:kind, :device, :start, :end, :delta_kwh, :type, :source, :location, :at, :at)
        ON CONFLICT (kind, device, start, end) DO UPDATE SET
            delta_kwh = COALESCE(excluded.delta_kwh, delta_kwh), source = COALESCE(excluded.source, source),
            location = COALESCE(excluded.location, location), fetched_at = excluded.fetched_at,
            missing_since = NULL, withdrawn_at = NULL, superseded_by = NULL
        """,
        {
            "kind": kind,
            "device": device,
            "start": to_text(dispatch.starts_at),
            "end": to_text(dispatch.ends_at),
            "delta_kwh": _delta_kwh(dispatch.energy_kwh),
            "type": "SMART" if kind == "planned" else None,
            "source": dispatch.source,
            "location": dispatch.location,
            "at": at,
        },
    )


def _supersede(db: sqlite3.Connection, row: int, heir: tuple[datetime, datetime], at: str) -> None:
    """Mark a row as replaced; an heir that differs by parts of a second is the row itself, and replaces nothing."""
    db.execute(
        """
        UPDATE dispatches AS old SET withdrawn_at = :at, superseded_by = (
            SELECT id FROM dispatches
            WHERE kind = old.kind AND device = old.device AND start = :start AND end = :end)
        WHERE id = :id AND (start, end) <> (:start, :end)
        """,
        {"id": row, "start": to_text(heir[0]), "end": to_text(heir[1]), "at": at},
    )


def _delta_kwh(energy_kwh: float | None) -> float | None:
    """Spell energy as existing installations do: what is imported is negative."""
    return None if energy_kwh is None else -energy_kwh


def _energy_kwh(row: sqlite3.Row) -> float | None:
    return None if row["delta_kwh"] is None else abs(row["delta_kwh"])

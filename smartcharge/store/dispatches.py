"""The supplier's dispatches: what is remembered of the plan, what an answer changes in it, and what may be held for."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from smartcharge.policy.model import Dispatch, DispatchWindow
from smartcharge.policy.plan import KnownDispatch, PlanChanges
from smartcharge.store.database import transaction
from smartcharge.store.rows import MAX_ENERGY_KWH, StoreRow, parse_rows
from smartcharge.store.times import UNIX_EPOCH, format_instant

END_OF_TIME = datetime.max.replace(tzinfo=UTC)
DISPATCH_LOOK_BACK = timedelta(hours=24)
"""How long an ended dispatch still matters to a decision or to the status."""
LOCATION_AWAY = "AWAY"
"""The supplier's word for a car that charged elsewhere."""


class DispatchRow(Struct, frozen=True):
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


def load_planned_dispatches(db: sqlite3.Connection, device: str, now: datetime) -> tuple[KnownDispatch, ...]:
    """Give what is known of one device's plan, as far as it has not ended."""
    rows = db.execute(
        """
        SELECT id, start, end, delta_kwh, missing_since, withdrawn_at FROM dispatches
        WHERE kind = 'planned' AND device = ? AND end > ? ORDER BY start, end
        """,
        (device, format_instant(now)),
    )
    return parse_rows(db, "dispatches", rows, _known_dispatch_from_row)


def _known_dispatch_from_row(row: StoreRow) -> KnownDispatch:
    starts_at, ends_at = row.span("start", "end")
    return KnownDispatch(
        id=row.integer("id"),
        starts_at=starts_at,
        ends_at=ends_at,
        energy_kwh=energy_from_row(row),
        missing_since=row.optional_instant("missing_since"),
        withdrawn_at=row.optional_instant("withdrawn_at"),
    )


def apply_plan_changes(db: sqlite3.Connection, device: str, changes: PlanChanges, now: datetime) -> None:
    """Write what one answer, taken at `now`, changed in a device's plan; nothing changed, nothing written."""
    if not changes:
        return
    at = format_instant(now)
    with transaction(db):
        for dispatch in changes.new:
            _upsert_dispatch(db, "planned", device, dispatch, at)
        for row in changes.returned:
            db.execute(
                """
                UPDATE dispatches SET missing_since = NULL, withdrawn_at = NULL, superseded_by = NULL, fetched_at = ?
                WHERE id = ?
                """,
                (at, row),
            )
        for row, energy_kwh in changes.energy_changed:
            db.execute(
                "UPDATE dispatches SET delta_kwh = ?, fetched_at = ? WHERE id = ?",
                (_energy_to_delta_kwh(energy_kwh), at, row),
            )
        for row in changes.missing:
            db.execute("UPDATE dispatches SET missing_since = ? WHERE id = ?", (at, row))
        for row in changes.withdrawn:
            db.execute("UPDATE dispatches SET withdrawn_at = ? WHERE id = ?", (at, row))
        for row, successor in changes.superseded:
            _supersede_dispatch(db, row, successor, at)


def record_completed_dispatches(db: sqlite3.Connection, completed: Iterable[Dispatch], now: datetime) -> int:
    """Keep completed dispatches as history, each start and end once; returns how many rows that wrote.

    They come late and may change: another energy or place is written over the old one, and a dispatch that was cut
    otherwise meanwhile is dated anew, so that the answer that came last can be told. What is told again unchanged
    writes nothing, and what the supplier is silent about stays known.
    """
    reported = _index_by_span(completed)
    first_start = min((start for start, _ in reported), default="~")
    rows = db.execute("SELECT * FROM dispatches WHERE kind = 'completed' AND end > ?", (first_start,))
    completed_rows = parse_rows(db, "dispatches", rows, _completed_from_row)
    known = {(format_instant(each.starts_at), format_instant(each.ends_at)): each for each in completed_rows}
    removed = [each for span, each in known.items() if span not in reported]
    changed = [
        each
        for span, each in reported.items()
        if span not in known or _has_completed_changed(each, known[span], removed)
    ]
    if changed:
        with transaction(db):
            for dispatch in changed:
                _upsert_dispatch(db, "completed", "", dispatch, format_instant(now))
    return len(changed)


def _index_by_span(completed: Iterable[Dispatch]) -> dict[tuple[str, str], Dispatch]:
    """Each start and end once; of the same half hour at home and elsewhere, the one at home."""
    reported: dict[tuple[str, str], Dispatch] = {}
    for dispatch in completed:
        span = format_instant(dispatch.starts_at), format_instant(dispatch.ends_at)
        if span not in reported or dispatch.location != LOCATION_AWAY:
            reported[span] = dispatch
    return reported


class _KnownCompleted(Struct, frozen=True):
    """A completed dispatch as it was stored; fetched_at: the last answer that changed it."""

    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None
    location: str | None
    fetched_at: datetime


def _completed_from_row(row: StoreRow) -> _KnownCompleted:
    return _KnownCompleted(
        *row.span("start", "end"), energy_from_row(row), row.optional_text("location"), row.instant("fetched_at")
    )


def _has_completed_changed(reported: Dispatch, known: _KnownCompleted, removed: Iterable[_KnownCompleted]) -> bool:
    """Whether a completed dispatch is not as it is known, or had been replaced by one that is gone itself."""
    energy = reported.energy_kwh is not None and reported.energy_kwh != known.energy_kwh
    place = reported.location is not None and reported.location != known.location
    replaced = any(
        each.starts_at < known.ends_at and known.starts_at < each.ends_at and each.fetched_at >= known.fetched_at
        for each in removed
    )
    return energy or place or replaced


def load_windows(db: sqlite3.Connection, now: datetime) -> tuple[DispatchWindow, ...]:
    """Give every planned window that lies ahead or ended less than a day ago, with its device's freshness.

    One of a device that is not watched (any more) counts as withdrawn: nobody asks whether it still stands.
    """
    rows = db.execute(
        """
        SELECT d.id, d.start, d.end, d.device, d.delta_kwh, d.withdrawn_at, d.superseded_by,
               COALESCE(f.watched, 0) AS watched, COALESCE(f.boosting, 0) AS boosting, f.last_ok_at
        FROM dispatches AS d LEFT JOIN fetches AS f ON f.device = d.device
        WHERE d.kind = 'planned' AND d.end > ? ORDER BY d.start, d.end, d.device
        """,
        (format_instant(now - DISPATCH_LOOK_BACK),),
    )
    return parse_rows(db, "dispatches", rows, _window_from_row)


def _window_from_row(row: StoreRow) -> DispatchWindow:
    starts_at, ends_at = row.span("start", "end")
    return DispatchWindow(
        starts_at=starts_at,
        ends_at=ends_at,
        seen_at=row.optional_instant("last_ok_at") or UNIX_EPOCH,
        device=row.text("device"),
        withdrawn=row.optional_instant("withdrawn_at") is not None or not row.flag("watched"),
        superseded=row.optional_integer("superseded_by") is not None,
        boosting=row.flag("boosting"),
        energy_kwh=energy_from_row(row),
    )


def load_recent_dispatches(db: sqlite3.Connection, now: datetime) -> tuple[DispatchRow, ...]:
    """Give what `status` shows: the plan of the last day and ahead with its revisions, and what was completed."""
    day_ago = now - DISPATCH_LOOK_BACK
    rows = load_dispatch_history(db, day_ago, END_OF_TIME, now)
    return tuple(r for r in rows if r.withdrawn_at is None or r.withdrawn_at > day_ago or r.ends_at > now)


def load_dispatch_history(
    db: sqlite3.Connection, since: datetime, until: datetime, now: datetime
) -> tuple[DispatchRow, ...]:
    """Give every dispatch, planned, withdrawn or completed, that touches [since, until); `now` says what is live."""
    rows = db.execute(
        """
        SELECT d.*, d.kind = 'planned' AND d.withdrawn_at IS NULL AND d.end > :now AND COALESCE(f.watched, 0) AS live
        FROM dispatches AS d LEFT JOIN fetches AS f ON f.device = d.device
        WHERE d.kind IN ('planned', 'completed') AND d.end > :since AND d.start < :until
        ORDER BY d.start, d.end, d.kind, d.device
        """,
        {"now": format_instant(now), "since": format_instant(since), "until": format_instant(until)},
    )
    return parse_rows(db, "dispatches", rows, lambda row: dispatch_from_row(row, live=row.flag("live")))


def dispatch_from_row(row: StoreRow, *, live: bool = False) -> DispatchRow:
    """Parse a row of the table `dispatches`. live: as its device's row says."""
    starts_at, ends_at = row.span("start", "end")
    for column in ("type", "source", "location", "gcal_event_id"):
        row.optional_text(column)
    row.integer("gcal_sequence")
    row.instant("fetched_at")
    row.optional_instant("missing_since")
    return DispatchRow(
        id=row.integer("id"),
        kind=row.text("kind"),
        device=row.text("device"),
        starts_at=starts_at,
        ends_at=ends_at,
        energy_kwh=energy_from_row(row),
        live=live,
        first_seen_at=row.instant("first_seen_at"),
        withdrawn_at=row.optional_instant("withdrawn_at"),
        superseded_by=row.optional_integer("superseded_by"),
    )


def _upsert_dispatch(db: sqlite3.Connection, kind: str, device: str, dispatch: Dispatch, at: str) -> None:
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
            "start": format_instant(dispatch.starts_at),
            "end": format_instant(dispatch.ends_at),
            "delta_kwh": _energy_to_delta_kwh(dispatch.energy_kwh),
            "type": "SMART" if kind == "planned" else None,
            "source": dispatch.source,
            "location": dispatch.location,
            "at": at,
        },
    )


def _supersede_dispatch(db: sqlite3.Connection, row: int, successor: tuple[datetime, datetime], at: str) -> None:
    """Mark a row as replaced; an heir that differs by parts of a second is the row itself, and replaces nothing."""
    db.execute(
        """
        UPDATE dispatches AS old SET withdrawn_at = :at, superseded_by = (
            SELECT id FROM dispatches
            WHERE kind = old.kind AND device = old.device AND start = :start AND end = :end)
        WHERE id = :id AND (start, end) <> (:start, :end)
        """,
        {"id": row, "start": format_instant(successor[0]), "end": format_instant(successor[1]), "at": at},
    )


def _energy_to_delta_kwh(energy_kwh: float | None) -> float | None:
    """Spell energy as existing installations do: what is imported is negative."""
    return None if energy_kwh is None else -energy_kwh


def energy_from_row(row: StoreRow) -> float | None:
    """Give a dispatch's energy, kWh, as a magnitude."""
    delta_kwh = row.optional_number("delta_kwh", lowest=-MAX_ENERGY_KWH, highest=MAX_ENERGY_KWH)
    return None if delta_kwh is None else abs(delta_kwh)

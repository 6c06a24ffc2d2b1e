"""The events of the family's calendar: what they are made from, and every revision that was ever intended."""

import sqlite3
from datetime import datetime, timedelta

from smartcharge.errors import DamagedRowError
from smartcharge.policy.calendar import (
    CalendarDispatch,
    CalendarInputs,
    EventRevision,
    HoldRecord,
    Invite,
    InviteMethod,
)
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.control import load_hold_history
from smartcharge.store.dispatches import energy_from_row
from smartcharge.store.rows import DAMAGED_ROW_FIX, MAX_ENERGY_KWH, StoreRow, parse_first, parse_rows
from smartcharge.store.times import format_instant

UID_NAMESPACE = "5d1c2a0e-3f43-4c55-9d0b-6f1f0c2b7a11"
"""Ours alone: with the installation's salt it makes UIDs that nobody else's calendar has."""
CALENDAR_LOOK_BACK = timedelta(days=3)
KNOWN_EVENTS_LOOK_BACK = timedelta(days=6)
"""Names are never younger than their windows: every one that could come up again is among these."""
HOLDS_LOOK_AHEAD = timedelta(days=1)
"""A hold that seems to begin tomorrow was opened before the clock was put back."""


def load_calendar_evidence(
    db: sqlite3.Connection, now: datetime, cheap_period: CheapPeriod, *, show_planned: bool
) -> CalendarInputs:
    """Put together what decides the calendar; writes nothing."""
    since = now - CALENDAR_LOOK_BACK
    return CalendarInputs(
        now=now,
        since=since,
        cheap_period=cheap_period,
        plan=_load_planned_windows(db, since),
        holds=tuple(
            HoldRecord(row.opened_at, row.hold.until, row.closed_at)
            for row in load_hold_history(db, since, now + HOLDS_LOOK_AHEAD)
        ),
        known=tuple(invite.revision for invite in load_latest_revisions(db, now - KNOWN_EVENTS_LOOK_BACK)),
        show_planned=show_planned,
    )


def load_latest_revisions(db: sqlite3.Connection, since: datetime) -> tuple[Invite, ...]:
    """Give the last revision of every event whose window was first seen to begin after `since`, in that order."""
    rows = db.execute(
        "SELECT *, MAX(sequence) FROM events WHERE first_start > ? GROUP BY first_start, uid ORDER BY first_start",
        (format_instant(since),),
    )
    return parse_rows(db, "events", rows, invite_from_row)


def load_revision(db: sqlite3.Connection, uid: str, sequence: int) -> Invite:
    """Give one revision, which is known to be there; `DamagedRowError` where it is not, or cannot be read."""
    rows = db.execute("SELECT * FROM events WHERE uid = ? AND sequence = ?", (uid, sequence))
    invite = parse_first(db, "events", rows, invite_from_row)
    if invite is None:
        raise DamagedRowError(f"the database cannot tell what event {uid} is", fix=DAMAGED_ROW_FIX)
    return invite


def record_revision(db: sqlite3.Connection, revision: EventRevision) -> Invite:
    """Keep a revision; in the transaction of the change that caused it."""
    invite = Invite(make_event_uid(db, revision.first_start), revision)
    db.execute(
        """
        INSERT INTO events (uid, sequence, method, first_start, starts_at, ends_at, energy_kwh, stamped_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            invite.uid,
            revision.sequence,
            revision.method,
            format_instant(revision.first_start),
            format_instant(revision.starts_at),
            format_instant(revision.ends_at),
            revision.energy_kwh,
            format_instant(revision.stamped_at),
        ),
    )
    return invite


def make_event_uid(db: sqlite3.Connection, first_start: datetime) -> str:
    """Make the UID of an event: the same for the same window of this installation, even where its row was lost.

    Letters, digits and "-" only, and nothing of host, user or account in it. Source: RFC 7986, section 5.3.
    """
    from uuid import UUID, uuid5  # noqa: PLC0415  # an idle tick names no event

    rows = db.execute("SELECT * FROM installation")
    salt = parse_first(db, "installation", rows, lambda row: row.text("salt"))
    if salt is None:
        raise DamagedRowError("the database does not say which installation it belongs to", fix=DAMAGED_ROW_FIX)
    return str(uuid5(UUID(UID_NAMESPACE), f"{salt} {format_instant(first_start)}"))


def load_feed_state(db: sqlite3.Connection) -> tuple[str, str | None]:
    """Give what a feed written now would contain, and what the one on the disk contains, as comparable marks."""
    row = db.execute(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM events) AS newest, (SELECT feed FROM installation) AS written"
    ).fetchone()
    return str(row["newest"]), row["written"] if isinstance(row["written"], str) else None


def mark_feed_written(db: sqlite3.Connection, feed_version: str) -> None:
    """Remember what the feed on the disk contains."""
    db.execute("UPDATE installation SET feed = ?", (feed_version,))


def _load_planned_windows(db: sqlite3.Connection, since: datetime) -> tuple[CalendarDispatch, ...]:
    """Give the live dispatches of watched devices, each with the oldest revision that it goes back to."""
    rows = db.execute(
        """
        WITH RECURSIVE line (live, id, start, first_seen_at) AS (
            SELECT d.id, d.id, d.start, d.first_seen_at
            FROM dispatches AS d JOIN fetches AS f ON f.device = d.device
            WHERE d.kind = 'planned' AND d.end > ? AND d.withdrawn_at IS NULL AND f.watched
            UNION
            SELECT line.live, older.id, older.start, older.first_seen_at
            FROM line JOIN dispatches AS older ON older.superseded_by = line.id
        )
        SELECT d.id, d.start, d.end, d.delta_kwh, line.start AS first_start, line.first_seen_at,
               MIN(line.first_seen_at || line.start)
        FROM line JOIN dispatches AS d ON d.id = line.live GROUP BY line.live ORDER BY d.start, d.id
        """,
        (format_instant(since),),
    )
    return parse_rows(db, "dispatches", rows, _calendar_dispatch_from_row)


def _calendar_dispatch_from_row(row: StoreRow) -> CalendarDispatch:
    starts_at, ends_at = row.span("start", "end")
    return CalendarDispatch(
        starts_at=starts_at,
        ends_at=ends_at,
        first_start=row.instant("first_start"),
        first_seen_at=row.instant("first_seen_at"),
        energy_kwh=energy_from_row(row),
    )


def invite_from_row(row: StoreRow) -> Invite:
    """Parse a row of the table `events`."""
    starts_at, ends_at = row.span("starts_at", "ends_at")
    return Invite(
        uid=row.text("uid"),
        revision=EventRevision(
            first_start=row.instant("first_start"),
            sequence=row.integer("sequence"),
            method=row.member("method", InviteMethod),
            starts_at=starts_at,
            ends_at=ends_at,
            stamped_at=row.instant("stamped_at"),
            energy_kwh=row.optional_number("energy_kwh", lowest=0, highest=MAX_ENERGY_KWH),
        ),
    )

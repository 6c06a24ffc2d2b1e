"""The events of the family's calendar: what they are made from, and every revision that was ever intended."""

import sqlite3
from datetime import datetime, timedelta

from smartcharge.core.calendar import Evidence, Held, Invite, Method, Revision
from smartcharge.core.invite_windows import Planned
from smartcharge.core.slots import CheapPeriod
from smartcharge.store import holds
from smartcharge.store.times import from_text, to_text

NAMESPACE = "5d1c2a0e-3f43-4c55-9d0b-6f1f0c2b7a11"
"""Ours alone: with the installation's salt it makes UIDs that nobody else's calendar has."""
LOOK_BACK = timedelta(days=3)
NAMES_LOOK_BACK = timedelta(days=6)
"""Names are never younger than their windows: every one that could come up again is among these."""
LOOK_AHEAD = timedelta(days=1)
"""A hold that seems to begin tomorrow was opened before the clock was put back."""


def evidence(db: sqlite3.Connection, now: datetime, cheap_period: CheapPeriod, *, when_planned: bool) -> Evidence:
    """Put together what decides the calendar; writes nothing."""
    since = now - LOOK_BACK
    return Evidence(
        now=now,
        since=since,
        cheap_period=cheap_period,
        plan=_plan(db, since),
        holds=tuple(
            Held(row.opened_at, row.hold.until, row.closed_at) for row in holds.history(db, since, now + LOOK_AHEAD)
        ),
        known=tuple(invite.revision for invite in latest(db, now - NAMES_LOOK_BACK)),
        when_planned=when_planned,
    )


def latest(db: sqlite3.Connection, since: datetime) -> tuple[Invite, ...]:
    """Give the last revision of every event whose window was first seen to begin after `since`, in that order."""
    rows = db.execute(
        "SELECT *, MAX(sequence) FROM events WHERE first_start > ? GROUP BY first_start, uid ORDER BY first_start",
        (to_text(since),),
    )
    return tuple(_invite(row) for row in rows)


def revision(db: sqlite3.Connection, uid: str, sequence: int) -> Invite:
    """Give one revision, which is known to be there."""
    (row,) = db.execute("SELECT * FROM events WHERE uid = ? AND sequence = ?", (uid, sequence)).fetchall()
    return _invite(row)


def record(db: sqlite3.Connection, due: Revision) -> Invite:
    """Keep a revision; in the transaction of the change that caused it."""
    invite = Invite(uid(db, due.first_start), due)
    db.execute(
        """
        INSERT INTO events (uid, sequence, method, first_start, starts_at, ends_at, energy_kwh, stamped_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            invite.uid,
            due.sequence,
            due.method,
            to_text(due.first_start),
            to_text(due.starts_at),
            to_text(due.ends_at),
            due.energy_kwh,
            to_text(due.stamped_at),
        ),
    )
    return invite


def uid(db: sqlite3.Connection, first_start: datetime) -> str:
    """Make the UID of an event: the same for the same window of this installation, even where its row was lost.

    Letters, digits and "-" only, and nothing of host, user or account in it. Source: RFC 7986, section 5.3.
    """
    from uuid import UUID, uuid5  # noqa: PLC0415  # an idle tick names no event

    (row,) = db.execute("SELECT salt FROM installation").fetchall()
    return str(uuid5(UUID(NAMESPACE), f"{row['salt']} {to_text(first_start)}"))


def feed_state(db: sqlite3.Connection) -> tuple[str, str | None]:
    """Give what a feed written now would contain, and what the one on the disk contains, as comparable marks."""
    row = db.execute(
        "SELECT (SELECT COALESCE(MAX(id), 0) FROM events) AS newest, (SELECT feed FROM installation) AS written"
    ).fetchone()
    return str(row["newest"]), row["written"]


def mark_feed(db: sqlite3.Connection, mark: str) -> None:
    """Remember what the feed on the disk contains."""
    db.execute("UPDATE installation SET feed = ?", (mark,))


def _plan(db: sqlite3.Connection, since: datetime) -> tuple[Planned, ...]:
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
        SELECT d.start, d.end, d.delta_kwh, line.start AS first_start, line.first_seen_at,
               MIN(line.first_seen_at || line.start)
        FROM line JOIN dispatches AS d ON d.id = line.live GROUP BY line.live ORDER BY d.start, d.id
        """,
        (to_text(since),),
    )
    return tuple(
        Planned(
            starts_at=from_text(row["start"]),
            ends_at=from_text(row["end"]),
            first_start=from_text(row["first_start"]),
            first_seen_at=from_text(row["first_seen_at"]),
            energy_kwh=None if row["delta_kwh"] is None else abs(row["delta_kwh"]),
        )
        for row in rows
    )


def _invite(row: sqlite3.Row) -> Invite:
    return Invite(
        uid=row["uid"],
        revision=Revision(
            first_start=from_text(row["first_start"]),
            sequence=row["sequence"],
            method=Method(row["method"]),
            starts_at=from_text(row["starts_at"]),
            ends_at=from_text(row["ends_at"]),
            stamped_at=from_text(row["stamped_at"]),
            energy_kwh=row["energy_kwh"],
        ),
    )

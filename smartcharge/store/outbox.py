"""The outbox: mail that was decided and is not yet certainly posted.

A message is queued, inflight while the mail server is spoken to, then sent, or failed for good; it is superseded
where a newer one of its event takes its place. Its bytes are frozen when it is first tried, so that a repeat
after an unknown outcome is the same mail. Only who holds the mail lock claims, and there is one at a time.
"""

import sqlite3
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.calendar import Method
from smartcharge.store.times import from_text_or_none, to_text, to_text_or_none

BETWEEN_MAILS = timedelta(minutes=5)
"""Of one event; a plan that flaps faster is told in its newest state only."""
LONGEST_WAIT = timedelta(hours=25)
"""No honest wait is longer; a stamp further ahead means that the clock has jumped back."""

ALERT, REPORT = "ALERT", "REPORT"
"""In place of a calendar's method: a message of trouble, and a report; both finished when they were queued."""
NO_LIMIT = 2**63 - 1
"""No sequence is higher: SQLite's largest integer."""


class OutboxCounts(Struct, frozen=True):
    """How many messages wait (one being posted included), are sent, and were given up."""

    waiting: int = 0
    sent: int = 0
    failed: int = 0


class Letter(Struct, frozen=True):
    """A message that may be posted now. message: its frozen bytes, None before it was first tried.

    is_first: no older message of its event can have arrived.
    """

    id: int
    uid: str
    sequence: int
    method: str
    recipient: str
    message: bytes | None
    is_first: bool


def counts(db: sqlite3.Connection) -> OutboxCounts:
    """Count the messages by what became of them; superseded ones are never posted and not counted."""
    count = {row["state"]: row["count"] for row in db.execute("SELECT state, COUNT(*) AS count FROM outbox GROUP BY 1")}
    return OutboxCounts(
        waiting=count.get("queued", 0) + count.get("inflight", 0),
        sent=count.get("sent", 0),
        failed=count.get("failed", 0),
    )


def queue(db: sqlite3.Connection, uid: str, sequence: int, method: str, recipient: str, now: datetime) -> None:
    """Let a message wait in place of older ones of its event; in the transaction of the change that caused it.

    What can never have arrived need not be cancelled: then nothing waits any more.
    """
    arrived_at = _may_have_arrived_at(db, uid, until=now + LONGEST_WAIT)
    db.execute("UPDATE outbox SET state = 'superseded' WHERE uid = ? AND state = 'queued'", (uid,))
    db.execute(
        """
        INSERT INTO outbox (uid, sequence, method, message, recipient, state, not_before, created_at)
        VALUES (?, ?, ?, x'', ?, ?, ?, ?)
        """,
        (
            uid,
            sequence,
            method,
            recipient,
            "superseded" if method == Method.CANCEL and not is_known_outside(db, uid) else "queued",
            to_text_or_none(arrived_at and arrived_at + BETWEEN_MAILS),
            to_text(now),
        ),
    )


def queue_message(
    db: sqlite3.Connection, uid: str, message: bytes, recipient: str, now: datetime, *, method: str = ALERT
) -> None:
    """Let a finished message wait that belongs to no event; the same one once."""
    db.execute(
        """
        INSERT INTO outbox (uid, sequence, method, message, recipient, state, created_at)
        VALUES (?, 0, ?, ?, ?, 'queued', ?) ON CONFLICT DO NOTHING
        """,
        (uid, method, message, recipient, to_text(now)),
    )


def next_due(db: sqlite3.Connection, now: datetime) -> Letter | None:
    """Give the message that has waited longest of those that may be posted now."""
    row = db.execute(
        """
        SELECT * FROM outbox
        WHERE state = 'queued' AND (not_before IS NULL OR not_before <= ? OR not_before > ?) ORDER BY id LIMIT 1
        """,
        (to_text(now), to_text(now + LONGEST_WAIT)),
    ).fetchone()
    return None if row is None else _letter(db, row)


def waiting(db: sqlite3.Connection) -> tuple[Letter, ...]:
    """Give every message that waits, whether it may be posted now or later; the oldest first."""
    rows = db.execute("SELECT * FROM outbox WHERE state IN ('queued', 'inflight') ORDER BY id").fetchall()
    return tuple(_letter(db, row) for row in rows)


def posted_since(db: sqlite3.Connection, since: datetime) -> int:
    """Count the messages that were posted since a day began, or may have been.

    What a clock that ran ahead has posted stands under another day, and must not use up this one.
    """
    (row,) = db.execute(
        """
        SELECT COUNT(*) AS count FROM outbox
        WHERE tried_at >= ? AND tried_at < ? AND (state = 'sent' OR may_have_arrived)
        """,
        (to_text(since), to_text(since + LONGEST_WAIT)),
    ).fetchall()
    count: int = row["count"]
    return count


def claim(db: sqlite3.Connection, letter: Letter, message: bytes, recipient: str, now: datetime) -> bool:
    """Freeze a message's bytes before the mail server is spoken to; to be committed at once.

    False where it waits no more: who changes the plan needs no mail lock, and may have queued a newer one meanwhile.
    """
    cursor = db.execute(
        """
        UPDATE outbox SET state = 'inflight', message = ?, recipient = ?, attempts = attempts + 1, tried_at = ?
        WHERE id = ? AND state = 'queued'
        """,
        (message, recipient, to_text(now), letter.id),
    )
    return cursor.rowcount > 0


def sent(db: sqlite3.Connection, letter: Letter, now: datetime) -> None:
    """Note that the mail server has taken a message."""
    db.execute(
        "UPDATE outbox SET state = 'sent', sent_at = ?, last_error = NULL WHERE id = ?", (to_text(now), letter.id)
    )


def gave_up(db: sqlite3.Connection, letter: Letter, error: str) -> None:
    """Note that the mail server will never take a message."""
    db.execute("UPDATE outbox SET state = 'failed', last_error = ? WHERE id = ?", (error, letter.id))


def not_taken(db: sqlite3.Connection, letter: Letter, error: str) -> None:
    """Let a message wait again that the mail server certainly did not take.

    Where no earlier attempt can have got through either, its bytes are free again: the owner may mend the address.
    """
    db.execute(
        """
        UPDATE outbox SET
            state = 'queued', last_error = ?,
            message = CASE WHEN may_have_arrived OR method IN ('ALERT', 'REPORT') THEN message ELSE x'' END
        WHERE id = ?
        """,
        (error, letter.id),
    )
    _supersede_overtaken(db)


def requeue_unknown(db: sqlite3.Connection) -> None:
    """Let messages wait again that were being posted when their run died: the same bytes, for they may have arrived.

    After the first time only when the event's next mail may go out, so that a run that always dies does no harm.
    """
    for row in db.execute("SELECT id, tried_at, attempts FROM outbox WHERE state = 'inflight'").fetchall():
        tried_at = from_text_or_none(row["tried_at"])
        again_at = tried_at + BETWEEN_MAILS if tried_at and row["attempts"] > 1 else None
        db.execute(
            "UPDATE outbox SET state = 'queued', may_have_arrived = 1, not_before = ? WHERE id = ?",
            (to_text_or_none(again_at), row["id"]),
        )
    _supersede_overtaken(db)


def has_unknown(db: sqlite3.Connection) -> bool:
    """Whether a message is being posted; to who holds the mail lock: whether a run died over one."""
    return db.execute("SELECT 1 FROM outbox WHERE state = 'inflight'").fetchone() is not None


def is_known_outside(db: sqlite3.Connection, uid: str) -> bool:
    """Whether any message of an event was posted, or may have been."""
    return _may_have_arrived_at(db, uid) is not None


def _letter(db: sqlite3.Connection, row: sqlite3.Row) -> Letter:
    return Letter(
        id=row["id"],
        uid=row["uid"],
        sequence=row["sequence"],
        method=row["method"],
        recipient=row["recipient"],
        message=row["message"] or None,
        is_first=_may_have_arrived_at(db, row["uid"], below=row["sequence"]) is None,
    )


def _supersede_overtaken(db: sqlite3.Connection) -> None:
    """The newest revision wins; an older one is never sent after it."""
    db.execute(
        """
        UPDATE outbox AS old SET state = 'superseded'
        WHERE state = 'queued' AND EXISTS (SELECT 1 FROM outbox WHERE uid = old.uid AND sequence > old.sequence)
        """
    )


def _may_have_arrived_at(
    db: sqlite3.Connection, uid: str, *, below: int = NO_LIMIT, until: datetime | None = None
) -> datetime | None:
    """When a message of an event was last posted, or may have been; below: of its older ones.

    until: the last stamp that counts, so that one from a clock that ran ahead hides none of those after it.
    """
    (row,) = db.execute(
        """
        SELECT MAX(tried_at) AS at FROM outbox
        WHERE uid = :uid AND sequence < :below AND (state IN ('sent', 'inflight') OR may_have_arrived)
            AND (:until IS NULL OR tried_at <= :until)
        """,
        {"uid": uid, "below": below, "until": to_text_or_none(until)},
    ).fetchall()
    return from_text_or_none(row["at"])

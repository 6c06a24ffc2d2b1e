"""The outbox: mail that was decided and is not yet certainly posted.

A message is queued, inflight while the mail server is spoken to, then sent, or failed for good; it is superseded
where a newer one of its event takes its place. Its bytes are frozen when it is first tried, so that a repeat
after an unknown outcome is the same mail. Only who holds the mail lock claims, and there is one at a time.
"""

import sqlite3
from datetime import datetime, timedelta
from functools import partial

from msgspec import Struct

from smartcharge.policy.calendar import InviteMethod
from smartcharge.store.rows import StoreRow, parse_first, parse_rows
from smartcharge.store.times import format_instant, format_optional_instant

MIN_MAIL_INTERVAL = timedelta(minutes=5)
"""Of one event; a plan that flaps faster is told in its newest state only."""
MAX_MAIL_WAIT = timedelta(hours=25)
"""No honest wait is longer; a stamp further ahead means that the clock has jumped back."""

ALERT_METHOD, REPORT_METHOD = "ALERT", "REPORT"
"""In place of a calendar's method: a message of trouble, and a report; both finished when they were queued."""
MAX_SEQUENCE = 2**63 - 1
"""No sequence is higher: SQLite's largest integer."""


class OutboxCounts(Struct, frozen=True):
    """How many messages wait (one being posted included), are sent, and were given up."""

    waiting: int = 0
    sent: int = 0
    failed: int = 0


class OutboxMessage(Struct, frozen=True):
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


def count_outbox(db: sqlite3.Connection) -> OutboxCounts:
    """Count the messages by what became of them; superseded ones are never posted and not counted."""
    count = {row["state"]: row["count"] for row in db.execute("SELECT state, COUNT(*) AS count FROM outbox GROUP BY 1")}
    return OutboxCounts(
        waiting=count.get("queued", 0) + count.get("inflight", 0),
        sent=count.get("sent", 0),
        failed=count.get("failed", 0),
    )


def queue_invite(db: sqlite3.Connection, uid: str, sequence: int, method: str, recipient: str, now: datetime) -> None:
    """Let a message wait in place of older ones of its event; in the transaction of the change that caused it.

    What can never have arrived need not be cancelled: then nothing waits any more.
    """
    arrived_at = _last_possible_delivery_at(db, uid, until=now + MAX_MAIL_WAIT)
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
            "superseded" if method == InviteMethod.CANCEL and not is_possibly_delivered(db, uid) else "queued",
            format_optional_instant(arrived_at and arrived_at + MIN_MAIL_INTERVAL),
            format_instant(now),
        ),
    )


def queue_message(
    db: sqlite3.Connection, uid: str, message: bytes, recipient: str, now: datetime, *, method: str = ALERT_METHOD
) -> None:
    """Let a finished message wait that belongs to no event; the same one once."""
    db.execute(
        """
        INSERT INTO outbox (uid, sequence, method, message, recipient, state, created_at)
        VALUES (?, 0, ?, ?, ?, 'queued', ?) ON CONFLICT DO NOTHING
        """,
        (uid, method, message, recipient, format_instant(now)),
    )


def load_next_due_message(db: sqlite3.Connection, now: datetime) -> OutboxMessage | None:
    """Give the message that has waited longest of those that may be posted now."""
    rows = db.execute(
        """
        SELECT * FROM outbox
        WHERE state = 'queued' AND (not_before IS NULL OR not_before <= ? OR not_before > ?) ORDER BY id
        """,
        (format_instant(now), format_instant(now + MAX_MAIL_WAIT)),
    )
    return parse_first(db, "outbox", rows, partial(message_from_row, db))


def load_waiting_messages(db: sqlite3.Connection) -> tuple[OutboxMessage, ...]:
    """Give every message that waits, whether it may be posted now or later; the oldest first."""
    rows = db.execute("SELECT * FROM outbox WHERE state IN ('queued', 'inflight') ORDER BY id").fetchall()
    return parse_rows(db, "outbox", rows, partial(message_from_row, db))


def count_sent_since(db: sqlite3.Connection, since: datetime) -> int:
    """Count the messages that were posted since a day began, or may have been.

    What a clock that ran ahead has posted stands under another day, and must not use up this one.
    """
    (row,) = db.execute(
        """
        SELECT COUNT(*) AS count FROM outbox
        WHERE tried_at >= ? AND tried_at < ? AND (state = 'sent' OR may_have_arrived)
        """,
        (format_instant(since), format_instant(since + MAX_MAIL_WAIT)),
    ).fetchall()
    count: int = row["count"]
    return count


def claim_message(
    db: sqlite3.Connection, outbox_message: OutboxMessage, message: bytes, recipient: str, now: datetime
) -> bool:
    """Freeze a message's bytes before the mail server is spoken to; to be committed at once.

    False where it waits no more: who changes the plan needs no mail lock, and may have queued a newer one meanwhile.
    """
    cursor = db.execute(
        """
        UPDATE outbox SET state = 'inflight', message = ?, recipient = ?, attempts = attempts + 1, tried_at = ?
        WHERE id = ? AND state = 'queued'
        """,
        (message, recipient, format_instant(now), outbox_message.id),
    )
    return cursor.rowcount > 0


def mark_message_sent(db: sqlite3.Connection, outbox_message: OutboxMessage, now: datetime) -> None:
    """Note that the mail server has taken a message."""
    db.execute(
        "UPDATE outbox SET state = 'sent', sent_at = ?, last_error = NULL WHERE id = ?",
        (format_instant(now), outbox_message.id),
    )


def mark_message_failed(db: sqlite3.Connection, outbox_message: OutboxMessage, error: str) -> None:
    """Note that the mail server will never take a message."""
    db.execute("UPDATE outbox SET state = 'failed', last_error = ? WHERE id = ?", (error, outbox_message.id))


def requeue_undelivered_message(db: sqlite3.Connection, outbox_message: OutboxMessage, error: str) -> None:
    """Let a message wait again that the mail server certainly did not take.

    Where no earlier attempt can have got through either, its bytes are free again: the owner may correct the address.
    """
    db.execute(
        """
        UPDATE outbox SET
            state = 'queued', last_error = ?,
            message = CASE WHEN may_have_arrived OR method IN ('ALERT', 'REPORT') THEN message ELSE x'' END
        WHERE id = ?
        """,
        (error, outbox_message.id),
    )
    _supersede_older_revisions(db)


def requeue_interrupted_messages(db: sqlite3.Connection) -> None:
    """Let messages wait again that were being posted when their run died: the same bytes, for they may have arrived.

    After the first time only when the event's next mail may go out, so that a run that always dies does no harm.
    """
    rows = db.execute("SELECT * FROM outbox WHERE state = 'inflight'").fetchall()
    for row, tried_at, attempts in parse_rows(db, "outbox", rows, _attempts_from_row):
        again_at = tried_at + MIN_MAIL_INTERVAL if tried_at and attempts > 1 else None
        db.execute(
            "UPDATE outbox SET state = 'queued', may_have_arrived = 1, not_before = ? WHERE id = ?",
            (format_optional_instant(again_at), row),
        )
    _supersede_older_revisions(db)


def has_interrupted_message(db: sqlite3.Connection) -> bool:
    """Whether a message is being posted; to who holds the mail lock: whether a run died over one."""
    return db.execute("SELECT 1 FROM outbox WHERE state = 'inflight'").fetchone() is not None


def is_possibly_delivered(db: sqlite3.Connection, uid: str) -> bool:
    """Whether any message of an event was posted, or may have been."""
    return _last_possible_delivery_at(db, uid) is not None


def message_from_row(db: sqlite3.Connection, row: StoreRow) -> OutboxMessage:
    """Parse a row of the table `outbox`."""
    uid, sequence = row.text("uid"), row.integer("sequence")
    row.optional_text("last_error")
    for column in ("not_before", "created_at", "sent_at"):
        row.optional_instant(column)
    _attempts_from_row(row)
    return OutboxMessage(
        id=row.integer("id"),
        uid=uid,
        sequence=sequence,
        method=row.text("method"),
        recipient=row.text("recipient"),
        message=row.content("message") or None,
        is_first=_last_possible_delivery_at(db, uid, below=sequence) is None,
    )


def _attempts_from_row(row: StoreRow) -> tuple[int, datetime | None, int]:
    """The message's id, its last attempt and the number of attempts."""
    return row.integer("id"), row.optional_instant("tried_at"), row.integer("attempts")


def _supersede_older_revisions(db: sqlite3.Connection) -> None:
    """The newest revision wins; an older one is never sent after it."""
    db.execute(
        """
        UPDATE outbox AS old SET state = 'superseded'
        WHERE state = 'queued' AND EXISTS (SELECT 1 FROM outbox WHERE uid = old.uid AND sequence > old.sequence)
        """
    )


def _last_possible_delivery_at(
    db: sqlite3.Connection, uid: str, *, below: int = MAX_SEQUENCE, until: datetime | None = None
) -> datetime | None:
    """When a message of an event was last posted, or may have been; below: of its older ones.

    until: the last stamp that counts, so that one from a clock that ran ahead hides none of those after it.
    """
    rows = db.execute(
        """
        SELECT id, tried_at FROM outbox
        WHERE uid = :uid AND sequence < :below AND (state IN ('sent', 'inflight') OR may_have_arrived)
            AND tried_at IS NOT NULL AND (:until IS NULL OR tried_at <= :until)
        ORDER BY tried_at DESC
        """,
        {"uid": uid, "below": below, "until": format_optional_instant(until)},
    )
    return parse_first(db, "outbox", rows, lambda row: row.instant("tried_at"))

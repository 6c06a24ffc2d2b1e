"""The outbox: mail that was decided and is not yet certainly posted."""

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutboxCounts:
    """How many messages wait (one being posted included), are sent, and were given up."""

    waiting: int = 0
    sent: int = 0
    failed: int = 0


def counts(db: sqlite3.Connection) -> OutboxCounts:
    """Count the messages by what became of them; superseded ones are never posted and not counted."""
    count = {row["state"]: row["count"] for row in db.execute("SELECT state, COUNT(*) AS count FROM outbox GROUP BY 1")}
    return OutboxCounts(
        waiting=count.get("queued", 0) + count.get("inflight", 0),
        sent=count.get("sent", 0),
        failed=count.get("failed", 0),
    )

"""Until when each command has nothing to do, for who looks before anything heavy is loaded."""

import sqlite3
from collections.abc import Mapping
from datetime import datetime

from smartcharge.store.times import to_text


def worked_out_from(db: sqlite3.Connection) -> str:
    """What the last answer was worked out from, "" where there was none."""
    row = db.execute("SELECT of FROM quiet").fetchone()
    return row["of"] if row else ""


def renew(db: sqlite3.Connection, of: str, since: datetime, until: Mapping[str, datetime | None]) -> None:
    """Replace what was foreseen. of: what it was worked out from; until: the last idle moment by command, or None."""
    moments = {command.replace("-", "_"): to_text(moment) if moment else "" for command, moment in until.items()}
    db.execute(
        """
        INSERT OR REPLACE INTO quiet
            (id, of, since, fetch_dispatches, reconcile, midnight_reset, send_invites, tick)
        VALUES (1, :of, :since, :fetch_dispatches, :reconcile, :midnight_reset, :send_invites, :tick)
        """,
        {"of": of, "since": to_text(since), **moments},
    )

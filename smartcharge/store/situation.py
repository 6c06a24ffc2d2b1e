"""All that a decision may know, as far as the house remembers it: only the charger is left to be asked."""

import sqlite3
from datetime import datetime

from smartcharge.core.clock import BELIEVED, is_doubtful
from smartcharge.core.model import Policy, Situation
from smartcharge.core.slots import last_noon
from smartcharge.store import dispatches, holds, journal, owner


def load(db: sqlite3.Connection, now: datetime, policy: Policy) -> Situation:
    """Put together what is stored; the charger is UNKNOWN. Writes nothing."""
    held = holds.current(db)
    return Situation(
        now=now,
        policy=policy,
        windows=dispatches.windows(db, now),
        hold=None if held is None else held.hold,
        pause=owner.paused(db),
        stand_down=owner.stood_down(db),
        held_since_noon=holds.held_since(db, last_noon(now, policy.cheap_period.zone), now),
        clock_is_doubtful=clock_is_doubtful(db, now),
    )


def clock_is_doubtful(db: sqlite3.Connection, now: datetime) -> bool:
    """Whether the run's instant lies before what was written down already."""
    return is_doubtful(now, journal.newest_at(db, now + BELIEVED))

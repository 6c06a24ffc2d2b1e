"""Signs of life: when anything was last done here, from what is written down anyway."""

from datetime import datetime

from smartcharge.store import fetches, journal, readings
from smartcharge.toolbox import Toolbox


def last_at(tools: Toolbox) -> datetime | None:
    """The latest moment that any run has written down; None where none ever has."""
    db = tools.peek
    charger, battery = readings.last_charger(db), readings.last_battery(db)
    moments = [
        fetches.last_asked_at(db),
        *(row.at for row in journal.rows(db, limit=1)),
        charger and charger.reading.at,
        battery and battery.at,
    ]
    return max((moment for moment in moments if moment), default=None)

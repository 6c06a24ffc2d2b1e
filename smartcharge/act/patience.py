"""Why a service is not asked just now, and until when, for who watches with -v."""

from datetime import datetime

from smartcharge.act.words import clock, when
from smartcharge.core.politeness import is_blocked
from smartcharge.store import services
from smartcharge.toolbox import Toolbox

NAMES = {"kraken": "Kraken", "zappi": "the Zappi", "tesla": "Tesla", "mail": "the mail server"}


def explain(tools: Toolbox, service: str, until: datetime | None = None) -> None:
    """Tell it in a line. until: when the usual interval is over; a wait that was asked for outlasts it."""
    if not tools.verbose:
        return
    row, zone = services.service(tools.peek, service), tools.policy.cheap_period.zone
    why = f", because: {row.last_error}" if row.last_error else ""
    if row.is_refused:
        since = f" {when(row.refused_at, tools.now, zone)}" if row.refused_at else ""
        tools.detail(f"{NAMES[service]} is not asked: the sign-in was refused{since} and nothing has changed{why}")
        return
    moments = [until, row.not_before if is_blocked(tools.now, row.not_before) else None]
    latest = max((moment for moment in moments if moment), default=None)
    if latest and latest > tools.now:
        tools.detail(f"{NAMES[service]} is not asked before {clock(latest, zone)}{why}")
    elif why:
        tools.detail(f"{NAMES[service]} is not asked in every run{why}")

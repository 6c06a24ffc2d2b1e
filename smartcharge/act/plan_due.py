"""Whether the supplier is to be asked now."""

from datetime import datetime

from smartcharge import wiring
from smartcharge.core.politeness import PLAN_TOLERANCE, plan_interval, plan_is_due
from smartcharge.errors import SignInRefused
from smartcharge.store import fetches, services, situation
from smartcharge.toolbox import Toolbox

KRAKEN = "kraken"


def is_due(tools: Toolbox) -> bool:
    """Whether the supplier is to be asked now."""
    seen = situation.load(tools.peek, tools.now, tools.policy)
    asked_at = fetches.last_asked_at(tools.peek, until=tools.now)
    return plan_is_due(seen, asked_at, services.service(tools.peek, KRAKEN).not_before)


def due_at(tools: Toolbox) -> datetime | None:
    """When the supplier is to be asked next by the usual interval; None where it never was."""
    asked_at = fetches.last_asked_at(tools.peek, until=tools.now)
    seen = situation.load(tools.peek, tools.now, tools.policy)
    return asked_at and asked_at + plan_interval(seen) - PLAN_TOLERANCE


def is_refused(tools: Toolbox) -> bool:
    """Whether the sign-in was refused and nothing has changed since: then silence, and exit 5."""
    refused_for = services.service(tools.peek, KRAKEN).refused_for
    refused = refused_for is not None and refused_for == wiring.kraken_fingerprint(tools.config)
    if refused:
        tools.exit_codes.append(SignInRefused.exit_code)
    return refused

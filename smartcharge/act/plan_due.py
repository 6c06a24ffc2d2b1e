"""Whether the supplier is to be asked now."""

from smartcharge import wiring
from smartcharge.core.politeness import plan_is_due
from smartcharge.errors import SignInRefused
from smartcharge.store import fetches, services, situation
from smartcharge.toolbox import Toolbox

KRAKEN = "kraken"


def is_due(tools: Toolbox) -> bool:
    """Whether the supplier is to be asked now."""
    seen = situation.load(tools.peek, tools.now, tools.policy)
    asked_at = fetches.last_asked_at(tools.peek, until=tools.now)
    return plan_is_due(seen, asked_at, services.service(tools.peek, KRAKEN).not_before)


def is_refused(tools: Toolbox) -> bool:
    """Whether the sign-in was refused and nothing has changed since: then silence, and exit 5."""
    refused_for = services.service(tools.peek, KRAKEN).refused_for
    refused = refused_for is not None and refused_for == wiring.kraken_fingerprint(tools.config)
    if refused:
        tools.exit_codes.append(SignInRefused.exit_code)
    return refused

"""What a conversation that came to nothing leaves for the next run: a wait, a refusal, or a command under way."""

from datetime import timedelta

from smartcharge import wiring
from smartcharge.core.politeness import has_passed
from smartcharge.core.stance import Write
from smartcharge.errors import DatabaseRefused, NotConfirmed, SignInRefused, Throttled, Trouble
from smartcharge.store import services, transaction
from smartcharge.toolbox import Toolbox

THROTTLED_WAIT = timedelta(seconds=90)
"""Where Tesla does not say for how long: one tick is left out."""
COMMAND_TAKES = timedelta(seconds=90)
"""A command that Tesla took works this late at times; the same one once more might only start its wait anew."""


class StillUnderWay(NotConfirmed):
    """The command of an earlier run does not show yet, and may still take effect: it keeps its time."""


def not_shown(tools: Toolbox, service: str, write: Write) -> NotConfirmed:
    """What a command comes to that no reading shows: `StillUnderWay` where an earlier run gave just this one."""
    trouble = NotConfirmed(f"the Powerwall was asked for {write} and does not show it", service=service)
    last = services.service(tools.db, service)
    if last.last_error != str(trouble) or has_passed(tools.now, last.asked_at, COMMAND_TAKES):
        return trouble
    return StillUnderWay(trouble.message, service=service)


def note(tools: Toolbox, service: str, trouble: Trouble) -> None:
    """Write it down, and let the battery be for the rest of this run."""
    if isinstance(trouble, DatabaseRefused):
        return
    tools.tesla_done = True
    if isinstance(trouble, StillUnderWay):
        return
    with transaction(tools.db):
        if isinstance(trouble, SignInRefused):
            services.refused(tools.db, service, tools.now, wiring.tesla_fingerprint(tools.config), str(trouble))
        else:
            wait = (trouble.retry_after or THROTTLED_WAIT) if isinstance(trouble, Throttled) else timedelta(0)
            services.failed(tools.db, service, tools.now, str(trouble), tools.now + wait)

"""Whether the Powerwall may be talked to now: patience with Tesla, and none where a release waits."""

from datetime import timedelta

from smartcharge import wiring
from smartcharge.core.clock import is_behind
from smartcharge.core.politeness import SKIPS, has_passed, is_blocked, step
from smartcharge.errors import NotConfirmed, SignInRefused, Trouble
from smartcharge.store import episodes, services
from smartcharge.store.services import ServiceRow
from smartcharge.toolbox import Toolbox

TESLA = "tesla"
WAITING = ("reconcile", "waiting")
"""The episode of a battery in other hands."""
LENIENT_FAILURES = 2
RELEASE_PATIENCE = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer: the battery always comes back."""
REFUSED_SOON, REFUSED_SOON_TIMES = timedelta(minutes=2), 3
"""A refusal in the middle of a release is asked about again soon, at first: one may be a server in trouble."""
WAITING_WAIT = timedelta(minutes=5)
"""How often a battery in other hands is looked at while nothing of it is ours."""
REFUSED_WAIT = timedelta(minutes=15)
"""A refused sign-in is tried again so seldom: with a dead token every attempt costs four token requests."""


def may_converse(tools: Toolbox, *, releasing: bool) -> bool:
    """Whether Tesla may be asked now.

    It minds an explicit "wait" (but none that was written down by a clock ahead of its time), and a refused
    sign-in until the token file changes (then at least every quarter of an hour all the same). A release minds
    nothing else; other acts skip minutes after failures.
    """
    if tools.tesla_done:
        return False
    row = services.service(tools.peek, TESLA)
    if _is_refused(tools, row, releasing=releasing):
        tools.exit_codes.append(SignInRefused.exit_code)
        return False
    if releasing:
        return not is_blocked(tools.now, row.not_before) or has_passed(tools.now, row.asked_at, RELEASE_PATIENCE)
    skip = step(SKIPS, max(row.failures - LENIENT_FAILURES, 0))
    if episodes.is_open(tools.peek, *WAITING):
        skip = max(skip, WAITING_WAIT)
    was_asked_to_wait = not is_behind(tools.now, row.asked_at) and is_blocked(tools.now, row.not_before)
    return not was_asked_to_wait and has_passed(tools.now, row.asked_at, skip)


def holds_back(tools: Toolbox, trouble: Trouble) -> bool:
    """Whether it is this trouble that keeps the battery from being brought back, and not the hands it is in.

    While those have it, a look that fails changes nothing, and the next that succeeds would be an end of trouble:
    told at once, they would take turns. A command that does not show proves the battery free again.
    """
    return isinstance(trouble, NotConfirmed) or not episodes.is_open(tools.peek, *WAITING)


def _is_refused(tools: Toolbox, row: ServiceRow, *, releasing: bool) -> bool:
    """Whether a refused sign-in stands, and it is not yet time to ask once more all the same."""
    if row.refused_for is None or row.refused_for != wiring.tesla_fingerprint(tools.config):
        return False
    soon = releasing and row.failures <= REFUSED_SOON_TIMES
    return not has_passed(tools.now, row.refused_at, REFUSED_SOON if soon else REFUSED_WAIT)

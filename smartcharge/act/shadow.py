"""In the shadow of another controller: the Powerwall is read now and then, never set, and held against what is wanted.

Everything else runs as ever: the plan is asked for, the car is looked at, holds are decided and written down.
"""

from datetime import timedelta

from smartcharge import episodes
from smartcharge.act.access import TESLA, may_converse
from smartcharge.act.words import stance as in_words
from smartcharge.core.slots import slot_start
from smartcharge.core.stance import BatteryReading, Stance, is_already_holding
from smartcharge.errors import Trouble, Unreachable
from smartcharge.store import battery, holds, journal, transaction
from smartcharge.toolbox import Toolbox

COMMAND = "shadow"
RUN_BY = "reconcile"
"""Whose trouble it is: it ends with that command's next success, also where there is no shadow any more."""
AGREES, DIFFERS = "agrees", "differs"
SETTLING = timedelta(minutes=5)
"""So long may the other controller take to follow, into a half hour or a change of mind."""


def run(tools: Toolbox) -> None:
    """Look once in every half hour that has settled, with one row in the journal."""
    if not has_work(tools):
        return
    with episodes.alone(tools, RUN_BY):
        try:
            found = _look(tools)
        except Trouble as trouble:
            episodes.failed(tools, RUN_BY, TESLA, trouble)
        else:
            episodes.went_well(tools, RUN_BY, TESLA)
            _write_down(tools, found, is_holding=is_already_holding(found))


def has_work(tools: Toolbox) -> bool:
    """Whether the Powerwall is to be looked at: nothing of it is ours, and this half hour has settled unseen."""
    if not tools.config.control.shadow or tools.config.tesla is None or battery.memory(tools.peek).owned:
        return False
    slot = slot_start(tools.now)
    hold, last = holds.current(tools.peek), journal.last(tools.peek, COMMAND)
    since = max(slot, hold.opened_at if hold and hold.opened_at <= tools.now else slot)
    is_seen = last is not None and since <= last.at <= tools.now
    return tools.now - since >= SETTLING and not is_seen and may_converse(tools, releasing=False)


def _look(tools: Toolbox) -> BatteryReading:
    from smartcharge.act.conversation import conversation  # noqa: PLC0415  # twice an hour

    with conversation(tools, releasing=False) as talk:
        found = talk.powerwall.read_stance()
        if found.mode is None or found.reserve_pct is None:
            raise Unreachable("Tesla's answer lacks the operation mode or the backup reserve", service=TESLA)
    return found


def _write_down(tools: Toolbox, found: BatteryReading, *, is_holding: bool) -> None:
    hold = holds.current(tools.db)
    outcome = AGREES if is_holding == (hold is not None) else DIFFERS
    reads = in_words(Stance(found.mode or "", round(found.reserve_pct or 0)))
    detail = f"wanted: {'held' if hold else 'at rest'}; the Powerwall is in {reads}"
    with transaction(tools.db):
        because = hold.because if hold else None
        journal.append(tools.db, at=tools.now, command=COMMAND, because=because, outcome=outcome, detail=detail)

"""Bring about what was decided: record, act, verify; and stand back where the battery is somebody else's."""

from datetime import datetime

from msgspec.structs import replace

from smartcharge import episodes
from smartcharge.act import invites, reconcile, stance
from smartcharge.act.access import TESLA, holds_back
from smartcharge.act.reconcile import COMMAND
from smartcharge.act.stance import Result
from smartcharge.act.words import clock
from smartcharge.act.words import stance as in_words
from smartcharge.core.decide import decide
from smartcharge.core.model import Because, ChargerState, Decision, Situation, contiguous
from smartcharge.core.slots import SLOT, last_slot_end
from smartcharge.core.stance import Ending, Stance
from smartcharge.errors import DatabaseRefused, Trouble
from smartcharge.store import battery, holds, journal, owner, transaction
from smartcharge.toolbox import Toolbox

RESET = "midnight-reset"
"""Its trouble with Tesla is over, too, when Tesla serves again."""


def bring_about(tools: Toolbox, seen: Situation, decision: Decision) -> None:
    """Record, act, verify. The caller holds the lock."""
    decision = _recorded(tools, seen, decision)
    if not reconcile.is_pending(tools, seen, decision):
        return
    try:
        result = stance.hold(tools, decision.hold.until) if decision.hold else stance.release(tools)
    except Trouble as trouble:
        _note(tools, decision.because, outcome="failed", error=str(trouble))
        urgent = decision.hold is None and holds_back(tools, trouble)
        episodes.failed(tools, COMMAND, TESLA, trouble, urgent=urgent)
    else:
        episodes.went_well(tools, COMMAND, TESLA)
        episodes.went_well(tools, RESET, TESLA)
        _conclude(tools, seen, decision, result)


def _recorded(tools: Toolbox, seen: Situation, decision: Decision) -> Decision:
    """What could be written down: a hold that cannot be prolonged on a full disk ends when it is due."""
    try:
        record(tools, seen, decision)
    except DatabaseRefused:
        if not seen.due or decision.hold is None:
            raise
        seen = replace(seen, charger=ChargerState.UNKNOWN)
        decision = decide(seen)
        record(tools, seen, decision)
    return decision


def record(tools: Toolbox, seen: Situation, decision: Decision) -> None:
    """Commit the hold when it is decided: a crash afterwards leaves a promise that a later tick ends.

    A database that cannot be written stops every beginning, but no release.
    """
    if decision.hold == seen.hold:
        return
    around = next((span for span in contiguous(seen.windows) if span.covers(tools.now)), None)
    try:
        with transaction(tools.db):
            holds.change(tools.db, decision.hold, decision.because, tools.now, around.starts_at if around else None)
            journal.append(
                tools.db, at=tools.now, command=COMMAND, because=decision.because, situation=seen, outcome="decided"
            )
            invites.intend(tools)
    except DatabaseRefused as refused:
        if decision.hold is not None:
            raise
        tools.exit_codes.append(refused.exit_code)
        tools.tell(f"smartcharge: {refused}")
    if decision.hold is not None and not tools.sets_battery():
        reconcile.say_intent(tools, decision.hold.until, decision.because)


def _conclude(tools: Toolbox, seen: Situation, decision: Decision, result: Result) -> None:
    """Write down and say what came of it, and stand back where the battery is somebody else's."""
    if result.ending is Ending.WAITING:
        episodes.waiting(tools, COMMAND, f"{result.power} has the battery: nothing is written until it is over")
        return
    episodes.waited(tools, COMMAND)
    if result.ending is Ending.SETTLING:
        tools.detail("the battery rests, but an unanswered command may still take effect: it is read again")
        return
    if result.ending in {Ending.NOT_OURS, Ending.BY_HAND}:
        _stand_down(tools, seen, result)
        return
    mode, reserve_pct = result.reading.mode or "", round(result.reading.reserve_pct or 0)
    now_reads = in_words(Stance(mode, reserve_pct))
    until = f" until {clock(decision.hold.until, tools.policy.cheap_period.zone)}" if decision.hold else ""
    _note(tools, decision.because, outcome=str(result.ending), detail=f"{now_reads}{until}")
    tools.say(f"{clock(tools.now, tools.policy.cheap_period.zone)} Powerwall in {now_reads}{until}: "
              f"{decision.because.sentence}")  # fmt: skip


def _stand_down(tools: Toolbox, seen: Situation, result: Result) -> None:
    """Leave this window to whoever set the battery, say so, and end what is still ours."""
    around = next((span for span in contiguous(seen.windows) if span.covers(tools.now)), None)
    until = (last_slot_end(around.ends_at) if around else _held_until(seen)) + SLOT
    zone = tools.policy.cheap_period.zone
    was = "was held by somebody before" if result.ending is Ending.NOT_OURS else "was changed by hand"
    with transaction(tools.db):
        owner.stand_down(tools.db, tools.now, until)
        holds.change(tools.db, None, Because.STOOD_DOWN, tools.now)
        journal.append(
            tools.db, at=tools.now, command=COMMAND, because=Because.STOOD_DOWN, outcome=str(result.ending),
            detail=f"the battery {was}",
        )  # fmt: skip
        invites.intend(tools)
    tools.say(f"{clock(tools.now, zone)} the Powerwall {was} (it reads {_as_read(result)}): smartcharge stands down "
              f"until {clock(until, zone)}; `smartcharge resume` ends that")  # fmt: skip
    if battery.memory(tools.db).owned:
        reconcile.settle(tools)


def _held_until(seen: Situation) -> datetime:
    return seen.hold.until if seen.hold else seen.now


def _as_read(result: Result) -> str:
    return in_words(Stance(result.reading.mode or "", round(result.reading.reserve_pct or 0)))


def _note(
    tools: Toolbox, because: Because, *, outcome: str, error: str | None = None, detail: str | None = None
) -> None:
    """One journal row for what happened; a failure that repeats itself is written once."""
    last = journal.last(tools.peek, COMMAND)
    if error and last and (last.outcome, last.error) == (outcome, error):
        return
    try:
        with transaction(tools.db):
            journal.append(
                tools.db, at=tools.now, command=COMMAND, because=because, outcome=outcome, error=error, detail=detail
            )
    except DatabaseRefused as refused:
        tools.exit_codes.append(refused.exit_code)

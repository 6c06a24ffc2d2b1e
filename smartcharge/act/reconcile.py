"""Bring the Powerwall to the stance the policy wants: what is due is released before anything else is asked."""

from dataclasses import replace
from datetime import datetime

from smartcharge import episodes
from smartcharge.act import invites, stance
from smartcharge.act.charger import evidence, needs_question
from smartcharge.act.conversation import TESLA, may_converse
from smartcharge.act.stance import Ending, Result
from smartcharge.act.words import clock
from smartcharge.act.words import stance as in_words
from smartcharge.core.decide import decide, release_is_due
from smartcharge.core.model import Because, ChargerState, Decision, Situation, contiguous
from smartcharge.core.slots import SLOT, last_slot_end
from smartcharge.core.stance import Stance
from smartcharge.errors import DatabaseRefused, Trouble, Unreachable
from smartcharge.store import battery, holds, journal, owner, situation, transaction
from smartcharge.toolbox import Toolbox

COMMAND = "reconcile"
CLOCK = "clock"
RESET = "midnight-reset"
"""Its trouble with Tesla is over, too, when Tesla serves again."""


def run(tools: Toolbox) -> None:
    """Look first, without the lock: a run with nothing to do takes none and writes nothing."""
    if tools.dry_run:
        rehearse(tools)
        return
    if has_work(tools):
        with tools.alone():
            settle(tools)
    elif not battery.memory(tools.peek).owned and situation.load(tools.peek, tools.now, tools.policy).hold is None:
        episodes.waited(tools, COMMAND, "the battery is no longer waited for")
    _tell_of_the_clock(tools)


def run_due_release(tools: Toolbox) -> None:
    """The part of a tick that comes before Kraken and the Zappi are asked anything."""
    seen = situation.load(tools.peek, tools.now, tools.policy)
    if not tools.dry_run and (release_is_due(seen) or (seen.hold is None and battery.memory(tools.peek).owned)):
        run(tools)


def has_work(tools: Toolbox) -> bool:
    """Whether there is anything to ask, to record or to bring about."""
    seen = situation.load(tools.peek, tools.now, tools.policy)
    if needs_question(tools, seen):
        return True
    seen = evidence(tools, seen)
    decision = decide(seen)
    return decision.hold != seen.hold or _is_pending(tools, seen, decision)


def settle(tools: Toolbox) -> None:
    """Load, decide, ask only what could matter, decide, record, act, verify. The caller holds the lock."""
    seen = evidence(tools, situation.load(tools.db, tools.now, tools.policy))
    decision = _recorded(tools, seen, decide(seen))
    if not _is_pending(tools, seen, decision):
        return
    try:
        result = stance.hold(tools) if decision.hold else stance.release(tools)
    except Trouble as trouble:
        _note(tools, decision.because, outcome="failed", error=str(trouble))
        episodes.failed(tools, COMMAND, TESLA, trouble, urgent=decision.hold is None)
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
        decision = decide(replace(seen, charger=ChargerState.UNKNOWN))
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
        tools.warn(f"smartcharge: {refused}")
    if tools.config.tesla is None and decision.hold is not None:
        _say_intent(tools, decision.hold.until, decision.because)


def _tell_of_the_clock(tools: Toolbox) -> None:
    """Told once when the clock goes wrong, and once when it is right again."""
    if not situation.clock_is_doubtful(tools.peek, tools.now):
        episodes.went_well(tools, COMMAND, CLOCK)
    else:
        reads = f"this machine's clock reads {tools.now:%Y-%m-%d %H:%M} UTC, which lies before what it wrote down"
        mend = "Let the network set it: `sudo timedatectl set-ntp true`"
        trouble = Unreachable(f"{reads}: nothing new is begun until it is right", hint=mend)
        episodes.failed(tools, COMMAND, CLOCK, trouble, urgent=True)


def rehearse(tools: Toolbox) -> None:
    """Say what would be done; the charger is asked where its answer matters, nothing is changed."""
    seen = evidence(tools, situation.load(tools.peek, tools.now, tools.policy))
    decision = decide(seen)
    memory = battery.memory(tools.peek)
    if decision.hold:
        if decision.hold != seen.hold or not memory.confirms(tools.holding):
            _say_intent(tools, decision.hold.until, decision.because)
    elif seen.hold or memory.owned:
        wanted = stance.rest(tools, memory)
        tools.say(f"would bring the Powerwall back to {in_words(wanted)}: {decision.because.sentence}")


def _is_pending(tools: Toolbox, seen: Situation, decision: Decision) -> bool:
    """Whether the battery is to be talked to: a confirmed hold is read back only when it is renewed."""
    memory, releasing = battery.memory(tools.peek), decision.hold is None
    new_or_unconfirmed = decision.hold != seen.hold or not (memory.owned and memory.confirms(tools.holding))
    pending = memory.owned if releasing else new_or_unconfirmed
    return pending and tools.config.tesla is not None and may_converse(tools, releasing=releasing)


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
        settle(tools)


def _held_until(seen: Situation) -> datetime:
    return seen.hold.until if seen.hold else seen.now


def _as_read(result: Result) -> str:
    return in_words(Stance(result.reading.mode or "", round(result.reading.reserve_pct or 0)))


def _say_intent(tools: Toolbox, until: datetime, because: Because) -> None:
    zone = tools.policy.cheap_period.zone
    tools.say(f"would put the Powerwall in {in_words(tools.holding)} until {clock(until, zone)}: {because.sentence}")


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

"""Bring the Powerwall to the stance the policy wants: what is due is released before anything else is asked."""

from datetime import datetime

from smartcharge import episodes
from smartcharge.act import holding, patience, shadow
from smartcharge.act.access import TESLA, may_converse
from smartcharge.act.charger import evidence, needs_question
from smartcharge.act.words import clock
from smartcharge.act.words import stance as in_words
from smartcharge.core.decide import decide, release_is_due
from smartcharge.core.model import Because, Decision, Situation
from smartcharge.errors import Unreachable
from smartcharge.store import battery, situation
from smartcharge.toolbox import Toolbox

COMMAND = "reconcile"
CLOCK = "clock"


def run(tools: Toolbox) -> None:
    """Look first, without the lock: a run with nothing to do takes none and writes nothing."""
    if tools.dry_run:
        rehearse(tools)
        return
    if has_work(tools):
        with episodes.alone(tools, COMMAND):
            settle(tools)
    elif not battery.memory(tools.peek).owned and situation.load(tools.peek, tools.now, tools.policy).hold is None:
        episodes.waited(tools, COMMAND, "the battery is no longer waited for")
    shadow.run(tools)
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
    return decision.hold != seen.hold or is_pending(tools, seen, decision)


def settle(tools: Toolbox) -> None:
    """Load, decide, ask only what could matter, decide, bring about what is to change. The caller holds the lock."""
    seen = evidence(tools, situation.load(tools.db, tools.now, tools.policy))
    decision = decide(seen)
    if decision.hold != seen.hold or is_pending(tools, seen, decision):
        from smartcharge.act.bring_about import bring_about  # noqa: PLC0415  # most questions change nothing

        bring_about(tools, seen, decision)


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
        if decision.hold != seen.hold or not holding.is_confirmed(tools, memory, decision.hold.until):
            say_intent(tools, decision.hold.until, decision.because)
    elif seen.hold or memory.owned:
        wanted = holding.rest(tools, memory)
        tools.say(f"would bring the Powerwall back to {in_words(wanted)}: {decision.because.sentence}")


def is_pending(tools: Toolbox, seen: Situation, decision: Decision) -> bool:
    """Whether the battery is to be talked to: a confirmed hold is read back only when it is renewed."""
    memory, hold = battery.memory(tools.peek), decision.hold
    pending = memory.owned
    if hold is not None:
        pending = hold != seen.hold or not holding.is_confirmed(tools, memory, hold.until)
    is_ours_to_set = tools.sets_battery(owned=memory.owned and hold is None)
    if not (pending and is_ours_to_set):
        return False
    may = may_converse(tools, releasing=hold is None)
    if not (may or tools.tesla_done):
        patience.explain(tools, TESLA)
    return may


def say_intent(tools: Toolbox, until: datetime, because: Because) -> None:
    """What would be held, where nothing may be."""
    zone = tools.policy.cheap_period.zone
    tools.say(f"would put the Powerwall in {holding.in_view(tools)} until {clock(until, zone)}: {because.sentence}")

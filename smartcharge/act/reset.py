"""The midnight reset: the resting stance is asserted once per cheap period, by whichever tick finds it due."""

from smartcharge import episodes
from smartcharge.act.access import TESLA, WAITING_WAIT, may_converse
from smartcharge.act.words import stance as in_words
from smartcharge.core.politeness import has_passed
from smartcharge.core.slots import Span
from smartcharge.store import battery, journal, owner, services, situation, transaction
from smartcharge.toolbox import Toolbox

COMMAND = "midnight-reset"
POSTPONED = "postponed"


def run(tools: Toolbox) -> None:
    """May run every minute; it finds out by the cheap period whether it is due, never by cron's time zone."""
    night = due_in(tools)
    if night is None:
        return
    if tools.dry_run:
        tools.say(f"would bring the Powerwall to {in_words(tools.resting)}: midnight reset")
        return
    with episodes.alone(tools, COMMAND):
        if due_in(tools) is not None:
            from smartcharge.act.assert_rest import assert_rest  # noqa: PLC0415  # once a night

            assert_rest(tools, night)


def has_work(tools: Toolbox) -> bool:
    """Whether this night's reset is still to be done, or to be postponed."""
    night = tools.policy.cheap_period.holding(tools.now)
    is_ours_to_set = tools.sets_battery(owned=battery.memory(tools.peek).owned)
    return night is not None and is_ours_to_set and not _is_done(tools, night)


def due_in(tools: Toolbox) -> Span | None:
    """The cheap period whose reset is still to be done, and may be tried now."""
    night = tools.policy.cheap_period.holding(tools.now)
    owned = battery.memory(tools.peek).owned
    if night is None or not tools.sets_battery(owned=owned) or situation.clock_is_doubtful(tools.peek, tools.now):
        return None
    if _is_done(tools, night) or _is_paused(tools, night) or not may_converse(tools, releasing=owned):
        return None
    return night if owned or _may_look_again(tools, night) else None


def _is_done(tools: Toolbox, night: Span) -> bool:
    """Whether the battery was seen at rest this night, or nothing is ours and only what is ours is to be ended."""
    memory = battery.memory(tools.peek)
    rested = memory.rested_at is not None and night.starts_at <= memory.rested_at <= tools.now
    return rested or (tools.config.control.restore == "previous" and not memory.owned)


def _is_paused(tools: Toolbox, night: Span) -> bool:
    """A pause postpones the reset inside the same cheap period, with one row in the journal."""
    pause = owner.paused(tools.peek)
    paused = pause is not None and (pause.until is None or tools.now < pause.until)
    if paused and not tools.dry_run:
        postpone(tools, night, "paused by the owner")
    return paused


def _may_look_again(tools: Toolbox, night: Span) -> bool:
    """A battery in other hands is looked at every few minutes, not every minute."""
    last = journal.last(tools.peek, COMMAND)
    postponed = last is not None and last.outcome == POSTPONED and last.at >= night.starts_at
    return not postponed or has_passed(tools.now, services.service(tools.peek, TESLA).asked_at, WAITING_WAIT)


def postpone(tools: Toolbox, night: Span, why: str) -> None:
    """Write down once a night, and for each reason, why the reset has to wait."""
    last = journal.last(tools.peek, COMMAND)
    if last is None or last.at < night.starts_at or (last.outcome, last.detail) != (POSTPONED, why):
        with transaction(tools.db):
            journal.append(tools.db, at=tools.now, command=COMMAND, outcome=POSTPONED, detail=why)

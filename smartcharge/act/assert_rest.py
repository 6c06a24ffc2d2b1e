"""Assert the resting stance for this night: one conversation, and what is said of it."""

from smartcharge import episodes
from smartcharge.act import stance
from smartcharge.act.access import TESLA, WAITING, holds_back
from smartcharge.act.reset import COMMAND, postpone
from smartcharge.act.words import clock
from smartcharge.act.words import stance as in_words
from smartcharge.core.slots import Span
from smartcharge.core.stance import Ending, Stance
from smartcharge.errors import Trouble
from smartcharge.store import battery, journal, services, transaction
from smartcharge.toolbox import Toolbox


def assert_rest(tools: Toolbox, night: Span) -> None:
    """One conversation; the caller holds the lock."""
    try:
        result = stance.reset(tools)
    except Trouble as trouble:
        urgent = battery.memory(tools.db).owned and holds_back(tools, trouble)
        episodes.failed(tools, COMMAND, TESLA, trouble, urgent=urgent)
        return
    episodes.went_well(tools, COMMAND, TESLA)
    if result.ending is Ending.WAITING:
        postpone(tools, night, f"{result.power} has the battery")
        with transaction(tools.db):
            services.asked(tools.db, TESLA, tools.now)
        return
    episodes.waited(tools, WAITING[0])
    if result.ending is Ending.SETTLING:
        return
    reads = in_words(Stance(result.reading.mode or "", round(result.reading.reserve_pct or 0)))
    with transaction(tools.db):
        outcome = "written" if result.written else "already at rest"
        journal.append(tools.db, at=tools.now, command=COMMAND, outcome=outcome, detail=reads)
    if result.written:
        tools.say(f"{clock(tools.now, tools.policy.cheap_period.zone)} midnight reset: Powerwall in {reads}")

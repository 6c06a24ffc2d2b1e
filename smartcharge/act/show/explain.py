"""Why the battery stands as it stands: now from what is remembered, at a past minute from the journal."""

from datetime import datetime, timedelta
from itertools import takewhile

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.act.show.explain_facts import Evidence, Fact, facts
from smartcharge.act.show.record import LEFT_TO_OTHERS
from smartcharge.core.answers import ChargerReading
from smartcharge.core.decide import decide
from smartcharge.core.explain import Next, Otherwise, ahead, otherwise
from smartcharge.core.model import Decision, Situation
from smartcharge.core.politeness import CHARGER_CALM, has_passed
from smartcharge.core.record import left_to_others
from smartcharge.core.stance import BatteryMemory
from smartcharge.store import battery, dispatches, fetches, holds, journal, readings, situation
from smartcharge.store.holds import OpenHold
from smartcharge.store.journal import JournalRow
from smartcharge.toolbox import Toolbox

LOOKED_BACK = timedelta(hours=1)
"""A reading of the charger from longer ago says nothing of a past decision."""
A_SECOND, A_DAY = timedelta(seconds=1), timedelta(days=1)


class Past(Struct, frozen=True):
    """What the journal adds to a past decision: its row, what came of it, and the next decision, where there is one."""

    row: JournalRow
    came_of_it: tuple[JournalRow, ...]
    following: JournalRow | None


class Explanation(Struct, frozen=True):
    """A decision with what led to it, what would have changed it, and what comes next.

    at: the minute that was asked about. hold: the open one, where it is decided now. battery: what is remembered of
    it, None where none is configured. past: None where it is decided now.
    """

    at: datetime
    seen: Situation
    decision: Decision
    facts: tuple[Fact, ...]
    otherwise: tuple[Otherwise, ...]
    ahead: tuple[Next, ...]
    hold: OpenHold | None = None
    battery: BatteryMemory | None = None
    past: Past | None = None

    @property
    def agrees(self) -> bool:
        """Whether the rule that decided then decides today."""
        return self.past is None or self.decision.because is self.past.row.because


def of_now(tools: Toolbox) -> Explanation:
    """What a run would decide now if it asked nobody; nothing is asked, nothing is written."""
    db, now = tools.peek, tools.now
    last, held = readings.last_charger(db), holds.current(db)
    reading = last.reading if last else None
    seen = situation.load(db, now, tools.policy)
    if reading and not has_passed(now, reading.at, CHARGER_CALM):
        seen = replace(seen, charger=reading.state)
    answers = [each.last_ok_at for each in fetches.devices(db) if each.watched and each.last_ok_at]
    known = _evidence(tools, seen, reading, max(answers, default=None))
    memory = battery.memory(db) if tools.config.tesla else None
    return replace(_explained(now, seen, known), hold=held, battery=memory)


def of_past(tools: Toolbox, at: datetime) -> Explanation | None:
    """The newest decision up to a past minute, decided again; None where nothing had been decided by then."""
    found = _past(tools, at)
    if found is None:
        return None
    past, seen = found
    near = readings.chargers(tools.peek, seen.now - LOOKED_BACK, seen.now + A_SECOND)
    answered_at = max((window.seen_at for window in seen.windows), default=None)
    known = _evidence(tools, seen, near[-1] if near else None, answered_at)
    return replace(_explained(at, seen, known), past=past)


def _past(tools: Toolbox, at: datetime) -> tuple[Past, Situation] | None:
    """The newest decision up to a moment with what it knew; to leave a window to somebody else is one, too."""
    row = journal.last_decided(tools.peek, at)
    if row is None or (seen := row.situation) is None:
        return None
    rows = journal.rows(tools.peek, since=row.at, until=at + A_DAY)
    later = [each for each in rows if each.id > row.id and each.because]
    following = next((each for each in later if each.situation_json), None)
    came_of_it = tuple(each for each in takewhile(lambda each: each is not following, later) if each.at <= at)
    if left := next((each for each in came_of_it if each.outcome in LEFT_TO_OTHERS), None):
        row, seen = left, replace(seen, now=left.at, hold=None, stand_down=left_to_others(left.at))
    return Past(row, came_of_it, following), seen


def _explained(at: datetime, seen: Situation, known: Evidence) -> Explanation:
    return Explanation(at, seen, decide(seen), facts(seen, known), otherwise(seen), ahead(seen))


def _evidence(
    tools: Toolbox, seen: Situation, reading: ChargerReading | None, answered_at: datetime | None
) -> Evidence:
    db, now = tools.peek, seen.now
    opened = (held.opened_at for held in holds.history(db, now - A_SECOND, now + A_SECOND) if held.opened_at < now)
    rows = dispatches.history(db, now - dispatches.LOOK_BACK, dispatches.EVER, tools.now)
    named = {(row.device, row.starts_at, row.ends_at): row.first_seen_at for row in rows if row.kind == "planned"}
    return Evidence(reading, answered_at, next(opened, None), named)

"""What is written down of past minutes, gathered so that they can be decided again."""

from collections.abc import Iterable, Iterator

from smartcharge.core.record import PLAN_MATTERS, SAME_CHARGE, Record, Sighting
from smartcharge.core.slots import Span, last_noon
from smartcharge.store import dispatches, journal, readings, situation
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.journal import JournalRow
from smartcharge.toolbox import Toolbox

ASKS_THE_SUPPLIER = "fetch-dispatches"
TROUBLE, WELL_AGAIN = "trouble", "well again"
LEFT_TO_OTHERS = {"not ours", "changed by hand"}
"""Outcomes in the journal after which the window was left to whoever set the battery."""


def gather(tools: Toolbox, span: Span) -> Record:
    """Everything that the memory tells of a span, from the noon before it."""
    db = tools.peek
    since = last_noon(span.starts_at, tools.policy.cheap_period.zone)
    before = journal.last_decided(db, since)
    rows = [*([before] if before else []), *journal.rows(db, since=since, until=span.ends_at)]
    planned = dispatches.history(db, since - PLAN_MATTERS, span.ends_at + PLAN_MATTERS, tools.now)
    return Record(
        sightings=tuple(_sighting(row) for row in planned if row.kind == "planned"),
        readings=readings.chargers(db, since - SAME_CHARGE, span.ends_at + SAME_CHARGE),
        known=tuple(known for row in rows if (known := row.situation) is not None),
        stood_down_at=tuple(row.at for row in rows if row.situation_json is None and row.outcome in LEFT_TO_OTHERS),
        outages=tuple(_outages(rows, Span(since, tools.now))),
        latest=situation.load(db, tools.now, tools.policy),
    )


def _outages(rows: Iterable[JournalRow], whole: Span) -> Iterator[Span]:
    """From each word of the supplier's trouble to the next that all is well; what is open at an end goes beyond it."""
    told = [row for row in rows if row.command == ASKS_THE_SUPPLIER and row.outcome in {TROUBLE, WELL_AGAIN}]
    began_at = whole.starts_at if told and told[0].outcome == WELL_AGAIN else None
    for row in told:
        if row.outcome == TROUBLE:
            began_at = began_at or row.at
        elif began_at:
            yield Span(began_at, row.at)
            began_at = None
    if began_at:
        yield Span(began_at, whole.ends_at)


def _sighting(row: ListedDispatch) -> Sighting:
    return Sighting(row.starts_at, row.ends_at, row.first_seen_at, row.device, row.withdrawn_at)

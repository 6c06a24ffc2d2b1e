"""What is written down of past minutes, gathered so that they can be decided again."""

from collections.abc import Iterable, Iterator

from smartcharge.app import App
from smartcharge.policy.replay import ENDED_WINDOW_KEPT_FOR, SAME_CHARGE_MAX_GAP, RecordedWindow, ReplayData
from smartcharge.policy.slots import Span, last_noon
from smartcharge.store.control import load_state
from smartcharge.store.dispatches import DispatchRow, load_dispatch_history
from smartcharge.store.events import MANUAL_OVERRIDES, Event
from smartcharge.store.journal import JournalRow, load_journal, load_last_decision
from smartcharge.store.readings import load_charger_readings

SUPPLIER_FETCH_COMMAND = "fetch-dispatches"
HOLD_ENDS = {*MANUAL_OVERRIDES, Event.RELEASED}
"""Events that end a hold without a decision: a manual override, and a release by the hold file."""


def load_replay_data(app: App, span: Span) -> ReplayData:
    """Everything that the memory tells of a span, from the noon before it."""
    db = app.read_only_db
    since = last_noon(span.starts_at, app.policy.cheap_period.zone)
    before = load_last_decision(db, since)
    rows = [*([before] if before else []), *load_journal(db, since=since, until=span.ends_at)]
    planned = load_dispatch_history(db, since - ENDED_WINDOW_KEPT_FOR, span.ends_at + ENDED_WINDOW_KEPT_FOR, app.now)
    return ReplayData(
        recorded_windows=tuple(_recorded_window(row) for row in planned if row.kind == "planned"),
        readings=load_charger_readings(db, since - SAME_CHARGE_MAX_GAP, span.ends_at + SAME_CHARGE_MAX_GAP),
        known=tuple(known for row in rows if (known := row.state) is not None),
        stood_down_at=tuple(row.at for row in rows if row.state is None and row.outcome in HOLD_ENDS),
        outages=tuple(_supplier_outages(rows, Span(since, app.now))),
        latest=load_state(db, app.now, app.policy),
    )


def _supplier_outages(rows: Iterable[JournalRow], whole: Span) -> Iterator[Span]:
    """From each word of the supplier's trouble to the next that all is well; what is open at an end goes beyond it."""
    reports = [
        row for row in rows if row.command == SUPPLIER_FETCH_COMMAND and row.outcome in {Event.TROUBLE, Event.RESOLVED}
    ]
    began_at = whole.starts_at if reports and reports[0].outcome is Event.RESOLVED else None
    for row in reports:
        if row.outcome is Event.TROUBLE:
            began_at = began_at or row.at
        elif began_at:
            yield Span(began_at, row.at)
            began_at = None
    if began_at:
        yield Span(began_at, whole.ends_at)


def _recorded_window(row: DispatchRow) -> RecordedWindow:
    return RecordedWindow(row.starts_at, row.ends_at, row.first_seen_at, row.device, row.withdrawn_at)

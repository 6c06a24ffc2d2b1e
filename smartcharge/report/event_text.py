"""The journal's events as sentences; times are local."""

from smartcharge.alerts import alert_subject
from smartcharge.formatting import local_date_time, settings_text
from smartcharge.policy.battery import BatterySettings
from smartcharge.policy.model import Reason
from smartcharge.store.events import READ_BACKS, Event
from smartcharge.store.journal import JournalRow

DECISION_TEXTS = {
    Reason.CHARGING_IN_WINDOW: "decided to charge the Powerwall from the grid",
    Reason.OVERRUN: "decided to go on charging the Powerwall",
}
EVENT_TEXTS = {
    Event.TROUBLE: "",
    Event.FAILED: "did not work",
    Event.WAITING: "",
    Event.WAITED: "continues, there is nothing more to wait for",
    Event.CHANGED: "",
    Event.SENT: "",
    Event.CONFIRMED: "Powerwall",
    Event.WRITTEN: "Powerwall",
    Event.AT_REST: "the Powerwall was already back to normal",
    Event.BY_HAND: "leaves the Powerwall alone",
    Event.HELD_BY_OTHERS: "leaves the Powerwall alone",
    Event.REMARKED: "noticed",
}
"""What an event is called; "" where its detail says all, its own word where it is not listed."""


def event_sentence(row: JournalRow, zone: str) -> str:
    """One entry of the journal as a sentence of clauses."""
    why = row.reason.sentence if row.reason else None
    if row.outcome is Event.DECIDED:
        return _join_clauses(
            DECISION_TEXTS.get(row.reason or Reason.SLOT_ENDS, "decided to return the Powerwall to normal"), why
        )
    if row.outcome is Event.RESOLVED and row.detail.subject:
        return f"{alert_subject(row.detail.subject)} works again"
    return _join_clauses(EVENT_TEXTS.get(row.outcome, row.outcome), event_detail(row, zone), row.error or why)


def event_detail(row: JournalRow, zone: str) -> str | None:
    """What an entry is about, in words; None where there is nothing to say."""
    detail = row.detail
    is_read_back = row.outcome in READ_BACKS and detail.mode is not None
    if detail.text is not None and not is_read_back:
        return detail.text
    parts = []
    if detail.mode is not None and detail.reserve_pct is not None:
        parts.append(settings_text(BatterySettings(detail.mode, detail.reserve_pct)))
    if detail.until is not None:
        parts.append(f"until {local_date_time(detail.until, row.at, zone)}")
    elif row.outcome is Event.PAUSED:
        parts.append("until resumed")
    return " ".join(parts) or detail.lockout or (detail.subject if row.outcome is Event.RESOLVED else None)


def _join_clauses(*clauses: str | None) -> str:
    return ": ".join(dict.fromkeys(clause.rstrip(".") for clause in clauses if clause))

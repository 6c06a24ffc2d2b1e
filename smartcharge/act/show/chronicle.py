"""What was written down and planned in a span of time: for people in plain words, for programs as rows."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from smartcharge.act.show.plain_words import entry
from smartcharge.act.words import clock, span
from smartcharge.store import dispatches, journal
from smartcharge.store.dispatches import ListedDispatch
from smartcharge.store.journal import JournalRow
from smartcharge.store.times import to_text, to_text_or_none
from smartcharge.toolbox import Toolbox

COLUMNS = ("at", "kind", "what", "because", "outcome", "start", "end", "energy_kwh", "detail", "error")
PLANS = "fetch-dispatches"
"""Whose harvest the dispatches are."""

Noted = JournalRow | ListedDispatch


def gather(tools: Toolbox, since: datetime, until: datetime, commands: Collection[str] = ()) -> list[Noted]:
    """Journal entries of these commands (none named: of all) and dispatches in [since, until), by time."""
    noted = journal.rows(tools.peek, since=since, until=until)
    wanted: list[Noted] = [row for row in noted if not commands or row.command in commands]
    if not commands or PLANS in commands:
        wanted += dispatches.history(tools.peek, since, until, tools.now)
    return sorted(wanted, key=_at)


def as_row(noted: Noted) -> dict[str, object]:
    """The columns of one entry; unknown is None."""
    known = _journal_row(noted) if isinstance(noted, JournalRow) else _dispatch_row(noted)
    return {column: known.get(column) for column in COLUMNS}


def as_line(noted: Noted, now: datetime, zone: str) -> tuple[str, str]:
    """When it was, and what, in plain words and local time."""
    at = _at(noted).astimezone(ZoneInfo(zone))
    year = f" {at.year}" if at.year != now.astimezone(ZoneInfo(zone)).year else ""
    head = f"{at:%a %d %b}{year} {clock(at, zone)}  "
    return head, f"{noted.command}: {entry(noted)}" if isinstance(noted, JournalRow) else _dispatch(noted, zone)


def _at(noted: Noted) -> datetime:
    return noted.at if isinstance(noted, JournalRow) else noted.first_seen_at


def _dispatch(row: ListedDispatch, zone: str) -> str:
    about = f", about {row.energy_kwh:.1f} kWh" if row.energy_kwh else ""
    fate = ", replaced by another" if row.superseded_by else ", withdrawn" if row.withdrawn_at else ""
    return f"{row.kind} window {span(row.starts_at, row.ends_at, zone)}{about}{fate}"


def _journal_row(row: JournalRow) -> dict[str, object]:
    return {
        "at": to_text(row.at),
        "kind": "journal",
        "what": row.command,
        "because": row.because,
        "outcome": row.outcome,
        "detail": row.detail,
        "error": row.error,
    }


def _dispatch_row(row: ListedDispatch) -> dict[str, object]:
    return {
        "at": to_text(row.first_seen_at),
        "kind": "dispatch",
        "what": row.kind,
        "outcome": "superseded" if row.superseded_by else "withdrawn" if row.withdrawn_at else None,
        "start": to_text(row.starts_at),
        "end": to_text(row.ends_at),
        "energy_kwh": row.energy_kwh,
        "detail": to_text_or_none(row.withdrawn_at),
    }

"""The journal: what was decided anew, done, or failed, with all that the decision knew."""

import sqlite3
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import MsgspecError, Struct, json, structs

from smartcharge.policy.model import Reason, State
from smartcharge.store.events import NO_DETAIL, Event, EventDetail
from smartcharge.store.rows import (
    MAX_ENERGY_KWH,
    VALID_YEARS,
    RefusedValueError,
    StoreRow,
    parse_first,
    parse_rows,
)
from smartcharge.store.times import format_instant
from smartcharge.text import to_one_line

MAX_DURATION = timedelta(days=366)
"""No duration that a decision knows is longer; a clock that was wrong leaves some that are longer than a day."""
UNBOUNDED_TIME_TEXTS = ("", "~")
"""Texts before and after any time."""


class JournalRow(Struct, frozen=True):
    """One entry. state: what the decision knew, equal to what it was then; None where nothing was decided."""

    id: int
    at: datetime
    command: str
    outcome: Event
    reason: Reason | None = None
    state: State | None = None
    error: str | None = None
    detail: EventDetail = NO_DETAIL


def append_journal(
    db: sqlite3.Connection,
    *,
    at: datetime,
    command: str,
    reason: Reason | None = None,
    state: State | None = None,
    outcome: Event,
    error: str | None = None,
    detail: EventDetail | str | None = None,
) -> None:
    """Add an entry. error, and the detail's text (or a detail that is text alone): one line each, without secrets."""
    db.execute(
        "INSERT INTO journal (at, command, because, situation, outcome, error, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            format_instant(at),
            command,
            reason,
            None if state is None else _encode_state(state),
            outcome,
            _one_line_or_none(error),
            _encode_detail(detail),
        ),
    )


def load_journal(
    db: sqlite3.Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    command: str | None = None,
    limit: int | None = None,
) -> tuple[JournalRow, ...]:
    """Give the entries in [since, until), oldest first; limit: only so many, the newest."""
    found = db.execute(
        """
        SELECT * FROM journal WHERE at >= :since AND at < :until AND (:command IS NULL OR command = :command)
        ORDER BY at DESC, id DESC LIMIT :limit
        """,
        {
            "since": UNBOUNDED_TIME_TEXTS[0] if since is None else format_instant(since),
            "until": UNBOUNDED_TIME_TEXTS[1] if until is None else format_instant(until),
            "command": command,
            "limit": -1 if limit is None else limit,
        },
    ).fetchall()
    return parse_rows(db, "journal", reversed(found), journal_row_from_row)


def load_newest_journal_at(db: sqlite3.Connection, before: datetime, *, first_id: int = 0) -> datetime | None:
    """Give the newest stamp up to a moment, whichever run wrote it; a migration dates its row by what it found.

    first_id: of the first entry that counts.
    """
    query = "SELECT id, at FROM journal WHERE at <= ? AND id >= ? AND command <> 'migration' ORDER BY at DESC"
    rows = db.execute(query, (format_instant(before), first_id))
    return parse_first(db, "journal", rows, lambda row: row.instant("at"))


def load_last_journal_id(db: sqlite3.Connection, command: str) -> int:
    """Give the number of the entry that a command wrote last; 0 where it wrote none."""
    found: int = db.execute("SELECT COALESCE(MAX(id), 0) FROM journal WHERE command = ?", (command,)).fetchone()[0]
    return found


def load_last_decision(db: sqlite3.Connection, until: datetime) -> JournalRow | None:
    """Give the newest entry, up to and including a moment, in which something was decided."""
    query = "SELECT * FROM journal WHERE at <= ? AND situation IS NOT NULL ORDER BY at DESC, id DESC"
    return parse_first(db, "journal", db.execute(query, (format_instant(until),)), journal_row_from_row)


def load_last_journal_row(db: sqlite3.Connection, command: str) -> JournalRow | None:
    """Give the entry a command wrote last, whatever the clock said then."""
    rows = db.execute("SELECT * FROM journal WHERE command = ? ORDER BY id DESC", (command,))
    return parse_first(db, "journal", rows, journal_row_from_row)


def _one_line_or_none(text: str | None) -> str | None:
    return None if text is None else to_one_line(text)


def journal_row_from_row(row: StoreRow) -> JournalRow:
    """Parse a row of the table `journal`."""
    state = row.optional_text("situation")
    return JournalRow(
        id=row.integer("id"),
        at=row.instant("at"),
        command=row.text("command"),
        outcome=row.member("outcome", Event),
        reason=row.optional_member("because", Reason),
        state=None if state is None else _decode_state(state),
        error=row.optional_text("error"),
        detail=_detail_from_row(row),
    )


def _detail_from_row(row: StoreRow) -> EventDetail:
    text = row.optional_text("detail")
    if text is None:
        return NO_DETAIL
    try:
        detail = json.decode(text, type=EventDetail)
    except (MsgspecError, ValueError):
        raise RefusedValueError("detail", "is not what an event is about") from None
    if not all(map(_is_plausible, _values_within(detail))):
        raise RefusedValueError("detail", "holds a time or a number out of range")
    return detail


def _encode_detail(detail: EventDetail | str | None) -> str | None:
    if isinstance(detail, str):
        detail = EventDetail(text=detail)
    if detail is None or detail == NO_DETAIL:
        return None
    return json.encode(structs.replace(detail, text=_one_line_or_none(detail.text))).decode()


def _decode_state(text: str) -> State:
    """Decode what a decision knew; `RefusedValueError` for what no decision can have known."""
    try:
        state = json.decode(text, type=State)
        ZoneInfo(state.policy.cheap_period.zone)
    except (MsgspecError, ValueError, OverflowError, OSError, KeyError):
        raise RefusedValueError("situation", "is not what a decision knew") from None
    if not all(map(_is_plausible, _values_within(state))):
        raise RefusedValueError("situation", "holds a time or a number out of range")
    return state


def _values_within(value: object) -> Iterator[object]:
    """Every value in a structure, however deep."""
    if isinstance(value, Struct):
        for name in value.__struct_fields__:
            yield from _values_within(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from _values_within(each)
    else:
        yield value


def _is_plausible(value: object) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is not None and value.year in VALID_YEARS
    if isinstance(value, timedelta):
        return abs(value) <= MAX_DURATION
    return not isinstance(value, float) or abs(value) <= MAX_ENERGY_KWH


def _encode_state(state: State) -> str:
    return json.encode(state).decode()


TableRow = Mapping[str, str | int | float | None]

NEWEST_ROWS_QUERIES: dict[str, str] = {
    "alerts": "SELECT * FROM alerts ORDER BY since DESC, command, kind LIMIT ?",
    "services": "SELECT * FROM services ORDER BY service LIMIT ?",
    "devices": "SELECT * FROM fetches ORDER BY device LIMIT ?",
    "battery": "SELECT * FROM battery LIMIT ?",
    "owner": "SELECT * FROM owner LIMIT ?",
    "holds": "SELECT * FROM holds ORDER BY id DESC LIMIT ?",
    "journal": "SELECT at, command, because, outcome, detail, error FROM journal ORDER BY id DESC LIMIT ?",
}
"""What is looked at, and how it is found; no mail, and nothing that a decision knew."""


def read_schema_version(db: sqlite3.Connection) -> int:
    """Give the number of the last migration step."""
    version: int = db.execute("PRAGMA user_version").fetchone()["user_version"]
    return version


def count_table_rows(db: sqlite3.Connection) -> dict[str, int]:
    """Count the rows of every table, by its name."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    counts = {row["name"]: f'SELECT COUNT(*) AS rows FROM "{row["name"]}"' for row in tables}  # noqa: S608  # our own
    return {name: db.execute(count).fetchone()["rows"] for name, count in counts.items()}


def load_newest_rows(db: sqlite3.Connection, what: str, limit: int) -> list[TableRow]:
    """Give the newest rows of one of `NEWEST`, the newest first, by their columns."""
    return [dict(row) for row in db.execute(NEWEST_ROWS_QUERIES[what], (limit,)).fetchall()]


PRUNE_BATCH_ROWS = 200
"""Rows of each table: many times what a night's answers come to in a day, and a few pages of the disk."""


def prune_history(db: sqlite3.Connection, before: datetime) -> None:
    """Delete some of the oldest rows that are older than that; where there are none, nothing is written."""
    for table in ("journal", "readings"):
        db.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE at < ? ORDER BY at LIMIT ?)",  # noqa: S608
            (format_instant(before), PRUNE_BATCH_ROWS),
        )

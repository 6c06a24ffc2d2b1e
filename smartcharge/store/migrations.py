"""The numbered steps that bring an empty or older database to the present; imported only where steps are missing."""

import logging
import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby

from msgspec import Struct, json
from sqlite_utils import Database, Migrations

from smartcharge.errors import StoreError
from smartcharge.store.events import READ_BACKS, Event, EventDetail
from smartcharge.store.schema import (
    APPLICATION_ID,
    BATTERY_SITE_SCHEMA,
    EVENTS_SCHEMA,
    IDLE_FORECAST_SCHEMA,
    INITIAL_SCHEMA,
    INVITES_SCHEMA,
    JOURNAL_TRIGGER,
    LEDGER_AND_IDLE_SCHEMA,
    LEGACY_TABLES,
    SERVICES_TABLE,
    SOLAR_SCHEMA,
    TIMED_HOLD_SCHEMA,
)
from smartcharge.store.times import UNIX_EPOCH, format_instant, format_optional_instant

log = logging.getLogger(__name__)

LEGACY_TABLE_PREFIX = "legacy_"


class LegacyDispatch(Struct, frozen=True):
    """One row as it was, with its times understood; delta_kwh: negative = import."""

    start: datetime
    end: datetime
    delta_kwh: float | None
    type: str | None
    source: str | None
    location: str | None
    gcal_event_id: str | None
    gcal_sequence: int
    fetched_at: datetime | None

    @property
    def kind(self) -> str:
        """A dispatch was completed if it had no type and was over when last seen.

        The old service left the type empty for completed dispatches, and for planned ones from the
        plainer of its two queries as well; those it saw for the last time before they ended.
        """
        was_over = self.fetched_at is None or self.end <= self.fetched_at
        return "completed" if self.type is None and was_over else "planned"

    @property
    def key(self) -> tuple[str, datetime, datetime]:
        """What makes it the same dispatch, however its times were spelt."""
        return self.kind, self.start, self.end


def import_legacy_dispatches(db: sqlite3.Connection, tables: Sequence[str]) -> None:
    """Copy the old tables' rows into `dispatches`, merged; leaves a row in the journal that counts them."""
    rows = [row for table in tables for row in db.execute(f"SELECT * FROM {table}")]  # noqa: S608  # our own names
    parsed = [old for row in rows if (old := parse_legacy_row(dict(row))) is not None]
    last_seen_at = max((old.fetched_at for old in parsed if old.fetched_at), default=None)
    groups = [list(same) for _, same in groupby(sorted(parsed, key=lambda old: old.key), key=lambda old: old.key)]
    for same in groups:
        _insert_legacy_dispatch(db, merge_legacy_dispatches(same), _earliest_seen_at(same), last_seen_at)
    unclear = len(rows) - len(parsed)
    remark = f"{len(rows)} older rows became {len(groups)} dispatches; {unclear} with unclear times stay in {tables[0]}"
    log.info(remark)
    db.execute(
        "INSERT INTO journal (at, command, outcome, detail) VALUES (?, 'migration', 'taken over', ?)",
        (format_instant(last_seen_at or UNIX_EPOCH), remark),
    )


def parse_legacy_row(row: dict[str, object]) -> LegacyDispatch | None:
    """Read one old row; None where it does not say from when to when. Columns may be missing, and hold anything."""
    start, end = parse_legacy_instant(row["start"]), parse_legacy_instant(row["end"])
    if start is None or end is None or end <= start:
        return None
    delta, sequence = row.get("delta_kwh"), row.get("gcal_sequence")
    return LegacyDispatch(
        start=start,
        end=end,
        delta_kwh=float(delta) if isinstance(delta, int | float) else None,
        type=_text_or_none(row.get("type")),
        source=_text_or_none(row.get("source")),
        location=_text_or_none(row.get("location")),
        gcal_event_id=_text_or_none(row.get("gcal_event_id")),
        gcal_sequence=sequence if isinstance(sequence, int) else 0,
        fetched_at=parse_legacy_instant(row.get("fetched_at")),
    )


def parse_legacy_instant(value: object) -> datetime | None:
    """Read a time in any of the spellings that were stored; without an offset it meant UTC. Cut to the second."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        return None


def merge_legacy_dispatches(same: Iterable[LegacyDispatch]) -> LegacyDispatch:
    """One row for several spellings of the same dispatch: newest values, the event id, the highest sequence."""
    newest_first = sorted(same, key=lambda old: old.fetched_at or UNIX_EPOCH, reverse=True)
    highest_first = sorted(newest_first, key=lambda old: old.gcal_sequence, reverse=True)
    newest = newest_first[0]
    return LegacyDispatch(
        start=newest.start,
        end=newest.end,
        delta_kwh=next((old.delta_kwh for old in newest_first if old.delta_kwh is not None), None),
        type=newest.type,
        source=next((old.source for old in newest_first if old.source), None),
        location=next((old.location for old in newest_first if old.location), None),
        gcal_event_id=next((old.gcal_event_id for old in highest_first if old.gcal_event_id), None),
        gcal_sequence=highest_first[0].gcal_sequence,
        fetched_at=newest.fetched_at,
    )


def _insert_legacy_dispatch(
    db: sqlite3.Connection, old: LegacyDispatch, first_seen_at: datetime, last_seen_at: datetime | None
) -> None:
    was_upcoming = old.kind == "planned" and (last_seen_at is None or old.end > last_seen_at)
    db.execute(
        """
        INSERT INTO dispatches (kind, start, end, delta_kwh, type, source, location, gcal_event_id, gcal_sequence,
                                fetched_at, first_seen_at, withdrawn_at)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            old.kind,
            format_instant(old.start),
            format_instant(old.end),
            old.delta_kwh,
            old.type,
            old.source,
            old.location,
            old.gcal_event_id,
            old.gcal_sequence,
            format_instant(old.fetched_at or old.start),
            format_instant(first_seen_at),
            format_optional_instant((last_seen_at or old.start) if was_upcoming else None),
        ),
    )


def _earliest_seen_at(same: Iterable[LegacyDispatch]) -> datetime:
    return min(old.fetched_at or old.start for old in same)


def _text_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None


MIGRATIONS = Migrations("smartcharge")


@MIGRATIONS()
def m001_tables(db: Database) -> None:
    """Put what an older installation kept out of the way, and make every table."""
    for table in LEGACY_TABLES:
        if db.table(table).exists():
            db.execute(f"ALTER TABLE {table} RENAME TO {LEGACY_TABLE_PREFIX}{table}")
    for statement in INITIAL_SCHEMA:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")


@MIGRATIONS()
def m002_legacy_dispatches(db: Database) -> None:
    """Take an older installation's dispatches over as history; its own tables stay as they were."""
    tables = [name for table in LEGACY_TABLES if db.table(name := f"{LEGACY_TABLE_PREFIX}{table}").exists()]
    if tables:
        import_legacy_dispatches(db.conn, tables)
    db.execute("PRAGMA user_version = 2")


@MIGRATIONS()
def m003_invites(db: Database) -> None:
    """Make room for the calendar's events, and for what became of an attempt to post."""
    for statement in INVITES_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 3")


@MIGRATIONS()
def m004_ledger_and_quiet(db: Database) -> None:
    """Make room for what the ledger and the metrics count, and for how long there is nothing to do."""
    for statement in LEDGER_AND_IDLE_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 4")


@MIGRATIONS()
def m005_lease(db: Database) -> None:
    """Make room for how long a gateway has been asked to hold by itself."""
    for statement in TIMED_HOLD_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 5")


@MIGRATIONS()
def m006_foreseen(db: Database) -> None:
    """Keep what was foreseen with an answer beside the answer: a row, and so a page, less in every fetch."""
    for statement in IDLE_FORECAST_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 6")


@MIGRATIONS()
def m007_battery_site(db: Database) -> None:
    """Make room for whose battery is owned, and for commands that no reading has shown yet."""
    for statement in BATTERY_SITE_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 7")


@MIGRATIONS()
def m008_events(db: Database) -> None:
    """Give columns the program's own names, make values of what the journal told in words, and name no supplier."""
    for statement in EVENTS_SCHEMA:
        db.execute(statement)
    _rebuild_services(db.conn)
    for row in db.conn.execute("SELECT id, outcome, detail FROM journal WHERE detail IS NOT NULL").fetchall():
        if isinstance(row["detail"], str):
            detail = structure_detail(row["outcome"], row["detail"])
            db.conn.execute("UPDATE journal SET detail = ? WHERE id = ?", (json.encode(detail).decode(), row["id"]))
    db.execute(JOURNAL_TRIGGER)
    db.execute(CONFIRMED_HOLDS)
    db.execute("PRAGMA user_version = 8")


@MIGRATIONS()
def m009_solar_only(db: Database) -> None:
    """Store whether a charging car takes surplus solar power only."""
    for statement in SOLAR_SCHEMA:
        db.execute(statement)
    db.execute("PRAGMA user_version = 9")


CONFIRMED_HOLDS = """
    UPDATE holds SET confirmed_at = (
        SELECT MIN(at) FROM journal
        WHERE outcome = 'confirmed' AND at >= opened_at AND at < COALESCE(closed_at, '~')
            AND journal.because IN ('CHARGING_IN_WINDOW', 'OVERRUN', 'SLOT_ALREADY_CHEAP'))
    """
"""Which of the older holds the battery ever showed."""
OLD_MODE_NAMES = {"backup": "backup", "time-based control": "autonomous", "self-powered": "self_consumption"}
OLD_SETTINGS = re.compile(r"(?P<mode>[a-z_ -]+), reserve (?P<reserve>\d{1,3}) %( until .*)?")
"""How older versions told the settings of the battery."""


def structure_detail(outcome: object, text: str) -> EventDetail:
    """Make values of an older entry's words; the words stay for people."""
    if outcome == Event.RESOLVED:
        return EventDetail(subject=text)
    settings = OLD_SETTINGS.fullmatch(text) if outcome in READ_BACKS else None
    if settings is None:
        return EventDetail(text=text)
    mode = OLD_MODE_NAMES.get(settings["mode"], settings["mode"])
    return EventDetail(mode=mode, reserve_pct=int(settings["reserve"]), text=text)


def _rebuild_services(db: sqlite3.Connection) -> None:
    """Copy the table into one whose rule names no supplier; a row that breaks the rules is left behind."""
    rows = db.execute("SELECT * FROM services").fetchall()
    db.execute("DROP TABLE services")
    db.execute(SERVICES_TABLE)
    for row in rows:
        columns = ", ".join(row.keys())
        places = ", ".join("?" for _ in row)
        with suppress(sqlite3.IntegrityError, StoreError):
            db.execute(f"INSERT INTO services ({columns}) VALUES ({places})", tuple(row))  # noqa: S608  # our own names


def apply_migrations(db: sqlite3.Connection) -> None:
    """Take the missing steps, inside the caller's transaction."""
    MIGRATIONS.apply(Database(db, recursive_triggers=False, execute_plugins=False))

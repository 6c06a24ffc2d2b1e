"""Find the rows that cannot be read, and set them aside."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct

from smartcharge.errors import StoreError
from smartcharge.store.calendar import invite_from_row
from smartcharge.store.control import (
    battery_memory_from_row,
    hold_from_row,
    load_hold_history,
    owner_from_row,
)
from smartcharge.store.database import PRIVATE_FILE_MODE, open_store, transaction, translate_sqlite_errors
from smartcharge.store.devices import device_from_row
from smartcharge.store.dispatches import dispatch_from_row
from smartcharge.store.journal import journal_row_from_row
from smartcharge.store.outbox import message_from_row
from smartcharge.store.readings import battery_level_from_row, charger_row_from_row
from smartcharge.store.rows import KEY_COLUMNS, RefusedRow, RefusedValueError, StoreRow, row_key
from smartcharge.store.services import alert_from_row, service_from_row
from smartcharge.store.times import format_instant

HELD_WITHIN = timedelta(hours=24)
"""A battery whose ownership cannot be read counts as ours where a hold stood within so long."""


class RepairResult(Struct, frozen=True):
    """What a repair did. copy: the whole file as it was before, None where nothing had to be changed."""

    removed: tuple[RefusedRow, ...]
    copy: Path | None


def find_refused_rows(db: sqlite3.Connection) -> Iterator[RefusedRow]:
    """Give every row that cannot be read, table by table; nothing is written."""
    for table, parse in _parsers(db).items():
        for row in db.execute(f"SELECT * FROM {table}"):  # noqa: S608  # our own names
            try:
                parse(row)
            except RefusedValueError as error:
                yield RefusedRow(table, row_key(table, row), error.column, error.problem)


def repair_database(path: Path, now: datetime) -> RepairResult:
    """Copy the whole file, then delete the rows that cannot be read; raises `StoreError` where that is not enough.

    The copy stands beside the database, named after the moment. What the release needs is kept: a Powerwall that may
    have been held within the last day counts as ours, and the next run brings it back to the configured settings.
    """
    with closing(open_store(path)) as db:
        refused = tuple(find_refused_rows(db))
        if not refused and not _has_damaged_index(db):
            return RepairResult((), None)
        copy = _copy_aside(path, now)
        with transaction(db):
            for table in dict.fromkeys(each.table for each in refused):
                _remove_refused_rows(db, table, now)
            db.execute("DELETE FROM alerts WHERE kind = 'database'")
        db.execute("REINDEX")
        if left := next(find_refused_rows(db), None):
            raise StoreError(f"the database {path} still holds what cannot be read: {left}", fix=UNREPAIRABLE_FIX)
    return RepairResult(refused, copy)


UNREPAIRABLE_FIX = "Move the database aside: the next run makes a new one"


def _parsers(db: sqlite3.Connection) -> dict[str, Callable[[StoreRow], object]]:
    """The tables, each with what reads one of its rows."""
    return {
        "holds": hold_from_row,
        "battery": battery_memory_from_row,
        "owner": owner_from_row,
        "dispatches": dispatch_from_row,
        "fetches": device_from_row,
        "services": service_from_row,
        "readings": _parse_reading,
        "journal": journal_row_from_row,
        "alerts": alert_from_row,
        "events": invite_from_row,
        "outbox": partial(message_from_row, db),
        "installation": _parse_installation,
    }


def _parse_reading(row: StoreRow) -> object:
    if row.text("kind") == "battery":
        return battery_level_from_row(row)
    return charger_row_from_row(row)


def _parse_installation(row: StoreRow) -> tuple[str, str | None]:
    return row.text("salt"), row.optional_text("feed")


def _has_damaged_index(db: sqlite3.Connection) -> bool:
    return [row[0] for row in db.execute("PRAGMA integrity_check(1)")] != ["ok"]


def _copy_aside(path: Path, now: datetime) -> Path:
    """Copy the file byte for byte, for its owner alone, and onto the disk before anything is changed."""
    copy = path.with_name(f"{path.name}.before-repair-{now:%Y%m%dT%H%M%SZ}")
    with (
        translate_sqlite_errors(path),
        path.open("rb") as source,
        open(copy, "xb", opener=_open_private) as target,  # Path.open takes no opener
    ):
        shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    return copy


def _open_private(file: str, flags: int) -> int:
    return os.open(file, flags, PRIVATE_FILE_MODE)


def _remove_refused_rows(db: sqlite3.Connection, table: str, now: datetime) -> None:
    """Delete a table's unreadable rows, found by the bytes of their key."""
    parse, columns = _parsers(db)[table], KEY_COLUMNS.get(table, ("id",))
    key_bytes = ", ".join(f"CAST({column} AS BLOB) AS key_{column}" for column in columns)
    found = db.execute(f"SELECT *, {key_bytes} FROM {table}").fetchall()  # noqa: S608  # our own names
    matches = " AND ".join(f"CAST({column} AS BLOB) IS ?" for column in columns)
    for row in found:
        try:
            parse(row)
        except RefusedValueError:
            key = tuple(row[f"key_{column}"] for column in columns)
            if table == "dispatches":
                db.execute("UPDATE dispatches SET superseded_by = NULL WHERE CAST(superseded_by AS BLOB) IS ?", key)
            db.execute(f"DELETE FROM {table} WHERE {matches}", key)  # noqa: S608  # our own names
            _replace_single_row(db, table, row, now)


def _replace_single_row(db: sqlite3.Connection, table: str, row: StoreRow, now: datetime) -> None:
    """Put something readable in the place of a row that there is only one of."""
    if table == "battery" and (owned := _owned_values(db, row, now)) != (False, False):
        db.execute(
            "INSERT INTO battery (id, owned_since, owns_mode, owns_reserve, rate_plan_missing) VALUES (1, ?, ?, ?, 0)",
            (format_instant(now), *owned),
        )
    elif table == "installation":
        db.execute("INSERT INTO installation (id, salt) VALUES (1, lower(hex(randomblob(16))))")


def _owned_values(db: sqlite3.Connection, row: StoreRow, now: datetime) -> tuple[bool, bool]:
    """Whether mode and reserve are ours; where the row does not tell, whether a hold stood lately."""
    try:
        return row.flag("owns_mode"), row.flag("owns_reserve")
    except RefusedValueError:
        held = bool(load_hold_history(db, now - HELD_WITHIN, now + HELD_WITHIN))
        return held, held

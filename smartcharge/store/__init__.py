"""The memory of the house: one SQLite file, opened here; each module beside this one keeps one family of tables."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from smartcharge.errors import Busy
from smartcharge.store.border import NOT_WRITABLE, Connection, border, refusal
from smartcharge.store.schema import APPLICATION_ID, OLD_TABLES, SCHEMA_VERSION

WAIT_SECONDS = 10
PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700

NEWER = ("was made by a newer smartcharge", "Upgrade smartcharge to at least the version that made it")
FOREIGN = ("belongs to another program", "Set database.path to another file; this one was left as it is")
A_FOLDER = ("is a folder", "Set database.path to a file, for example smartcharge.db inside that folder")


def open_store(path: Path, *, read_only: bool = False) -> Connection:
    """Open the database, bringing an older one up to date.

    read_only: the file is opened without the right to write; a missing or older one is answered from
    memory, and nothing is written. Raises `DatabaseRefused`, and `Busy` after 10 s behind another run.
    """
    place = path.absolute()
    with border(place):
        if place.is_dir():
            raise refusal(place, A_FOLDER)
        return _open_for_reading(place) if read_only else _open_for_writing(place)


def is_lasting(db: sqlite3.Connection) -> bool:
    """Whether an open database is the file itself, and not a copy in memory that stands in for one."""
    return bool(db.execute("PRAGMA database_list").fetchone()["file"])


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of the block or nothing of it; a transaction inside another joins it."""
    if db.in_transaction:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    changes = db.total_changes
    try:
        yield
        if isinstance(db, Connection) and db.before_commit and db.total_changes > changes:
            db.before_commit()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back on a full disk
            db.execute("ROLLBACK")
        raise


def _open_for_writing(path: Path) -> Connection:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE))
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise refusal(path, NOT_WRITABLE)  # SQLite itself would open it for reading and say nothing
    with _closed_on_error(_connect(path, "rw")) as db:
        behind = _is_behind(db, path)
        with suppress(Busy):  # another program keeps it in write-ahead mode: we can work so too, and the doctor tells
            db.execute("PRAGMA journal_mode = DELETE")
        if behind:
            _bring_up_to_date(db)
        return db


def _open_for_reading(path: Path) -> Connection:
    if not path.exists():
        return _in_memory(path)
    _roll_back_what_a_crash_left(path)
    with _closed_on_error(_connect(path, "ro")) as db:
        if not _is_behind(db, path):
            return db
        copy = _in_memory(path, db)
        db.close()
        return copy


def _roll_back_what_a_crash_left(path: Path) -> None:
    """Read once with the right to write if a journal lies there: only so can SQLite undo half a transaction."""
    real = path.resolve()
    if real.with_name(f"{real.name}-journal").exists():
        with _closed_on_error(_connect(path, "rw")) as db:
            _stamp(db)
            db.close()


def _in_memory(path: Path, source: sqlite3.Connection | None = None) -> Connection:
    with _closed_on_error(_prepared(sqlite3.connect(":memory:", factory=Connection), path)) as db:
        if source is not None:
            source.backup(db)
        _bring_up_to_date(db)
        db.execute("PRAGMA query_only = ON")
        return db


def _connect(path: Path, mode: str) -> Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    return _prepared(sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, factory=Connection), path)


def _prepared(db: Connection, path: Path) -> Connection:
    with _closed_on_error(db):
        db.path = path
        db.isolation_level = None
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        return db


@contextmanager
def _closed_on_error(db: Connection) -> Iterator[Connection]:
    try:
        yield db
    except BaseException:
        db.close()
        raise


def _is_behind(db: sqlite3.Connection, path: Path) -> bool:
    """Whether steps are missing; refuses what is newer than us, or not ours to step on."""
    application_id, version = _stamp(db)
    if application_id == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise refusal(path, NEWER)
        return version < SCHEMA_VERSION
    if application_id or version or not _is_empty_or_old(db):
        raise refusal(path, FOREIGN)
    return True


def _stamp(db: sqlite3.Connection) -> tuple[int, int]:
    row = db.execute("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").fetchone()
    return row["application_id"], row["user_version"]


def _is_empty_or_old(db: sqlite3.Connection) -> bool:
    """Whether nothing is in the file yet, or what the service before this program kept there."""
    tables = {row["name"] for row in db.execute("SELECT name FROM sqlite_schema")}
    columns = {
        row["name"] for table in OLD_TABLES for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))
    }
    return not tables or {"start", "end", "fetched_at"} <= columns


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Take the missing steps, all or none; whoever waited for another process to do so finds nothing missing."""
    from smartcharge.store import migrations

    with transaction(db):
        if _stamp(db) != (APPLICATION_ID, SCHEMA_VERSION):
            migrations.apply(db)

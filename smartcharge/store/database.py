"""The memory of the house: one SQLite file, opened here; each module beside this one keeps one family of tables."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from smartcharge.errors import AppError, LockBusyError, StoreError
from smartcharge.files import require_locks
from smartcharge.store.rows import DAMAGED_ROW_FIX, RowConnection, StoreRow, decode_text
from smartcharge.store.schema import APPLICATION_ID, LEGACY_TABLES, SCHEMA_VERSION

if TYPE_CHECKING:
    from sqlite3 import _Parameters


PRIMARY_RESULT_CODE_MASK = 0xFF
"""The lower byte of an extended result code. Source: sqlite.org/rescode.html."""
BUSY_RESULT_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DATABASE_DAMAGED = (
    "is damaged",
    "Restore it from a copy, or move it aside and set the battery by hand once: a new one knows nothing of it",
)
DATABASE_NOT_WRITABLE = (
    "cannot be written",
    "Run smartcharge as the user who owns this file and its folder, or give them to the user who runs it",
)
REFUSALS_BY_RESULT_CODE = {
    sqlite3.SQLITE_TOOBIG: DATABASE_DAMAGED,
    sqlite3.SQLITE_FORMAT: DATABASE_DAMAGED,
    sqlite3.SQLITE_MISMATCH: DATABASE_DAMAGED,
    sqlite3.SQLITE_PERM: DATABASE_NOT_WRITABLE,
    sqlite3.SQLITE_READONLY: DATABASE_NOT_WRITABLE,
    sqlite3.SQLITE_CORRUPT: DATABASE_DAMAGED,
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "Check the disk or memory card"),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space on that disk"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that the folder exists and that both may be read and written"),
    sqlite3.SQLITE_NOTADB: ("is not an SQLite database", "Set database.path to another file, or move this one aside"),
}
"""Result code to what is wrong with the file, and the fix."""
UNCLEAR_RESULT_CODES = {
    sqlite3.SQLITE_ERROR: DATABASE_DAMAGED,  # a table or a column is missing, or its definition cannot be parsed
    sqlite3.SQLITE_CONSTRAINT: ("holds a row that breaks the rules of its table", DAMAGED_ROW_FIX),
}
"""The same for codes of several causes, so that what SQLite itself says is told as well."""


@contextmanager
def translate_sqlite_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system says about the file at `path` into our own errors.

    Raises `LockBusyError` and `StoreError`. Misuse of the library (`sqlite3.ProgrammingError`) stays what it is.
    """
    try:
        yield
    except sqlite3.Error as error:
        translated = _translate_sqlite_error(error, path)
        if translated is None:
            raise
        raise translated from error
    except UnicodeDecodeError as error:  # SQLite's own message quotes what is damaged
        raise database_refusal(path, DATABASE_DAMAGED) from error
    except OSError as error:
        fix = "Check database.path, and that this user may read and write there"
        raise StoreError(f"the database {path} cannot be opened: {error.strerror}", fix=fix) from error


def database_refusal(path: Path, problem_and_fix: tuple[str, str]) -> StoreError:
    """Refuse the file at `path`; words: what is wrong with it, and the fix."""
    problem, fix = problem_and_fix
    return StoreError(f"the database {path} {problem}", fix=fix)


class StoreConnection(RowConnection):
    """A connection whose errors name the file and the fix.

    before_commit: writes what travels with every transaction that has changed anything.
    """

    path: Path = Path(":memory:")
    before_commit: Callable[[], None] | None = None

    def execute(self, sql: str, parameters: "_Parameters" = (), /) -> "StoreCursor":
        """Run one statement."""
        with translate_sqlite_errors(self.path):
            return self.cursor(StoreCursor).execute(sql, parameters)


class StoreCursor(sqlite3.Cursor):
    """A cursor whose errors name the file and the fix: SQLite reads on while rows are fetched."""

    connection: StoreConnection

    def execute(self, sql: str, parameters: "_Parameters" = (), /) -> Self:
        """Run one statement."""
        with translate_sqlite_errors(self.connection.path):
            super().execute(sql, parameters)
        return self

    def fetchone(self) -> StoreRow | None:
        """Give the next row, if any."""
        return next(self, None)

    def fetchall(self) -> list[StoreRow]:
        """Give the rows that are left."""
        return list(self)

    def __next__(self) -> StoreRow:
        """Give the next row."""
        with translate_sqlite_errors(self.connection.path):
            row: StoreRow = super().__next__()
        return row


def _translate_sqlite_error(error: sqlite3.Error, path: Path) -> AppError | None:
    code = getattr(error, "sqlite_errorcode", 0) & PRIMARY_RESULT_CODE_MASK
    if code in BUSY_RESULT_CODES:
        require_locks(path.parent)  # SQLite takes a file system without locks for a database in use
        return LockBusyError(f"another run is writing to {path}", fix="Nothing to do: the next run tries again")
    if code in UNCLEAR_RESULT_CODES:
        problem, fix = UNCLEAR_RESULT_CODES[code]
        return database_refusal(path, (f"{problem} ({error})", fix))
    return database_refusal(path, REFUSALS_BY_RESULT_CODE[code]) if code in REFUSALS_BY_RESULT_CODE else None


BUSY_TIMEOUT_SECONDS = 10
PRIVATE_FILE_MODE = 0o600
PRIVATE_FOLDER_MODE = 0o700

NEWER_DATABASE = ("was made by a newer smartcharge", "Upgrade smartcharge to at least the version that made it")
FOREIGN_DATABASE = ("belongs to another program", "Set database.path to another file; this one was left as it is")
DATABASE_IS_NOT_A_FILE = ("is not a regular file", "Set database.path to a file")
DATABASE_IS_A_FOLDER = ("is a folder", "Set database.path to a file, for example smartcharge.db inside that folder")


def open_store(path: Path, *, read_only: bool = False) -> StoreConnection:
    """Open the database, bringing an older one up to date.

    read_only: the file is opened without the right to write; a missing or older one is answered from
    memory, and nothing is written. Raises `DatabaseRefused`, and `Busy` after 10 s behind another run.
    """
    absolute_path = path.absolute()
    with translate_sqlite_errors(absolute_path):
        if absolute_path.is_dir():
            raise database_refusal(absolute_path, DATABASE_IS_A_FOLDER)
        if absolute_path.exists() and not absolute_path.is_file():
            raise database_refusal(absolute_path, DATABASE_IS_NOT_A_FILE)
        return _open_for_reading(absolute_path) if read_only else _open_for_writing(absolute_path)


def is_on_disk(db: sqlite3.Connection) -> bool:
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
        if isinstance(db, StoreConnection) and db.before_commit and db.total_changes > changes:
            db.before_commit()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back on a full disk
            db.execute("ROLLBACK")
        raise


def _open_for_writing(path: Path) -> StoreConnection:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER_MODE)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE_FILE_MODE))
    if not (os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)):
        raise database_refusal(path, DATABASE_NOT_WRITABLE)  # SQLite itself would open it for reading and say nothing
    with _close_on_error(_connect(path, "rw")) as db:
        is_behind = _is_outdated(db, path)
        with suppress(
            LockBusyError
        ):  # another program keeps it in write-ahead mode: we can work so too, and the doctor tells
            db.execute("PRAGMA journal_mode = DELETE")
        if is_behind:
            _migrate(db)
        return db


def _open_for_reading(path: Path) -> StoreConnection:
    if not path.exists():
        return _open_in_memory(path)
    _roll_back_hot_journal(path)
    with _close_on_error(_connect(path, "ro")) as db:
        if not _is_outdated(db, path):
            return db
        copy = _open_in_memory(path, db)
        db.close()
        return copy


def _roll_back_hot_journal(path: Path) -> None:
    """Read once with the right to write if a journal lies there: only so can SQLite undo half a transaction."""
    real = path.resolve()
    if real.with_name(f"{real.name}-journal").exists():
        with _close_on_error(_connect(path, "rw")) as db:
            _read_version_stamp(db)
            db.close()


def _open_in_memory(path: Path, source: sqlite3.Connection | None = None) -> StoreConnection:
    with _close_on_error(_configure_connection(sqlite3.connect(":memory:", factory=StoreConnection), path)) as db:
        if source is not None:
            source.backup(db)
        _migrate(db)
        db.execute("PRAGMA query_only = ON")
        return db


def _connect(path: Path, mode: str) -> StoreConnection:
    uri = f"{path.as_uri()}?mode={mode}"
    return _configure_connection(
        sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_SECONDS, factory=StoreConnection), path
    )


def _configure_connection(db: StoreConnection, path: Path) -> StoreConnection:
    with _close_on_error(db):
        db.path = path
        db.isolation_level = None
        db.row_factory = StoreRow
        db.text_factory = decode_text
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA synchronous = FULL")
        return db


@contextmanager
def _close_on_error(db: StoreConnection) -> Iterator[StoreConnection]:
    try:
        yield db
    except BaseException:
        db.close()
        raise


def _is_outdated(db: sqlite3.Connection, path: Path) -> bool:
    """Whether steps are missing; refuses what is newer than us, or not ours to step on."""
    application_id, version = _read_version_stamp(db)
    if application_id == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise database_refusal(path, NEWER_DATABASE)
        return version < SCHEMA_VERSION
    if application_id or version or not _is_empty_or_legacy(db):
        raise database_refusal(path, FOREIGN_DATABASE)
    return True


def _read_version_stamp(db: sqlite3.Connection) -> tuple[int, int]:
    row = db.execute("SELECT application_id, user_version FROM pragma_application_id, pragma_user_version").fetchone()
    return row["application_id"], row["user_version"]


def _is_empty_or_legacy(db: sqlite3.Connection) -> bool:
    """Whether nothing is in the file yet, or what the service before this program kept there."""
    tables = {row["name"] for row in db.execute("SELECT name FROM sqlite_schema")}
    columns = {
        row["name"] for table in LEGACY_TABLES for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,))
    }
    return not tables or {"start", "end", "fetched_at"} <= columns


def _migrate(db: sqlite3.Connection) -> None:
    """Take the missing steps, all or none; whoever waited for another process to do so finds nothing missing."""
    from smartcharge.store.migrations import apply_migrations

    with transaction(db):
        if _read_version_stamp(db) != (APPLICATION_ID, SCHEMA_VERSION):
            apply_migrations(db)

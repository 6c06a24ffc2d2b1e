"""Where the driver's errors become ours: whoever reads or writes gets `Busy`, `DatabaseRefused`, or a bug."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from smartcharge.errors import Busy, DatabaseRefused, Trouble

if TYPE_CHECKING:
    from sqlite3 import _Parameters

PRIMARY_CODE = 0xFF
"""The lower byte of an extended result code. Source: sqlite.org/rescode.html."""
WAITED_FOR = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
DAMAGED = (
    "is damaged",
    "Restore it from a copy, or move it aside and set the battery by hand once: a new one knows nothing of it",
)
NOT_WRITABLE = (
    "cannot be written",
    "Run smartcharge as the user who owns this file and its folder, or give them to the user who runs it",
)
REFUSALS = {
    sqlite3.SQLITE_PERM: NOT_WRITABLE,
    sqlite3.SQLITE_READONLY: NOT_WRITABLE,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk reports an error", "Check the disk or memory card"),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "Free some space on that disk"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that the folder exists and that both may be read and written"),
    sqlite3.SQLITE_NOTADB: ("is not an SQLite database", "Set database.path to another file, or move this one aside"),
}
"""Result code to what is wrong with the file, and the mend."""


@contextmanager
def border(path: Path) -> Iterator[None]:
    """Turn what SQLite or the system says about the file at `path` into our words; a bug stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        trouble = _trouble(getattr(error, "sqlite_errorcode", 0) & PRIMARY_CODE, path)
        if trouble is None:
            raise
        raise trouble from error
    except OSError as error:
        hint = "Check database.path, and that this user may read and write there"
        raise DatabaseRefused(f"the database {path} cannot be opened: {error.strerror}", hint=hint) from error


def refusal(path: Path, words: tuple[str, str]) -> DatabaseRefused:
    """Refuse the file at `path`; words: what is wrong with it, and the mend."""
    problem, mend = words
    return DatabaseRefused(f"the database {path} {problem}", hint=mend)


class Connection(sqlite3.Connection):
    """A connection whose errors name the file and the mend.

    before_commit: writes what travels with every transaction that has changed anything.
    """

    path: Path = Path(":memory:")
    before_commit: Callable[[], None] | None = None

    def execute(self, sql: str, parameters: "_Parameters" = (), /) -> "Cursor":
        """Run one statement."""
        with border(self.path):
            return self.cursor(Cursor).execute(sql, parameters)


class Cursor(sqlite3.Cursor):
    """A cursor whose errors name the file and the mend: SQLite reads on while rows are fetched."""

    connection: Connection

    def execute(self, sql: str, parameters: "_Parameters" = (), /) -> Self:
        """Run one statement."""
        with border(self.connection.path):
            super().execute(sql, parameters)
        return self

    def fetchone(self) -> sqlite3.Row | None:
        """Give the next row, if any."""
        return next(self, None)

    def fetchall(self) -> list[sqlite3.Row]:
        """Give the rows that are left."""
        return list(self)

    def __next__(self) -> sqlite3.Row:
        """Give the next row."""
        with border(self.connection.path):
            row: sqlite3.Row = super().__next__()
        return row


def _trouble(code: int, path: Path) -> Trouble | None:
    if code in WAITED_FOR:
        return Busy(f"another run is writing to {path}", hint="Nothing to do: the next run tries again")
    return refusal(path, REFUSALS[code]) if code in REFUSALS else None

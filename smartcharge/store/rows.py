"""Typed access to rows: every value in the database is data from outside.

A value that cannot be decoded, parsed or meant is refused together with its row. The refusal is collected on the
connection, so that a run tells it once, and the other rows are read as usual.
"""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from math import inf, isfinite
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from smartcharge.store.times import parse_instant

T = TypeVar("T")
EnumType = TypeVar("EnumType", bound=StrEnum)

MAX_ENERGY_KWH = 1_000_000.0
"""More than any house or car takes in a lifetime of its counter."""
MAX_INTEGER = 2**63 - 1
"""SQLite's largest integer."""
VALID_YEARS = range(1970, 2200)
"""Years a stored time may lie in; a machine without a clock battery starts in 1970."""
INSTANT_LENGTH = len("2026-11-22T13:30:00Z")


DAMAGED_ROW_FIX = "Run `smartcharge doctor --repair`: it sets unreadable rows aside into a copy"


class UndecodableText(str):
    """Text whose bytes are not UTF-8, with the offending bytes escaped: fit to be shown, never to be used."""

    __slots__ = ()


def decode_text(raw: bytes) -> str:
    """Decode a text value; never raises. For `sqlite3.Connection.text_factory`."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return UndecodableText(raw.decode(errors="backslashreplace"))


class RefusedValueError(ValueError):
    """A value that the program cannot have written. column: where it stands; problem: what is wrong with it."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(f"{column} {problem}")
        self.column = column
        self.problem = problem


class RefusedRow(Struct, frozen=True):
    """A row that was passed over. key: its primary key as text; column and problem: the first refused value."""

    table: str
    key: str
    column: str
    problem: str

    def __str__(self) -> str:
        """Name the row and what is wrong with it, for example "holds 3: reason is not text"."""
        return f"{self.table} {self.key}: {self.column} {self.problem}"


class RowConnection(sqlite3.Connection):
    """A connection that collects the rows that were refused on it, by table and key."""

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # those of sqlite3.connect
        super().__init__(*arguments, **options)
        self.refused_rows: dict[tuple[str, str], RefusedRow] = {}


class StoreRow(sqlite3.Row):
    """A row whose values are checked as they are taken; each getter raises `RefusedValueError`."""

    def text(self, column: str) -> str:
        """Give a text."""
        value = self[column]
        if not isinstance(value, str) or isinstance(value, UndecodableText):
            _refuse(column, "is not text")
        return value

    def optional_text(self, column: str) -> str | None:
        """Give a text, or None for NULL."""
        return None if self[column] is None else self.text(column)

    def instant(self, column: str) -> datetime:
        """Give an instant, UTC."""
        text = self.text(column)
        if len(text) != INSTANT_LENGTH or not text.endswith("Z"):
            _refuse(column, "is not a time")
        try:
            instant = parse_instant(text)
        except (ValueError, OverflowError):
            _refuse(column, "is not a time")
        if instant.year not in VALID_YEARS:
            _refuse(column, "is a time out of range")
        return instant

    def optional_instant(self, column: str) -> datetime | None:
        """Give an instant, or None for NULL."""
        return None if self[column] is None else self.instant(column)

    def integer(self, column: str, *, lowest: int = 0, highest: int = MAX_INTEGER) -> int:
        """Give a whole number within bounds, both included."""
        value = self[column]
        if not isinstance(value, int):
            _refuse(column, "is not a whole number")
        if not lowest <= value <= highest:
            _refuse(column, "is out of range")
        return value

    def optional_integer(self, column: str, *, lowest: int = 0, highest: int = MAX_INTEGER) -> int | None:
        """Give a whole number within bounds, or None for NULL."""
        return None if self[column] is None else self.integer(column, lowest=lowest, highest=highest)

    def flag(self, column: str) -> bool:
        """Give a truth value, stored as 0 or 1."""
        return bool(self.integer(column, highest=1))

    def number(self, column: str, *, lowest: float = -inf, highest: float = inf) -> float:
        """Give a finite number within bounds, both included."""
        value = self[column]
        if not isinstance(value, int | float) or not isfinite(value):
            _refuse(column, "is not a number")
        if not lowest <= value <= highest:
            _refuse(column, "is out of range")
        return value

    def optional_number(self, column: str, *, lowest: float = -inf, highest: float = inf) -> float | None:
        """Give a finite number within bounds, or None for NULL."""
        return None if self[column] is None else self.number(column, lowest=lowest, highest=highest)

    def member(self, column: str, members: type[EnumType]) -> EnumType:
        """Give a member of an enum, stored by its value."""
        text = self.text(column)
        for member in members:
            if member.value == text:
                return member
        raise RefusedValueError(column, "is not a known word")

    def optional_member(self, column: str, members: type[EnumType]) -> EnumType | None:
        """Give a member of an enum, or None for NULL."""
        return None if self[column] is None else self.member(column, members)

    def content(self, column: str) -> bytes:
        """Give bytes."""
        value = self[column]
        if not isinstance(value, bytes):
            _refuse(column, "is not a sequence of bytes")
        return value

    def span(self, start_column: str, end_column: str) -> tuple[datetime, datetime]:
        """Give two instants, the second of which is the later one."""
        start, end = self.instant(start_column), self.instant(end_column)
        if end <= start:
            _refuse(end_column, "is not after its beginning")
        return start, end


def _refuse(column: str, problem: str) -> NoReturn:
    raise RefusedValueError(column, problem)


def parse_rows(
    db: sqlite3.Connection, table: str, rows: Iterable[StoreRow], parse: Callable[[StoreRow], T]
) -> tuple[T, ...]:
    """Parse every row; one that is refused is collected on the connection and left out."""
    parsed = []
    for row in rows:
        try:
            parsed.append(parse(row))
        except RefusedValueError as error:
            note_refused_row(db, table, row, error)
    return tuple(parsed)


def parse_first(
    db: sqlite3.Connection, table: str, rows: Iterable[StoreRow], parse: Callable[[StoreRow], T]
) -> T | None:
    """Parse the first row that can be read; None where there is none. The rows behind it are not fetched."""
    for row in rows:
        try:
            return parse(row)
        except RefusedValueError as error:
            note_refused_row(db, table, row, error)
    return None


def note_refused_row(db: sqlite3.Connection, table: str, row: StoreRow, error: RefusedValueError) -> None:
    """Collect a refused row on its connection; the same row once."""
    refused = RefusedRow(table, row_key(table, row), error.column, error.problem)
    refused_rows_of(db).setdefault((table, refused.key), refused)


def refused_rows_of(db: sqlite3.Connection) -> dict[tuple[str, str], RefusedRow]:
    """Give what a connection has refused so far, by table and key."""
    if not isinstance(db, RowConnection):
        raise TypeError("rows are read through a connection that collects what is refused")
    return db.refused_rows


KEY_COLUMNS = {"fetches": ("device",), "services": ("service",), "alerts": ("command", "kind")}
"""The primary key of the tables without a row id; that of the others is `id`."""


def row_key(table: str, row: StoreRow) -> str:
    """Name a row within its table by its primary key, as far as the query fetched it."""
    found = [str(row[column]) for column in KEY_COLUMNS.get(table, ("id",)) if column in row.keys()]  # noqa: SIM118
    return " ".join(found) or "?"

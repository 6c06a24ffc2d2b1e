"""The places of a run at which it may die, or at which another run comes in between; put in from outside."""

import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from smartcharge import files, store
from smartcharge.act import conversation, foresight
from smartcharge.store.border import REFUSALS, Connection, refusal

KINDS = ("", "tesla", "command", "tesla", "zappi", "kraken", "mail", "commit", "begin", "lock", "rename")
"""Of places; the first is any."""
WRITING = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the product may catch it."""


def _nobody() -> None:
    """Nobody comes."""


@dataclass
class Fuse:
    """Counts the places. kill_in, guest_in: how many of a kind are still passed before it happens, None for none.

    kill_at, guest_at: the kind, as a part of their names. receive: lets a guest in. died_at: how often a run died
    at each place.
    """

    kill_in: int | None = None
    guest_in: int | None = None
    kill_at: str = ""
    guest_at: str = ""
    receive: Callable[[], None] = _nobody
    died_at: Counter[str] = field(default_factory=Counter)

    def burn(self, place: str) -> None:
        """Pass one place, let somebody in, or die."""
        if self.guest_in is not None and self.guest_at in place:
            self.guest_in -= 1
            if self.guest_in < 0:
                self.guest_in = None
                self.receive()
        if self.kill_in is not None and self.kill_at in place:
            self.kill_in -= 1
            if self.kill_in < 0:
                self.kill_in = None
                self.died_at[place] += 1
                raise Killed

    def out(self) -> None:
        """Nothing more happens."""
        self.kill_in = self.guest_in = None


@contextmanager
def hostile(fuse: Fuse, is_full: Callable[[], bool], *, foresight_steps: int) -> Iterator[None]:
    """Places around commits, locks and renames; a disk that may be full; and nobody waits for anybody by the clock."""
    with ExitStack() as changes:
        changes.enter_context(_changed(Connection, "execute", _statement(fuse, is_full)))
        changes.enter_context(_changed(fcntl, "flock", _around(fuse, fcntl.flock, "lock")))
        changes.enter_context(_changed(os, "replace", _around(fuse, os.replace, "rename")))
        changes.enter_context(_changed(foresight, "STEPS", foresight_steps))
        changes.enter_context(_changed(store, "WAIT_SECONDS", 0))
        changes.enter_context(_changed(files, "LOCK_POLL_SECONDS", 1e-6))
        changes.enter_context(_changed(conversation, "NAPS_SECONDS", (0.0,) * len(conversation.NAPS_SECONDS)))
        yield


@contextmanager
def _changed(owner: object, name: str, value: object) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, real)


def _around(fuse: Fuse, real: Callable[..., Any], what: str) -> Callable[..., Any]:
    def halting(*given: Any, **named: Any) -> Any:  # noqa: ANN401  # any function
        fuse.burn(f"before {what}")
        result = real(*given, **named)
        fuse.burn(f"after {what}")
        return result

    return halting


def _statement(fuse: Fuse, is_full: Callable[[], bool]) -> Callable[..., sqlite3.Cursor]:
    real = Connection.execute
    commit = _around(fuse, real, "commit")

    def execute(db: Connection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401  # sqlite3's own
        if sql == "COMMIT":
            return commit(db, sql)  # type: ignore[no-any-return]
        if sql == "BEGIN IMMEDIATE":
            fuse.burn("before begin")
        if is_full() and sql.lstrip().startswith(WRITING):
            raise refusal(db.path, REFUSALS[sqlite3.SQLITE_FULL])
        return real(db, sql, parameters)

    return execute

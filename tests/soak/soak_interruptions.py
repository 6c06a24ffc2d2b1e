"""The places of a run at which it may die, or at which another run comes in between; put in from outside."""

import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from smartcharge import files
from smartcharge.jobs import idle_forecast, powerwall
from smartcharge.store import database
from smartcharge.store.database import REFUSALS_BY_RESULT_CODE, StoreConnection, database_refusal

INTERRUPTION_KINDS = ("", "tesla", "command", "tesla", "zappi", "kraken", "mail", "commit", "begin", "lock", "rename")
"""Of places; the first is any."""
WRITE_STATEMENTS = ("INSERT", "UPDATE", "DELETE")


class SimulatedKill(KeyboardInterrupt):
    """Stands in for SIGKILL; whoever catches it meets it again at the next place."""


def _no_second_run() -> None:
    """Nobody comes."""


@dataclass
class Interrupter:
    """Counts the places. kill_in, guest_in: how many of a kind are still passed before it happens, None for none.

    kill_at, guest_at: the kind, as a part of their names. receive: lets a second run in. died_at: how often a run died
    at each place.
    """

    kill_in: int | None = None
    is_killed: bool = False
    second_run_in: int | None = None
    kill_at: str = ""
    second_run_at: str = ""
    receive: Callable[[], None] = _no_second_run
    died_at: Counter[str] = field(default_factory=Counter)

    def pass_place(self, place: str) -> None:
        """Pass one place, let another run begin, or be killed; a killed run passes no further place."""
        if self.is_killed:
            raise SimulatedKill
        if self.second_run_in is not None and self.second_run_at in place:
            self.second_run_in -= 1
            if self.second_run_in < 0:
                self.second_run_in = None
                self.receive()
        if self.kill_in is not None and self.kill_at in place:
            self.kill_in -= 1
            if self.kill_in < 0:
                self.kill_in = None
                self.is_killed = True
                self.died_at[place] += 1
                raise SimulatedKill

    def disarm(self) -> None:
        """Nothing more happens."""
        self.kill_in = self.second_run_in = None


@contextmanager
def install_interruptions(
    interrupter: Interrupter, is_full: Callable[[], bool], *, forecast_steps: int
) -> Iterator[None]:
    """Places around commits, locks and renames; a disk that may be full; and nobody waits for anybody by the clock."""
    with ExitStack() as changes:
        changes.enter_context(_patched(StoreConnection, "execute", _interrupted_execute(interrupter, is_full)))
        changes.enter_context(_patched(fcntl, "flock", _interrupted_call(interrupter, fcntl.flock, "lock")))
        changes.enter_context(_patched(os, "replace", _interrupted_call(interrupter, os.replace, "rename")))
        changes.enter_context(_patched(idle_forecast, "FORECAST_STEPS", forecast_steps))
        changes.enter_context(_patched(database, "BUSY_TIMEOUT_SECONDS", 0))
        changes.enter_context(_patched(files, "LOCK_POLL_SECONDS", 1e-6))
        changes.enter_context(
            _patched(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
        )
        yield


@contextmanager
def _patched(owner: object, name: str, value: object) -> Iterator[None]:
    real = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, real)


def _interrupted_call(interrupter: Interrupter, real: Callable[..., Any], what: str) -> Callable[..., Any]:
    def halting(*given: Any, **named: Any) -> Any:  # noqa: ANN401  # any function
        interrupter.pass_place(f"before {what}")
        result = real(*given, **named)
        interrupter.pass_place(f"after {what}")
        return result

    return halting


def _interrupted_execute(interrupter: Interrupter, is_full: Callable[[], bool]) -> Callable[..., sqlite3.Cursor]:
    real = StoreConnection.execute
    commit = _interrupted_call(interrupter, real, "commit")

    def execute(db: StoreConnection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401  # sqlite3's own
        if sql == "COMMIT":
            return commit(db, sql)  # type: ignore[no-any-return]
        if sql == "BEGIN IMMEDIATE":
            interrupter.pass_place("before begin")
        elif interrupter.is_killed and sql != "ROLLBACK":
            raise SimulatedKill
        if is_full() and sql.lstrip().startswith(WRITE_STATEMENTS):
            raise database_refusal(db.path, REFUSALS_BY_RESULT_CODE[sqlite3.SQLITE_FULL])
        return real(db, sql, parameters)

    return execute

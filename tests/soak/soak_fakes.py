"""The services of a soak: they know the true time, may fail or be killed at any call, and remember who set what."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

from smartcharge.core.answers import ChargerReading, Device, Dispatch, Plan
from smartcharge.core.model import ChargerState
from smartcharge.core.stance import BatteryReading, Power
from smartcharge.errors import Trouble, Unreachable
from smartcharge.store.border import REFUSALS, Connection, refusal

CAR = "ev-a"
LOST_ANSWER = Unreachable("the answer was lost", service="tesla")
WRITING = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the product may catch it."""


@dataclass
class Fuse:
    """Counts the places at which a run can be killed; left: how many are still passed, None for no kill."""

    left: int | None = None

    def burn(self) -> None:
        """Pass one place, or die."""
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            raise Killed


@dataclass
class Value:
    """One setting of the battery. ours: whether it was our command that put it there."""

    shown: str | int
    ours: bool = False


@dataclass
class SoakBattery:
    """A Powerwall. fault: raised at every call. shy: a command is carried out, and its answer is then lost.

    late: how long after its arrival a command is carried out. on_write: told of each command as it arrives.
    """

    fuse: Fuse
    on_write: Callable[[str, str | int], None]
    now: datetime
    mode: Value = field(default_factory=lambda: Value("autonomous"))
    reserve: Value = field(default_factory=lambda: Value(20))
    powers: frozenset[Power] | None = frozenset()
    fault: Trouble | None = None
    shy: bool = False
    deaf: bool = False
    gaps: bool = False
    late: timedelta = timedelta(0)
    pending: list[tuple[datetime, str, str | int]] = field(default_factory=list)
    writes: int = 0
    conversations: int = 0

    def __enter__(self) -> Self:
        self.conversations += 1
        self._called()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        """Nothing to end."""

    def _called(self) -> None:
        self.fuse.burn()
        if self.fault is not None:
            raise self.fault
        self.settle()

    def settle(self) -> None:
        """Carry out what has come due."""
        for due_at, name, value in list(self.pending):
            if due_at <= self.now:
                setattr(self, name, Value(value, ours=True))
                self.pending.remove((due_at, name, value))

    def read(self) -> BatteryReading:
        stance = self.read_stance()
        return BatteryReading(stance.mode, stance.reserve_pct, 50.0, self.powers)

    def read_stance(self) -> BatteryReading:
        self._called()
        return BatteryReading(str(self.mode.shown), None if self.gaps else float(self.reserve.shown), None, None)

    def set_mode(self, mode: str) -> None:
        self._take("mode", mode)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        self._take("reserve", reserve_pct)

    def _take(self, name: str, value: str | int) -> None:
        self._called()
        self.writes += 1
        self.on_write(name, value)
        if not self.deaf:
            self.pending = [each for each in self.pending if each[1] != name]
            self.pending.append((self.now + self.late, name, value))
            self.settle()
        self.fuse.burn()
        if self.shy and self.fault is None:
            raise LOST_ANSWER

    def by_hand(self, *, mode: str | None = None, reserve: int | None = None) -> None:
        """The owner turns a setting in his app."""
        if mode is not None:
            self.mode = Value(mode)
        if reserve is not None:
            self.reserve = Value(reserve)


@dataclass
class SoakCharger:
    """A Zappi; charging_at: when it last truly said that the car charges, by the program's clock."""

    fuse: Fuse
    charging: bool = False
    fault: Trouble | ChargerState | None = None
    charging_at: datetime | None = None
    host: str | None = "s18.myenergi.net"

    def prepare(self) -> None:
        """Nothing to load."""

    def read(self, now: datetime) -> ChargerReading:
        self.fuse.burn()
        if isinstance(self.fault, Trouble):
            raise self.fault
        state = self.fault or (ChargerState.CHARGING if self.charging else ChargerState.IDLE)
        if state is ChargerState.CHARGING:
            self.charging_at = now
        self.fuse.burn()
        return ChargerReading(state, now, 7200.0 if self.charging else 0.0, "as told")


@dataclass
class SoakTariff:
    """A supplier; told: what it answered last and when, by the program's clock."""

    fuse: Fuse
    plans: list[tuple[datetime, datetime]] = field(default_factory=list)
    boosting: bool = False
    fault: Trouble | None = None
    told: tuple[datetime, tuple[tuple[datetime, datetime], ...], bool] | None = None
    asked: list[datetime] = field(default_factory=list)

    def plan(self, devices: object, now: datetime) -> Plan:
        self.fuse.burn()
        self.asked.append(now)
        if self.fault is not None:
            raise self.fault
        self.told = (now, tuple(self.plans), self.boosting)
        self.fuse.burn()
        device = Device(CAR, watched=True, boosting=self.boosting)
        return Plan((device,), {CAR: tuple(Dispatch(start, end, 7.2) for start, end in self.plans)})

    def check_in(self, now: datetime) -> None:
        """Nothing to sign in to."""


@contextmanager
def hostile_store(fuse: Fuse, is_full: Callable[[], bool]) -> Iterator[None]:
    """Let a run die before and after each commit, and find the disk full where it is."""
    real = Connection.execute

    def execute(db: Connection, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401  # sqlite3's own
        if sql == "COMMIT":
            fuse.burn()
            done = real(db, sql, parameters)
            fuse.burn()
            return done
        if is_full() and sql.lstrip().startswith(WRITING):
            raise refusal(db.path, REFUSALS[sqlite3.SQLITE_FULL])
        return real(db, sql, parameters)

    Connection.execute = execute  # type: ignore[method-assign]
    try:
        yield
    finally:
        Connection.execute = real  # type: ignore[method-assign]

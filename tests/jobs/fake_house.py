"""A house without sockets: the real store and acts, and fakes with memory in place of the services."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from msgspec.structs import replace

from smartcharge.app import App
from smartcharge.config.load import Config, load_config
from smartcharge.console import Output
from smartcharge.errors import AppError, UnreachableError
from smartcharge.policy.battery import BatteryReading, Lockout
from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, RegisteredDevice, SupplierPlan

CONFIG_TEXT = """\
eon_next: {email: you@example.com, password: hunter2, import_account: A-1234ABCD}
myenergi: {hub_serial: 12345678, api_key: abcdef12}
tesla: {account_email: you@example.com}
database: {path: smartcharge.db}
"""
CAR_ID = "ev-a"


def at(clock: str) -> datetime:
    """A minute of 9 December 2026 (GMT), two seconds in, as cron is."""
    hours, minutes = clock.split(":")
    return datetime(2026, 12, 9, int(hours), int(minutes), 2, tzinfo=UTC)


def make_dispatch(span: str) -> Dispatch:
    """A planned dispatch such as 13:00-14:30, on the half minute's beginning."""
    start, end = (at(clock).replace(second=0) for clock in span.split("-"))
    return Dispatch(start, end, 7.2)


@dataclass
class FakeBattery:
    """A Powerwall behind Tesla's servers.

    lag: readings until a command shows. deaf: says yes and does nothing. clamps: shows 100 % as 80 %.
    refused_modes: answered with an error. ignored_from_backup: modes accepted and not carried out while it is in
    backup. gaps: fields missing in its readings.
    trouble: raised at the next call of a
    name ("enter", "read", "set_mode", "set_reserve_pct", "read_stance"); sticky until removed.
    """

    mode: str | None = "autonomous"
    reserve_pct: float | None = 20.0
    lockouts: frozenset[Lockout] | None = frozenset()
    lag: int = 0
    deaf: bool = False
    clamps: bool = False
    trouble: dict[str, AppError] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    writes: list[str | int] = field(default_factory=list)
    pending: list[tuple[int, str, str | int]] = field(default_factory=list)
    site: str = "1234567890"
    refused_modes: set[str] = field(default_factory=set)
    ignored_from_backup: set[str] = field(default_factory=set)
    gaps: set[str] = field(default_factory=set)

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name in self.trouble:
            raise self.trouble[name]

    def __enter__(self) -> Self:
        self._called("enter")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.calls.append("exit")

    def settle(self) -> None:
        """Let every command take effect, as late ones do between two runs."""
        for _, name, value in self.pending:
            setattr(self, name, value)
        self.pending = []

    def _shown(self) -> None:
        self.pending = [(left - 1, name, value) for left, name, value in self.pending]
        for left, name, value in list(self.pending):
            if left < 0:
                setattr(self, name, value)
        self.pending = [each for each in self.pending if each[0] >= 0]

    def read(self) -> BatteryReading:
        self._called("read")
        self._shown()
        return self._reported(BatteryReading(self.mode, self.reserve_pct, 50.0, self.lockouts))

    def read_settings(self) -> BatteryReading:
        self._called("read_stance")
        self._shown()
        return self._reported(BatteryReading(self.mode, self.reserve_pct, None, None))

    def _reported(self, reading: BatteryReading) -> BatteryReading:
        return replace(reading, **dict.fromkeys(self.gaps))

    def _take(self, name: str, value: str | int) -> None:
        if not self.deaf:
            self.pending.append((self.lag, name, value))

    def set_mode(self, mode: str) -> None:
        self._called("set_mode")
        if mode in self.refused_modes:
            raise UnreachableError("HTTP 400", service="tesla")
        self.writes.append(mode)
        if not (self.mode == "backup" and mode in self.ignored_from_backup):
            self._take("mode", mode)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        self._called("set_reserve_pct")
        self.writes.append(reserve_pct)
        self._take("reserve_pct", 80 if self.clamps and reserve_pct > 80 else reserve_pct)


@dataclass
class FakeCharger:
    """A Zappi; answers: what it says, the last one for ever (a `Trouble` is raised)."""

    answers: list[ChargerState | AppError] = field(default_factory=lambda: [ChargerState.CHARGING])
    asked: int = 0
    host: str | None = "s18.myenergi.net"

    def prepare(self) -> None:
        """Nothing to load."""

    def read(self, now: datetime) -> ChargerReading:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, AppError):
            raise answer
        return ChargerReading(answer, now, 7200.0 if answer is ChargerState.CHARGING else 0.0, "as told")


@dataclass
class FakeTariff:
    """A supplier; spans: the plan, or the error that is raised instead. true_time: what its server says (UTC)."""

    spans: list[str] | AppError = field(default_factory=list)
    boosting: bool = False
    asked: list[datetime] = field(default_factory=list)
    true_time: datetime | None = None

    def plan(self, devices: object, now: datetime) -> SupplierPlan:
        self.asked.append(now)
        if isinstance(self.spans, AppError):
            raise self.spans
        return SupplierPlan(
            (RegisteredDevice(CAR_ID, watched=True, boosting=self.boosting),),
            {CAR_ID: tuple(make_dispatch(s) for s in self.spans)},
            server_time=self.true_time,
        )


class FakeHouse:
    """A folder with a configuration and a database, and the services; `tools` is one run's toolbox."""

    def __init__(self, folder: Path, settings: str = CONFIG_TEXT) -> None:
        path = folder / "config.yaml"
        path.write_text(settings, encoding="utf-8")
        path.chmod(0o600)
        self.folder = folder
        self.config: Config = load_config(path, {})
        self.battery, self.charger, self.tariff = FakeBattery(), FakeCharger(), FakeTariff()
        self.said: list[str] = []
        self.warned: list[str] = []

    def app(self, clock: str | datetime, *, dry_run: bool = False) -> App:
        """One run's tools at a minute."""
        now = at(clock) if isinstance(clock, str) else clock
        app = _RecordingApp(self, now, dry_run=dry_run)
        app.__dict__.update(battery=self.battery, charger=self.charger, tariff=self.tariff)
        return app

    def minutes(self, first: str, last: str) -> list[datetime]:
        """Every minute from one to the other, both included."""
        count = int((at(last) - at(first)) / timedelta(minutes=1))
        return [at(first) + n * timedelta(minutes=1) for n in range(count + 1)]


class _RecordingApp(App):
    """A run's tools whose words are kept."""

    def __init__(self, house: FakeHouse, now: datetime, *, dry_run: bool) -> None:
        super().__init__(house.config, now, dry_run=dry_run)
        self.out = _RecordingOutput(house, now, dry_run=dry_run)
        self.house = house


class _RecordingOutput(Output):
    """Keeps what is said instead of printing it."""

    def __init__(self, house: FakeHouse, now: datetime, *, dry_run: bool) -> None:
        super().__init__(house.config.path, now, dry_run=dry_run)
        self._house = house

    def say(self, line: str) -> None:
        self._house.said.append(line)

    def warn(self, line: str) -> None:
        self._house.warned.append(line)

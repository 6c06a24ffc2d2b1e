"""A scenario: one evening of the simulator, as values. `scenario_file` reads them from YAML."""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Generic, TypeVar

from smartcharge.simulator.faults import Fault
from smartcharge.simulator.kraken_account import DispatchItem, SimulatedDevice

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ValueTimeline(Generic[T]):
    """Values in time, each of which holds from its moment on."""

    entries: tuple[tuple[datetime, T], ...] = ()

    def at(self, moment: datetime) -> T | None:
        """The value that holds at a moment; None before the first."""
        place = bisect_right(self.entries, moment, key=lambda entry: entry[0])
        return self.entries[place - 1][1] if place else None

    def since(self, moment: datetime) -> datetime | None:
        """Since when the value of that moment has held."""
        place = bisect_right(self.entries, moment, key=lambda entry: entry[0])
        return self.entries[place - 1][0] if place else None


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """One item of the supplier's plan for one device; the item is what `flexPlannedDispatches` returns."""

    device_id: str
    item: DispatchItem | None


@dataclass(frozen=True, slots=True)
class CarState:
    """What one Zappi sees of the car: watts drawn, pilot state; silent while it sends nothing."""

    watts: int = 0
    pst: str = "A"
    silent: bool = False
    changes: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FaultPeriod:
    """A fault with the span it lasts, half-open."""

    starts_at: datetime
    ends_at: datetime
    fault: Fault


@dataclass(frozen=True, slots=True)
class OwnerAction:
    """Something the owner does: change the battery's settings in the app, edit the configuration, type a command.

    config: the edited keys, section by section; a key whose value is None is taken out of the file.
    """

    at: datetime
    mode: str | None = None
    reserve_pct: int | None = None
    command: tuple[str, ...] = ()
    config: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InitialPowerwall:
    """The battery as the scenario finds it; see `powerwall.Powerwall` for the meaning."""

    mode: str = "autonomous"
    reserve_pct: int = 20
    soe_pct: float = 60.0
    delay_s: float = 0.0
    visible_after_reads: int = 0
    has_rate_plan: bool = True
    second_site: bool = False
    solar: bool = False


@dataclass(frozen=True, slots=True)
class ModeAndReserve:
    """What the battery is expected to be set to."""

    mode: str
    reserve_pct: int


@dataclass(frozen=True, slots=True)
class ExpectedCommand:
    """A command to the battery that is expected in a certain minute."""

    at: datetime
    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class Expectations:
    """How the scenario should end, and how it should stand on the way.

    at_most, exactly: counts of kraken, zappi, tesla (requests), sign_ins, writes and mails.
    writes: all commands to the battery in their order; None where it does not matter.
    """

    battery: tuple[tuple[datetime, ModeAndReserve], ...] = ()
    hold: tuple[tuple[datetime, datetime | None], ...] = ()
    at_most: Mapping[str, int] = field(default_factory=dict)
    exactly: Mapping[str, int] = field(default_factory=dict)
    writes: tuple[ExpectedCommand, ...] | None = None
    exit_codes: frozenset[int] = frozenset({0})
    says: tuple[str, ...] = ()
    never_says: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scripted stretch of time: what the world does, and what a good controller makes of it.

    backend: the way to the battery that the house is set up for.
    """

    name: str
    about: str
    day: date
    starts_at: datetime
    minutes: int
    source: str = ""
    plan: ValueTimeline[tuple[PlannedItem, ...]] = ValueTimeline()
    devices: ValueTimeline[tuple[SimulatedDevice, ...]] = ValueTimeline()
    completed: ValueTimeline[tuple[DispatchItem, ...]] = ValueTimeline()
    cars: Mapping[int, ValueTimeline[CarState]] = field(default_factory=dict)
    fault_periods: tuple[FaultPeriod, ...] = ()
    owner: tuple[OwnerAction, ...] = ()
    missed: tuple[tuple[datetime, datetime], ...] = ()
    run: tuple[tuple[str, ...], ...] = (("tick",),)
    config: Mapping[str, object] = field(default_factory=dict)
    backend: str = "cloud"
    powerwall: InitialPowerwall = InitialPowerwall()
    expected: Expectations = Expectations()

    @property
    def ends_at(self) -> datetime:
        """The end of its last minute."""
        return self.starts_at + timedelta(minutes=self.minutes)

    def is_minute_missed(self, minute: datetime) -> bool:
        """Whether cron is asleep in this minute."""
        return any(start <= minute < end for start, end in self.missed)

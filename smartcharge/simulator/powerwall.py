"""The pretend Powerwall: what Tesla's cloud records of it, and the energy in it."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

LONDON = ZoneInfo("Europe/London")
CAPACITY_KWH = 13.5
CHARGE_W = 5000.0
DISCHARGE_W = 5000.0
HOUSE_LOAD_W = 500.0
CHEAP_NIGHT_END_HOUR = 6

SettingValue = str | int | bool
"""A mode, a reserve in percent, or whether the grid may charge."""


@dataclass(frozen=True, slots=True)
class AcceptedCommand:
    """A command Tesla's cloud has accepted; kind is mode, reserve or grid_charging."""

    at: datetime
    kind: str
    value: SettingValue


@dataclass(slots=True)
class _PendingCommand:
    kind: str
    value: SettingValue
    due_at: datetime
    reads_left: int


@dataclass(slots=True)
class SimulatedPowerwall:
    """A battery; commands reach it late if told so.

    mode: backup, autonomous or self_consumption.  reserve_pct, soe_pct: app scale, 0-100 of what is usable.
    delay_s: simulated seconds until a command is carried out.
    visible_after_reads: reads of the settings that still show the old value before a command is carried out.
    has_rate_plan: without one Tesla refuses `autonomous`.
    timed_hold_until: until then it acts as in backup at 100 %, whatever its settings say, and ends that by itself.
    timed_holds: when such a period was asked for and until when, None where it was ended.
    """

    mode: str = "autonomous"
    reserve_pct: int = 20
    soe_pct: float = 60.0
    grid_charging: bool = True
    has_rate_plan: bool = True
    delay_s: float = 0.0
    visible_after_reads: int = 0
    battery_w: float = 0.0
    load_w: float = HOUSE_LOAD_W
    timed_hold_until: datetime | None = None
    writes: list[AcceptedCommand] = field(default_factory=list)
    timed_holds: list[tuple[datetime, datetime | None]] = field(default_factory=list)
    _pending: list[_PendingCommand] = field(default_factory=list)

    def command(self, kind: str, value: SettingValue, now: datetime, extra_delay_s: float = 0.0) -> None:
        """Take a command; a later one of the same kind replaces it."""
        self.writes.append(AcceptedCommand(now, kind, value))
        self.forget(kind)
        due_at = now + timedelta(seconds=self.delay_s + extra_delay_s)
        self._pending.append(_PendingCommand(kind, value, due_at, self.visible_after_reads))
        self.settle(now)

    def forget(self, kind: str) -> None:
        """Lose commands that have not been carried out yet."""
        self._pending = [each for each in self._pending if each.kind != kind]

    def record_read(self, now: datetime) -> None:
        """The settings have been read once more."""
        for each in self._pending:
            each.reads_left -= 1
        self.settle(now)

    def settle(self, now: datetime) -> None:
        """Carry out what is due."""
        for each in [each for each in self._pending if each.due_at <= now and each.reads_left <= 0]:
            setattr(self, "reserve_pct" if each.kind == "reserve" else each.kind, each.value)
            self._pending.remove(each)
        if self.timed_hold_until and self.timed_hold_until <= now:
            self.timed_hold_until = None

    def start_timed_hold(self, until: datetime | None, now: datetime) -> None:
        """Act as in backup until then; None ends it."""
        self.timed_holds.append((now, until))
        self.timed_hold_until = until

    @property
    def settings(self) -> tuple[str, int]:
        """The mode and the reserve that it acts by."""
        return ("backup", 100) if self.timed_hold_until else (self.mode, self.reserve_pct)

    def set_manually(self, *, mode: str | None = None, reserve_pct: int | None = None) -> None:
        """The owner turns a setting in his app; it holds at once."""
        if mode is not None:
            self.mode = mode
        if reserve_pct is not None:
            self.reserve_pct = reserve_pct

    def advance(self, now: datetime, elapsed: timedelta, car_w: float) -> None:
        """Let time pass with so much power into the car."""
        self.settle(now)
        self.load_w = HOUSE_LOAD_W + car_w
        target_pct, floor_pct = self._bounds_pct(now)
        self.battery_w = 0.0
        if self.soe_pct < target_pct:
            self.battery_w = -CHARGE_W
        elif self.soe_pct > floor_pct:
            self.battery_w = min(DISCHARGE_W, self.load_w)
        gained_pct = -self.battery_w * elapsed.total_seconds() / 3.6e6 / CAPACITY_KWH * 100
        if gained_pct > 0:
            self.soe_pct = min(target_pct, self.soe_pct + gained_pct)
        elif gained_pct < 0:
            self.soe_pct = max(floor_pct, self.soe_pct + gained_pct)

    def _bounds_pct(self, now: datetime) -> tuple[float, float]:
        """How far it fills from the grid, and how far down it gives to the house."""
        mode, reserve_pct = self.settings
        cheap_night = mode == "autonomous" and now.astimezone(LONDON).hour < CHEAP_NIGHT_END_HOUR
        return (100.0, 100.0) if mode == "backup" or cheap_night else (float(reserve_pct), float(reserve_pct))

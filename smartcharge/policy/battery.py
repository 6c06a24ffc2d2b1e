"""The house battery: its readings, what smartcharge owns of it, and `next_step`, which decides what to do next."""

from datetime import datetime, timedelta
from enum import StrEnum
from math import floor

from msgspec import Struct

MODE_BACKUP = "backup"
MODE_AUTONOMOUS = "autonomous"
MODE_SELF_CONSUMPTION = "self_consumption"
FULL_RESERVE_PCT = 100
CLAMPED_RESERVE_PCT = 80
"""Tesla snaps a reserve of 81-99 % to 80 %, and some firmware reads 100 % back as 80 %."""
RESERVE_TOLERANCE_PCT = 1.0
"""Not every whole number survives the conversion between the app's scale and the gateway's."""
TIMED_HOLD_TOLERANCE = timedelta(minutes=1)
"""The gateway measures a timed hold from the moment it receives the command, with its own clock."""
EARLY_END_TOLERANCE = timedelta(seconds=30)
"""A timed hold that is gone this long before its end was cancelled by the owner."""
COMMAND_EFFECT_DELAY = timedelta(seconds=90)
"""A command that Tesla accepted can take this long to show. Repeating it earlier may restart the wait."""
SETTLING_TIME = timedelta(minutes=3)
"""Twice the longest delay: a command that has not shown by then will not take effect any more."""
MIN_COMMAND_INTERVAL = timedelta(seconds=45)
"""One value is commanded once a minute at most; cron's minutes vary by some seconds."""
BLIND_REPEAT_INTERVAL = timedelta(minutes=10)
"""How often a value that cannot be read is written again."""
RUN_INTERVAL = timedelta(minutes=1)
TIMED_HOLD_RUNS = 3
"""Runs in which the gateway is asked for a timed hold before its settings are written instead."""


class Lockout(StrEnum):
    """Something outside smartcharge that controls the battery; nothing is written meanwhile."""

    STORM_WATCH = "Storm Watch"
    GRID_SERVICES = "grid services"
    OFF_GRID = "a power cut"
    MAX_BACKUP = "Max Backup"


class BatterySettings(Struct, frozen=True):
    """Operation mode and backup reserve, 0-100 % as the Tesla app shows it."""

    mode: str
    reserve_pct: int


class BatteryReading(Struct, frozen=True):
    """One forced reading; a field that was missing is None, never 0.

    mode: operation mode. reserve_pct: backup reserve on the app's scale. soe_pct: state of energy,
    0-100 % of the usable capacity. lockouts: None where Tesla does not say.
    capacity_kwh: energy of the full battery. reserve_accuracy_pct: how far off the reserve may read.
    timed_hold_until: end of the gateway's own Max Backup; underlying_settings: what it returns to then.
    """

    mode: str | None
    reserve_pct: float | None
    soe_pct: float | None = None
    lockouts: frozenset[Lockout] | None = frozenset()
    capacity_kwh: float | None = None
    reserve_accuracy_pct: float = RESERVE_TOLERANCE_PCT
    timed_hold_until: datetime | None = None
    underlying_settings: BatterySettings | None = None


class BatteryFacts(Struct, frozen=True):
    """Details of a house battery for people; a field that was missing is None.

    site: its name. sites: how many sites with a battery the sign-in may see. grid_charging: whether charging
    from the grid is allowed. rate_plan: whether a tariff is configured. storm_watch: whether it is enabled.
    """

    site: str | None = None
    sites: int | None = None
    firmware: str | None = None
    grid_charging: bool | None = None
    rate_plan: bool | None = None
    storm_watch: bool | None = None


class BatterySite(Struct, frozen=True):
    """Which battery a connection leads to.

    backend: the configured way (cloud, fleetapi, v1r). site: Tesla's site number, or the gateway's DIN.
    """

    backend: str
    site: str


class UnconfirmedCommands(Struct, frozen=True):
    """Commands of earlier runs that no reading has shown yet.

    releasing: whether they end a hold. runs: how many runs tried without success. mode, reserve_pct: what
    Tesla accepted last, None where it refused; mode_at, reserve_at: when the value was commanded last.
    """

    releasing: bool
    runs: int = 0
    mode: str | None = None
    mode_at: datetime | None = None
    reserve_pct: int | None = None
    reserve_at: datetime | None = None


class BatteryMemory(Struct, frozen=True):
    """What is remembered of the battery between runs.

    owns_mode, owns_reserve: the value must be restored. settings_before: found before the first write.
    confirmed_*: the last value a read-back showed, None while in doubt. unverified_until: a hold command was
    sent but never read back; until then it may still take effect. timed_hold_until: the gateway was asked to
    hold until then and to end that by itself. rate_plan_missing: Tesla refused time-based control.
    midnight_reset_at: the last verified midnight reset. site: the battery that is owned.
    """

    owned_since: datetime | None = None
    owns_mode: bool = False
    owns_reserve: bool = False
    settings_before: BatterySettings | None = None
    confirmed_mode: str | None = None
    confirmed_reserve_pct: int | None = None
    in_doubt_since: datetime | None = None
    unverified_until: datetime | None = None
    timed_hold_until: datetime | None = None
    rate_plan_missing: bool = False
    midnight_reset_at: datetime | None = None
    site: BatterySite | None = None
    unconfirmed: UnconfirmedCommands | None = None

    @property
    def owned(self) -> bool:
        """Whether anything must be restored."""
        return self.owns_mode or self.owns_reserve

    def has_confirmed(self, wanted: BatterySettings) -> bool:
        """Whether the wanted settings have been read back and nothing was written since."""
        if self.in_doubt_since or self.confirmed_mode != wanted.mode or self.confirmed_reserve_pct is None:
            return False
        return reserve_matches(self.confirmed_reserve_pct, wanted.reserve_pct, clamped=True)


class BatteryCommand(Struct, frozen=True):
    """One command: one of the two values, or both where the gateway takes them together.

    until: a timed hold, which the gateway ends by itself. cancels_timed_hold: ends it now.
    """

    mode: str | None = None
    reserve_pct: int | None = None
    until: datetime | None = None
    cancels_timed_hold: bool = False

    def __str__(self) -> str:
        """Name what was asked for."""
        if self.cancels_timed_hold:
            return "the end of a hold"
        return self.mode or f"a reserve of {self.reserve_pct} %"

    def is_confirmed_by(self, reading: BatteryReading) -> bool:
        """Whether a reading taken after the command shows its effect."""
        if self.cancels_timed_hold or self.until:
            return timed_hold_matches(reading.timed_hold_until, self.until)
        if self.reserve_pct is None:
            return self.mode is not None and reading.mode == self.mode
        reserve = reserve_matches(
            reading.reserve_pct, self.reserve_pct, clamped=True, within=reading.reserve_accuracy_pct
        )
        return reserve and self.mode in {None, reading.mode}


def reserve_matches(
    seen_pct: float | None, wanted_pct: int, *, clamped: bool, within: float = RESERVE_TOLERANCE_PCT
) -> bool:
    """Whether a reserve reads as wanted; `clamped` accepts 80 for the 100 that some firmware will not show."""
    if seen_pct is None:
        return False
    near = abs(seen_pct - wanted_pct) <= within
    return near or (clamped and wanted_pct == FULL_RESERVE_PCT and abs(seen_pct - CLAMPED_RESERVE_PCT) <= within)


def timed_hold_matches(seen: datetime | None, expected: datetime | None) -> bool:
    """Whether a timed hold ends when expected, or there is none where none is expected."""
    if seen is None or expected is None:
        return seen is expected
    return abs(seen - expected) <= TIMED_HOLD_TOLERANCE


def reserve_pct_to_remember(reading: BatteryReading, wanted_pct: int) -> int | None:
    """Give the reserve to remember: the wanted one where the reading is within its accuracy."""
    if reading.reserve_pct is None:
        return None
    is_near_it = reserve_matches(reading.reserve_pct, wanted_pct, clamped=False, within=reading.reserve_accuracy_pct)
    return wanted_pct if is_near_it else round(reading.reserve_pct)


def writable_reserve_pct(found_pct: float) -> int:
    """Give the value that restores a reserve: Tesla accepts 0-80 and 100, and makes 80 of 81-99."""
    return CLAMPED_RESERVE_PCT if CLAMPED_RESERVE_PCT < round(found_pct) < FULL_RESERVE_PCT else round(found_pct)


def has_hold_settings(reading: BatteryReading) -> bool:
    """Whether the battery is held already by somebody else (backup mode, or a reserve of 100 %)."""
    return reading.mode == MODE_BACKUP or reserve_matches(reading.reserve_pct, FULL_RESERVE_PCT, clamped=False)


def find_manual_changes(memory: BatteryMemory, reading: BatteryReading, wanted: BatterySettings) -> tuple[bool, bool]:
    """Tell which owned values (mode, reserve) read as neither confirmed nor wanted while nothing is in doubt."""
    if memory.in_doubt_since:
        return False, False
    mode = memory.owns_mode and memory.confirmed_mode is not None and reading.mode is not None
    reserve = memory.owns_reserve and memory.confirmed_reserve_pct is not None and reading.reserve_pct is not None
    known_pct, read_pct, within = memory.confirmed_reserve_pct or 0, reading.reserve_pct, reading.reserve_accuracy_pct
    return (
        mode and reading.mode not in {memory.confirmed_mode, wanted.mode},
        reserve
        and not reserve_matches(read_pct, known_pct, clamped=True, within=within)
        and not reserve_matches(read_pct, wanted.reserve_pct, clamped=False, within=within),
    )


def preserve_settings(reading: BatteryReading) -> BatterySettings | None:
    """Give the settings that keep the battery as it is; None where its state of energy is not known.

    Self-powered, with the reserve at the state of energy, but never below the reserve that was found. Above
    80 % Tesla accepts only 100 %, which fills the battery to the top.
    """
    if reading.soe_pct is None or reading.reserve_pct is None:
        return None
    found = round(reading.reserve_pct)
    wanted = max(floor(reading.soe_pct), found)
    return BatterySettings(
        MODE_SELF_CONSUMPTION, wanted if wanted <= CLAMPED_RESERVE_PCT or wanted == found else FULL_RESERVE_PCT
    )


def confirmed_preserve_settings(memory: BatteryMemory) -> BatterySettings | None:
    """Give the settings in which the battery is being preserved, as last read back; None where it is not."""
    if not memory.owned or memory.in_doubt_since or memory.confirmed_mode != MODE_SELF_CONSUMPTION:
        return None
    if memory.confirmed_reserve_pct is None:
        return None
    return BatterySettings(MODE_SELF_CONSUMPTION, memory.confirmed_reserve_pct)


class BatteryOutcome(StrEnum):
    """How a run with the battery ended.

    WAITING: a lockout is active. HELD_BY_OTHERS: held before smartcharge came. BY_HAND: the owner changed it
    meanwhile. SETTLING: back to normal, but an unconfirmed command may still take effect. OTHER_SITE: the
    connection leads to another battery than the owned one. UNCONFIRMED: a command was refused or does not show.
    UNVERIFIED: a value was written that cannot be read. INCOMPLETE: the reading lacks what is needed.
    """

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    HELD_BY_OTHERS = "not ours"
    BY_HAND = "changed by hand"
    SETTLING = "settling"
    OTHER_SITE = "another site"
    UNCONFIRMED = "not confirmed"
    UNVERIFIED = "not verified"
    INCOMPLETE = "incomplete reading"

"""The Powerwall's stance: what it reads, what is ours of it, and the one value to write next."""

from collections.abc import Iterator
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
"""A lease runs from when the gateway hears of it, by a clock of its own."""
SETTLING_TIME = timedelta(minutes=3)
"""A command accepted by Tesla has been seen to take effect up to 90 s late; twice that is proof it will not."""


class Lockout(StrEnum):
    """An outside power that has the battery in hand; nothing is written against it."""

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
    0-100 % of the usable capacity. powers: outside powers in charge; None where it could not be learnt.
    capacity_kwh: what the battery holds when full. exact_to_pct: how far off the reserve may read.
    leased_until: the gateway itself holds until then, and reads so; beneath: the settings that it goes back to.
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
    """What else a house battery tells of itself, for people; a field that was missing is None.

    site: its name. sites: how many sites with a battery the sign-in may see. grid_charging: whether it may
    fill from the grid. rate_plan: whether it knows a tariff to save by. storm_watch: whether it is allowed.
    """

    site: str | None = None
    sites: int | None = None
    firmware: str | None = None
    grid_charging: bool | None = None
    rate_plan: bool | None = None
    storm_watch: bool | None = None


class BatteryMemory(Struct, frozen=True):
    """What is remembered of the battery between runs.

    owns_mode, owns_reserve: the value is ours to bring back. before: the stance found before the first
    write. confirmed_*: the last value a read-back agreed to, None while in doubt. unproven_until: a
    holding value was written but never read back; until then it may still take effect. leased_until: the
    gateway was asked to hold until then and to end that by itself.
    rate_plan_missing: Tesla refused time-based control. rested_at: the last verified midnight reset.
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

    @property
    def owned(self) -> bool:
        """Whether anything of the battery's stance is ours to bring back."""
        return self.owns_mode or self.owns_reserve

    def has_confirmed(self, wanted: BatterySettings) -> bool:
        """Whether the wanted stance has been read back and nothing was written since."""
        if self.in_doubt_since or self.confirmed_mode != wanted.mode or self.confirmed_reserve_pct is None:
            return False
        return reserve_matches(self.confirmed_reserve_pct, wanted.reserve_pct, clamped=True)


class BatteryCommand(Struct, frozen=True):
    """One command: one of the two values, the other being left alone; or both, where they are taken in one.

    until: the values hold until then, and the gateway ends that by itself. ends_lease: it is to end it now.
    """

    mode: str | None = None
    reserve_pct: int | None = None
    until: datetime | None = None
    cancels_timed_hold: bool = False

    def __str__(self) -> str:
        """What was asked for."""
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
    """Whether a lease ends when it should, or there is none where none should be."""
    if seen is None or expected is None:
        return seen is expected
    return abs(seen - expected) <= TIMED_HOLD_TOLERANCE


def reserve_pct_to_remember(reading: BatteryReading, wanted_pct: int) -> int | None:
    """The reserve to remember: the wanted one where the reading is as near to it as readings come."""
    if reading.reserve_pct is None:
        return None
    is_near_it = reserve_matches(reading.reserve_pct, wanted_pct, clamped=False, within=reading.reserve_accuracy_pct)
    return wanted_pct if is_near_it else round(reading.reserve_pct)


def writable_reserve_pct(found_pct: float) -> int:
    """A reserve found, as it can be written again: Tesla takes 0-80 and 100, and makes 80 of what lies between."""
    return CLAMPED_RESERVE_PCT if CLAMPED_RESERVE_PCT < round(found_pct) < FULL_RESERVE_PCT else round(found_pct)


def has_hold_settings(reading: BatteryReading) -> bool:
    """Whether somebody holds the battery before we came: then it is not ours to touch."""
    return reading.mode == MODE_BACKUP or reserve_matches(reading.reserve_pct, FULL_RESERVE_PCT, clamped=False)


def find_manual_changes(memory: BatteryMemory, reading: BatteryReading, wanted: BatterySettings) -> tuple[bool, bool]:
    """Which of our values (mode, reserve) read as neither confirmed nor wanted while nothing is in doubt."""
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


def commands_to_reach(
    reading: BatteryReading, wanted: BatterySettings, *, mode: bool, reserve: bool, clamped: bool = False
) -> Iterator[BatteryCommand]:
    """What differs, mode first both ways: it alone ends or begins a backup, and two commands at once race.

    mode, reserve: which of the values may be touched. clamped: the wanted stance was confirmed before, so a
    reserve of 80 is how this firmware shows 100. Source of the race: pypowerwall pull request 377.
    """
    if mode and reading.mode != wanted.mode:
        yield BatteryCommand(mode=wanted.mode)
    if reserve and not reserve_matches(
        reading.reserve_pct, wanted.reserve_pct, clamped=clamped, within=reading.reserve_accuracy_pct
    ):
        yield BatteryCommand(reserve_pct=wanted.reserve_pct)


def merge_commands(single: Iterator[BatteryCommand]) -> Iterator[BatteryCommand]:
    """The same commands as one, for a gateway that takes both values together."""
    both = list(single)
    if both:
        mode = next((write.mode for write in both if write.mode is not None), None)
        yield BatteryCommand(mode, next((write.reserve_pct for write in both if write.reserve_pct is not None), None))


class BatteryOutcome(StrEnum):
    """How a conversation with the battery ended.

    WAITING: an outside power has it. NOT_OURS: held by somebody before we came. BY_HAND: the owner changed
    it meanwhile. SETTLING: it rests, but a command that was never seen to work may still take effect.
    """

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    HELD_BY_OTHERS = "not ours"
    BY_HAND = "changed by hand"
    SETTLING = "settling"


def preserve_settings(reading: BatteryReading) -> BatterySettings | None:
    """The stance that keeps the battery as it is; None where its state of energy is not known.

    Self-powered, with the reserve at the state of energy, but never below the reserve that was found. Above
    80 % there is only 100 % that Tesla takes and that lets nothing out: then the battery is filled to the top.
    """
    if reading.soe_pct is None or reading.reserve_pct is None:
        return None
    found = round(reading.reserve_pct)
    wanted = max(floor(reading.soe_pct), found)
    return BatterySettings(
        MODE_SELF_CONSUMPTION, wanted if wanted <= CLAMPED_RESERVE_PCT or wanted == found else FULL_RESERVE_PCT
    )


def confirmed_preserve_settings(memory: BatteryMemory) -> BatterySettings | None:
    """The stance in which the battery is being preserved, as it was last read back; None where it is not."""
    if not memory.owned or memory.in_doubt_since or memory.confirmed_mode != MODE_SELF_CONSUMPTION:
        return None
    if memory.confirmed_reserve_pct is None:
        return None
    return BatterySettings(MODE_SELF_CONSUMPTION, memory.confirmed_reserve_pct)

"""The words of the house as values: windows, holds, stances, and the situation a decision is made from."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from msgspec import Struct

from smartcharge.policy.slots import SLOT, CheapPeriod, Span, last_slot_end, slot_end


class ChargerState(StrEnum):
    """What the charger's own measurement says about the car."""

    CHARGING = "CHARGING"
    IDLE = "IDLE"
    UNKNOWN = "UNKNOWN"


class HoldKind(StrEnum):
    """Whether a hold rests on a planned window, or on the one unplanned half hour after it."""

    WINDOW = "WINDOW"
    EXTENSION = "EXTENSION"


class DescribedEnum(StrEnum):
    """Words of which each carries what explains it to the owner."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """Attach the sentence to the word."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


class Reason(DescribedEnum):
    """The rule that decided."""

    CLOCK_IS_DOUBTFUL = "CLOCK_IS_DOUBTFUL", "this machine's clock cannot be right"
    PAUSED = "PAUSED", "you have paused smartcharge"
    STOOD_DOWN = "STOOD_DOWN", "the battery was set by somebody else, so this window is left to them"
    CHEAP_PERIOD = "CHEAP_PERIOD", "the night rate applies to the whole house anyway"
    CHARGING_IN_WINDOW = "CHARGING_IN_WINDOW", "the car is charging in a planned cheap window"
    NOTHING_TO_HOLD = "NOTHING_TO_HOLD", "there is no cheap window in which the car is charging"
    CAR_STOPPED = "CAR_STOPPED", "the car stopped during the extra half hour"
    SLOT_ALREADY_CHEAP = "SLOT_ALREADY_CHEAP", "the half hour is already cheap and stands to its end"
    OVERRUN = "OVERRUN", "the car still charges as its window ends: one extra half hour"
    SLOT_ENDS = "SLOT_ENDS", "the last cheap half hour ends"


class DispatchWindow(Struct, frozen=True):
    """A supplier's promise of cheap import for the car, UTC, half-open.

    seen_at: when the supplier last answered for this device, whatever the answer said.
    withdrawn: missing from a later answer. superseded: withdrawn because a revision took its place.
    boosting: the device reports that the owner forces a charge, which is billed at the day rate.
    energy_kwh: planned energy into the car, >= 0; None where the supplier is silent.
    """

    starts_at: datetime
    ends_at: datetime
    seen_at: datetime
    device: str = ""
    withdrawn: bool = False
    superseded: bool = False
    boosting: bool = False
    energy_kwh: float | None = None

    @property
    def live(self) -> bool:
        """Planned and not taken back."""
        return not (self.withdrawn or self.superseded)

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies inside; the end does not."""
        return self.starts_at <= moment < self.ends_at


class Hold(Struct, frozen=True):
    """Our promise that the holding stance stands until a slot end (UTC)."""

    until: datetime
    kind: HoldKind = HoldKind.WINDOW


class Pause(Struct, frozen=True):
    """The owner's word that nothing new begins; until None means until resumed."""

    until: datetime | None = None


class ManualOverride(Struct, frozen=True):
    """A window left to whoever set the battery: noticed at `at`, and at least until `until`."""

    at: datetime
    until: datetime


class Policy(Struct, frozen=True):
    """The numbers of the policy; durations, and the cheap period in local wall-clock time."""

    cheap_period: CheapPeriod
    release_lead: timedelta = timedelta(seconds=90)
    min_hold: timedelta = timedelta(seconds=180)
    grace: timedelta = timedelta(seconds=600)
    extension: bool = True
    max_hours_per_day: float | None = None


class State(Struct, frozen=True):
    """All that a decision may know.

    held_since_noon: time held since the last local noon. clock_is_doubtful: `now` lies before what has been.
    """

    now: datetime
    policy: Policy
    windows: tuple[DispatchWindow, ...] = ()
    charger: ChargerState = ChargerState.UNKNOWN
    hold: Hold | None = None
    pause: Pause | None = None
    stand_down: ManualOverride | None = None
    held_since_noon: timedelta = timedelta(0)
    clock_is_doubtful: bool = False

    @property
    def release_complete_at(self) -> datetime:
        """The moment a release begun now would be complete."""
        return self.now + self.policy.release_lead

    @property
    def is_paused(self) -> bool:
        """Whether the owner's pause stands."""
        return self.pause is not None and (self.pause.until is None or self.now < self.pause.until)

    @property
    def manual_override_until(self) -> datetime | None:
        """When the window that was left to somebody else is over; it moves with the window."""
        if self.stand_down is None:
            return None
        at, end = self.stand_down.at, self.stand_down.until - SLOT
        ends = [s.ends_at for s in merge_windows(self.windows) if s.starts_at < max(at + SLOT, end) and at < s.ends_at]
        until = last_slot_end(max(ends)) + SLOT if ends else self.stand_down.until
        return until if self.now < until else None

    @property
    def is_cheap_now(self) -> bool:
        """Whether the nightly rate applies."""
        return self.policy.cheap_period.containing(self.now) is not None

    @property
    def is_charging(self) -> bool:
        """Whether power is known to flow into the car."""
        return self.charger is ChargerState.CHARGING

    @property
    def next_hold_until(self) -> datetime:
        """Where a hold taken now would end: the slot that holds `ahead`, cut at the cheap period."""
        return self.cap_at_cheap_period(slot_end(self.release_complete_at))

    @property
    def is_release_due(self) -> bool:
        """Whether the open hold's release begins now, however late this tick comes."""
        return self.hold is not None and self.release_complete_at >= self.hold.until

    def cap_at_cheap_period(self, until: datetime) -> datetime:
        """A hold never reaches into the cheap period."""
        return min(until, self.policy.cheap_period.next_start(self.now))

    def is_recent_answer(self, answered_at: datetime) -> bool:
        """Whether an answer of the supplier is within the grace.

        Inside the cheap period the supplier is asked less, so there the grace is doubled. A stamp as
        far ahead of the clock is no better evidence than one as far behind it.
        """
        grace = self.policy.grace * (2 if self.is_cheap_now else 1)
        return abs(self.now - answered_at) < grace

    def is_fresh(self, window: DispatchWindow) -> bool:
        """Whether the supplier answered for the window's device within the grace."""
        return self.is_recent_answer(window.seen_at)

    def can_hold_for(self, window: DispatchWindow) -> bool:
        """Whether a window is evidence for holding: live, fresh, not boosted, and under the daily cap."""
        cap = self.policy.max_hours_per_day
        under_cap = cap is None or self.held_since_noon < timedelta(hours=cap)
        return window.live and self.is_fresh(window) and not window.boosting and under_cap

    def is_covered(self, moment: datetime) -> bool:
        """Whether a window that may be held for covers `moment`."""
        return any(window.covers(moment) and self.can_hold_for(window) for window in self.windows)

    def has_window_ending_with(self, hold: Hold) -> bool:
        """Whether a window that may be held for ends in the hold's last slot."""
        return any(hold.until - SLOT < w.ends_at <= hold.until and self.can_hold_for(w) for w in self.windows)


class Decision(Struct, frozen=True):
    """What should be held, and the rule that says so."""

    hold: Hold | None
    reason: Reason


def merge_windows(windows: Iterable[DispatchWindow]) -> tuple[Span, ...]:
    """Live windows as the owner sees them: adjacent and overlapping ones count as one."""
    spans: list[Span] = []
    for window in sorted((w for w in windows if w.live), key=lambda w: w.starts_at):
        if spans and window.starts_at <= spans[-1].ends_at:
            spans[-1] = Span(spans[-1].starts_at, max(spans[-1].ends_at, window.ends_at))
        else:
            spans.append(Span(window.starts_at, window.ends_at))
    return tuple(spans)


class Dispatch(Struct, frozen=True):
    """One planned or completed dispatch as the supplier tells it, UTC, half-open.

    energy_kwh: magnitude, None where the supplier is silent; information, never a filter.
    source, location: the supplier's own words, where given.
    """

    starts_at: datetime
    ends_at: datetime
    energy_kwh: float | None = None
    source: str | None = None
    location: str | None = None


class RegisteredDevice(Struct, frozen=True):
    """A car or charger registered with the supplier.

    watched: LIVE, not suspended, and an electric vehicle. boosting: the owner forces a charge.
    state: the supplier's word for it, for people only.
    """

    id: str
    watched: bool
    boosting: bool = False
    state: str | None = None


class DeviceRegistration(Struct, frozen=True):
    """How a device is registered with the supplier; kind, status: its own words, None where it is silent."""

    device: RegisteredDevice
    is_live_car: bool
    suspended: bool
    kind: str | None = None
    status: str | None = None


class SupplierPlan(Struct, frozen=True):
    """One conversation with the supplier.

    devices: every registered device, None where that part failed. planned: for each watched device its
    cheap-eligible dispatches, or None where the answer was no answer (an error, null, a missing field):
    only an empty tuple says "nothing planned". completed: None where unknown. remarks: oddities for -v
    and the journal, one line each, without secrets. trouble: why a part is unknown, one line, or None.
    """

    devices: tuple[RegisteredDevice, ...] | None
    planned: dict[str, tuple[Dispatch, ...] | None]
    completed: tuple[Dispatch, ...] | None = None
    remarks: tuple[str, ...] = ()
    trouble: str | None = None


class ChargerReading(Struct, frozen=True):
    """What the charger says about the car.

    watts: power into the car (all Zappis together), None where unknown. at: when it was asked (UTC).
    why: one short clause for people ("7,150 W, pilot C2", "record is 9 min old"). session_kwh: the
    session counter where present. serials: the chargers that answered.
    """

    state: ChargerState
    at: datetime
    watts: float | None = None
    why: str = ""
    session_kwh: float | None = None
    serials: tuple[str, ...] = ()


class BatteryLevel(Struct, frozen=True):
    """How full the house battery was (UTC).

    soe_pct: state of energy, 0-100 %, None where it was missing. capacity_kwh: what it holds when full, None where
    nobody said.
    """

    at: datetime
    soe_pct: float | None
    capacity_kwh: float | None = None

"""The values that the policy works with: windows, holds, readings, and the state that a decision is made from."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from msgspec import Struct, field
from msgspec.structs import replace

from smartcharge.policy.slots import SLOT, CheapPeriod, Span, last_noon, last_slot_end, slot_end


class ChargerState(StrEnum):
    """Whether power flows into the car: CHARGING and IDLE only by a fresh measurement, UNKNOWN for everything else."""

    CHARGING = "CHARGING"
    IDLE = "IDLE"
    UNKNOWN = "UNKNOWN"


class HoldKind(StrEnum):
    """Why a hold exists: a planned window, or the one unplanned half hour after it while the car still charges."""

    WINDOW = "WINDOW"
    EXTENSION = "EXTENSION"


class DescribedEnum(StrEnum):
    """An enum whose members also carry a sentence for the householder."""

    sentence: str

    def __new__(cls, value: str, sentence: str) -> Self:
        """Store the sentence beside the value."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


class Reason(DescribedEnum):
    """The rule of `decide` that applied. Journals keep these codes, so they never change."""

    CLOCK_IS_DOUBTFUL = "CLOCK_IS_DOUBTFUL", "this computer's clock is not right"
    PAUSED = "PAUSED", "you have paused smartcharge"
    STOOD_DOWN = "STOOD_DOWN", "someone else set the Powerwall, so this slot is left to them"
    CHEAP_PERIOD = "CHEAP_PERIOD", "the whole house is on the off-peak rate"
    CHARGING_IN_WINDOW = "CHARGING_IN_WINDOW", "the car is charging in a smart-charging slot"
    NOTHING_TO_HOLD = "NOTHING_TO_HOLD", "the car is not charging in a smart-charging slot"
    CAR_STOPPED = "CAR_STOPPED", "the car stopped charging in the extra half hour"
    SLOT_ALREADY_CHEAP = "SLOT_ALREADY_CHEAP", "this half hour is already off-peak, so it runs to its end"
    OVERRUN = "OVERRUN", "the car is still charging as its slot ends: one extra half hour"
    SLOT_ENDS = "SLOT_ENDS", "the last off-peak half hour ends"


class DispatchWindow(Struct, frozen=True):
    """A span in which the supplier plans cheap import for the car, UTC, half-open.

    seen_at: when the supplier last answered for this device, whatever the answer said.
    withdrawn: missing from a later answer. superseded: withdrawn because a revision took its place.
    boosting: the device reports that the owner forces a charge, which is billed at the peak rate.
    energy_kwh: planned energy into the car, >= 0; None if the supplier does not say.
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
        """Whether the plan still contains it."""
        return not (self.withdrawn or self.superseded)

    def covers(self, moment: datetime) -> bool:
        """Whether `moment` lies in the window; its end does not."""
        return self.starts_at <= moment < self.ends_at


class Hold(Struct, frozen=True):
    """The promise to keep the battery on its holding settings until `until`, the end of a slot (UTC)."""

    until: datetime
    kind: HoldKind = HoldKind.WINDOW


class Pause(Struct, frozen=True):
    """The owner's request to begin no new hold. until: None means until `resume`."""

    until: datetime | None = None


class ManualOverride(Struct, frozen=True):
    """Somebody else changed the battery, so this window is left to them.

    at: when it was noticed. until: the earliest end; `State.manual_override_until` moves it with the window.
    """

    at: datetime
    until: datetime


class Policy(Struct, frozen=True):
    """The numbers of the policy that the owner may configure.

    release_lead: how long before the end of a slot the release begins. min_hold: a shorter hold is not begun.
    grace: how long an answer of the supplier counts as fresh. extension: whether one extra half hour may follow a
    window while the car still charges. max_hours_per_day: limit of the held hours from noon to noon, None for none.
    """

    cheap_period: CheapPeriod
    release_lead: timedelta = timedelta(seconds=90)
    min_hold: timedelta = timedelta(seconds=180)
    grace: timedelta = timedelta(seconds=600)
    extension: bool = True
    max_hours_per_day: float | None = None


class State(Struct, frozen=True):
    """Everything that a decision may know. The journal stores it, so that a decision can be repeated.

    solar_only: the charging car takes surplus solar power only. manual_override: stored as "stand_down".
    held_since_noon: time held since the last local noon. clock_is_doubtful: `now` contradicts what was recorded.
    """

    now: datetime
    policy: Policy
    windows: tuple[DispatchWindow, ...] = ()
    charger: ChargerState = ChargerState.UNKNOWN
    hold: Hold | None = None
    pause: Pause | None = None
    manual_override: ManualOverride | None = field(name="stand_down", default=None)
    held_since_noon: timedelta = timedelta(0)
    clock_is_doubtful: bool = False
    solar_only: bool = False

    def with_charger(self, charger: ChargerState, *, solar_only: bool = False) -> Self:
        """Return the same state with another answer of the charger."""
        return replace(self, charger=charger, solar_only=solar_only)

    @property
    def release_complete_at(self) -> datetime:
        """When a release that begins now is complete; the policy calls this moment "ahead"."""
        return self.now + self.policy.release_lead

    @property
    def is_paused(self) -> bool:
        """Whether the owner's pause applies now."""
        return self.pause is not None and (self.pause.until is None or self.now < self.pause.until)

    @property
    def manual_override_until(self) -> datetime | None:
        """When the manual override ends: 30 minutes after the window's last slot. None if none applies now."""
        if self.manual_override is None:
            return None
        at, end = self.manual_override.at, self.manual_override.until - SLOT
        ends = [s.ends_at for s in merge_windows(self.windows) if s.starts_at < max(at + SLOT, end) and at < s.ends_at]
        until = last_slot_end(max(ends)) + SLOT if ends else self.manual_override.until
        return until if self.now < until else None

    @property
    def is_cheap_now(self) -> bool:
        """Whether the cheap period applies now."""
        return self.policy.cheap_period.containing(self.now) is not None

    @property
    def is_charging(self) -> bool:
        """Whether power is known to flow into the car."""
        return self.charger is ChargerState.CHARGING

    @property
    def is_charging_from_grid(self) -> bool:
        """Whether the car is charging and may take power from the grid."""
        return self.is_charging and not self.solar_only

    @property
    def has_stopped_using_grid(self) -> bool:
        """Whether the car is known to take nothing from the grid: it is idle, or charges from the sun alone."""
        return self.charger is ChargerState.IDLE or (self.is_charging and self.solar_only)

    @property
    def next_hold_until(self) -> datetime:
        """Where a hold that is decided now ends: with the slot that holds "ahead", or where the cheap period begins."""
        return self.cap_at_cheap_period(slot_end(self.release_complete_at))

    @property
    def is_release_due(self) -> bool:
        """Whether the open hold must be released or renewed now, however late this run is."""
        return self.hold is not None and self.release_complete_at >= self.hold.until

    def cap_at_cheap_period(self, until: datetime) -> datetime:
        """Cut the end of a hold at the start of the next cheap period."""
        return min(until, self.policy.cheap_period.next_start(self.now))

    def is_within_daily_limit(self, until: datetime) -> bool:
        """Whether the hours held from noon to noon stay within `max_hours_per_day` if held from now to `until`.

        The whole promise counts, not only what has passed. What lies after the next noon counts for the next day.
        """
        if self.policy.max_hours_per_day is None:
            return True
        limit = timedelta(hours=self.policy.max_hours_per_day)
        noon = last_noon(until, self.policy.cheap_period.zone)
        if noon <= self.now:
            return self.held_since_noon + (until - self.now) <= limit
        return self.held_since_noon + (noon - self.now) <= limit and until - noon <= limit

    def is_recent_answer(self, answered_at: datetime) -> bool:
        """Whether an answer of the supplier is younger than the grace, which is doubled inside the cheap period.

        The supplier is asked less often there. A time stamp as far in the future is no better than an old one.
        """
        grace = self.policy.grace * (2 if self.is_cheap_now else 1)
        return abs(self.now - answered_at) < grace

    def is_fresh(self, window: DispatchWindow) -> bool:
        """Whether the supplier has answered recently for the window's device."""
        return self.is_recent_answer(window.seen_at)

    def can_hold_for(self, window: DispatchWindow) -> bool:
        """Whether a window justifies a hold: it is still planned, its plan is fresh, its device is not boosting."""
        return window.live and self.is_fresh(window) and not window.boosting

    def is_covered(self, moment: datetime) -> bool:
        """Whether a window that justifies a hold covers `moment`."""
        return any(window.covers(moment) and self.can_hold_for(window) for window in self.windows)

    def has_window_ending_with(self, hold: Hold) -> bool:
        """Whether a window that justifies a hold ends in the hold's last slot."""
        return any(hold.until - SLOT < w.ends_at <= hold.until and self.can_hold_for(w) for w in self.windows)


class Decision(Struct, frozen=True):
    """What should be held (None: nothing), and the rule that decided it."""

    hold: Hold | None
    reason: Reason


def merge_windows(windows: Iterable[DispatchWindow]) -> tuple[Span, ...]:
    """Merge the windows that are still planned: adjacent and overlapping ones count as one."""
    spans: list[Span] = []
    for window in sorted((w for w in windows if w.live), key=lambda w: w.starts_at):
        if spans and window.starts_at <= spans[-1].ends_at:
            spans[-1] = Span(spans[-1].starts_at, max(spans[-1].ends_at, window.ends_at))
        else:
            spans.append(Span(window.starts_at, window.ends_at))
    return tuple(spans)


class Dispatch(Struct, frozen=True):
    """One planned or completed dispatch as the supplier reports it, UTC, half-open.

    energy_kwh: magnitude, None if the supplier does not say; shown, never used to decide.
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
    state: the supplier's word for it, shown to people and never interpreted.
    """

    id: str
    watched: bool
    boosting: bool = False
    state: str | None = None


class DeviceRegistration(Struct, frozen=True):
    """How a device is registered with the supplier. kind, status: the supplier's words, None if it does not say."""

    device: RegisteredDevice
    is_live_car: bool
    suspended: bool
    kind: str | None = None
    status: str | None = None


class SupplierPlan(Struct, frozen=True):
    """What the supplier answered in one fetch.

    devices: every registered device, None if that part failed. planned: for each watched device its dispatches at the
    cheap rate, or None if the answer does not say (an error, null, a missing field); only an empty tuple means
    "nothing planned". completed: None if unknown. remarks: unexpected details for -v and the journal, one line each,
    without secrets. trouble: why a part is unknown, one line, or None. server_time: what the supplier's server says the
    time is (UTC), None where it does not.
    """

    devices: tuple[RegisteredDevice, ...] | None
    planned: dict[str, tuple[Dispatch, ...] | None]
    completed: tuple[Dispatch, ...] | None = None
    remarks: tuple[str, ...] = ()
    trouble: str | None = None
    server_time: datetime | None = None


class ChargerReading(Struct, frozen=True):
    """What the charger says about the car.

    watts: power into the car (all chargers together), None if unknown. at: when it was asked (UTC).
    why: one short clause for people ("7,150 W, pilot C2", "record is 9 min old"). session_kwh: the
    session counter, if present. serials: the chargers that answered. solar_only: every charger that charges takes
    surplus solar power only; False where a charger cannot tell.
    """

    state: ChargerState
    at: datetime
    watts: float | None = None
    why: str = ""
    session_kwh: float | None = None
    serials: tuple[str, ...] = ()
    solar_only: bool = False


class BatteryLevel(Struct, frozen=True):
    """How full the house battery was (UTC).

    soe_pct: state of energy, 0-100 %, None if missing. capacity_kwh: energy when full, None if unknown.
    """

    at: datetime
    soe_pct: float | None
    capacity_kwh: float | None = None

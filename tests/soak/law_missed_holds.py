"""The laws of duty: what must not be missed, and whose window is left alone."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from law_holds import RELEASE_LEAD
from soak_battery import HOLDING_VALUES
from soak_observer import DayObserver, StoredState

from smartcharge.policy.battery import CLAMPED_RESERVE_PCT, FULL_RESERVE_PCT, MODE_BACKUP
from smartcharge.policy.model import HoldKind
from smartcharge.policy.slots import SLOT

if TYPE_CHECKING:
    from soak_day import SoakDay


STEADY_TIME = timedelta(minutes=6)
"""So long all must have been as it is, until the battery certainly is held."""
CALM_TIME = STEADY_TIME * 4
"""After so long nothing waits any more because of what was wrong before."""
SHORT_TIME = timedelta(minutes=4)
"""A window with less left than that is not worth a hold."""


class MissedHoldLaws:
    """left: the window that was left to whoever set the battery, as far as it has grown since.

    owned_at: until when nothing of the battery was ours.
    """

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.left: tuple[datetime, datetime] | None = None
        self.stood_down_at: datetime | None = None
        self.answers = 0
        self.owned_at = day.now

    def commanded(self, value: str | int) -> None:
        """A holding command arrives."""
        if self.left and self.left[0] <= self.day.clock < self.left[1]:
            self.observer.broken("a window left to the owner stays left", f"wrote {value}, {self.left}")

    def after_run(self, known: StoredState) -> None:
        """Follow the window that was left to somebody else, as the supplier moves it."""
        stood, tariff = known.seen.manual_override, self.day.tariff
        if stood is None or self.day.jump:
            self.left, self.stood_down_at = None, stood and stood.at
        elif stood.at != self.stood_down_at:
            self.stood_down_at, self.left = stood.at, tariff.window_around(self.day.clock)
            self._judge_reason()
        elif self.left and len(tariff.told) != self.answers:
            around = tariff.window_around(self.day.clock)
            self.left = around if around and around[0] < self.left[1] else None
        self.answers = len(tariff.told)
        self.owned_at = self.owned_at if known.memory.owned else self.day.now

    def _judge_reason(self) -> None:
        """Who stands down has seen somebody's hand: held by somebody before, or changed since it was ours.

        What a release did while the disk was full is foreign, too, when it is first read after that: neither
        confirmed nor wanted, and no doubt could be stored before it. It reads as the owner's hand would, and
        the owner comes first. Only what such a release did: a hold that still stands as it was is nobody's hand.
        """
        values = (self.day.battery.mode, self.day.battery.reserve)
        theirs = any(not each.ours and each.shown in HOLDING_VALUES for each in values)
        released = any(each.ours and not each.held for each in values)
        changed_at = (
            max(self.observer.last_owner_action_at, self.observer.unrecorded_at)
            if released
            else self.observer.last_owner_action_at
        )
        if not theirs and changed_at < self.owned_at:
            self.observer.broken("nobody's hand, no stand-down", f"ours since {self.owned_at:%H:%M}")

    def after_round(self, known: StoredState) -> None:
        """A car that charges in a window finds the battery held for it, where nothing stands in the way."""
        hold = known.hold and known.hold.hold
        if hold and hold.kind is HoldKind.EXTENSION and self._has_stopped():
            self.observer.broken("an extension ends with the car", f"held until {hold.until}")
        battery = self.day.battery
        held = battery.mode.shown == MODE_BACKUP and battery.reserve.shown in {FULL_RESERVE_PCT, CLAMPED_RESERVE_PCT}
        if not held and self._is_steady() and not self._is_in_the_way(known) and (window := self._window()):
            self.observer.broken("a car that charges in a window is held for", f"{window}, {known.hold}")

    def _has_stopped(self) -> bool:
        day, observer = self.day, self.observer
        return (
            not day.charger.charging
            and day.now - day.car_since > STEADY_TIME
            and observer.time_since_disturbance > STEADY_TIME * 2
        )

    def _is_steady(self) -> bool:
        """Whether the car has charged for long, and nothing has gone wrong; a hand is noticed at a renewal."""
        day, observer = self.day, self.observer
        charges = day.charger.charging and day.now - day.car_since > STEADY_TIME
        return (
            charges
            and observer.time_since_disturbance > CALM_TIME
            and observer.time_since_owner_action > SLOT + STEADY_TIME
        )

    def _window(self) -> tuple[datetime, datetime] | None:
        """The window that has been planned for long just as it is, began a while ago, and goes on for a while."""
        clock, tariff = self.day.clock, self.day.tariff
        before = [told for told in tariff.told if clock - STEADY_TIME * 2 < told.at <= clock - STEADY_TIME]
        window = tariff.window_around(clock - STEADY_TIME)
        goes_on = window is not None and clock + RELEASE_LEAD + SHORT_TIME < window[1]
        return (
            window
            if goes_on and before and all(told.spans == tariff.newest[told.car].spans for told in before)
            else None
        )

    def _is_in_the_way(self, known: StoredState) -> bool:
        """Whether something forbids a hold: the owner, the night, a service that asked to be left alone, the cap."""
        seen, policy = known.seen, self.observer.policy
        night_is_near = policy.cheap_period.next_start(self.day.clock) - self.day.clock < STEADY_TIME
        by_owner = seen.is_paused or seen.manual_override_until is not None or seen.clock_is_doubtful
        limited = policy.max_hours_per_day is not None or self.day.laws.manners.must_wait
        return by_owner or limited or night_is_near or self.observer.night is not None

"""The laws of holds: when one may begin or go on, and until when."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from soak_observer import DayObserver, StoredState
from soak_services import CarAnswer

from smartcharge.policy.model import HoldKind
from smartcharge.policy.slots import SLOT, last_noon, slot_start
from smartcharge.store.control import HoldRow
from smartcharge.store.times import format_instant

if TYPE_CHECKING:
    from soak_day import SoakDay


RELEASE_LEAD = timedelta(seconds=90)
PLAN_MAX_AGE = timedelta(minutes=10)
CHARGER_MAX_AGE = timedelta(seconds=135)
"""The charger is asked every other minute, or more often."""
MINUTE = timedelta(minutes=1)


class HoldLaws:
    """held_for: how long was held since the last local noon, up to `held_to`, by the true time."""

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.held_for, self.held_to = timedelta(0), day.now

    def commanded(self, value: str | int) -> None:
        """A holding command arrives."""
        known, day = self.observer.look(), self.day
        if self.observer.night is not None:
            self.observer.broken("never in the cheap period", f"wrote {value}")
        if known.hold is None:
            self.observer.broken("only for a hold", f"wrote {value}")
        if known.seen.is_paused:
            self.observer.broken("never while paused", f"wrote {value}")
        if day.clock.year < 2020 or self._was_later():
            self.observer.broken("never by a clock in doubt", f"wrote {value}")

    def _was_later(self) -> bool:
        """Whether a run wrote down a later moment, though not so late that its clock was the odd one."""
        soon, late = self.day.clock + MINUTE * 3, self.day.clock + MINUTE * 115
        query = "SELECT 1 FROM journal WHERE at > ? AND at < ? AND command <> 'migration'"
        return self.observer.db.execute(query, (format_instant(soon), format_instant(late))).fetchone() is not None

    def changed(self, was: HoldRow | None, known: StoredState) -> None:
        """Judge the hold after a run; was: the one before."""
        day, hold = self.day, known.hold.hold if known.hold else None
        if hold is None or known.hold is None:
            return
        if was is not None and was.id == known.hold.id and was.hold == hold:
            return
        day.tally.holds += 1
        self._judge_end(hold.until)
        self._judge_evidence(hold.until, hold.kind)
        if hold.kind is HoldKind.EXTENSION:
            self._judge_extension(was, hold.until)

    def _judge_end(self, until: datetime) -> None:
        starts = self.observer.policy.cheap_period.next_start(self.day.clock)
        if until <= self.day.clock or (until != slot_start(until) and until != starts):
            self.observer.broken("a hold ends with a slot", f"held until {until}")
        if until > starts:
            self.observer.broken("a hold ends before the cheap period", f"held until {until}")
        self._judge_cap()

    def _judge_cap(self) -> None:
        """No more hours a day than allowed, from noon to noon, where the clock was right all the time."""
        day, cap = self.day, self.observer.policy.max_hours_per_day
        is_this_day = last_noon(day.now, self.observer.policy.cheap_period.zone) < self.held_to
        was_right = self.observer.time_since_unrecorded > self.held_for + SLOT
        if cap is not None and is_this_day and was_right and self.held_for > timedelta(hours=cap) + MINUTE:
            self.observer.broken("no longer than the daily cap", f"held on after {self.held_for}")

    def _judge_evidence(self, until: datetime, kind: HoldKind) -> None:
        day, said_at = self.day, self.day.charger.charging_at
        if said_at is None or abs(day.clock - said_at) > CHARGER_MAX_AGE:
            self.observer.broken("only for a car that charges", f"held until {until}, it was last seen to at {said_at}")
        if not self._fresh():
            self.observer.broken("only on a fresh plan", f"held until {until}")
        ahead = day.clock + RELEASE_LEAD
        if kind is HoldKind.WINDOW and not any(start <= ahead < end for start, end in self._planned()):
            self.observer.broken("only in a window", f"held until {until}")

    def _judge_extension(self, was: HoldRow | None, until: datetime) -> None:
        if was is None or was.hold.kind is not HoldKind.WINDOW or until > was.hold.until + SLOT:
            self.observer.broken("one extension after a window", f"held until {until} after {was}")
            return
        if not self.observer.policy.extension:
            self.observer.broken("no extension where it is switched off", f"held until {until}")
        last = was.hold.until - SLOT
        if not any(last < end <= was.hold.until for end in self._standing_ends()):
            self.observer.broken("no extension after a withdrawal", f"held until {until}")

    def _fresh(self) -> list[CarAnswer]:
        """The newest answers that may be held on, one a car."""
        now, newest = self.day.clock, self.day.tariff.newest.values()
        return [told for told in newest if abs(now - told.at) < PLAN_MAX_AGE and not told.boosting]

    def _planned(self) -> list[tuple[datetime, datetime]]:
        """What they plan; a window that lay ahead is believed until a second answer lacks it."""
        spans = [span for told in self._fresh() for span in told.spans]
        for newest in self._fresh():
            before = [told for told in self.day.tariff.told if told.car == newest.car][-3:-1]
            spans += [span for told in before for span in told.spans if span[0] > newest.at]
        return spans

    def _standing_ends(self) -> set[datetime]:
        """When the windows end, or ended, that were told and not taken back before, of the cars with a fresh answer."""
        ends = set()
        for car in {told.car for told in self._fresh()}:
            answers = [told for told in self.day.tariff.told if told.car == car]
            for end in {end for told in answers for _, end in told.spans}:
                last = [told for told in answers if told.at < end][-1:]
                ends |= {end for told in last for _, each in told.spans if each == end}
        return ends

    def after_round(self, known: StoredState, *, is_healthy: bool) -> None:
        """A hold is short; how long was held since the last local noon is counted."""
        day, hold, zone = self.day, known.hold, self.observer.policy.cheap_period.zone
        if is_healthy and hold is not None and hold.hold.until - day.clock > SLOT + RELEASE_LEAD:
            self.observer.broken("for one slot at most", f"held until {hold.hold.until}")
        if last_noon(day.now, zone) > self.held_to:
            self.held_for = timedelta(0)
        if known.hold is not None:
            self.held_for += day.now - self.held_to
        self.held_to = day.now

"""The laws of talking to the battery: whether to, what may be written over what, and in which order."""

from typing import TYPE_CHECKING

from soak_battery import HOLDING_VALUES
from soak_observer import DayObserver, RunRecord, StoredState

from smartcharge.policy.battery import MODE_SELF_CONSUMPTION, reserve_matches, writable_reserve_pct
from smartcharge.policy.battery_run import RESTING_MODES

if TYPE_CHECKING:
    from soak_day import SoakDay


MAX_WRITES = 6
ShownSettings = tuple[str | int, str | int]


class BatteryLaws:
    """talk: what the store held as the conversation began. before: the stance found before it was ours.

    is_certain: whether nobody else had a hand in what is to be brought back.
    """

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.talk: StoredState | None = None
        self.found: ShownSettings = ("autonomous", 20)
        self.before: ShownSettings | None = None
        self.is_certain = True
        self.has_rate_plan = True

    def entered(self) -> None:
        """A conversation begins: something must be wanted of it."""
        self._follow(known := self.observer.look())
        self.talk = known
        if not known.memory.owned:
            self.found = (self.day.battery.mode.shown, self.day.battery.reserve.shown)
        if known.memory.owned or known.hold is not None:
            return
        night, midnight_reset_at = self.observer.night, known.memory.midnight_reset_at
        if night is None:
            self.observer.broken("nothing wanted, nothing asked", "nothing is held, owned, or to be reset")
        elif midnight_reset_at is not None and night.starts_at <= midnight_reset_at <= self.day.clock:
            self.observer.broken("one reset a night", f"rested at {midnight_reset_at}")
        elif known.seen.is_paused or self.observer.restores_previous:
            self.observer.broken(
                "no reset", "while paused" if known.seen.is_paused else "where only what is ours is ended"
            )

    def touched(self) -> None:
        """The owner has set something."""
        self.is_certain = False

    def after_run(self, run: RunRecord, known: StoredState) -> None:
        """Count the commands of a run."""
        self._follow(known)
        wrote = self.day.battery.writes - run.writes_before
        self.day.tally.writes += 0 if run.was_interleaved else wrote
        if wrote > MAX_WRITES and not run.was_interleaved:
            self.observer.broken("few commands a run", wrote)

    def _follow(self, known: StoredState) -> None:
        """Remember what was found when it became ours."""
        if not known.memory.owned:
            self.before = None
        elif self.before is None:
            self.before, self.is_certain = self.found, not self.day.battery.pending
        self.has_rate_plan = self.has_rate_plan and not self.day.battery.no_rate_plan

    # -- a command arrives ------------------------------------------------------------------------------

    def commanded(self, name: str, value: str | int) -> None:
        """Judge a command as it arrives at Tesla."""
        now, talk = self.observer.look(), self.talk
        if talk is None or self.day.battery.lockouts:
            self.observer.broken("nothing against an outside power", f"wrote {value}")
            return
        self._judge_record(now, value)
        self._judge_order(value)
        if self.observer.night is None or self.observer.restores_previous:
            self._judge_hand(talk, name, value)
        if value not in HOLDING_VALUES:
            self._judge_rest(talk, name, value)
        elif self.day.battery.lockouts is None:
            self.observer.broken("no hold while outside powers are unknown", f"wrote {value}")

    def _judge_record(self, now: StoredState, value: str | int) -> None:
        """Record, then doubt, then act; on a full disk a release goes on all the same."""
        if self.day.disk_is_full:
            return
        if now.memory.in_doubt_since is None:
            self.observer.broken("doubt before writing", f"wrote {value}")
        if value in HOLDING_VALUES and not (
            now.memory.owns_mode and now.memory.owns_reserve and now.memory.settings_before
        ):
            self.observer.broken("record before acting", f"wrote {value}, {now.memory}")

    def _judge_order(self, value: str | int) -> None:
        """A second command only when the first is seen to have worked: two at once race."""
        if self.day.battery.written is None or self.day.battery.no_rate_plan:
            return
        name, first = self.day.battery.written
        if getattr(self.day.battery, name).shown != first:
            self.observer.broken("verify, then write on", f"wrote {value} before {first} was to be seen")

    def _judge_hand(self, talk: StoredState, name: str, value: str | int) -> None:
        """Nobody fights the owner, but the midnight reset."""
        memory, battery = talk.memory, self.day.battery
        stands = getattr(battery, name)
        theirs = [
            each.shown for each in (battery.mode, battery.reserve) if not each.ours and each.shown in HOLDING_VALUES
        ]
        if not memory.owned and theirs:
            self.observer.broken("held by somebody before is not ours", f"wrote {value} beside their {theirs}")
        if stands.ours or memory.in_doubt_since:
            return
        owns = memory.owns_mode if name == "mode" else memory.owns_reserve
        confirmed = memory.confirmed_mode if name == "mode" else memory.confirmed_reserve_pct
        if not owns and value not in HOLDING_VALUES:
            self.observer.broken("what the owner set stays", f"wrote {value} over {stands.shown}, which is not ours")
        elif (
            owns
            and confirmed is not None
            and not _is_same_value(stands.shown, confirmed)
            and not _is_same_value(stands.shown, value)
        ):
            self.observer.broken(
                "what the owner set stays", f"wrote {value} over {stands.shown}, set while {confirmed} was ours"
            )

    def _judge_rest(self, talk: StoredState, name: str, value: str | int) -> None:
        """What is brought back is the configured rest, or exactly what was there before."""
        control, place = self.day.house.config.control, 0 if name == "mode" else 1
        rest: ShownSettings = (control.resting_mode, control.default_reserve_pct)
        if self.observer.restores_previous and talk.memory.owned and self.before is not None:
            if not self.is_certain:
                return
            mode, reserve = self.before
            rest = (mode, writable_reserve_pct(float(reserve))) if mode in RESTING_MODES else rest
        allowed = {rest[place]} if self.has_rate_plan or place else {rest[place], MODE_SELF_CONSUMPTION}
        if value not in allowed:
            self.observer.broken("brought back to where it belongs", f"wrote {value}, not {rest[place]}")


def _is_same_value(one: str | int, other: str | int) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return reserve_matches(float(one), other, clamped=True)

"""The laws of talking to the battery: whether to, what may be written over what, and in which order."""

from typing import TYPE_CHECKING

from soak_battery import HOLDING
from soak_sight import Known, Run, Sight

from smartcharge.act.holding import RESTS
from smartcharge.core.stance import SELF_CONSUMPTION, agrees, writable_pct

if TYPE_CHECKING:
    from soak_day import Day

MOST_WRITES = 6
Shown = tuple[str | int, str | int]


class BatteryLaws:
    """talk: what the store held as the conversation began. before: the stance found before it was ours.

    is_certain: whether nobody else had a hand in what is to be brought back.
    """

    def __init__(self, day: "Day", sight: Sight) -> None:
        self.day, self.sight = day, sight
        self.talk: Known | None = None
        self.found: Shown = ("autonomous", 20)
        self.before: Shown | None = None
        self.is_certain = True
        self.has_rate_plan = True

    def entered(self) -> None:
        """A conversation begins: something must be wanted of it."""
        self._follow(known := self.sight.look())
        self.talk = known
        if not known.memory.owned:
            self.found = (self.day.battery.mode.shown, self.day.battery.reserve.shown)
        if known.memory.owned or known.hold is not None:
            return
        night, rested_at = self.sight.night, known.memory.rested_at
        if night is None:
            self.sight.broken("nothing wanted, nothing asked", "nothing is held, owned, or to be reset")
        elif rested_at is not None and night.starts_at <= rested_at <= self.day.clock:
            self.sight.broken("one reset a night", f"rested at {rested_at}")
        elif known.seen.paused or self.sight.restores_previous:
            self.sight.broken("no reset", "while paused" if known.seen.paused else "where only what is ours is ended")

    def touched(self) -> None:
        """The owner has set something."""
        self.is_certain = False

    def after_run(self, run: Run, known: Known) -> None:
        """Count the commands of a run."""
        self._follow(known)
        wrote = self.day.battery.writes - run.writes_before
        self.day.tally.writes += 0 if run.had_company else wrote
        if wrote > MOST_WRITES and not run.had_company:
            self.sight.broken("few commands a run", wrote)

    def _follow(self, known: Known) -> None:
        """Remember what was found when it became ours."""
        if not known.memory.owned:
            self.before = None
        elif self.before is None:
            self.before, self.is_certain = self.found, not self.day.battery.pending
        self.has_rate_plan = self.has_rate_plan and not self.day.battery.no_rate_plan

    # -- a command arrives ------------------------------------------------------------------------------

    def commanded(self, name: str, value: str | int) -> None:
        """Judge a command as it arrives at Tesla."""
        now, talk = self.sight.look(), self.talk
        if talk is None or self.day.battery.powers:
            self.sight.broken("nothing against an outside power", f"wrote {value}")
            return
        self._judge_record(now, value)
        self._judge_order(value)
        if self.sight.night is None or self.sight.restores_previous:
            self._judge_hand(talk, name, value)
        if value not in HOLDING:
            self._judge_rest(talk, name, value)
        elif self.day.battery.powers is None:
            self.sight.broken("no hold while outside powers are unknown", f"wrote {value}")

    def _judge_record(self, now: Known, value: str | int) -> None:
        """Record, then doubt, then act; on a full disk a release goes on all the same."""
        if self.day.disk_is_full:
            return
        if now.memory.in_doubt_since is None:
            self.sight.broken("doubt before writing", f"wrote {value}")
        if value in HOLDING and not (now.memory.owns_mode and now.memory.owns_reserve and now.memory.before):
            self.sight.broken("record before acting", f"wrote {value}, {now.memory}")

    def _judge_order(self, value: str | int) -> None:
        """A second command only when the first is seen to have worked: two at once race."""
        if self.day.battery.written is None or self.day.battery.no_rate_plan:
            return
        name, first = self.day.battery.written
        if getattr(self.day.battery, name).shown != first:
            self.sight.broken("verify, then write on", f"wrote {value} before {first} was to be seen")

    def _judge_hand(self, talk: Known, name: str, value: str | int) -> None:
        """Nobody fights the owner, but the midnight reset."""
        memory, battery = talk.memory, self.day.battery
        stands = getattr(battery, name)
        theirs = [each.shown for each in (battery.mode, battery.reserve) if not each.ours and each.shown in HOLDING]
        if not memory.owned and theirs:
            self.sight.broken("held by somebody before is not ours", f"wrote {value} beside their {theirs}")
        if stands.ours or memory.in_doubt_since:
            return
        owns = memory.owns_mode if name == "mode" else memory.owns_reserve
        confirmed = memory.confirmed_mode if name == "mode" else memory.confirmed_reserve_pct
        if not owns and value not in HOLDING:
            self.sight.broken("what the owner set stays", f"wrote {value} over {stands.shown}, which is not ours")
        elif owns and confirmed is not None and not _same(stands.shown, confirmed) and not _same(stands.shown, value):
            self.sight.broken(
                "what the owner set stays", f"wrote {value} over {stands.shown}, set while {confirmed} was ours"
            )

    def _judge_rest(self, talk: Known, name: str, value: str | int) -> None:
        """What is brought back is the configured rest, or exactly what was there before."""
        control, place = self.day.house.config.control, 0 if name == "mode" else 1
        rest: Shown = (control.resting_mode, control.default_reserve_pct)
        if self.sight.restores_previous and talk.memory.owned and self.before is not None:
            if not self.is_certain:
                return
            mode, reserve = self.before
            rest = (mode, writable_pct(float(reserve))) if mode in RESTS else rest
        allowed = {rest[place]} if self.has_rate_plan or place else {rest[place], SELF_CONSUMPTION}
        if value not in allowed:
            self.sight.broken("brought back to where it belongs", f"wrote {value}, not {rest[place]}")


def _same(one: str | int, other: str | int) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return agrees(float(one), other, clamped=True)

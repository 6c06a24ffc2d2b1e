"""The laws that only a look into a run can judge: who is asked, what is written over what, what is printed."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from laws.record import HOLDING_VALUES, MINUTE
from soak_observer import DayObserver, RunRecord, StoredState

from smartcharge.policy.battery import MODE_SELF_CONSUMPTION, reserve_matches, writable_reserve_pct
from smartcharge.store.times import format_instant

if TYPE_CHECKING:
    from soak_day import SoakDay
    from soak_house import SoakContext


CALM_TIME = timedelta(minutes=25)
FIRST_VALID_YEAR = 2020
RESTING_MODES = {"autonomous", "self_consumption"}
MANUAL_COMMANDS = {"pause", "resume"}
"""These answer each time they are typed."""
ShownSettings = tuple[str | int, str | int]


class SessionLaws:
    """Judges a run while it lasts.

    session: what the store held as the session with Tesla began. before: the settings found before they were ours.
    is_certain: whether nobody else has changed what is to be restored. overridden: the window of the manual override,
    as far as it has grown since. owned_at: until when nothing of the battery was ours.
    """

    def __init__(self, day: "SoakDay", observer: DayObserver) -> None:
        self.day, self.observer = day, observer
        self.session: StoredState | None = None
        self.found: ShownSettings = ("autonomous", 20)
        self.before: ShownSettings | None = None
        self.is_certain = True
        self.has_rate_plan = True
        self.overridden: tuple[datetime, datetime] | None = None
        self.overridden_at: datetime | None = None
        self.answers = 0
        self.owned_at = day.now

    def entered(self) -> None:
        """A session begins: something must be wanted of it."""
        self._follow(known := self.observer.look())
        self.session = known
        if not known.memory.owned:
            self.found = (self.day.battery.mode.shown, self.day.battery.reserve.shown)
        if known.memory.owned or known.hold is not None:
            return
        night, midnight_reset_at = self.observer.night, known.memory.midnight_reset_at
        if night is None:
            self.observer.broken("nothing wanted, nothing asked", "nothing is held, owned, or to be reset")
        elif midnight_reset_at is not None and night.starts_at <= midnight_reset_at <= self.day.clock:
            self.observer.broken("one reset a night", f"reset at {midnight_reset_at}")
        elif known.seen.is_paused or self.observer.restores_previous:
            self.observer.broken(
                "no reset", "while paused" if known.seen.is_paused else "where only what is ours is ended"
            )

    def touched(self) -> None:
        """The owner has set something."""
        self.is_certain = False

    def after_run(self, run: RunRecord, session: "SoakContext", code: int, known: StoredState) -> None:
        """Judge how a run ended, and what it printed."""
        self._follow(known)
        self._follow_override(known)
        self.day.tally.writes += 0 if run.was_interleaved else self.day.battery.writes - run.writes_before
        before, after = run.state_before.hold, known.hold
        self.day.tally.holds += after is not None and (before is None or before.hold != after.hold)
        changed = self.observer.changes() != run.changes_before or run.was_interleaved
        if self.observer.time_since_fault > CALM_TIME and code != 0 and not known.seen.clock_is_doubtful:
            self.observer.broken("all is well", f"{run.command} ends with {code}")
        if run.is_quiet and (run.asked or code > 0 or changed) and not run.was_interleaved:
            self.observer.broken("a quiet minute is an idle one", f"{run.command} asks {run.asked}, ends with {code}")
        if session.said and not changed and not self.day.disk_is_full and run.command not in MANUAL_COMMANDS:
            self.observer.broken("nothing changed, nothing printed", session.said)

    def _follow(self, known: StoredState) -> None:
        """Remember what was found when it became ours."""
        if not known.memory.owned:
            self.before = None
        elif self.before is None:
            self.before, self.is_certain = self.found, not self.day.battery.pending
        self.has_rate_plan = self.has_rate_plan and not self.day.battery.no_rate_plan

    def _follow_override(self, known: StoredState) -> None:
        """Follow the window that was left to the owner, as the supplier moves it."""
        override, tariff = known.seen.manual_override, self.day.tariff
        if override is None or self.day.jump:
            self.overridden, self.overridden_at = None, override and override.at
        elif override.at != self.overridden_at:
            self.overridden_at, self.overridden = override.at, tariff.window_around(self.day.clock)
            self._judge_override()
        elif self.overridden and len(tariff.told) != self.answers:
            around = tariff.window_around(self.day.clock)
            self.overridden = around if around and around[0] < self.overridden[1] else None
        self.answers = len(tariff.told)
        self.owned_at = self.owned_at if known.memory.owned else self.day.now

    def _judge_override(self) -> None:
        """A manual override has a reason: held by somebody before, or changed since it was ours.

        What a release did while the disk was full counts as well when it is first read after that: no doubt could be
        stored before it, so it reads as the owner's change would, and the owner comes first.
        """
        observer, values = self.observer, (self.day.battery.mode, self.day.battery.reserve)
        by_others = any(not each.ours and each.shown in HOLDING_VALUES for each in values)
        released = any(each.ours and not each.held for each in values)
        changed_at = observer.last_owner_action_at
        if released:
            changed_at = max(changed_at, observer.unrecorded_at)
        if not by_others and changed_at < self.owned_at:
            observer.broken("no change by hand, no override", f"ours since {self.owned_at:%H:%M}")

    # -- a command arrives ------------------------------------------------------------------------------

    def commanded(self, name: str, value: str | int) -> None:
        """Judge a command as it arrives at Tesla."""
        now, session = self.observer.look(), self.session
        if session is None or self.day.battery.lockouts:
            self.observer.broken("nothing against an outside power", f"wrote {value}")
            return
        self._judge_record(now, value)
        if self.observer.night is None or self.observer.restores_previous:
            self._judge_owner_values(session, name, value)
        if value in HOLDING_VALUES:
            self._judge_start(now, value)
        else:
            self._judge_restored(session, name, value)

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

    def _judge_start(self, now: StoredState, value: str | int) -> None:
        """What forbids a hold, whatever was decided."""
        observer, clock = self.observer, self.day.clock
        if self.day.battery.lockouts is None:
            observer.broken("no hold while outside powers are unknown", f"wrote {value}")
        if observer.night is not None:
            observer.broken("never in the cheap period", f"wrote {value}")
        if now.seen.is_paused:
            observer.broken("never while paused", f"wrote {value}")
        if self.overridden and self.overridden[0] <= clock < self.overridden[1]:
            observer.broken("an overridden window stays overridden", f"wrote {value}, {self.overridden}")
        if clock.year < FIRST_VALID_YEAR or self._has_later_row():
            observer.broken("never by a doubtful clock", f"wrote {value}")

    def _has_later_row(self) -> bool:
        """Whether a run recorded a later moment, though not so late that its clock was the odd one."""
        soon, late = self.day.clock + MINUTE * 3, self.day.clock + MINUTE * 115
        query = "SELECT 1 FROM journal WHERE at > ? AND at < ? AND command <> 'migration'"
        return self.observer.db.execute(query, (format_instant(soon), format_instant(late))).fetchone() is not None

    def _judge_owner_values(self, session: StoredState, name: str, value: str | int) -> None:
        """Only the midnight reset overrides the owner."""
        memory, battery = session.memory, self.day.battery
        current = getattr(battery, name)
        by_others = [
            each.shown for each in (battery.mode, battery.reserve) if not each.ours and each.shown in HOLDING_VALUES
        ]
        if not memory.owned and by_others:
            self.observer.broken("held by somebody before is not ours", f"wrote {value} beside their {by_others}")
        if current.ours or memory.in_doubt_since:
            return
        owns = memory.owns_mode if name == "mode" else memory.owns_reserve
        confirmed = memory.confirmed_mode if name == "mode" else memory.confirmed_reserve_pct
        if not owns and value not in HOLDING_VALUES:
            self.observer.broken("what the owner set stays", f"wrote {value} over {current.shown}, which is not ours")
        elif (
            owns
            and confirmed is not None
            and not _is_same_value(current.shown, confirmed)
            and not _is_same_value(current.shown, value)
        ):
            self.observer.broken(
                "what the owner set stays", f"wrote {value} over {current.shown}, set while {confirmed} was ours"
            )

    def _judge_restored(self, session: StoredState, name: str, value: str | int) -> None:
        """What is restored is the configured resting settings, or exactly what was there before."""
        control, place = self.day.house.config.control, 0 if name == "mode" else 1
        rest: ShownSettings = (control.resting_mode, control.default_reserve_pct)
        if self.observer.restores_previous and session.memory.owned and self.before is not None:
            if not self.is_certain:
                return
            mode, reserve = self.before
            rest = (mode, writable_reserve_pct(float(reserve))) if mode in RESTING_MODES else rest
        is_bypass = self.day.battery.mode.held  # out of backup by way of the other mode
        allowed = {rest[place]} | (
            {MODE_SELF_CONSUMPTION} if not place and (is_bypass or not self.has_rate_plan) else set()
        )
        if value not in allowed:
            self.observer.broken("restored to what it was", f"wrote {value}, not {rest[place]}")


def _is_same_value(one: str | int, other: str | int) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return reserve_matches(float(one), other, clamped=True)

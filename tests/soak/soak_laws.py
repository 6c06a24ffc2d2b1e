"""The laws that hold after every run of every day, whatever happened; judged from outside, by the true time."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from smartcharge.act import reconcile
from smartcharge.core.decide import decide
from smartcharge.core.model import HoldKind, Policy, Situation
from smartcharge.core.stance import BatteryMemory, agrees
from smartcharge.store import battery, holds, journal, open_store, situation
from smartcharge.store.holds import OpenHold
from smartcharge.toolbox import Toolbox

if TYPE_CHECKING:
    from soak_day import Day

LEAD = timedelta(seconds=90)
LONGEST = timedelta(minutes=30) + LEAD
GRACE = timedelta(minutes=10)
PROOF = timedelta(seconds=135)
LONG_AGO = timedelta(hours=2)
MOST_WRITES = 6
MOST_QUESTIONS_AN_HOUR = 40
"""Every other minute, and once more for each run that was killed before it could remember that it asked."""


@dataclass(frozen=True)
class Known:
    """What the store held before a run."""

    hold: OpenHold | None
    memory: BatteryMemory
    seen: Situation


class Laws:
    """Looks on. broken laws are written into the day's tally."""

    def __init__(self, day: "Day") -> None:
        self.day = day
        self.known: Known | None = None
        self.healthy_runs = 0
        self.was_well = False
        self.writes_before = 0
        self.unreliable_at = day.now - LONG_AGO
        self.answers: list[tuple[datetime, tuple[tuple[datetime, datetime], ...], bool]] = []

    def broken(self, what: str) -> None:
        """Note a broken law."""
        day = self.day
        day.tally.broken.append(
            f"seed {day.seed} at {day.now:%d %H:%M}Z (clock {day.clock:%F %H:%M}Z): {what}; "
            f"{[spell.fault.name for spell in day.spells]}, {day.battery.mode}, {day.battery.reserve}"
        )

    # -- before, during and after a run --------------------------------------------------------------

    def before_run(self) -> None:
        """Look at what is known, and whether Tesla works from the first moment of the run."""
        day = self.day
        self.known = replace(self.known, seen=replace(self.known.seen, now=day.clock)) if self.known else self._look()
        self.writes_before = day.battery.writes
        well = not any(spell.fault.kind == "tesla" for spell in day.spells) and not day.battery.powers
        self.was_well = well and not day.battery.pending and day.now >= day.patient_until

    def on_write(self, name: str, value: str | int) -> None:
        """Judge a command as it arrives at Tesla."""
        day, known = self.day, self.known
        policy = self.policy
        if day.battery.powers:
            self.broken(f"wrote {value} against an outside power")
        if value in {"backup", 100}:
            if policy.cheap_period.holding(day.clock) is not None:
                self.broken(f"wrote {value} in the cheap period")
            now_known = self._look()
            if now_known.hold is None:
                self.broken(f"wrote {value} while nothing is held")
            if known and known.seen.paused:
                self.broken(f"wrote {value} while paused")
        if known:
            self._judge_hand(known, name, value, is_night=policy.cheap_period.holding(day.clock) is not None)

    def _judge_hand(self, known: Known, name: str, value: str | int, *, is_night: bool) -> None:
        """Nobody fights the owner, but the midnight reset."""
        memory, stands = known.memory, getattr(self.day.battery, name)
        if is_night or stands.ours or memory.in_doubt_since:
            return
        owns = memory.owns_mode if name == "mode" else memory.owns_reserve
        confirmed = memory.confirmed_mode if name == "mode" else memory.confirmed_reserve_pct
        if not memory.owned and (stands.shown in {"backup", 100}):
            self.broken(f"wrote {value} over the owner's own {stands.shown}")
        elif owns and confirmed is not None and not _same(stands.shown, confirmed) and not _same(stands.shown, value):
            self.broken(f"wrote {value} over {stands.shown}, which the owner set while {confirmed} was ours")

    def after_run(self, codes: list[int], said: str, *, is_healthy: bool, act: Callable[[Toolbox], None]) -> None:
        """Judge what came of the run."""
        day = self.day
        if 1 in codes:
            self.broken(f"a bug:\n{said}")
        known, before = self._look(), self.known
        self.known = known
        self._hear()
        self._judge_hold(before.hold if before else None, known.hold, was_whole=is_healthy)
        wrote = day.battery.writes - self.writes_before
        day.tally.writes += wrote
        if wrote > MOST_WRITES:
            self.broken(f"{wrote} commands in one run")
        self.healthy_runs = self.healthy_runs + 1 if is_healthy and self.was_well else 0
        if self.healthy_runs >= 2:  # the law says two
            self._judge_rest(known)

    def _judge_rest(self, known: Known) -> None:
        """Two runs after cron and Tesla work again the battery is not in our hold, where nothing is held."""
        day = self.day
        if known.hold is not None and day.clock + LEAD < known.hold.hold.until and not known.seen.paused:
            return
        stuck = [each.shown for each in (day.battery.mode, day.battery.reserve)
                 if each.ours and each.shown in {"backup", 100}]  # fmt: skip
        if stuck:
            self.broken(f"two healthy runs, nothing held, and the battery still is at {stuck}; {known}")

    def _judge_hold(self, was: OpenHold | None, is_now: OpenHold | None, *, was_whole: bool) -> None:
        if is_now is None:
            return
        day, hold = self.day, is_now.hold
        if was_whole and hold.until - day.clock > LONGEST and not day.disk_is_full:
            self.broken(f"a hold to {hold.until}")
        if was is not None and was.id == is_now.id and was.hold == hold:
            return
        day.tally.holds += 1
        said_at = day.charger.charging_at
        if said_at is None or abs(day.clock - said_at) > PROOF:
            self.broken(f"held to {hold.until}, though the car was last known to charge at {said_at}")
        fresh = [spans for at, spans, boosting in self.answers if abs(day.clock - at) < GRACE and not boosting]
        if not fresh:
            self.broken(f"held to {hold.until} on a stale plan")
        ahead = day.clock + LEAD
        covered = any(start <= ahead < end for spans in fresh for start, end in spans)
        if hold.kind is HoldKind.WINDOW and not covered:
            self.broken(f"held to {hold.until} outside any window")
        if was is not None and was.hold.kind is HoldKind.EXTENSION and hold.kind is HoldKind.EXTENSION:
            self.broken("an extension after an extension")

    def _hear(self) -> None:
        """Remember what the supplier told within the grace, and count how often it was asked."""
        day = self.day
        if day.tariff.told is not None and (not self.answers or self.answers[-1] != day.tariff.told):
            self.answers.append(day.tariff.told)
            del self.answers[:-12]
        if any(spell.fault.kind in {"clock", "disk"} for spell in day.spells):
            self.unreliable_at = day.now  # on a full disk nothing is remembered, that Kraken was asked neither
        asked = [at for at in day.tariff.asked if timedelta(0) <= day.clock - at < timedelta(hours=1)]
        day.tariff.asked = asked
        if len(asked) > MOST_QUESTIONS_AN_HOUR and day.now - self.unreliable_at > LONG_AGO:
            self.broken(f"{len(asked)} questions to Kraken in an hour")

    def _look(self) -> Known:
        day = self.day
        return Known(holds.current(self.db), battery.memory(self.db), situation.load(self.db, day.clock, self.policy))

    @cached_property
    def db(self) -> sqlite3.Connection:
        """A look at the store that is kept open: it sees what every run commits."""
        path = self.day.house.config.database_path
        open_store(path).close()
        return open_store(path, read_only=True)

    @cached_property
    def policy(self) -> Policy:
        """The house's own."""
        return self.day.house.tools(self.day.now).policy

    def at_the_end(self) -> None:
        """The journal decides again as it did, and the database is whole."""
        with closing(self.db) as db:
            (whole,) = db.execute("PRAGMA integrity_check").fetchall()
            if tuple(whole) != ("ok",):
                self.broken(f"the database: {tuple(whole)}")
            for row in journal.rows(db, command=reconcile.COMMAND):
                if row.outcome == "decided" and row.situation and decide(row.situation).because is not row.because:
                    self.broken(f"journal row {row.id} decides {decide(row.situation).because}, not {row.because}")


def _same(one: str | int, other: str | int) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return one == other
    return agrees(float(one), other, clamped=True)

"""One random day of a house: the real acts and store, services with faults, kills, an owner, and a clock that jumps.

Everything follows from the seed, so that a day that breaks a law can be played again.
"""

import io
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import closing, redirect_stderr
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from house_case import SETTINGS, House
from soak_fakes import Fuse, Killed, SoakBattery, SoakCharger, SoakTariff, hostile_store
from soak_faults import FAULTS, Spell
from soak_laws import Laws

from smartcharge.act import conversation, reconcile, reset, tick
from smartcharge.config import load_config
from smartcharge.guard import attempt
from smartcharge.store import owner, transaction
from smartcharge.toolbox import Toolbox

MINUTE = timedelta(minutes=1)
SLOT = timedelta(minutes=30)
LENGTH = timedelta(hours=24)
DAYS = (
    datetime(2026, 12, 9, 6, 0, tzinfo=UTC),
    datetime(2026, 10, 24, 6, 0, tzinfo=UTC),  # the clocks go back in the night
    datetime(2027, 3, 27, 6, 0, tzinfo=UTC),  # and forward
    datetime(2026, 6, 20, 6, 0, tzinfo=UTC),
)
NIGHT_BEGINS, NIGHT_ENDS = 2, 4
"""Hours (UTC) in which little happens and cron comes every seven minutes."""
PLACES = 60
"""A kill comes within so many places, which may lie several runs ahead; a run that has work passes twenty or more."""


@dataclass
class Tally:
    """What a day held. broken: the laws it broke, with the moment of each."""

    hours: float = 0.0
    runs: int = 0
    kills: int = 0
    holds: int = 0
    writes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


class SoakHouse(House):
    """A house whose owner can correct his charger's key."""

    def change_key(self, key: str) -> None:
        """Write another key into the configuration, and load it."""
        path = self.folder / "config.yaml"
        path.write_text(SETTINGS.replace("abcdef12", key), encoding="utf-8")
        self.config = load_config(path, {})


class Day:
    """A day; `now` is the true time, `clock` what the machine believes."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.seed = seed
        self.chance = Random(seed)  # noqa: S311  # stories, not secrets
        self.now = self.chance.choice(DAYS)
        self.ends_at = self.now + LENGTH
        self.jump = timedelta(0)
        self.fuse = Fuse()
        self.house = SoakHouse(folder)
        self.laws = Laws(self)
        self.battery = SoakBattery(self.fuse, self.laws.on_write, self.now)
        self.charger, self.tariff = SoakCharger(self.fuse), SoakTariff(self.fuse)
        self.spells: list[Spell] = []
        self.patient_until = self.now
        self.disk_is_full = self.cron_sleeps = self.only_reconcile = False
        self.tally = Tally(hours=LENGTH / timedelta(hours=1))
        self.busy = self.chance.choice((0.2, 1.0, 3.0))

    @property
    def clock(self) -> datetime:
        """What the machine's clock shows, two seconds into the minute."""
        return self.now + self.jump + timedelta(seconds=2)

    def play(self) -> Tally:
        """Play it to its end, or to the first broken law."""
        conversation.NAPS_SECONDS = (0.0,) * len(conversation.NAPS_SECONDS)
        with hostile_store(self.fuse, lambda: self.disk_is_full):
            while self.now < self.ends_at and not self.tally.broken:
                self.now += MINUTE * (7 if NIGHT_BEGINS <= self.now.hour < NIGHT_ENDS else 1)
                self.battery.now = self.now
                self._move()
                if not self.cron_sleeps:
                    for _ in range(2 if self._happens(0.02) else 1):
                        self.run(reconcile.run if self.only_reconcile else tick.run)
            self.fuse.left = None
            self.laws.at_the_end()
        return self.tally

    # -- what happens outside ------------------------------------------------------------------------

    def _happens(self, share: float) -> bool:
        return self.chance.random() < share

    def _move(self) -> None:
        self._plan()
        in_window = any(start <= self.now < end for start, end in self.tariff.plans)
        if self._happens(0.1):
            self.charger.charging = self._happens(0.85 if in_window else 0.15)
        self.battery.settle()
        for spell in [spell for spell in self.spells if spell.ends_at <= self.now]:
            self.spells.remove(spell)
            spell.fault.end(self)
        if self._happens(0.008 * self.busy):
            self._trouble()
        if self._happens(0.1 if self.battery.pending else 0.004):  # most of all while a command is on its way
            self._owner()

    def _plan(self) -> None:
        """The supplier plans, moves, lengthens and takes back."""
        self.tariff.plans = [(start, end) for start, end in self.tariff.plans if end > self.now]
        if self._happens(0.02 if self.tariff.plans else 0.08):
            offset = self.chance.choice((-20, -5, 0, 5, 10, 30, 60, 90, 240)) * MINUTE
            start = self.now.replace(minute=self.chance.choice((0, 30)), second=0) + offset
            self.tariff.plans.append((start, start + self.chance.choice((10, 30, 60, 90, 150)) * MINUTE))
        if self.tariff.plans and self._happens(0.015):
            place = self.chance.randrange(len(self.tariff.plans))
            start, end = self.tariff.plans.pop(place)
            if self._happens(0.6):
                moved = end + self.chance.choice((-30, -10, 30, 60)) * MINUTE
                if moved > start:
                    self.tariff.plans.append((start, moved))

    def _trouble(self) -> None:
        fault = self.chance.choice(FAULTS)
        if any(spell.fault.kind == fault.kind for spell in self.spells):
            return
        minutes = self.chance.choice((1, 2, 3, 5, 8, 15, 30, 60))
        self.spells.append(Spell(fault, self.now + min(minutes, fault.longest_minutes) * MINUTE))
        self.tally.faults[fault.name] += 1
        fault.begin(self)

    def _owner(self) -> None:
        self.tally.faults["owner"] += 1
        what = self.chance.choice(("mode", "reserve", "pause", "resume", "tidy"))
        if what == "mode":
            self.battery.by_hand(mode=self.chance.choice(("backup", "autonomous", "self_consumption")))
        elif what == "reserve":
            self.battery.by_hand(reserve=self.chance.choice((0, 20, 35, 80, 100)))
        elif what == "pause":
            end = self.clock + self.chance.choice((10, 60)) * MINUTE
            self.run(_pausing(end), is_healthy=False)
        elif what == "resume":
            self.run(_resuming, is_healthy=False)
        else:
            self.battery.by_hand(mode="autonomous", reserve=20)

    # -- what the program does -------------------------------------------------------------------------

    def run(self, act: Callable[[Toolbox], None], *, is_healthy: bool = True) -> None:
        """One run; it may be killed at any of its places."""
        self.laws.before_run()
        if self.fuse.left is None and self._happens(0.05 * self.busy):
            self.fuse.left = self.chance.randrange(PLACES)
        said, killed = io.StringIO(), False
        tools = self.house.tools(self.clock)
        tools.__dict__.update(battery=self.battery, charger=self.charger, tariff=self.tariff)
        try:
            with redirect_stderr(said), closing(tools):
                tools.exit_codes.append(attempt(lambda: act(tools)))
        except Killed:
            killed = True
            self.tally.kills += 1
        except BaseException:  # noqa: BLE001  # a bug of the program is a broken law like any other
            said.write(traceback.format_exc())
            tools.exit_codes.append(1)
        self.tally.runs += 1
        self.laws.after_run(tools.exit_codes, said.getvalue(), is_healthy=is_healthy and not killed, act=act)


def _pausing(until: datetime) -> Callable[[Toolbox], None]:
    def pause(tools: Toolbox) -> None:
        with tools.alone():
            with transaction(tools.db):
                owner.pause(tools.db, tools.now, until)
            reconcile.settle(tools)

    return pause


def _resuming(tools: Toolbox) -> None:
    with tools.alone(), transaction(tools.db):
        owner.resume(tools.db)


RESETS = (reset.run, tick.run)
"""What may carry out the midnight reset."""

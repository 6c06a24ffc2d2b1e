"""One random day of a house: the real commands and store, services with faults, kills, an owner, a jumping clock.

Everything follows from the seed, so that a day that breaks a law can be played again.
"""

import io
import os
import traceback
from contextlib import redirect_stderr
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from soak_battery import SoakBattery
from soak_events import advance_minute, end_events
from soak_faults import SoakFaultPeriod  # noqa: TC002
from soak_house import FOUR_LINES, ONE_LINE, SoakContext, SoakHouse
from soak_interruptions import INTERRUPTION_KINDS, Interrupter, install_interruptions
from soak_laws import SoakLaws
from soak_random import RandomEvents, SoakTally
from soak_services import CAR_IDS, SoakCharger, SoakMailer, SoakTariff

from smartcharge.idle import can_skip

MINUTE = timedelta(minutes=1)
DAY_LENGTH = timedelta(hours=24)
EPILOGUE_LENGTH = timedelta(minutes=80)
"""After it everything must have come to rest; a mail may wait for an hour."""
START_DAYS = (
    datetime(2026, 12, 9, tzinfo=UTC),
    datetime(2026, 10, 24, tzinfo=UTC),  # the clocks go back in the night
    datetime(2027, 3, 27, tzinfo=UTC),  # and forward
    datetime(2026, 6, 20, tzinfo=UTC),
)
INITIAL_MODES, INITIAL_RESERVES = ("autonomous", "autonomous", "self_consumption"), (20, 20, 35, 0)
"""How the battery stands at first."""
START_HOURS = (6, 12, 18)
NIGHT_START_HOUR, NIGHT_END_HOUR = 2, 4
"""Hours (UTC) in which little happens and cron comes every seven minutes."""
MAX_INTERRUPTION_STEPS = 6
"""Something happens at one of so many places of a kind, which may lie several runs ahead."""


class SoakDay:
    """A day; `now` is the true time, `clock` what the machine believes."""

    def __init__(self, seed: int, folder: Path, only: frozenset[str] | None = None) -> None:
        self.seed = seed
        self.chances = RandomEvents(seed, only)
        chance = self.chances.of("house")
        self.now = chance.choice(START_DAYS) + chance.choice(START_HOURS) * timedelta(hours=1)
        self.ends_at = self.now + DAY_LENGTH
        self.busy = chance.choice((0.2, 1.0, 3.0))
        self.forecast_steps = chance.choice((2, 2, 2, 15))
        self.jump = self.lag = timedelta(0)
        self.tally = SoakTally(seed, hours=DAY_LENGTH / timedelta(hours=1))
        self.interrupter = Interrupter(receive=self._receive, died_at=self.tally.died_at)
        self.house = SoakHouse(folder, chance)
        self.laws = SoakLaws(self)
        self.battery = SoakBattery(self.interrupter, self.laws, self.now)
        self.battery.by_hand(mode=chance.choice(INITIAL_MODES), reserve=chance.choice(INITIAL_RESERVES))
        self.charger = SoakCharger(self.interrupter, self.laws)
        self.tariff = SoakTariff(self.interrupter, self.laws, cars=chance.choice((CAR_IDS[:1], CAR_IDS[:1], CAR_IDS)))
        self.mailer = SoakMailer(self.interrupter, self.laws, self.now, self.now, lost=self.chances.of("mail"))
        self.fault_periods: list[SoakFaultPeriod] = []
        self.waiting_until = self.car_since = self.now
        self.disk_is_full = self.cron_sleeps = self.only_reconcile = False
        self.runs_begun = 0
        self.tell(f"busy {self.busy}; {self.house}; {len(self.tariff.cars)} cars")

    @property
    def clock(self) -> datetime:
        """What the machine's clock shows, two seconds into the minute or later."""
        return self.now + self.jump + self.lag + timedelta(seconds=2)

    def should_happen(self, what: str, share: float) -> Random | None:
        """Whether it happens now; what its details are drawn from."""
        return self.chances.should_happen(what, self.now, share)

    def tell(self, what: str) -> None:
        """Let the scenario go on."""
        self.tally.event_log.append((self.now, what))

    def play(self) -> SoakTally:
        """Play it to its end, or to the first broken law."""
        with install_interruptions(self.interrupter, lambda: self.disk_is_full, forecast_steps=self.forecast_steps):
            self._minutes()
            end_events(self)
            self.ends_at += EPILOGUE_LENGTH
            self._minutes()
            if not self.tally.broken:
                self.laws.at_the_end()
        self.tally.happened = self.chances.happened
        return self.tally

    def _minutes(self) -> None:
        while self.now < self.ends_at and not self.tally.broken:
            self.now += MINUTE * (7 if NIGHT_START_HOUR <= self.now.hour < NIGHT_END_HOUR else 1)
            late = self.should_happen("late cron", 0.05)
            self.lag = timedelta(seconds=late.randrange(56)) if late else timedelta(0)
            self.battery.now = self.now + self.lag
            self.runs_begun = 0
            advance_minute(self)
            self.laws.before_round()
            if not self.cron_sleeps and not self.should_happen("missed", 0.005 * self.busy):
                for _ in range(2 if self.should_happen("twice", 0.01 * self.busy) else 1):
                    self._cron()
            self.laws.after_round()

    def _cron(self) -> None:
        """The lines of the crontab, in the order in which they happen to begin."""
        lines = list(self.house.crontab)
        if self.only_reconcile:
            lines = ["reconcile"]
        elif order := self.should_happen("order", 1.0):
            order.shuffle(lines)
        for line in lines:
            self.run(line)

    def _receive(self) -> None:
        """In the midst of a run another one begins."""
        chance = self.chances.of(f"second run {self.now} {self.runs_begun}")
        self.tally.second_runs += 1
        self.tell("in the midst of it:")
        for line in chance.choice((ONE_LINE, FOUR_LINES, ("reconcile",), ("pause",), ("resume",))):
            self.run(line, is_second_run=True)

    def run(self, command: str, *arguments: str, is_second_run: bool = False) -> None:
        """One run, unless the program finds at once that it has nothing to do; then now and then all the same."""
        self.runs_begun += 1
        quiet = can_skip([*self.house.named, command, *arguments], os.environ, self.clock)
        if quiet and not self.should_happen(f"full {self.runs_begun}", 0.1):
            self.tally.quiet += 1
            self.laws.skipped(command)
        else:
            self._run(command, arguments, is_second_run=is_second_run, is_quiet=quiet)

    def _run(self, command: str, arguments: tuple[str, ...], *, is_second_run: bool, is_quiet: bool) -> None:
        """It may be killed at any of its places, and another may begin in the midst of it."""
        self._arm_interruptions()
        self.mailer.now, self.mailer.true_now = self.clock, self.now
        said = io.StringIO()
        session = SoakContext(self.house, self.clock, self._services())
        self.laws.before_run(command, is_second_run=is_second_run, is_quiet=is_quiet)
        code = -1
        try:
            with redirect_stderr(said):
                code = session.run(command, *arguments)
        except BaseException:  # noqa: BLE001  # a bug of the program is a broken law like any other
            said.write(traceback.format_exc())
            code = 1
        killed, self.interrupter.is_killed = self.interrupter.is_killed, False
        if killed:
            code = -1
            self.tally.kills += 1
        self.tally.runs += 1
        words = [*session.said, *session.warned]
        if words or killed or code or arguments:
            end = "killed" if killed else code
            self.tell(" ".join([command, *arguments, f"({end})", *(f"| {word}" for word in words)]))
        self.laws.after_run(session, code, said.getvalue(), was_whole=not killed)

    def _arm_interruptions(self) -> None:
        name = f"run {self.runs_begun}"
        if self.interrupter.kill_in is None and (chance := self.should_happen(f"death in {name}", 0.05 * self.busy)):
            self.interrupter.kill_at, self.interrupter.kill_in = (
                chance.choice(INTERRUPTION_KINDS),
                chance.randrange(MAX_INTERRUPTION_STEPS),
            )
        if self.interrupter.second_run_in is None and (
            chance := self.should_happen(f"second run in {name}", 0.02 * self.busy)
        ):
            self.interrupter.second_run_at, self.interrupter.second_run_in = (
                chance.choice(INTERRUPTION_KINDS),
                chance.randrange(MAX_INTERRUPTION_STEPS),
            )

    def _services(self) -> dict[str, object]:
        return {name: getattr(self, name) for name in ("battery", "charger", "tariff", "mailer")}

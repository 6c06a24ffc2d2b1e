"""The values of one run with the battery: what is wanted, what was tried, and which steps there are."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from smartcharge.policy.battery import (
    FULL_RESERVE_PCT,
    MODE_AUTONOMOUS,
    MODE_BACKUP,
    MODE_SELF_CONSUMPTION,
    RUN_INTERVAL,
    BatteryCommand,
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    BatterySite,
    Lockout,
    UnconfirmedCommands,
)

FILL_SETTINGS = BatterySettings(MODE_BACKUP, FULL_RESERVE_PCT)


RESTING_MODES = {MODE_AUTONOMOUS, MODE_SELF_CONSUMPTION}
"""Modes that a release may return to; Tesla accepts no request for any other."""


MIRROR_EVERY, MIRROR_RUNG = 10, 1
"""A hold writes the reserve before the mode in its second run, and in every tenth after that."""


class Goal(StrEnum):
    """What is wanted of the battery. RESET asserts the resting settings over changes made by hand."""

    HOLD = "hold"
    RELEASE = "release"
    RESET = "reset"


class Wanted(Struct, frozen=True, kw_only=True):
    """What the battery should do.

    resting: the configured settings of normal mode. restore_previous: return to the settings found before the
    hold. fill: hold by charging to 100 %; else keep the battery as it is. until: end of the hold. due_since:
    given only where no memory can be stored; how long the release has been due then chooses its rung.
    was_locked_out: the last run found a lockout, so that nothing may be written without a reading.
    """

    goal: Goal
    resting: BatterySettings
    restore_previous: bool = False
    fill: bool = True
    until: datetime | None = None
    due_since: datetime | None = None
    was_locked_out: bool = False


class AttemptResult(StrEnum):
    """What became of a command in this run. SENT: accepted, not read back yet."""

    SENT = "sent"
    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    REFUSED = "refused"
    RATE_PLAN_MISSING = "rate plan missing"
    TIMED_HOLD_UNSUPPORTED = "timed hold unsupported"


class Attempt(Struct, frozen=True):
    """A command of this run. is_blind: its value cannot be read. is_pending: an earlier run sent it."""

    command: BatteryCommand
    result: AttemptResult
    is_blind: bool = False
    is_pending: bool = False


class Run(Struct, frozen=True):
    """What this run knows besides memory and reading.

    start: the memory at its start. site: where the connection leads. is_direct: the gateway itself is asked,
    which takes both values in one command and can end a hold alone. attempts: the commands so far.
    """

    start: BatteryMemory
    site: BatterySite | None = None
    is_direct: bool = False
    attempts: tuple[Attempt, ...] = ()


class Write(Struct, frozen=True):
    """Store the memory, then send the command. is_blind: its value cannot be read back."""

    memory: BatteryMemory
    command: BatteryCommand
    is_blind: bool = False


class Verify(Struct, frozen=True):
    """Read the battery until it shows the command, for some seconds at most."""

    memory: BatteryMemory
    command: BatteryCommand


class Done(Struct, frozen=True):
    """The battery shows what is wanted."""

    memory: BatteryMemory
    outcome: BatteryOutcome = BatteryOutcome.CONFIRMED


class StandBack(Struct, frozen=True):
    """The battery is left to somebody else."""

    memory: BatteryMemory
    outcome: BatteryOutcome


class Wait(Struct, frozen=True):
    """The next run continues. command: what was refused or does not show; is_pending: it still has time to."""

    memory: BatteryMemory
    outcome: BatteryOutcome
    lockout: Lockout | None = None
    command: BatteryCommand | None = None
    is_pending: bool = False


FinalStep = Done | StandBack | Wait


Step = Write | Verify | FinalStep


class BatteryCase(Struct, frozen=True):
    """The arguments of `next_step`."""

    memory: BatteryMemory
    reading: BatteryReading
    wanted: Wanted
    now: datetime
    run: Run

    @property
    def is_releasing(self) -> bool:
        """Whether the battery is to be brought back to normal."""
        return self.wanted.goal is not Goal.HOLD

    @property
    def earlier(self) -> UnconfirmedCommands:
        """What earlier runs tried for the same goal."""
        earlier = self.run.start.unconfirmed
        same_goal = earlier is not None and earlier.releasing == self.is_releasing
        return earlier if earlier and same_goal else UnconfirmedCommands(self.is_releasing)

    @property
    def is_mirror_turn(self) -> bool:
        """Whether a hold writes its reserve in this run before the mode, because that failed before."""
        return not self.is_releasing and self.rung % MIRROR_EVERY == MIRROR_RUNG

    @property
    def rung(self) -> int:
        """How many runs have tried before; without memory, how many should have."""
        if self.wanted.due_since is None:
            return self.earlier.runs
        return max(self.earlier.runs, (self.now - self.wanted.due_since) // RUN_INTERVAL)

    def last_attempt(self, value: str) -> Attempt | None:
        """The last attempt of this run at "mode" or "reserve_pct"; a command that cannot be carried out is none."""
        impossible = {AttemptResult.RATE_PLAN_MISSING, AttemptResult.TIMED_HOLD_UNSUPPORTED}
        counted = [
            each
            for each in self.run.attempts
            if getattr(each.command, value) is not None and each.result not in impossible
        ]
        return counted[-1] if counted else None

    def has_result(self, result: AttemptResult) -> bool:
        """Whether any command of this run ended so."""
        return any(each.result is result for each in self.run.attempts)

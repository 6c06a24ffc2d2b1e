"""The laws of the battery: it comes back, it is held where it must be, and Tesla is not flooded with commands.

With one run a minute, a command being a mode or a reserve that reaches Tesla, accepted or not:

- A run commands each value once at most. Where there is no rate plan the refused mode comes on top.
- What Tesla accepted is given 90 s to show before it is commanded again.
- Bringing the battery back over n minutes costs n + 3 commands at most: one a run, and three more on the way.
- Beginning a hold is tried in the minutes 0, 1, 2, 3, 5, 9, 14 and then every five: 11 commands in the first half
  hour, 17 in the first hour.
- Only the battery that is held is ever written to, and the hold file is there exactly while something is owned.
"""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from laws.record import (
    HALF_HOUR,
    HOLDING_VALUES,
    MINUTE,
    Command,
    Minute,
    Outcome,
)

from smartcharge.policy.model import HoldKind

COMMAND_SETTLE_TIME = timedelta(seconds=90)
HOUR = timedelta(hours=1)
RATE_SPANS = (10 * MINUTE, HALF_HOUR, HOUR)
MAX_EXTRA_COMMANDS = 3
MAX_START_COMMANDS = {HALF_HOUR: 11, HOUR: 17}
MAX_RATE_PLAN_REFUSALS = 2
RUNS_TO_RETURN = 2
RUNS_TO_LEAVE_BACKUP = 8
"""Runs of a release in which each rung of the ladder has certainly been tried, 90 s for each command included."""


@dataclass
class CommandLaws:
    """Judges commands, minute by minute.

    own_site: the only site that may be written to; empty where there is one. settle_time: how long an accepted command
    is not repeated.
    """

    own_site: str = ""
    settle_time: timedelta = COMMAND_SETTLE_TIME
    commands: deque[Command] = field(default_factory=deque)
    start_commands: deque[Command] = field(default_factory=deque)
    accepted: dict[str, Command] = field(default_factory=dict)
    runs: deque[tuple[datetime, int]] = field(default_factory=deque)

    def minute(self, minute: Minute) -> Iterator[str]:
        """Name what was too much, too early, or meant for another battery."""
        yield from self._judge_sites(minute)
        yield from _judge_purpose(minute)
        yield from self._judge_runs(minute)
        yield from self._judge_repeats(minute)
        yield from self._judge_rates(minute)

    def forget_accepted(self) -> None:
        """Somebody else has set the battery meanwhile, or the clock has jumped: a repeated command is a new one."""
        self.accepted.clear()

    def _judge_sites(self, minute: Minute) -> Iterator[str]:
        for each in minute.commands:
            if self.own_site and each.site != self.own_site:
                yield f"only the held battery is written to: {each.kind} {each.value} at site {each.site}"

    def _judge_runs(self, minute: Minute) -> Iterator[str]:
        counts = Counter(
            "refused mode" if each.outcome is Outcome.NO_RATE_PLAN else each.kind for each in minute.commands
        )
        for kind, count in counts.items():
            most = (MAX_RATE_PLAN_REFUSALS if kind == "refused mode" else 1) * max(minute.runs, 1)
            if count > most:
                yield f"a run commands each value once: {count} times the {kind} in {minute.runs} runs"

    def _judge_repeats(self, minute: Minute) -> Iterator[str]:
        is_line_cut = any(each.outcome is Outcome.NO_ANSWER for each in minute.commands)
        for each in minute.commands:
            before = self.accepted.get(each.kind)
            if each.outcome is not Outcome.ACCEPTED:
                continue
            is_repeat = before is not None and before.value == each.value and not is_line_cut
            if before is not None and is_repeat and timedelta(0) < each.at - before.at < self.settle_time:
                yield f"a command gets its time: {each.kind} {each.value} again after {each.at - before.at}"
            self.accepted[each.kind] = each

    def _judge_rates(self, minute: Minute) -> Iterator[str]:
        self.runs.append((minute.at, minute.runs))
        self.commands.extend(minute.commands)
        if not minute.is_releasing:
            self.start_commands.extend(minute.commands)
        while self.runs[0][0] <= minute.at - HOUR:
            self.runs.popleft()
        if not minute.commands:
            return
        for span in RATE_SPANS:
            runs = sum(count for at, count in self.runs if at > minute.at - span)
            yield from _judge_rate(self.commands, minute.at, span, max(runs, span // MINUTE) + MAX_EXTRA_COMMANDS)
        for span, most in MAX_START_COMMANDS.items():
            yield from _judge_rate(self.start_commands, minute.at, span, most)


def _judge_purpose(minute: Minute) -> Iterator[str]:
    """A command is for the hold that is open, or for the return where none is; the mode comes first both ways."""
    for each in minute.commands:
        if each.value in HOLDING_VALUES and minute.hold is None:
            yield f"only for a hold: {each.kind} {each.value}"
        elif each.value == "autonomous" and minute.hold is not None:
            yield f"only where nothing is held: {each.kind} {each.value}, {minute.hold}"
    kinds = [each.kind for each in minute.commands if each.outcome is Outcome.ACCEPTED]
    if minute.tesla_works and minute.runs == 1 and kinds != sorted(kinds):
        yield f"the mode comes first: {', then '.join(kinds)}"


def _judge_rate(commands: deque[Command], now: datetime, span: timedelta, most: int) -> Iterator[str]:
    while commands and commands[0].at <= now - HOUR:
        commands.popleft()
    count = sum(each.at > now - span for each in commands)
    if count > most:
        yield f"Tesla is not flooded: {count} commands in {span}, at most {most} are allowed"


@dataclass
class ReturnLaws:
    """Judges whether the battery comes back. good_minutes: with a run in which Tesla worked, one after another."""

    good_minutes: int = 0
    release_minutes: int = 0
    commanded: set[str | int | None] = field(default_factory=set)

    def minute(self, minute: Minute, *, is_recorded: bool = True) -> Iterator[str]:
        """Name what stays behind. is_recorded: whether every run was whole and could store what it did."""
        self.good_minutes = self.good_minutes + 1 if minute.runs and minute.tesla_works else 0
        if minute.is_releasing and minute.still_held and self.good_minutes >= RUNS_TO_RETURN:
            yield f"the battery comes back: still {minute.still_held} after {self.good_minutes} good minutes"
        if minute.hold is not None and minute.hold.kind is HoldKind.EXTENSION and minute.car_stopped:
            yield f"an extension ends with the car: held until {minute.hold.until}"
        if is_recorded and minute.runs and minute.hold_file is not None and minute.hold_file != minute.owned:
            yield f"the hold file is there while something is owned: there {minute.hold_file}, owned {minute.owned}"
        yield from self._judge_ladder(minute)

    def _judge_ladder(self, minute: Minute) -> Iterator[str]:
        """A release tries one value after the other, and another resting mode, whatever is not carried out."""
        reached = [each for each in minute.commands if each.outcome is not Outcome.NO_ANSWER]
        if minute.hold is not None or not minute.owned or not minute.still_held:
            self.release_minutes, self.commanded = 0, set()
            return
        self.release_minutes += bool(reached)
        self.commanded |= {each.kind for each in reached} | {each.value for each in reached}
        if self.release_minutes < RUNS_TO_LEAVE_BACKUP:
            return
        for kind, value in minute.still_held.items():
            if kind not in self.commanded:
                yield f"a release waits for no other value: the {kind} is still {value}"
        if "mode" in minute.still_held and "self_consumption" not in self.commanded:
            yield "a release tries another way out of backup: self_consumption was never asked for"


@dataclass
class MissedHoldLaws:
    """Judges whether the battery is held for a car that charges in a window. runs: how many such runs there were."""

    runs: int = 0

    def minute(self, minute: Minute, *, wait: int) -> Iterator[str]:
        """Name a window that passes unprotected. wait: after how many runs it must be held."""
        self.runs = self.runs + 1 if minute.must_hold else 0
        if self.runs > wait and not minute.is_holding:
            yield f"a car that charges in a window is held for: not after {self.runs} runs, {minute.hold}"

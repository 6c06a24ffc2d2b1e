"""A breadth-first walk over everything that can happen to one house, with the real `decide` and `next_step`.

The house has two slots of one window, a battery with two values, and one run a minute. In every minute the walk tries
each behaviour of Tesla, a kill before every stored memory and after every command, a missed run, a second run in the
same minute, the owner's hand and a clock that jumps back. It ends when no new state appears. Times are kept relative
to the present and only as far as a rule can tell them apart, so that the time after the window is finite, too.

Run it by hand for the large form: `python tests/policy/closed_walk.py`.
"""

import sys
from collections import Counter, deque
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Self

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.errors import UnreachableError
from smartcharge.jobs.powerwall import drive_battery
from smartcharge.policy.battery import (
    BatteryMemory,
    BatteryOutcome,
    BatteryReading,
    BatterySettings,
    UnconfirmedCommands,
)
from smartcharge.policy.battery_run import Goal, Wanted
from smartcharge.policy.battery_steps import is_hold_confirmed
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, Policy, State
from smartcharge.policy.slots import CheapPeriod

DAY = datetime(2026, 12, 9, tzinfo=UTC)
CLOCKS = ("13:26", "13:29", "13:59", "14:00")
INSTANTS = tuple(DAY + timedelta(hours=int(each[:2]), minutes=int(each[3:])) for each in CLOCKS)
"""When cron runs; after the last of them a minute passes between two runs, and the clock stays where it is."""
WINDOW = (DAY + timedelta(hours=13), DAY + timedelta(hours=14))
POLICY = Policy(CheapPeriod(time(0), time(6), "Europe/London"))
RESTING = BatterySettings("autonomous", 20)
MINUTE = timedelta(minutes=1)
OLDEST, PROVEN, NEWEST = timedelta(minutes=-11), timedelta(minutes=-4), timedelta(minutes=11)
"""A stamp further away is moved there: no rule of the battery looks beyond."""
RUNS_PERIOD = 10
"""A hold and unreadable values look at the number of runs modulo ten, a release modulo five."""
RUNS_TO_LEAVE_BACKUP, RUNS_TO_REST = 2, 12


class Tesla(StrEnum):
    """How Tesla behaves during one run."""

    OBEYS = "obeys"
    IGNORES = "accepts and ignores"
    LATE = "carries out later"
    REFUSES = "refuses commands"
    LOSES_ANSWERS = "carries out and does not answer"
    NO_AUTONOMOUS = "ignores autonomous in backup mode"
    NO_MODE = "does not tell the mode"
    NO_RESERVE = "does not tell the reserve"
    SILENT = "cannot be read"


class Form(Struct, frozen=True):
    """How much may happen. oldest_command: older commands are all the same, as long as every value can be read."""

    teslas: tuple[Tesla, ...]
    hands: tuple[tuple[str, str | int], ...]
    kills: int
    runs_of_a_release: int
    oldest_command: timedelta
    is_large: bool = False


SMALL = Form(
    teslas=(Tesla.OBEYS, Tesla.LATE, Tesla.REFUSES, Tesla.NO_AUTONOMOUS),
    hands=(("mode", "self_consumption"),),
    kills=3,
    runs_of_a_release=5,
    oldest_command=timedelta(minutes=-2),
)
LARGE = Form(
    teslas=tuple(Tesla),
    hands=(("mode", "self_consumption"), ("reserve", 50), ("mode", "backup")),
    kills=6,
    runs_of_a_release=RUNS_PERIOD,
    oldest_command=OLDEST,
    is_large=True,
)


class Value(Struct, frozen=True):
    """One setting of the battery, and whether smartcharge put it there."""

    shown: str | int
    is_ours: bool = False


class World(Struct, frozen=True):
    """All that the future depends on. late: commands that Tesla carries out before the next run."""

    clock: int
    memory: BatteryMemory = BatteryMemory()
    hold: Hold | None = None
    mode: Value = Value("autonomous")
    reserve: Value = Value(20)
    late: tuple[tuple[str, str | int], ...] = ()
    hand_is_free: bool = True
    clock_is_right: bool = True


class Event(Struct, frozen=True):
    """What happens in one minute. kill_at: the step of the run after which it is killed; hand: what the owner sets."""

    car: ChargerState = ChargerState.IDLE
    tesla: Tesla | None = Tesla.OBEYS
    kill_at: int | None = None
    runs: int = 1
    hand: tuple[str, str | int] | None = None
    jumps_back: bool = False


class Killed(Exception):  # noqa: N818  # not an error of the program
    """The run is killed."""


class LawBrokenError(AssertionError):
    """A law does not hold."""


class WalkedBattery:
    """A battery behind Tesla, for one run."""

    site = "1234567890"

    def __init__(self, world: World, tesla: Tesla, kill_at: int | None) -> None:
        self.mode, self.reserve = world.mode, world.reserve
        self.late: list[tuple[str, str | int]] = []
        self.tesla = tesla
        self.steps_left = kill_at
        self.memory = world.memory
        self.commands: list[str] = []

    def step(self) -> None:
        """Pass a place at which the run may be killed."""
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Killed

    def save(self, memory: BatteryMemory) -> None:
        self.step()
        self.memory = memory

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""

    def read(self) -> BatteryReading:
        if self.tesla is Tesla.SILENT:
            raise UnreachableError("silent", service="tesla")
        return BatteryReading(
            None if self.tesla is Tesla.NO_MODE else str(self.mode.shown),
            None if self.tesla is Tesla.NO_RESERVE else float(self.reserve.shown),
            50.0,
        )

    def read_settings(self) -> BatteryReading:
        return replace(self.read(), soe_pct=None, lockouts=None)

    def facts(self) -> None:
        """Not asked in a run."""

    def set_mode(self, mode: str) -> None:
        self._command("mode", mode)

    def set_reserve_pct(self, reserve_pct: int) -> None:
        self._command("reserve", reserve_pct)

    def _command(self, name: str, value: str | int) -> None:
        self._judge(name, value)
        self.commands.append(name)
        if self.tesla is Tesla.REFUSES:
            raise UnreachableError("HTTP 400", service="tesla")
        is_lost = self.tesla is Tesla.NO_AUTONOMOUS and value == "autonomous" and self.mode.shown == "backup"
        if self.tesla is Tesla.LATE:
            self.late.append((name, value))
        elif self.tesla is not Tesla.IGNORES and not is_lost:
            setattr(self, name, Value(value, is_ours=True))
        self.step()
        if self.tesla is Tesla.LOSES_ANSWERS:
            raise UnreachableError("no answer", service="tesla")

    def _judge(self, name: str, value: str | int) -> None:
        memory = self.memory
        if name in self.commands:
            raise LawBrokenError(f"{name} is commanded twice in a run")
        if memory.in_doubt_since is None:
            raise LawBrokenError(f"{value} is written before the doubt is stored")
        if not memory.owned:
            raise LawBrokenError(f"{value} is written to a battery that is not owned")
        if value in {"backup", 100} and memory.settings_before is None:
            raise LawBrokenError(f"{value} is written before it is stored what was there")


def state_at(world: World, car: ChargerState) -> State:
    now = INSTANTS[world.clock]
    window = DispatchWindow(*WINDOW, seen_at=now)
    return State(
        now=now,
        policy=POLICY,
        windows=(window,),
        charger=car,
        hold=world.hold,
        clock_is_doubtful=not world.clock_is_right,
    )


def perform(world: World, event: Event, form: Form) -> World:
    """Let one minute pass: late commands, the owner's hand, then the runs."""
    for name, value in world.late:
        world = replace(world, **{name: Value(value, is_ours=True)})
    world = replace(world, late=())
    if event.hand:
        name, value = event.hand
        world = replace(world, hand_is_free=False, **{name: Value(value)})
    if event.jumps_back:
        world = replace(world, clock_is_right=False, memory=shifted(world.memory, timedelta(hours=3)))
    if event.tesla is not None:
        for _ in range(event.runs):
            world = run_once(world, event)
    return advance(world, form)


def run_once(world: World, event: Event) -> World:
    """One run of `reconcile`: decide, store the hold, and drive the battery."""
    decision = decide(state_at(world, event.car))
    is_new = decision.hold != world.hold
    world = replace(world, hold=decision.hold)
    memory, now = world.memory, INSTANTS[world.clock]
    if decision.hold is not None:
        is_wanted = is_new or not is_hold_confirmed(memory, decision.hold.until, fill=True)
        wanted = Wanted(goal=Goal.HOLD, resting=RESTING, until=decision.hold.until)
    else:
        is_wanted, wanted = memory.owned, Wanted(goal=Goal.RELEASE, resting=RESTING)
    if not is_wanted or event.tesla is None:
        return world
    battery = WalkedBattery(world, event.tesla, event.kill_at)
    outcome = None
    try:
        result = drive_battery(
            battery,  # type: ignore[arg-type]  # facts are not asked
            memory,
            wanted,
            now,
            backend="cloud",
            save_memory=battery.save,
            sleep=lambda _: None,
        )
        outcome = result.ending
    except (Killed, UnreachableError):
        outcome = None  # the run ended here; what it had stored by then is what the next one finds
    after = replace(world, memory=battery.memory, mode=battery.mode, reserve=battery.reserve, late=tuple(battery.late))
    if outcome in {BatteryOutcome.BY_HAND, BatteryOutcome.HELD_BY_OTHERS} and after.hold is not None:
        after = replace(after, hold=None)
        if after.memory.owned:
            return run_once(replace(after, clock=after.clock), replace(event, car=ChargerState.IDLE, kill_at=None))
    return after


def advance(world: World, form: Form) -> World:
    """Let the time pass to the next run, and keep stamps only as exactly as rules need them."""
    last = len(INSTANTS) - 1
    elapsed = MINUTE if world.clock == last else timedelta(0)
    clock = min(world.clock + 1, last)
    memory, now = shifted(world.memory, -elapsed), INSTANTS[clock]
    hold = world.hold if world.hold and world.clock < last else (world.hold and replace(world.hold, until=now))
    return replace(world, clock=clock, memory=normalised(memory, now, form), hold=hold)


def shifted(memory: BatteryMemory, by: timedelta) -> BatteryMemory:
    """Move every stamp, as seen from a present that moves the other way."""

    def move(at: datetime | None) -> datetime | None:
        return None if at is None else at + by

    known = memory.unconfirmed
    return replace(
        memory,
        owned_since=move(memory.owned_since),
        in_doubt_since=move(memory.in_doubt_since),
        unverified_until=move(memory.unverified_until),
        unconfirmed=known and replace(known, mode_at=move(known.mode_at), reserve_at=move(known.reserve_at)),
    )


def normalised(memory: BatteryMemory, now: datetime, form: Form) -> BatteryMemory:
    """Forget what no rule can tell apart."""

    def near(at: datetime | None, oldest: timedelta) -> datetime | None:
        return None if at is None else now + min(max(at - now, oldest), NEWEST)

    def present(at: datetime | None) -> datetime | None:
        return None if at is None else now

    known: UnconfirmedCommands | None = memory.unconfirmed
    if known is not None:
        period = form.runs_of_a_release if known.releasing else RUNS_PERIOD
        runs = known.runs if known.runs <= period else (known.runs - 1) % period + 1
        mode_at, reserve_at = near(known.mode_at, form.oldest_command), near(known.reserve_at, form.oldest_command)
        known = replace(known, runs=runs, mode_at=mode_at, reserve_at=reserve_at)
    return replace(
        memory,
        owned_since=present(memory.owned_since),
        in_doubt_since=present(memory.in_doubt_since),
        unverified_until=near(memory.unverified_until, PROVEN),
        unconfirmed=known,
    )


def judge(world: World, form: Form) -> None:
    """The laws of a state: what smartcharge left holding is owned, and comes back once Tesla and cron work."""
    held = (world.mode.shown == "backup" and world.mode.is_ours, world.reserve.shown == 100 and world.reserve.is_ours)
    owns = (world.memory.owns_mode, world.memory.owns_reserve)
    if any(is_held and not is_owned for is_held, is_owned in zip(held, owns, strict=True)):
        raise LawBrokenError("a value is held and not owned")
    if world.hold is None and not world.memory.owned:
        return
    after = replace(world, clock=len(INSTANTS) - 1)
    after = replace(after, hold=after.hold and Hold(INSTANTS[-1], HoldKind.EXTENSION), late=world.late)
    memory = normalised(shifted(world.memory, INSTANTS[-1] - INSTANTS[world.clock]), INSTANTS[-1], form)
    after = replace(after, memory=memory)
    for runs in range(1, RUNS_TO_REST + 1):
        after = perform(after, Event(), form)
        if runs >= RUNS_TO_LEAVE_BACKUP and not after.late and after.mode == Value("backup", is_ours=True):
            raise LawBrokenError(f"still in backup mode after {runs} good runs")
        if not after.memory.owned:
            break
    is_at_rest = after.mode.shown == RESTING.mode or not after.mode.is_ours
    is_at_rest = is_at_rest and (after.reserve.shown == RESTING.reserve_pct or not after.reserve.is_ours)
    if after.memory.owned or not is_at_rest:
        raise LawBrokenError(f"not back to normal after {RUNS_TO_REST} good runs: {after}")


def events(world: World, form: Form) -> Iterator[Event]:
    """Everything that may happen in a minute."""
    cars = (ChargerState.CHARGING, ChargerState.IDLE) if world.clock < len(INSTANTS) - 1 else (ChargerState.IDLE,)
    for car in cars:
        yield Event(car=car, tesla=None)
        for tesla in form.teslas:
            yield Event(car=car, tesla=tesla)
        for kill_at in range(form.kills):
            yield Event(car=car, kill_at=kill_at)
        yield Event(car=car, runs=2)
        if world.hand_is_free:
            yield from (Event(car=car, hand=hand) for hand in form.hands)
        if form.is_large:
            yield from (Event(car=car, tesla=tesla, runs=2) for tesla in form.teslas)
            yield from (Event(car=car, tesla=Tesla.LATE, kill_at=kill_at) for kill_at in range(form.kills))
        if world.clock_is_right and form.is_large:
            yield Event(car=car, jumps_back=True)


class Walk(Struct):
    """What a walk found."""

    states: int
    transitions: int
    outcomes: Counter[str]


def walk(form: Form = SMALL) -> Walk:
    """Visit every state; raises `LawBrokenError` with the way that leads to the first one that breaks a law."""
    start = World(0)
    ways: dict[World, tuple[World, Event] | None] = {start: None}
    waiting = deque([start])
    transitions, outcomes = 0, Counter[str]()
    while waiting:
        world = waiting.popleft()
        for event in events(world, form):
            transitions += 1
            try:
                found = perform(world, event, form)
                if found not in ways:
                    judge(found, form)
            except LawBrokenError as broken:
                raise LawBrokenError(f"{broken}\n" + "\n".join(way_to(world, ways)) + f"\n{event}") from broken
            if found not in ways:
                ways[found] = (world, event)
                waiting.append(found)
                outcomes["owned" if found.memory.owned else "not owned"] += 1
    return Walk(len(ways), transitions, outcomes)


def way_to(world: World, ways: dict[World, tuple[World, Event] | None]) -> list[str]:
    """Name the events that lead to a state."""
    steps: list[str] = []
    while (before := ways[world]) is not None:
        world, event = before
        steps.append(f"{CLOCKS[world.clock]} {event}")
    return steps[::-1]


if __name__ == "__main__":
    found = walk(SMALL if "--small" in sys.argv else LARGE)
    sys.stdout.write(f"{found.states} states, {found.transitions} transitions: {dict(found.outcomes)}\n")

"""The laws over whole evenings: minute after minute, with ticks that never came and a Kraken that falls silent."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from random_states import LAW_SETTINGS, NOONS, ODD_CHEAP_PERIOD
from state_words import CHEAP_PERIOD, DEFAULT_POLICY, OCTOPUS_CHEAP_PERIOD, seconds

from smartcharge.policy.decide import decide, decision_depends_on_charger
from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, Policy, Reason, State
from smartcharge.policy.slots import SLOT, last_slot_end

MINUTES = 300


@dataclass(frozen=True)
class Evening:
    """Five hours of a house, in minutes from their start.

    windows: start, length, and when it is withdrawn, if ever. car: what the charger says, and for how long.
    missed, silent: start and length of the times without ticks, and of those without Kraken.
    """

    policy: Policy
    starts_at: datetime
    windows: list[tuple[int, int, int | None]]
    car: list[tuple[ChargerState, int]]
    missed: list[tuple[int, int]]
    silent: list[tuple[int, int]]
    second: int

    def at(self, minute: int) -> datetime:
        return self.starts_at + seconds(60 * minute)

    def plan(self, minute: int, now: datetime) -> tuple[DispatchWindow, ...]:
        """What is known of the plan: Kraken answers every tick outside its silences."""
        silences = [start for start, length in self.silent if start <= minute < start + length]
        seen_at = self.at(min(silences)) if silences else now
        return tuple(
            DispatchWindow(
                self.at(start), self.at(start + length), seen_at, withdrawn=gone is not None and gone <= minute
            )
            for start, length, gone in self.windows
        )

    def ticks(self) -> Iterator[State]:
        """What each tick would find with nothing held, if it asked everybody."""
        states = [state for state, minutes in self.car for _ in range(minutes)]
        skipped = {minute for start, length in self.missed for minute in range(start, start + length)}
        for minute in range(MINUTES):
            if minute not in skipped:
                now = self.at(minute) + seconds(self.second)
                yield State(now, self.policy, self.plan(minute, now), states[minute % len(states)])


@dataclass(frozen=True)
class Tick:
    """One minute of an evening: what was found, what the charger was asked or not, what is held from now on."""

    found: State
    asked: bool
    held: Hold | None
    reason: Reason


def walk(evening: Evening) -> list[Tick]:
    held: Hold | None = None
    ticks = []
    for seen in evening.ticks():
        found = replace(seen, hold=held)
        asked = decision_depends_on_charger(found)
        decision = decide(found if asked else replace(found, charger=ChargerState.UNKNOWN))
        held = decision.hold
        ticks.append(Tick(found, asked, held, decision.reason))
    return ticks


MOMENT = st.integers(0, MINUTES)
GAPS = st.lists(st.tuples(MOMENT, st.integers(1, 60)), max_size=2)
WINDOWS = st.tuples(st.integers(0, MINUTES // 2), st.integers(2, 180), st.sampled_from([None, None]) | MOMENT)
STATES = st.sampled_from([*ChargerState, *[ChargerState.CHARGING] * 3])
EVENINGS = st.builds(
    Evening,
    policy=st.builds(
        Policy,
        st.sampled_from([CHEAP_PERIOD, OCTOPUS_CHEAP_PERIOD, ODD_CHEAP_PERIOD]),
        release_lead=st.sampled_from([30, 90, 150]).map(seconds),
    ),
    starts_at=st.builds(lambda noon, slots: noon + slots * SLOT, st.sampled_from(NOONS), st.integers(0, 20)),
    windows=st.lists(WINDOWS, min_size=1, max_size=4),
    car=st.lists(st.tuples(STATES, st.integers(10, 200)), min_size=1, max_size=6),
    missed=GAPS,
    silent=GAPS,
    second=st.integers(0, 59),
)
WHOLE = settings(LAW_SETTINGS, max_examples=25)


@WHOLE
@given(EVENINGS)
def test_every_hold_of_an_evening_is_lawful(evening: Evening) -> None:
    for tick in walk(evening):
        if tick.held is not None:
            assert not tick.found.is_cheap_now
            assert (
                tick.found.release_complete_at
                < tick.held.until
                <= evening.policy.cheap_period.next_start(tick.found.now)
            )


@WHOLE
@given(EVENINGS)
def test_only_a_charging_car_in_a_fresh_window_opens_a_hold(evening: Evening) -> None:
    for tick in walk(evening):
        if tick.held is not None and tick.found.hold is None:
            now = tick.found.now
            assert tick.asked
            assert tick.found.is_charging
            assert any(w.live and w.covers(now) and now - w.seen_at < DEFAULT_POLICY.grace for w in tick.found.windows)


@WHOLE
@given(EVENINGS)
def test_no_evening_holds_two_unplanned_half_hours_running(evening: Evening) -> None:
    planned = [(evening.at(start), evening.at(start + length)) for start, length, _ in evening.windows]
    for before, after in pairwise(walk(evening)):
        if after.held is not None:
            assert any(starts < after.held.until <= last_slot_end(ends) + SLOT for starts, ends in planned)
        if after.reason is Reason.OVERRUN:
            assert before.held is not None
            assert before.held.kind is HoldKind.WINDOW


@WHOLE
@given(EVENINGS)
def test_the_first_tick_at_a_slot_s_end_finds_it_released_or_renewed(evening: Evening) -> None:
    for before, after in pairwise(walk(evening)):
        if before.held is not None and after.found.release_complete_at >= before.held.until:
            assert after.held is None or (after.found.is_charging and after.held.until > before.held.until)


@WHOLE
@given(EVENINGS)
def test_a_charging_car_is_not_left_waiting_in_a_window(evening: Evening) -> None:
    """The other side of the laws: a policy that never held anything would keep all others."""
    for tick in walk(evening):
        seen = tick.found
        fresh = [w for w in seen.windows if w.live and w.seen_at == seen.now]
        inside = any(w.covers(seen.now) and w.covers(seen.release_complete_at) for w in fresh)
        if (
            seen.is_charging
            and inside
            and seen.next_hold_until - seen.now >= seen.policy.min_hold
            and not seen.is_cheap_now
        ):
            assert tick.held == Hold(seen.next_hold_until)


@WHOLE
@given(EVENINGS)
def test_asking_the_charger_every_minute_changes_no_evening(evening: Evening) -> None:
    held: Hold | None = None
    for tick in walk(evening):
        held = decide(replace(tick.found, hold=held)).hold
        assert held == tick.held

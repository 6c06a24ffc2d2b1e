"""Random states for hypothesis: around both clock changes, unusual cheap periods, stale plans and old holds."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from state_words import CHEAP_PERIOD, DEFAULT_POLICY, LONDON, OCTOPUS_CHEAP_PERIOD, seconds

from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, ManualOverride, Pause, Policy, State
from smartcharge.policy.slots import SLOT, CheapPeriod, slot_end, slot_start

LAW_SETTINGS = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same examples in every run, without a time limit."""

NOONS = [
    datetime(2026, 11, 22, 12, tzinfo=UTC),
    datetime(2026, 7, 8, 12, tzinfo=UTC),
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2027, 3, 27, 12, tzinfo=UTC),
]
"""A winter day, a summer day, and days before clock changes."""
MOMENTS = st.builds(
    lambda noon, slots, rest: noon + slots * SLOT + timedelta(seconds=rest),
    st.sampled_from(NOONS),
    st.integers(0, 24) | st.integers(0, 48),
    st.integers(0, 1799) | st.sampled_from([0, 1619, 1620, 1709, 1710, 1799.000001]),
)


def whole_seconds(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(seconds)


ODD_CHEAP_PERIOD = CheapPeriod(time(22, 40), time(4, 10), LONDON)
CLOCKS = st.builds(time, st.integers(0, 23), st.integers(0, 59))
CHEAP_PERIODS = st.sampled_from([CHEAP_PERIOD, OCTOPUS_CHEAP_PERIOD, ODD_CHEAP_PERIOD]) | st.builds(
    CheapPeriod, CLOCKS, CLOCKS, st.just(LONDON)
)
POLICIES = st.just(DEFAULT_POLICY) | st.builds(
    Policy,
    cheap_period=CHEAP_PERIODS,
    release_lead=whole_seconds(30, 300),
    min_hold=whole_seconds(60, 1500),
    extension=st.booleans(),
    max_hours_per_day=st.sampled_from([None, 0.5, 2.0, 6.0]),
)
CARS = st.sampled_from([*ChargerState, ChargerState.CHARGING, ChargerState.CHARGING])

STARTS = st.integers(-7200, 1800) | st.sampled_from([-3600, -1800, -1800, 0])
LENGTHS = st.integers(1, 7200) | st.sampled_from([76, 180, 1800, 1800, 3600])
AGES = st.sampled_from([0, 0, 599, 600, 1199, 1200, 90_000, -599, -600])
MARKS = st.sampled_from(["", "", "withdrawn", "superseded", "boosting"])
WINDOWS = st.tuples(STARTS, LENGTHS, st.just(0), st.just("")) | st.tuples(STARTS, LENGTHS, AGES, MARKS)
"""Start (counted from the slot's) and length, age of the answer, all in seconds; and what became of it."""
HOLDS = st.tuples(
    st.sampled_from([0, 1800, 1800, 1800]) | st.integers(0, 172_800),
    st.sampled_from([None, HoldKind.WINDOW, HoldKind.WINDOW, HoldKind.EXTENSION]),
)
"""How many seconds ago it was decided, and its kind; None where nothing is held."""
PLANS = st.lists(WINDOWS, max_size=3)
OVERRIDE_OFFSETS = st.sampled_from([-60, 0, 1, 60]).map(seconds)
SPECIAL = st.sampled_from([""] * 15 + ["paused", "paused for", "override", "override", "clock"])
HELD_HOURS = st.sampled_from([0.0, 0.0, 1.9, 2.0, 6.5])


def build_window(now: datetime, start: int, length: int, age: int, mark: str) -> DispatchWindow:
    starts_at = slot_start(now) + seconds(start)
    return DispatchWindow(
        starts_at,
        starts_at + seconds(length),
        seen_at=now - seconds(age),
        device="car" if age == 0 else "van",
        withdrawn=mark in {"withdrawn", "superseded"},
        superseded=mark == "superseded",
        boosting=mark == "boosting",
    )


def build_hold(now: datetime, policy: Policy, ago: int, kind: HoldKind | None) -> Hold | None:
    """A hold as a rule may have made it: now, a slot ago, or up to two days ago."""
    then = now - seconds(ago)
    until = min(slot_end(then + policy.release_lead), policy.cheap_period.next_start(then))
    return Hold(until, kind) if kind else None


@st.composite
def random_states(draw: st.DrawFn) -> State:
    """Any state that a run may find."""
    now, policy, special, left = draw(MOMENTS), draw(POLICIES), draw(SPECIAL), draw(OVERRIDE_OFFSETS)
    return State(
        now=now,
        policy=policy,
        windows=tuple(build_window(now, *shape) for shape in draw(PLANS)),
        charger=draw(CARS),
        hold=build_hold(now, policy, *draw(HOLDS)),
        pause=Pause(now + left if special == "paused for" else None) if special.startswith("paused") else None,
        manual_override=ManualOverride(now - seconds(1800), now + left) if special == "override" else None,
        held_since_noon=timedelta(hours=draw(HELD_HOURS)),
        clock_is_doubtful=special == "clock",
        solar_only=draw(st.booleans()),
    )

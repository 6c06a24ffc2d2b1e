"""Situations that nobody thought of: around both clock changes, odd nights, stale plans and old holds."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from situations import HOUSE, LONDON, NIGHT, OCTOPUS_NIGHT, seconds

from smartcharge.core.model import ChargerState, Hold, HoldKind, Pause, Policy, Situation, StandDown, Window
from smartcharge.core.slots import SLOT, CheapPeriod, slot_end, slot_start

THOROUGH = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
"""The same examples in every run, however slow the machine."""

NOONS = [
    datetime(2026, 11, 22, 12, tzinfo=UTC),
    datetime(2026, 7, 8, 12, tzinfo=UTC),
    datetime(2026, 3, 28, 12, tzinfo=UTC),
    datetime(2026, 10, 24, 12, tzinfo=UTC),
    datetime(2027, 3, 27, 12, tzinfo=UTC),
]
"""A winter's day, a summer's, and the eves of clock changes."""


def whole(least: int, most: int) -> st.SearchStrategy[timedelta]:
    return st.integers(least, most).map(seconds)


MOMENTS = st.builds(
    lambda noon, slots, rest, micros: noon + slots * SLOT + rest + timedelta(microseconds=micros),
    st.sampled_from(NOONS),
    st.integers(0, 60),
    whole(0, 1799) | st.sampled_from([0, 1, 1619, 1620, 1709, 1710, 1799]).map(seconds),
    st.sampled_from([0, 0, 0, 1, 999_999]),
)
NIGHTS = st.sampled_from([NIGHT, NIGHT, OCTOPUS_NIGHT, CheapPeriod(time(22, 40), time(4, 10), LONDON)]) | st.builds(
    CheapPeriod, st.times(), st.times(), st.just(LONDON)
)
POLICIES = st.just(HOUSE) | st.builds(
    Policy,
    cheap_period=NIGHTS,
    release_lead=whole(30, 300),
    min_hold=whole(60, 1500),
    extension=st.booleans(),
    max_hours_per_day=st.none() | st.sampled_from([0.5, 2.0, 6.0]),
)
AGES = st.sampled_from([0, 599, 600, 1199, 1200, 90_000, -599, -600]).map(seconds)
CARS = st.sampled_from([ChargerState.CHARGING, ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN])
LENGTHS = st.sampled_from([seconds(76), seconds(180), SLOT, 2 * SLOT, 4 * SLOT]) | whole(1, 7200)
OFFSETS = st.sampled_from([-4, -3, -2, -1, 0, 1]).map(lambda slots: slots * SLOT)


@st.composite
def plans(draw: st.DrawFn, now: datetime) -> tuple[Window, ...]:
    """Up to three windows near `now`; half of the plans are fresh, and free of withdrawals and forced charges."""
    found, healthy = [], draw(st.booleans())
    for car in draw(st.sampled_from(["", "1", "1", "11", "12", "112"])):
        starts_at = slot_start(now) + draw(OFFSETS) + draw(st.just(seconds(0)) | whole(0, 1799))
        window = Window(starts_at, starts_at + draw(LENGTHS), now, car)
        found.append(window if healthy else draw(defects(window)))
    return tuple(found)


@st.composite
def defects(draw: st.DrawFn, window: Window) -> Window:
    """Make a window what it may become: old, taken back, or under a forced charge."""
    superseded = draw(st.booleans())
    return replace(
        window,
        seen_at=window.seen_at - draw(AGES),
        boosting=draw(st.booleans()),
        superseded=superseded,
        withdrawn=superseded or draw(st.booleans()),
    )


@st.composite
def holds(draw: st.DrawFn, now: datetime, policy: Policy) -> Hold | None:
    """Nothing, or a hold as a rule of the policy may have left it: now, a slot ago, or long ago."""
    then = now - draw(st.sampled_from([seconds(0), SLOT, SLOT]) | whole(0, 172_800))
    until = min(slot_end(then + policy.release_lead), policy.cheap_period.next_start(then))
    return draw(st.sampled_from([None, Hold(until), Hold(until, HoldKind.EXTENSION)]))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """Anything that a tick may find."""
    now, policy = draw(MOMENTS), draw(POLICIES)
    seen = Situation(
        now, policy, windows=draw(plans(now)), charger=draw(CARS), hold=draw(holds(now, policy)),
        held_since_noon=draw(st.just(seconds(0)) | whole(0, 25_000)),
    )  # fmt: skip
    match draw(st.integers(0, 9)):
        case 8:
            return replace(seen, pause=Pause(draw(st.none() | whole(-60, 60).map(now.__add__))))
        case 9:
            return replace(seen, stand_down=StandDown(now - draw(whole(0, 7200)), now + draw(whole(-60, 60))))
    return seen

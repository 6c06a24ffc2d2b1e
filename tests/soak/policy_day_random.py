"""A random day as it will be: the tariff, the supplier's plans, the car, the owner, and what cron misses.

All is drawn before the first minute is played, in minutes (spans: in seconds) from where the day begins.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

from smartcharge.policy.model import Dispatch, Policy
from smartcharge.policy.slots import CheapPeriod

ZONE = "Europe/London"
LONDON = ZoneInfo(ZONE)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
YEARS = range(2024, 2033)
EXTRA_MINUTES = 45
"""Minutes after the day in which nobody answers any more: what is held then must end by itself."""
IDLE, CHARGING, UNREADABLE = range(3)
PLAIN, EMPTY, REPEATED = range(3)
CARS = ("car", "van", "bike")

CHEAP_PERIODS = (
    *(*[(time(0), time(6))] * 4, *[(time(23, 30), time(5, 30))] * 3, (time(22, 40), time(4, 10))),
    *((time(0, 30), time(4, 30)), (time(2), time(5)), (time(13), time(16)), (time(14), time(14, 10))),
)
"""No edge lies in the hour that the clocks skip or repeat."""
LEAD_AND_MIN_HOLD = (*[(90, 180)] * 5, (60, 180), (150, 300), (300, 360), (90, 1500))
"""The least is longer than the lead: or else a hold may begin just before the cheap period, when its release is due."""
CRON_SECONDS = (0, 0, 2, 5, 27, 30, 30, 43)

Spans = list[tuple[int, int]]
Plans = dict[int, list[tuple[str, tuple[Dispatch, ...]]]]
SpanChange = Callable[[Random, int, int, int], Spans]
"""What becomes of a planned span (start, end) at a moment."""


@dataclass(frozen=True, slots=True)
class PolicyDayScript:
    """A day; one byte a minute where it says bytes.

    seconds: when in its minute the run looks at the clock. missed: no run. car: as the charger would say. plans: from
    which minute on the supplier plans what. odd: how an answer is told. hands: the owner sets the battery if it is
    held. doubts: the clock is in doubt. pauses: until when, None until resumed. asked_every: minutes between answers.
    """

    begins_at: datetime
    minutes: int
    policy: Policy
    seconds: bytes
    missed: bytes
    car: bytes
    plans: Plans
    silent: dict[str, bytes]
    boosting: dict[str, bytes]
    odd: bytes
    hands: bytes
    doubts: bytes
    pauses: dict[int, datetime | None]
    resumes: frozenset[int]
    asked_every: int


def draw_day(seed: int) -> PolicyDayScript:
    """Draw a day."""
    chance = Random(seed)  # noqa: S311  # scenarios, not secrets
    begins_at, minutes = _draw_span(chance)
    cars = CARS[: chance.choice((1, 1, 1, 2, 2, 3))]
    plans = {car: dict(_draw_plans(chance, minutes)) for car in cars}
    first = chance.choice(CRON_SECONDS)
    pauses = _draw_pauses(chance, begins_at, minutes)
    return PolicyDayScript(
        begins_at,
        minutes,
        _draw_policy(chance),
        seconds=bytes(chance.choices(range(first, first + chance.choice((1, 4))), k=minutes + EXTRA_MINUTES)),
        missed=_draw_periods(chance, minutes, 5, (1, 1, 2, 5, 20, 40, 60, 90)),
        car=_draw_car(chance, _planned_minutes(plans, minutes)),
        plans=_build_answers(chance, begins_at, plans),
        silent={car: _draw_periods(chance, minutes, 4, (3, 8, 12, 20, 45, 120)) for car in cars},
        boosting={car: _draw_periods(chance, minutes, chance.choice((0, 0, 2)), (5, 30, 90)) for car in cars},
        odd=bytes(chance.choices((PLAIN, EMPTY, REPEATED), (184, 1, 15), k=minutes + EXTRA_MINUTES)),
        hands=_draw_periods(chance, minutes, chance.choice((0, 0, 9)), (1, 10, 60)),
        doubts=_draw_periods(chance, minutes, chance.choice((0, 0, 0, 2)), (1, 3, 20)),
        pauses=pauses,
        resumes=frozenset(chance.sample(range(minutes), 1 + 2 * len(pauses))),
        asked_every=chance.choice((2, 3)),
    )


def _draw_span(chance: Random) -> tuple[datetime, int]:
    """From a local midnight, noon or evening to the next; three in ten have a clock change in them."""
    year, clock = chance.choice(YEARS), chance.choice((time(0), time(0), time(12), time(17)))
    day = date(year, 1, 1) + chance.randrange(365) * DAY
    if chance.random() < 0.3:
        last = date(year, chance.choice((3, 10)), 31)
        sunday = last - (last.isoweekday() % 7) * DAY
        day = sunday if clock == time(0) else sunday - DAY
    begins, ends = (datetime.combine(each, clock, LONDON).astimezone(UTC) for each in (day, day + DAY))
    return begins, (ends - begins) // MINUTE


def _draw_policy(chance: Random) -> Policy:
    lead, least = chance.choice(LEAD_AND_MIN_HOLD)
    return Policy(
        CheapPeriod(*chance.choice(CHEAP_PERIODS), ZONE),
        release_lead=timedelta(seconds=lead),
        min_hold=timedelta(seconds=least),
        grace=timedelta(seconds=chance.choice((600, 600, 600, 600, 120, 3600))),
        extension=chance.random() < 0.9,
        max_hours_per_day=chance.choice((None, None, None, None, 0.5, 2.0, 6.0)),
    )


def _draw_periods(chance: Random, minutes: int, most: int, lengths: tuple[int, ...]) -> bytes:
    """Up to so many periods; none of them after the day."""
    flags = bytearray(minutes)
    for _ in range(chance.randrange(most + 1)):
        start, length = chance.randrange(minutes), chance.choice(lengths)
        flags[start : start + length] = bytes([1]) * min(length, minutes - start)
    return bytes(flags) + bytes(EXTRA_MINUTES)


def _draw_pauses(chance: Random, begins_at: datetime, minutes: int) -> dict[int, datetime | None]:
    starts = chance.sample(range(minutes), chance.choice((0, 0, 0, 1, 2)))
    lengths = {start: chance.choice((None, 1, 7, 45, 200)) for start in starts}
    return {
        start: None if length is None else begins_at + (start + length) * MINUTE for start, length in lengths.items()
    }


def _draw_length(chance: Random) -> int:
    short, usual, long = (1, 20, 76, 150, 180, 240), (1500, 1800, 1800, 2700, 3600, 5400, 9000), (18_000, 43_200)
    return chance.choice(chance.choices((short, usual, long), (3, 14, 2))[0])


def _draw_step(chance: Random) -> int:
    return chance.choice((60, 300, 900, 1800, 1800, 3600, chance.randrange(1, 4000)))


def _new_span(chance: Random, moment: int) -> Spans:
    grid = chance.choice((1, 60, 300, 1800, 1800))
    start = (moment + chance.choice((-3600, -600, 0, 0, 900, 7200)) + chance.randrange(3600)) // grid * grid
    return [(start, start + _draw_length(chance))]


def _split_span(chance: Random, start: int, end: int, now: int) -> Spans:
    first, last = sorted((chance.randrange(start, end), chance.randrange(start, end)))
    return [(start, first), (last, end)]


def _move_span(chance: Random, start: int, end: int, now: int) -> Spans:
    away = chance.choice((-1, 1)) * (end - start + _draw_step(chance))
    return [(start + away, end + away)]


SPAN_CHANGES: tuple[SpanChange, ...] = (
    lambda chance, start, end, now: [(start, end + _draw_step(chance))],
    lambda chance, start, end, now: [(start, end - _draw_step(chance))],
    lambda chance, start, end, now: [(start - _draw_step(chance), end)],
    lambda chance, start, end, now: [(start + _draw_step(chance), end)],
    lambda chance, start, end, now: [(now, end)],
    lambda chance, start, end, now: [(start, now)],
    lambda chance, start, end, now: [],
    lambda chance, start, end, now: [(start, end), (end, end + _draw_length(chance))],
    lambda chance, start, end, now: [(start, end), ((start + end) // 2, end + _draw_length(chance))],
    lambda chance, start, end, now: [(start, end), *_new_span(chance, now)],
    _split_span,
    _move_span,
)
"""Longer, shorter, begun earlier, begun later, trimmed at either end, withdrawn, touched, overlapped, another too."""


def _draw_plans(chance: Random, minutes: int) -> Iterator[tuple[int, Spans]]:
    """One car's plan from each minute on in which it changes, mostly near a window's edge."""
    plan = [span for _ in range(chance.randrange(1, 10)) for span in _new_span(chance, chance.randrange(60 * minutes))]
    ever = list(plan)
    yield 0, plan
    edges = [edge // 60 + chance.randrange(-45, 20) for span in plan for edge in span for _ in range(4)]
    turns = [chance.choice([*edges, chance.randrange(minutes)]) for _ in range(chance.choice((0, 3, 8, 15, 40)))]
    for minute in sorted({turn for turn in turns if 0 < turn < minutes}):
        plan = [span for span in _change_plan(chance, plan, ever, 60 * minute) if span[0] < span[1]]
        ever += plan
        yield minute, plan


def _change_plan(chance: Random, plan: Spans, ever: Spans, now: int) -> Spans:
    what = chance.random()
    if not plan or what < 0.12:
        return plan + _new_span(chance, now)
    if what < 0.22:
        return [*plan, chance.choice(ever)]
    if what < 0.25:
        return []
    if what < 0.32:
        return [span for span in plan if span[1] > now]
    coming = [place for place, (_, end) in enumerate(plan) if now < end]
    near = [place for place in coming if plan[place][0] - 1800 < now]
    place = chance.choice(near or coming or range(len(plan)))
    return [*plan[:place], *chance.choice(SPAN_CHANGES)(chance, *plan[place], now), *plan[place + 1 :]]


def _planned_minutes(plans: dict[str, dict[int, Spans]], minutes: int) -> bytes:
    """Whether the supplier plans anything in a minute."""
    flags = bytearray(minutes)
    for plan in plans.values():
        for since, until in pairwise((*plan, minutes)):
            for start, end in plan[since]:
                first, last = max(since, start // 60), min(until, -(-end // 60))
                if first < last:
                    flags[first:last] = bytes([1]) * (last - first)
    return bytes(flags)


def _draw_car(chance: Random, planned: bytes) -> bytes:
    """Follows the plan more or less closely, or not at all; now and then nobody can tell."""
    in_plan, stray = chance.choice(((0.95, 0.05), (0.95, 0.05), (0.8, 0.3), (1.0, 1.0), (0.4, 0.1)))
    car, state, until = bytearray(), IDLE, 0
    for minute, flag in enumerate(planned):
        if minute and flag != planned[minute - 1]:
            until = min(until, minute + chance.choice((0, 0, 1, 2, 3, 9, 25, 50, 100)))
        if minute >= until:
            state = CHARGING if chance.random() < (in_plan if flag else stray) else IDLE
            until = minute + chance.choice((1, 4, 15, 40, 90, 240))
        car.append(state)
    lost = _draw_periods(chance, len(planned), chance.choice((2, 6, 30)), (1, 1, 1, 2, 4, 15, 60))
    read = bytes(UNREADABLE if gone else state for state, gone in zip(car, lost, strict=False))
    return read + bytes([UNREADABLE]) * EXTRA_MINUTES


def _build_answers(chance: Random, begins_at: datetime, plans: dict[str, dict[int, Spans]]) -> Plans:
    """The plans as the supplier tells them; of the energy it is not sure."""
    told: Plans = {}
    for car, changes in plans.items():
        for minute, plan in changes.items():
            dispatches = (
                Dispatch(
                    begins_at + timedelta(seconds=start),
                    begins_at + timedelta(seconds=end),
                    chance.choice((None, 0.0, 7.2, 7.2, 11.0)),
                )
                for start, end in plan
            )
            told.setdefault(minute, []).append((car, tuple(dispatches)))
    return told

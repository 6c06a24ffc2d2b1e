"""How fast the rules are: `python tests/bench/throughput.py` decides a year of minutes and a year of answers."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from msgspec.structs import replace

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Dispatch, DispatchWindow, Policy, State
from smartcharge.policy.plan import KnownDispatch, diff_plan
from smartcharge.policy.slots import CheapPeriod

# ruff: noqa: T201  # tells by printing


sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


FIRST_MINUTE = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, MINUTES = timedelta(minutes=1), 525_600
ANSWER_COUNT = 365 * 480
POLICY = Policy(CheapPeriod(clock_time(0), clock_time(6), "Europe/London"))


def day_windows(day: datetime, seen_at: datetime) -> tuple[DispatchWindow, ...]:
    """Three windows a day, as one that asks every few minutes would remember them."""
    starts = (day + timedelta(hours=hour) for hour in (11, 16, 20))
    return tuple(
        DispatchWindow(start, start + timedelta(minutes=90), seen_at, device="car", energy_kwh=9.0) for start in starts
    )


def decide_year() -> int:
    """Decide every minute of a year, carrying the hold along; returns how many minutes were held."""
    held, situation = 0, State(FIRST_MINUTE, POLICY)
    for minute in range(MINUTES):
        now = FIRST_MINUTE + minute * MINUTE
        if minute % 1440 == 0 or minute % 3 == 0:
            day = FIRST_MINUTE + minute // 1440 * timedelta(days=1)
            situation = replace(situation, windows=day_windows(day, now))
        charger = (ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN)[minute // 45 % 3]
        situation = replace(situation, now=now, charger=charger)
        situation = replace(situation, hold=decide(situation).hold)
        held += situation.hold is not None
    return held


def compare_year_of_plans() -> int:
    """Hold a year of answers against what is remembered; returns how many changed something."""
    return sum(bool(diff_plan(known, answer, now)) for known, answer, now in _year_of_answers())


def _year_of_answers() -> Iterator[tuple[tuple[KnownDispatch, ...], tuple[Dispatch, ...], datetime]]:
    for number in range(ANSWER_COUNT):
        now = FIRST_MINUTE + number * 3 * MINUTE
        start = now + timedelta(hours=2)
        known = tuple(
            KnownDispatch(n, start + n * timedelta(hours=3), start + timedelta(hours=3 * n + 1), 7.2, None, None)
            for n in range(4)
        )
        shift = timedelta(minutes=30) if number % 10 == 0 else timedelta(0)
        yield known, tuple(Dispatch(row.starts_at, row.ends_at + shift, 7.2) for row in known), now


def main() -> int:
    """Measure and tell."""
    for words, work, count in (
        ("minutes decided", decide_year, MINUTES),
        ("answers reconciled", compare_year_of_plans, ANSWER_COUNT),
    ):
        begun = time.process_time()
        came_of_it = work()
        took = time.process_time() - begun
        print(
            f"{count:,} {words} in {took:.1f} s of a core, {1e6 * took / count:.0f} us each; {came_of_it:,} with effect"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""How fast the rules are: `python tests/bench/throughput.py` decides a year of minutes and a year of answers."""
# ruff: noqa: T201  # tells by printing

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from smartcharge.core.answers import Dispatch  # the path comes first
from smartcharge.core.decide import decide
from smartcharge.core.dispatches import Remembered, reconcile
from smartcharge.core.model import ChargerState, Policy, Situation, Window
from smartcharge.core.slots import CheapPeriod

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, MINUTES = timedelta(minutes=1), 525_600
ANSWERS = 365 * 480
POLICY = Policy(CheapPeriod(clock_time(0), clock_time(6), "Europe/London"))


def windows(day: datetime, seen_at: datetime) -> tuple[Window, ...]:
    """Three windows a day, as one that asks every few minutes would remember them."""
    starts = (day + timedelta(hours=hour) for hour in (11, 16, 20))
    return tuple(
        Window(start, start + timedelta(minutes=90), seen_at, device="car", energy_kwh=9.0) for start in starts
    )


def decided() -> int:
    """Decide every minute of a year, carrying the hold along; returns how many minutes were held."""
    held, situation = 0, Situation(FIRST, POLICY)
    for minute in range(MINUTES):
        now = FIRST + minute * MINUTE
        if minute % 1440 == 0 or minute % 3 == 0:
            day = FIRST + minute // 1440 * timedelta(days=1)
            situation = replace(situation, windows=windows(day, now))
        charger = (ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN)[minute // 45 % 3]
        situation = replace(situation, now=now, charger=charger)
        situation = replace(situation, hold=decide(situation).hold)
        held += situation.hold is not None
    return held


def reconciled() -> int:
    """Hold a year of answers against what is remembered; returns how many changed something."""
    return sum(bool(reconcile(known, answer, now)) for known, answer, now in _answers())


def _answers() -> Iterator[tuple[tuple[Remembered, ...], tuple[Dispatch, ...], datetime]]:
    for number in range(ANSWERS):
        now = FIRST + number * 3 * MINUTE
        start = now + timedelta(hours=2)
        known = tuple(
            Remembered(n, start + n * timedelta(hours=3), start + timedelta(hours=3 * n + 1), 7.2, None, None)
            for n in range(4)
        )
        shift = timedelta(minutes=30) if number % 10 == 0 else timedelta(0)
        yield known, tuple(Dispatch(row.starts_at, row.ends_at + shift, 7.2) for row in known), now


def main() -> int:
    """Measure and tell."""
    for words, work, count in (("minutes decided", decided, MINUTES), ("answers reconciled", reconciled, ANSWERS)):
        begun = time.process_time()
        came_of_it = work()
        took = time.process_time() - begun
        print(
            f"{count:,} {words} in {took:.1f} s of a core, {1e6 * took / count:.0f} us each; {came_of_it:,} with effect"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Play random days: `python tests/soak/run.py --hours 2400 --seed 1`, or one of them again: `--only SEED`.

A day that breaks a law is told by its last three hours; `--shrink` leaves out all that it did not take.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from soak_day import SoakDay
from soak_random import SoakTally

# ruff: noqa: T201  # a command prints

RAM_FOLDER = Path("/dev/shm")  # noqa: S108  # where there is one, a sync costs nothing
SHOWN_HOURS = timedelta(hours=3)


def play_random_day(seed: int, only: frozenset[str] | None = None) -> SoakTally:
    """One random day; only: nothing else happens in it."""
    folder = RAM_FOLDER if os.access(RAM_FOLDER, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return SoakDay(seed, Path(name), only).play()


def random_days(first: int, *, hours: float = float("inf"), seconds: float = float("inf")) -> Iterator[SoakTally]:
    """Random days from a seed on, until so many hours are simulated or so many seconds have passed."""
    begun, simulated, seed = time.process_time(), 0.0, first
    while simulated < hours and time.process_time() - begun < seconds:
        tally = play_random_day(seed)
        yield tally
        simulated, seed = simulated + tally.hours, seed + 1


def minimise_day(tally: SoakTally) -> SoakTally:
    """The same day with as little as possible event in it that still breaks the same law."""
    size = len(tally.happened) // 2
    while size:
        place = 0
        while place < len(tally.happened):
            kept = tally.happened[:place] + tally.happened[place + size :]
            again = play_random_day(tally.seed, frozenset(kept))
            if again.law == tally.law:
                tally = again
                print(f"  {len(tally.happened)} events", file=sys.stderr, flush=True)
            else:
                place += size
        size //= 2
    return tally


def format_totals(tallies: list[SoakTally]) -> str:
    """What so many days held, in a few lines."""
    faults, died_at = Counter[str](), Counter[str]()
    for tally in tallies:
        faults += tally.faults
        died_at += tally.died_at
    names = ("runs", "quiet", "kills", "second_runs", "holds", "writes", "mails")
    sums = {name: sum(getattr(tally, name) for tally in tallies) for name in names}
    return (
        f"{sum(tally.hours for tally in tallies):,.0f} hours, {sums['runs']:,} runs and {sums['quiet']:,} quiet ones, "
        f"{sums['kills']:,} killed, {sums['second_runs']:,} disturbed by another, "
        f"{sum(faults.values()):,} faults and the owner's hand, "
        f"{sums['holds']:,} holds begun or prolonged, {sums['writes']:,} commands, {sums['mails']:,} mails, "
        f"{sum(len(tally.broken) for tally in tallies)} laws broken\n"
        f"faults: {_format_counter(faults)}\nkilled at: {_format_counter(died_at)}"
    )


def _format_counter(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()))


def format_failed_day(tally: SoakTally) -> str:
    """The broken laws, and the day's last hours before them."""
    last = tally.event_log[-1][0]
    lines = [f"{at:%d %H:%M} {what}" for at, what in tally.event_log if last - at < SHOWN_HOURS]
    return "\n".join([tally.event_log[0][1], *lines, *tally.broken])


def main() -> int:
    """Play, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=240)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="SEED")
    parser.add_argument("--shrink", action="store_true")
    given = parser.parse_args()
    tallies = []
    for tally in (
        [play_random_day(given.only)] if given.only is not None else random_days(given.seed, hours=given.hours)
    ):
        tallies.append(tally)
        print(f"{sum(each.hours for each in tallies):,.0f} hours", file=sys.stderr, end="\r", flush=True)
        if tally.broken:
            print(format_failed_day(minimise_day(tally) if given.shrink else tally), flush=True)
    print(format_totals(tallies))
    return 1 if any(tally.broken for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())

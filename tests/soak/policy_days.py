"""Play random days through the rules alone: `python tests/soak/days.py --days 10000 --seed 1`.

Every minute is decided, with a charger that is always looked at and with one that is looked at only when asked for. One
day again, and what went on in it: `--only SEED`. Several days at a time: `--jobs 2`.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policy_day import PolicyDay, PolicyDayTally

# ruff: noqa: T201  # a command prints

MAX_SHOWN_DAYS = 5
"""So many broken laws of a day are told; the others mostly follow from them."""


def play_policy_day(seed: int) -> PolicyDayTally:
    """One random day, without its scenario."""
    return replace(PolicyDay(seed).play(), event_log=[])


def format_total(total: PolicyDayTally, took: float) -> str:
    """What so many days held, in a few lines."""
    counts = ", ".join(f"{number:,} {name}" for name, number in total.counts.items())
    each = 1e6 * total.seconds / max(1, total.counts["decisions"])
    broken = sum(map(len, total.broken.values()))
    seeds = f" in {len(total.broken)} days: {', '.join(map(str, sorted(total.broken)))}" if broken else ""
    return (
        f"{counts}\n{total.seconds:,.1f} s in the rules, {each:.0f} us a minute; {took:,.1f} s in all\n"
        f"{broken} laws broken{seeds}"
    )


def play_days(seeds: range, jobs: int) -> Iterator[PolicyDayTally]:
    """Days in the order of their seeds, so many at a time."""
    if jobs == 1:
        yield from map(play_policy_day, seeds)
        return
    with Pool(jobs) as pool:
        yield from pool.imap(play_policy_day, seeds, chunksize=20)


def main() -> int:
    """Play, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="SEED")
    given = parser.parse_args()
    begun, total = time.perf_counter(), PolicyDayTally()
    seeds = range(given.seed, given.seed + given.days)
    for tally in [PolicyDay(given.only).play()] if given.only is not None else play_days(seeds, given.jobs):
        total.add(tally)
        print(f"{total.counts['days']:,} days", file=sys.stderr, end="\r", flush=True)
        print(*tally.event_log, sep="\n", end="\n" if tally.event_log else "")
        for seed, laws in tally.broken.items():
            print(f"seed {seed}: " + "\n  ".join(laws[:MAX_SHOWN_DAYS]), flush=True)
    print(format_total(total, time.perf_counter() - begun))
    return 1 if total.broken else 0


if __name__ == "__main__":
    sys.exit(main())

"""Play random days: `python tests/soak/run.py --hours 2400 --seed 1`, or one of them again: `--only SEED`."""
# ruff: noqa: T201  # tells by printing

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "act"), str(HERE.parent.parent)]

from soak_day import Day, Tally  # noqa: E402  # the paths come first

IN_MEMORY = Path("/dev/shm")  # noqa: S108  # where there is one, a sync costs nothing


def play(seed: int) -> Tally:
    """One random day."""
    folder = IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        return Day(seed, Path(name)).play()


def days(first: int, *, hours: float = float("inf"), seconds: float = float("inf")) -> Iterator[Tally]:
    """Random days from a seed on, until so many hours are simulated or so many seconds have passed."""
    begun, simulated, seed = time.monotonic(), 0.0, first
    while simulated < hours and time.monotonic() - begun < seconds:
        tally = play(seed)
        yield tally
        simulated, seed = simulated + tally.hours, seed + 1


def told(tallies: list[Tally]) -> str:
    """What so many days held, in a few lines."""
    faults = sum((tally.faults for tally in tallies), Counter[str]())
    sums = {name: sum(getattr(tally, name) for tally in tallies) for name in ("runs", "kills", "holds", "writes")}
    return (
        f"{sum(tally.hours for tally in tallies):,.0f} hours, {sums['runs']:,} runs, {sums['kills']:,} killed, "
        f"{sum(faults.values()):,} faults and the owner's hand, {sums['holds']:,} holds begun or prolonged, "
        f"{sums['writes']:,} commands, {sum(len(tally.broken) for tally in tallies)} laws broken\n"
        + ", ".join(f"{name} {count}" for name, count in sorted(faults.items()))
    )


def main() -> int:
    """Play, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=240)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int)
    given = parser.parse_args()
    tallies = []
    for tally in [play(given.only)] if given.only is not None else days(given.seed, hours=given.hours):
        tallies.append(tally)
        for broken in tally.broken:
            print(broken, flush=True)
    print(told(tallies))
    return 1 if any(tally.broken for tally in tallies) else 0


if __name__ == "__main__":
    sys.exit(main())

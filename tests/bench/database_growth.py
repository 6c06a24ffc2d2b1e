"""What ten years of memory cost: `python tests/bench/growth.py` runs each command on an empty and a full database."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench_houses import BenchHouse, bench_simulator
from process_costs import MeasuredCase, ProcessCost, measure_cases
from ten_year_database import make_ten_year_database, make_ten_year_legacy_database

from smartcharge.store.database import open_store

# ruff: noqa: T201  # tells by printing


HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


MEASURED_COMMANDS = ("reconcile", "midnight-reset", "send-invites", "fetch-dispatches", "tick", "status", "metrics")
EMPTY_HOUSE, FULL_HOUSE = "empty", "ten years"


def growth_cases(houses: dict[str, BenchHouse], environment: dict[str, str]) -> Iterator[MeasuredCase]:
    """Every command in both houses, one after the other; in full, for what is foreseen is deleted."""
    case = partial(MeasuredCase, environment={**environment, "PYTHONPATH": str(HERE.parent.parent)})
    for command in MEASURED_COMMANDS:
        for age, house in houses.items():
            yield case(f"{command}, {age}", house.line(command), house.folder, prepare=house.forget_the_shortcut)


def format_growth_table(costs: dict[str, ProcessCost], bare: float) -> Iterator[str]:
    """The medians side by side."""
    yield "| command | empty, ms | ten years, ms | ratio |"
    yield "|---|---|---|---|"
    for command in MEASURED_COMMANDS:
        young, old = (costs[f"{command}, {age}"].median_ms for age in (EMPTY_HOUSE, FULL_HOUSE))
        yield f"| {command} | {young:.0f} | {old:.0f} | {old / young:.2f} |"
    yield f"\nBringing ten years of the earlier service's dispatches up to date took {bare:.1f} s."


def measure_migration_s(folder: Path) -> float:
    """How long the first opening of an old database takes, in seconds."""
    path = folder / "legacy.db"
    make_ten_year_legacy_database(path, datetime.now(UTC))
    begun = time.perf_counter()
    open_store(path).close()
    return time.perf_counter() - begun


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        bench_simulator(Path(name), [EMPTY_HOUSE, FULL_HOUSE]) as (houses, environment),
    ):
        full = Path(name) / "decade.db"
        make_ten_year_database(full, datetime.now(UTC))
        houses[FULL_HOUSE].copy_database(full)
        for house in houses.values():
            house.plan(charging=None)
            house.run("send-invites")
            house.run("fetch-dispatches", "--now")
        costs = measure_cases(list(growth_cases(houses, environment)), given.rounds)
        print("\n".join(format_growth_table(costs, measure_migration_s(Path(name)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

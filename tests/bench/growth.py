"""What ten years of memory cost: `python tests/bench/growth.py` runs each command on an empty and a full database."""
# ruff: noqa: T201  # tells by printing

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from decades import make_decade, make_legacy_decade  # noqa: E402  # the paths come first
from houses import BenchHouse, bench_street  # noqa: E402
from measured import Case, Cost, measured  # noqa: E402

from smartcharge.store import open_store  # noqa: E402

COMMANDS = ("reconcile", "midnight-reset", "send-invites", "fetch-dispatches", "tick", "status", "metrics")
YOUNG, OLD = "empty", "ten years"


def cases(houses: dict[str, BenchHouse], environment: dict[str, str]) -> Iterator[Case]:
    """Every command in both houses, one after the other; in full, for what is foreseen is deleted."""
    case = partial(Case, environment={**environment, "PYTHONPATH": str(HERE.parent.parent)})
    for command in COMMANDS:
        for age, house in houses.items():
            yield case(f"{command}, {age}", house.line(command), house.folder, prepare=house.forget_the_shortcut)


def table(costs: dict[str, Cost], bare: float) -> Iterator[str]:
    """The medians side by side."""
    yield "| command | empty, ms | ten years, ms | ratio |"
    yield "|---|---|---|---|"
    for command in COMMANDS:
        young, old = (costs[f"{command}, {age}"].median_ms for age in (YOUNG, OLD))
        yield f"| {command} | {young:.0f} | {old:.0f} | {old / young:.2f} |"
    yield f"\nBringing ten years of the earlier service's dispatches up to date took {bare:.1f} s."


def migration_s(folder: Path) -> float:
    """How long the first opening of an old database takes, in seconds."""
    path = folder / "legacy.db"
    make_legacy_decade(path, datetime.now(UTC))
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
        bench_street(Path(name), [YOUNG, OLD]) as (houses, environment),
    ):
        full = Path(name) / "decade.db"
        make_decade(full, datetime.now(UTC))
        houses[OLD].copy_database(full)
        for house in houses.values():
            house.plan(charging=None)
            house.run("send-invites")
            house.run("fetch-dispatches", "--now")
        costs = measured(list(cases(houses, environment)), given.rounds)
        print("\n".join(table(costs, migration_s(Path(name)))))
    return 0


if __name__ == "__main__":
    sys.exit(main())

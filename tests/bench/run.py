"""What a run costs: `python tests/bench/run.py` prints medians, and their ratios to what is measured beside them."""

import argparse
import platform
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench_houses import BenchHouse, bench_simulator
from process_costs import MeasuredCase, ProcessCost, measure_cases

# ruff: noqa: T201  # tells by printing


HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


FLOOR_LABEL = "the floor: click, yaml, sqlite3, zoneinfo, msgspec"
LIBRARIES_BY_CASE = {
    "fetch-dispatches, due": "requests",
    "reconcile, Zappi asked": "pymyenergi.client, pymyenergi.connection",
    "reconcile, Powerwall set": "pypowerwall",
}
"""What the case's library alone takes to import, for comparison."""
NAIVE_IMPORTS = (
    "import sys, requests, pypowerwall, pymyenergi.client, icalendar, sqlite_utils, jinja2, smtplib\n"
    "from smartcharge.cli import run_cli as main\n"
    "sys.exit(main(sys.argv[1:]))"
)
IDLE_COMMANDS = ("reconcile", "midnight-reset", "send-invites", "fetch-dispatches", "tick")
MANUAL_COMMANDS = ("--help", "status", "explain", "history", "metrics", "report", "crontab")


def benchmark_cases(houses: dict[str, BenchHouse], environment: dict[str, str]) -> Iterator[MeasuredCase]:
    """Everything that is measured, in the order of the table."""
    idle, full, busy = houses["idle"], houses["full"], houses["busy"]
    case = partial(MeasuredCase, environment={**environment, "PYTHONPATH": str(HERE.parent.parent)})
    yield case("bare python", ["-c", "pass"], idle.folder)
    yield case(FLOOR_LABEL, ["-c", "import click, yaml, sqlite3, zoneinfo, msgspec"], idle.folder)
    for library in LIBRARIES_BY_CASE.values():
        yield case(f"import {library}", ["-c", f"import {library}"], idle.folder)
    for command in IDLE_COMMANDS:
        yield case(f"{command}, idle", idle.line(command), idle.folder, prepare=idle.answered)
    for command in IDLE_COMMANDS:
        yield case(f"{command}, idle, in full", full.line(command), full.folder, prepare=full.without_the_shortcut)
    for command in MANUAL_COMMANDS:
        yield case(command, idle.line(command), idle.folder)
    asked = partial(busy.answered, charging=False)
    charging = partial(busy.answered, charging=True)
    yield case("fetch-dispatches, due", busy.line("fetch-dispatches", "--now"), busy.folder, prepare=asked)
    yield case("reconcile, Zappi asked", busy.line("reconcile"), busy.folder, prepare=asked)
    yield case("reconcile, Powerwall set", busy.line("reconcile"), busy.folder, prepare=busy.seen_charging)
    yield case("tick, active", busy.line("tick"), busy.folder, prepare=charging)
    naive = ["-c", NAIVE_IMPORTS, *full.line("reconcile")[2:]]
    yield case("reconcile, idle, everything imported up front", naive, full.folder, prepare=full.without_the_shortcut)


def format_cost_table(costs: dict[str, ProcessCost]) -> Iterator[str]:
    """The medians, and each as a multiple of the floor."""
    yield "| run | CPU ms | x floor | MiB |"
    yield "|---|---|---|---|"
    floor = costs[FLOOR_LABEL].median_ms
    for name, cost in costs.items():
        yield f"| {name} | {cost.median_ms:.0f} | {cost.median_ms / floor:.2f} | {cost.median_mib:.0f} |"
    for name, library in LIBRARIES_BY_CASE.items():
        beyond = costs[name].median_ms - costs[f"import {library}"].median_ms
        yield f"| {name}: beyond its library's import | {beyond:.0f} | {beyond / floor:.2f} | |"


def main() -> int:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    print(f"{platform.platform()}, {platform.machine()}, Python {platform.python_version()}, {given.rounds} rounds\n")
    with (
        tempfile.TemporaryDirectory() as folder,
        bench_simulator(Path(folder), ["idle", "full", "busy"]) as (houses, environment),
    ):
        costs = measure_cases(list(benchmark_cases(houses, environment)), given.rounds)
    print("\n".join(format_cost_table(costs)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

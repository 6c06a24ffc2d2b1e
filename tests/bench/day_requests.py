"""What a day asks of the services: `python tests/bench/naive_day.py` counts whole days, beside an ordinary script's.

Both play every minute of the same days in simulators of their own; nothing is scaled up. The ordinary script is
`naive_client.py`. It takes about seven minutes. Exit code 1: a day of ours did not end as its scenario should.
"""

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from naive_client import run_naive_minute
from whole_days import WHOLE_DAYS, cron_runner, describe_machine, load_whole_day

from smartcharge.commands.demo import start_simulator
from smartcharge.simulator.scenario_runner import CommandResult, ScenarioResult, check_expectations, run_scenario

# ruff: noqa: T201  # tells by printing


HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


NO_HOLD = '{"hold": null}'
"""What the player, who asks for the state now and then, is told of one who knows no holds."""
CAPTION = """
Every request counts: Digest's challenges, the charger's director, renewed tokens. Every minute was played, nothing is
scaled. The naive client ends where somebody does not answer, and asks nobody else in that minute.
"""


class DayRequests(NamedTuple):
    """A day of one client. failed: minutes in which a run ended in an error. odd: broken expectations."""

    requests: Counter[str]
    failed: int
    odd: tuple[str, ...] = ()

    def row(self, *names: str) -> str:
        """A line of the table."""
        counts = (*(self.requests[service] for service in ("kraken", "myenergi", "tesla")), self.failed)
        return f"| {' | '.join((*names, *(f'{count:,}' for count in counts)))} |"


def count_our_day(name: str) -> DayRequests:
    """The day with smartcharge, idle minutes passed over."""
    scenario = load_whole_day(name)
    with tempfile.TemporaryDirectory() as folder, start_simulator(Path(folder), scenario) as (simulation, run):
        played = run_scenario(scenario, simulation, cron_runner(Path(folder), run))
    return count_requests(played, tuple(f"{name}: {sentence}" for sentence in check_expectations(played, scenario)))


def count_naive_day(name: str) -> DayRequests:
    """The day with the naive client."""
    scenario = load_whole_day(name)
    with tempfile.TemporaryDirectory() as folder, start_simulator(Path(folder), scenario) as (simulation, _ours):

        def run(arguments: list[str], at: datetime) -> CommandResult:
            if arguments != ["tick"]:
                return CommandResult(0, NO_HOLD)
            try:
                run_naive_minute(simulation.house, Path(folder), at)
            except Exception as odd:  # noqa: BLE001  # as a script's interpreter would
                return CommandResult(1, stderr=repr(odd))
            return CommandResult(0)

        return count_requests(run_scenario(scenario, simulation, run))


def count_requests(played: ScenarioResult, odd: tuple[str, ...] = ()) -> DayRequests:
    """Count by the first word of the services' names: sign-ins have names of their own."""
    requests = Counter(request.service.partition("-")[0] for request in played.requests)
    failed = sum(any(ran.outcome.exit_code for ran in each.ran) for each in played.minutes)
    return DayRequests(requests, failed, odd)


def table_rows() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lines of the table, as they come, each with what is wrong."""
    yield "| day | client | Kraken posts | Zappi requests | Tesla requests | minutes with an error |", ()
    yield "|---|---|---|---|---|---|", ()
    for title, name in WHOLE_DAYS.items():
        mine = count_our_day(name)
        yield mine.row(title, "smartcharge"), mine.odd
        yield count_naive_day(name).row(title, "naive"), ()


def main() -> int:
    """Play and tell."""
    print(f"{describe_machine()}\n")
    faults: list[str] = []
    for row, odd in table_rows():
        print(row, flush=True)
        faults += odd
    print(CAPTION)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

"""A run that talks to one service loads the library of that service, and no other's; each in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from simulation import Simulation

import smartcharge

VENDORS = ("requests", "pymyenergi", "pypowerwall", "icalendar", "smtplib", "jinja2", "sqlite_utils")
BROUGHT_ALONG = {"pymyenergi": {"requests"}, "pypowerwall": {"requests"}}
"""What a library loads of its own accord."""
CHILD = """
import sys
from datetime import datetime
from smartcharge.cli import run_cli as main
code = main(sys.argv[2:], clock=lambda: datetime.fromisoformat(sys.argv[1]))
print(*sys.modules)
sys.exit(code)
"""


def loaded(simulation: Simulation, clock: str, command: str) -> set[str]:
    """Which vendors' libraries a run at a minute of the day has loaded."""
    now = simulation.day.replace(hour=int(clock[:2]), minute=int(clock[3:]))
    simulation.simulator.set_time(now)
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            CHILD,
            now.isoformat(),
            "--config",
            str(simulation.folder / "config.yaml"),
            *command.split(),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(smartcharge.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(VENDORS) & set(ran.stdout.splitlines()[-1].split())


def a_plan_is_due(simulation: Simulation) -> None:
    simulation.run("12:00", "tick")
    simulation.plan("13:00-14:00")


def a_window_has_begun(simulation: Simulation) -> None:
    a_plan_is_due(simulation)
    simulation.run("12:59", "fetch-dispatches")


def a_release_is_due(simulation: Simulation) -> None:
    a_window_has_begun(simulation)
    simulation.drive(7200)
    simulation.run("13:01", "reconcile")
    simulation.simulator.account.plans[simulation.simulator.house.device_id] = []
    simulation.run("13:02", "fetch-dispatches", "--now")


RUNS = {
    "asking the supplier": (a_plan_is_due, "13:00", "fetch-dispatches", "kraken", "requests"),
    "asking the charger": (a_window_has_begun, "13:01", "reconcile", "myenergi", "pymyenergi"),
    "letting the battery go": (a_release_is_due, "13:29", "reconcile", "tesla", "pypowerwall"),
}


@pytest.mark.parametrize(("prepare", "clock", "command", "service", "library"), RUNS.values(), ids=RUNS)
def test_a_run_loads_the_library_of_whom_it_talks_to(
    simulation: Simulation, prepare: Callable[[Simulation], None], clock: str, command: str, service: str, library: str
) -> None:
    prepare(simulation)
    before = len(simulation.simulator.requests)

    found = loaded(simulation, clock, command)

    assert {each.service for each in simulation.simulator.requests[before:]} == {service}
    assert found - BROUGHT_ALONG.get(library, set()) == {library}

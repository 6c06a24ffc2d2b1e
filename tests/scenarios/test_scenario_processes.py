"""Cron starts a process for every command; that border makes no difference to a scenario."""

import os
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from scenario_playback import ScenarioRun, play_scenario, play_scenario_in

import smartcharge
from smartcharge.commands.demo import start_simulator
from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_runner import CommandResult, CommandRunner, check_expectations

RUN_AT = Path(__file__).with_name("run_command_at.py")
HOME = Path(smartcharge.__file__).parent.parent
LONGEST_S = 300
"""Only so that nothing waits for ever; that a command ends in time is proven elsewhere."""
EVERY = bool(os.environ.get("SMARTCHARGE_EVERY_POINT"))
"""A process for every run takes long: one scenario is enough for each day, the others are for a quiet hour."""


def children(folder: Path) -> CommandRunner:
    """Run every command line in a child, in a folder that has nothing to do with it."""

    def run(arguments: list[str], at: datetime) -> CommandResult:
        command = [sys.executable, str(RUN_AT), at.isoformat(), "--config", f"{folder}/config.yaml"]
        done = subprocess.run(
            [*command, *arguments],
            cwd="/",
            env={**os.environ, "PYTHONPATH": str(HOME)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
        return CommandResult(done.returncode, done.stdout, done.stderr)

    return run


def perform_in_children(scenario: Scenario, folder: Path) -> ScenarioRun:
    with start_simulator(folder, scenario) as (simulation, _run):
        return play_scenario_in(scenario, simulation, children(folder), folder)


@pytest.mark.parametrize("name", ["left-as-it-was", *(["half-an-hour", "reconcile-alone"] if EVERY else [])])
def test_a_scenario_goes_the_same_in_processes_of_their_own(name: str, tmp_path: Path) -> None:
    scenario = load_scenario(scenario_files()[name])
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    here, there = play_scenario(scenario, tmp_path / "one"), perform_in_children(scenario, tmp_path / "many")

    assert check_expectations(there.played, scenario) == []
    assert there.played.writes == here.played.writes
    assert there.words == here.words
    assert Counter((each.at, each.service) for each in there.played.requests) == Counter(
        (each.at, each.service) for each in here.played.requests
    )

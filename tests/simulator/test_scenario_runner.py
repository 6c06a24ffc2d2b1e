"""The player, with a stand-in for the product that does as it is told."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_file import parse_scenario
from smartcharge.simulator.scenario_runner import (
    CommandResult,
    MinuteRecord,
    check_expectations,
    run_scenario,
    write_simulator_config,
)
from smartcharge.simulator.simulator import Simulator

TEXT = """
name: short
about: A car charges for five minutes.
day: 2026-12-09
start: 13:00
minutes: 10
plan: {13:01: [13:00-13:30]}
car: {13:00: B2, 13:02: 7200, 13:07: B2}
powerwall: {mode: self_consumption, reserve_pct: 15, soe_pct: 40}
missed: 13:05
owner:
  13:04: {reserve: 33}
  13:08: {run: pause}
run: [fetch-dispatches, reconcile --dry-run]
config: {control: {restore: previous}, gcal: {cheap_rate_pence: 7}}
expect:
  battery: {13:03: self_consumption/15, 13:04: self_consumption/33}
  hold: {13:03: 13:30, 13:09: none}
  writes: []
  at_most: {kraken: 0}
  says: done
"""


@dataclass
class Product:
    """Answers every command and remembers when it was run; `broken` exits 1."""

    broken: str = ""
    ran: list[tuple[str, str]] = field(default_factory=list)

    def run(self, command: list[str], at: datetime) -> CommandResult:
        """Run one command line."""
        if command[0] == "status":
            hold = {"until": "2026-12-09T13:30:00Z"} if at.minute < 9 else None
            return CommandResult(0, json.dumps({"hold": hold}))
        self.ran.append((f"{at:%H:%M:%S}", " ".join(command)))
        return CommandResult(1, "", "it broke\n") if command[0] == self.broken else CommandResult(0, "done\n")


@pytest.fixture
def scenario() -> Scenario:
    return parse_scenario(TEXT)


@pytest.fixture
def simulator(tmp_path: Path, scenario: Scenario) -> Iterator[Simulator]:
    with Simulator(tmp_path, scenario=scenario) as served:
        yield served


def test_every_minute_runs_the_scenario_s_commands_but_the_missed_one(scenario: Scenario, simulator: Simulator) -> None:
    product = Product()
    run_scenario(scenario, simulator, product.run)

    assert product.ran[:2] == [("13:00:02", "fetch-dispatches"), ("13:00:02", "reconcile --dry-run")]
    assert [at for at, command in product.ran if command == "fetch-dispatches"] == [
        f"13:0{minute}:02" for minute in range(10) if minute != 5
    ]
    assert ("13:08:02", "pause") in product.ran


def test_the_world_moves_as_the_scenario_says(scenario: Scenario, simulator: Simulator) -> None:
    seen: list[MinuteRecord] = []
    played = run_scenario(scenario, simulator, Product().run, on_minute=seen.append)

    assert [minute.car_w for minute in seen] == [0, 0, 7200, 7200, 7200, 7200, 7200, 0, 0, 0]
    assert [len(minute.windows) for minute in seen] == [0, *[1] * 9]
    assert [minute.battery.reserve_pct for minute in seen] == [15] * 4 + [33] * 6
    assert played.minutes == tuple(seen)
    assert played.minutes[-1].soe_pct < 40


def test_a_scenario_that_goes_well_breaks_no_expectation(scenario: Scenario, simulator: Simulator) -> None:
    assert check_expectations(run_scenario(scenario, simulator, Product().run), scenario) == []


def test_a_broken_expectation_is_a_sentence(scenario: Scenario, simulator: Simulator) -> None:
    scenario = parse_scenario(
        TEXT.replace("13:03: self", "13:02: backup/100, 13:03: self").replace("13:03: 13:30", "13:03: 14:00")
    )
    simulator.powerwall.command("mode", "backup", simulator.now)
    simulator.refused.append("example.org")

    sentences = check_expectations(run_scenario(scenario, simulator, Product(broken="reconcile").run), scenario)

    assert "at 13:03 the hold ends 13:30, not 14:00" in sentences
    assert "at 13:03 the battery is backup/15, not self_consumption/15" in sentences
    assert "the battery was told: 13:00 mode backup; expected: nothing" in sentences
    assert "at 13:00 `reconcile --dry-run` exits 1: it broke" in sentences
    assert any("example.org" in sentence for sentence in sentences)


def test_words_and_counts_are_expectations_too(scenario: Scenario, simulator: Simulator) -> None:
    scenario = parse_scenario(TEXT.replace("says: done", "says: gone\n  never_says: done\n  exactly: {mails: 2}"))

    assert check_expectations(run_scenario(scenario, simulator, Product().run), scenario) == [
        "nothing says 'gone'",
        "something says 'done'",
        "mails: 0, exactly 2 expected",
    ]


def test_the_owner_edits_the_configuration(simulator: Simulator, tmp_path: Path) -> None:
    edits = "  13:04: {config: {tesla: {energy_site_id: '7'}, gcal: null}}"
    scenario = parse_scenario(TEXT.replace("  13:04: {reserve: 33}", edits))
    path = write_simulator_config(tmp_path, simulator, scenario)
    sites: list[tuple[str, bool]] = []

    def note_site(_minute: MinuteRecord) -> None:
        settings = yaml.safe_load(path.read_text())
        sites.append((settings["tesla"]["energy_site_id"], "gcal" in settings))

    run_scenario(scenario, simulator, Product().run, on_minute=note_site)

    assert sites == [(str(simulator.house.site_id), True)] * 4 + [("7", False)] * 6
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_configuration_is_the_street_s_with_the_scenario_s_on_top(
    scenario: Scenario, simulator: Simulator, tmp_path: Path
) -> None:
    path = write_simulator_config(tmp_path, simulator, scenario)
    settings = yaml.safe_load(path.read_text())

    assert path.stat().st_mode & 0o777 == 0o600
    assert settings["control"] == {"restore": "previous"}
    assert settings["gcal"]["cheap_rate_pence"] == 7
    assert settings["gcal"]["smtp_port"] == simulator.smtp_port
    assert settings["eon_next"]["import_account"] == simulator.house.account_number

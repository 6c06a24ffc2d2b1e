"""The scenarios that matter most, on every way to the battery: what the owner sees is the same."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from scenario_laws import find_broken_laws
from scenario_playback import find_printed_secrets, find_stored_secrets, find_tracebacks, play_scenario

from smartcharge.jobs import powerwall
from smartcharge.simulator.scenario import ModeAndReserve, Scenario
from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_runner import ScenarioResult, check_expectations

EVERY = bool(os.environ.get("SMARTCHARGE_EVERY_POINT"))
SCENARIOS = (
    "overrun",
    "mode-by-hand",
    "storm-at-release",
    "tesla-down-at-release",
    "kept-as-it-is",
    "as-it-was-before",
)
TIMED_HOLD_SETTINGS: Mapping[str, Mapping[str, ModeAndReserve]] = {
    "mode-by-hand": {"13:40": ModeAndReserve("backup", 100)},
    "storm-at-release": {"14:19": ModeAndReserve("autonomous", 20)},
    "tesla-down-at-release": {"14:08": ModeAndReserve("autonomous", 20)},
}
"""Where a hold that the gateway ends by itself shows: the owner's mode waits beneath it, and no trouble prolongs it."""
PRESERVED = "kept-as-it-is"
"""A hold that no gateway can end by itself, so the settings are written."""


@pytest.fixture(autouse=True)
def _no_read_back_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's time stands still within a run, so a delay between two read-backs changes nothing there."""
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))


def with_timed_holds(scenario: Scenario) -> Scenario:
    """What is expected of the scenario where the gateway ends holds by itself."""
    expected, other = scenario.expected, TIMED_HOLD_SETTINGS.get(scenario.name, {})
    battery = tuple((at, other.get(f"{at:%H:%M}", settings)) for at, settings in expected.battery)
    return replace(scenario, expected=replace(expected, battery=battery, writes=()))


def played_well(scenario: Scenario, folder: Path) -> ScenarioResult:
    """Play it, and hold it against its expectations, the laws and the owner's secrets."""
    scenario_run = play_scenario(scenario, folder)
    wrong = [
        *check_expectations(scenario_run.played, scenario),
        *find_broken_laws(scenario_run.played, scenario, scenario_run.memories, folder),
        *find_printed_secrets(scenario_run.words),
        *find_tracebacks(scenario_run.words),
        *find_stored_secrets(folder),
    ]
    assert not wrong, f"{scenario.name} on {scenario.backend}:\n- " + "\n- ".join(wrong[:20])
    return scenario_run.played


def is_kept_as_it_is(played: ScenarioResult) -> bool:
    """Whether the battery neither filled nor emptied while it was held and the car drew."""
    held = [each for each in played.minutes if each.battery.mode == "self_consumption"]
    idle = {minute.battery_w for minute in held[2:]} == {0.0}  # the first minute gives what is above a whole per cent
    return len(held) > 10 and idle and 0 <= held[0].soe_pct - held[-1].soe_pct < 1


@pytest.mark.parametrize("name", SCENARIOS if EVERY else ["mode-by-hand", "tesla-down-at-release", PRESERVED])
def test_a_scenario_ends_the_same_over_the_fleet_api(name: str, tmp_path: Path) -> None:
    played = played_well(replace(load_scenario(scenario_files()[name]), backend="fleetapi"), tmp_path)

    assert name != PRESERVED or is_kept_as_it_is(played)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_the_same_at_the_gateway(name: str, tmp_path: Path) -> None:
    scenario = replace(load_scenario(scenario_files()[name]), backend="v1r")

    played = played_well(scenario if name == PRESERVED else with_timed_holds(scenario), tmp_path)

    assert name != PRESERVED or is_kept_as_it_is(played)


def test_a_battery_that_is_kept_as_it_is_neither_fills_nor_empties(tmp_path: Path) -> None:
    scenario = load_scenario(scenario_files()[PRESERVED])

    assert is_kept_as_it_is(play_scenario(replace(scenario, minutes=30), tmp_path).played)

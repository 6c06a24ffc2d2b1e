"""Whole days: how often the services are asked, and that the demo's day ends as it should."""

from pathlib import Path

import pytest
from scenario_laws import find_broken_laws
from scenario_playback import ScenarioRun, find_printed_secrets, minutes_with_output, play_scenario
from scenario_replay import find_replay_differences

from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_runner import check_expectations

DAY_MINUTES = 1440
LOOKED_AHEAD = 15
"""After the midnight reset has written, minutes are looked at in full until the supplier is asked again."""


@pytest.fixture(scope="module")
def idle_day(tmp_path_factory: pytest.TempPathFactory) -> ScenarioRun:
    """A tick in every minute of a day on which nothing is planned."""
    return play_scenario(load_scenario(scenario_files()["idle"]), tmp_path_factory.mktemp("idle"))


def test_an_idle_day_asks_kraken_at_most_450_times(idle_day: ScenarioRun) -> None:
    assert len(idle_day.played.minutes) == DAY_MINUTES
    assert 0 < idle_day.played.counts["kraken"] <= 450


def test_an_idle_day_signs_in_at_most_once(idle_day: ScenarioRun) -> None:
    assert idle_day.played.counts["sign_ins"] <= 1


def test_an_idle_day_s_minutes_are_passed_over_but_for_the_fetches(idle_day: ScenarioRun) -> None:
    fetches = len({request.at for request in idle_day.played.requests})

    assert idle_day.wrongly_skipped == ()
    assert idle_day.quiet >= DAY_MINUTES - fetches - LOOKED_AHEAD


def test_an_idle_day_asks_tesla_for_the_midnight_reset_only(idle_day: ScenarioRun) -> None:
    asked = {request.at for request in idle_day.played.requests if request.service == "tesla"}

    assert asked == {idle_day.played.minutes[0].at}
    assert idle_day.played.counts["tesla"] <= 8


def test_an_idle_day_leaves_the_charger_and_the_post_alone(idle_day: ScenarioRun) -> None:
    assert {request.service for request in idle_day.played.requests} <= {"kraken", "tesla", "tesla-auth"}


def test_an_idle_day_prints_nothing_and_writes_nothing(idle_day: ScenarioRun) -> None:
    assert minutes_with_output(idle_day.played) == []
    assert idle_day.played.writes == ()


def test_the_idle_scenario_ends_as_it_should(idle_day: ScenarioRun) -> None:
    assert check_expectations(idle_day.played, load_scenario(scenario_files()["idle"])) == []


def test_the_demo_s_day_ends_as_it_should(tmp_path: Path) -> None:
    scenario = load_scenario(scenario_files()["evening"])
    scenario_run = play_scenario(scenario, tmp_path)

    assert len(scenario_run.played.minutes) == DAY_MINUTES
    assert check_expectations(scenario_run.played, scenario) == []
    assert find_broken_laws(scenario_run.played, scenario, scenario_run.memories, tmp_path) == []
    assert list(find_replay_differences(tmp_path, scenario_run.played)) == []
    assert list(find_printed_secrets(scenario_run.words)) == []


def test_a_hub_that_refuses_its_key_is_left_alone(tmp_path: Path) -> None:
    """Two refusals, of two requests each; the configuration does not change, so nothing is asked again."""
    scenario_run = play_scenario(load_scenario(scenario_files()["refused-by-the-hub"]), tmp_path)
    asked = sorted({f"{each.at:%H:%M}" for each in scenario_run.played.requests if each.service == "myenergi"})

    assert len(asked) == 2
    assert asked[-1] < "13:10"


def test_a_spent_tesla_token_is_tried_four_times_an_hour_at_most(tmp_path: Path) -> None:
    scenario_run = play_scenario(load_scenario(scenario_files()["tesla-refuses-the-token"]), tmp_path)
    asked = {each.at for each in scenario_run.played.requests if each.service.startswith("tesla")}

    assert 1 <= len(asked) <= 5

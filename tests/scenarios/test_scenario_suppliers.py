"""The same few evenings at every supplier on Kraken: its own host, its own sign-in, its own night."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from scenario_playback import find_printed_secrets, find_tracebacks, play_scenario

from smartcharge.jobs import powerwall
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.scenario_file import parse_scenario
from smartcharge.simulator.scenario_runner import ScenarioResult, check_expectations

SUPPLIERS: Mapping[str, tuple[dict[str, object], str]] = {
    "octopus": ({"api_key": DEFAULT_HOUSE.kraken_api_key, "email": None, "password": None}, "api.octopus.energy"),
    "edf": ({}, "api.edfgb-kraken.energy"),
}
"""What signs in there beside what every house has, and who is asked; E.ON Next is in all the other scenarios."""
WITHDRAWN = """
name: withdrawn
about: A hold begins, its window is withdrawn, and it ends with the half hour.
day: 2026-12-09
start: 13:08
minutes: 23
plan: {13:08: [13:00-14:30], 13:16: []}
car: {13:08: B2, 13:10: 7200}
missed: [13:12-13:15, 13:21-13:28]
expect:
  battery: {13:11: backup/100, 13:20: backup/100, 13:29: autonomous/20}
  hold: {13:11: 13:30, 13:20: 13:30, 13:30: none}
  exactly: {sign_ins: 1, writes: 4}
"""
CAPPED = """
name: capped
about: A tariff with a cap; the hours of the day are used up by the first half hour.
day: 2026-12-09
start: 13:24
minutes: 12
plan: {13:24: [13:00-15:00]}
car: {13:24: 7200}
missed: [13:30-13:33]
config: {control: {max_hours_per_day: 0.1}}
expect:
  battery: {13:25: backup/100, 13:29: autonomous/20, 13:34: autonomous/20}
  exactly: {sign_ins: 1, writes: 4}
"""
NIGHT = """
name: night
about: A hold ends where the supplier's own night begins, which nobody had to configure.
day: 2026-12-09
start: {start}
minutes: 12
plan: {{{start}: [{planned}]}}
car: {{{start}: 7200}}
missed: [{asleep}]
expect:
  battery: {{{held}: backup/100, {last}: autonomous/20}}
  exactly: {{sign_ins: 1, writes: 4}}
"""
NIGHTS = {
    "octopus": {"start": "23:20", "planned": "23:00-23:55", "held": "23:22", "asleep": "23:23-23:28", "last": "23:31"},
    "edf": {"start": "23:50", "planned": "23:30-00:30", "held": "23:52", "asleep": "23:53-23:58", "last": "+1 00:01"},
}


@pytest.fixture(autouse=True)
def _no_read_back_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))


@pytest.mark.parametrize("text", [WITHDRAWN, CAPPED, NIGHT], ids=["withdrawn", "capped", "night"])
@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_a_supplier_is_asked_at_its_own_door_with_its_own_sign_in(supplier: str, text: str, tmp_path: Path) -> None:
    credentials, host = SUPPLIERS[supplier]
    scenario = parse_scenario(text.format(**NIGHTS[supplier]) if text is NIGHT else text)
    config = {**scenario.config, "eon_next": {"supplier": supplier, **credentials}}
    scenario_run = play_scenario(replace(scenario, config=config), tmp_path)

    wrong = [
        *check_expectations(scenario_run.played, scenario),
        *find_printed_secrets(scenario_run.words),
        *find_tracebacks(scenario_run.words),
    ]
    assert wrong == []
    assert asked(scenario_run.played) == {host}


def asked(played: ScenarioResult) -> set[str]:
    """Which of Kraken's hosts were asked, E.ON's sign-in among them."""
    return {request.host for request in played.requests if request.service.startswith("kraken")}

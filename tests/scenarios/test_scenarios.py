"""Every scenario that comes with the program, played through the real commands and the unmodified libraries."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ics_linter import find_mail_errors, parse_mail
from scenario_laws import find_broken_laws
from scenario_playback import find_printed_secrets, find_stored_secrets, find_tracebacks, play_scenario
from scenario_replay import find_replay_differences

from smartcharge import deadline
from smartcharge.jobs import powerwall
from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_runner import check_expectations

WHOLE_DAYS = {"evening", "idle"}
"""Played in `test_budgets.py`."""
MOST_TOLD = 20
TALKATIVE = (
    *("nonsense-from-kraken", "moved-to-the-new-sign-in", "blocked-by-kraken"),
    *("refused-by-the-hub", "tesla-refuses-the-token"),
)
"""Scenarios in which every service is asked, refuses, fails and lies; played once more with -v."""
SHARES_S = {"tesla-hangs": 3.0}
"""Real seconds of the battery's share of a run, in scenarios in which it is used up: what comes of it is the same."""
SCENARIOS = [name for name in scenario_files() if name not in WHOLE_DAYS]


@pytest.fixture(autouse=True)
def _no_read_back_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulator's time stands still within a run, so a delay between two read-backs changes nothing there."""
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_it_should(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "BATTERY_LIMIT_SECONDS", SHARES_S.get(name, deadline.BATTERY_LIMIT_SECONDS))
    scenario = load_scenario(scenario_files()[name])
    scenario_run = play_scenario(scenario, tmp_path)
    wrong = [
        *check_expectations(scenario_run.played, scenario),
        *find_broken_laws(scenario_run.played, scenario, scenario_run.memories, tmp_path),
        *find_replay_differences(tmp_path, scenario_run.played),
        *find_printed_secrets(scenario_run.words),
        *find_tracebacks(scenario_run.words),
        *scenario_run.wrongly_skipped,
        *find_stored_secrets(tmp_path),
        *faults_of_mails([mail.raw for mail in scenario_run.played.mails]),
    ]

    assert not wrong, f"{name}: {scenario.about}\n- " + "\n- ".join(wrong[:MOST_TOLD])


def faults_of_mails(mails: list[bytes]) -> Iterator[str]:
    """What a strict reader has against the scenario's mails, one by one and in their order."""
    newest: dict[str, int] = {}
    for raw in mails:
        yield from find_mail_errors(raw)
        told = parse_mail(raw)
        if told.sequence <= newest.get(told.uid, -1):
            yield f"{told.uid} goes back from {newest[told.uid]} to {told.sequence}"
        newest[told.uid] = told.sequence


@pytest.mark.parametrize("name", TALKATIVE)
def test_no_secret_is_told_however_talkative(name: str, tmp_path: Path) -> None:
    scenario_run = play_scenario(load_scenario(scenario_files()[name]), tmp_path, verbose=True)

    assert any(word in text for _, text in scenario_run.words for word in ("Zappi", "Kraken", "Tesla", "myenergi"))
    assert list(find_printed_secrets(scenario_run.words)) == []
    assert list(find_tracebacks(scenario_run.words)) == []

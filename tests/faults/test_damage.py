"""A few of the trials of `damage.py`; more of them run on request."""

import pytest
from damage import DAMAGES, make_trials, run_trials
from fault_scene import ForkServer


@pytest.mark.parametrize("kind", DAMAGES)
def test_damage_in_the_middle_of_a_hold_keeps_no_battery_held(fork_servers: list[ForkServer], kind: str) -> None:
    outcomes = list(run_trials(make_trials({kind: 8}, seed=20261209), fork_servers))

    assert len(outcomes) == 8
    assert [(outcome.trial.seed, outcome.wrong) for outcome in outcomes if outcome.wrong] == []

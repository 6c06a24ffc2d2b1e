"""In another controller's shadow: everything runs, the Powerwall is never set, and what it does is compared."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from login_terminal import update_config
from simulation import Simulation
from stored_house import NOW, make_stored_house

from smartcharge.jobs import powerwall
from smartcharge.policy.battery import BatteryMemory
from smartcharge.store.control import save_battery_memory

MINUTES = ["12:58", "13:01", "13:02", "13:05", "13:06", "13:09", "13:28", "13:29", "13:33", "13:35", "13:36"]


@pytest.fixture
def shadow(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> Simulation:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    update_config(simulation.folder, "control", shadow=True)
    return simulation


def test_the_powerwall_is_looked_at_twice_an_hour_and_never_set(shadow: Simulation) -> None:
    """The other controller holds from 13:02 on as well, and forgets to end it."""
    shadow.plan("13:00-13:30")
    outcomes = []
    for minute in MINUTES:
        shadow.drive(7200 if "13:01" <= minute < "13:28" else 0)
        if minute == "13:02":
            shadow.simulator.powerwall.set_manually(mode="backup")
        outcomes.append(shadow.run(minute, "tick"))

    assert {outcome.exit_code for outcome in outcomes} == {0}
    assert shadow.simulator.powerwall.writes == []
    assert shadow.simulator.mails == []
    assert shadow.simulator.count("tesla") == 3 * 3
    told = json.loads(shadow.run("13:50", "agreement", "--json").stdout)
    assert told == {
        "held": {"looks": 1, "agreed": 1},
        "at_rest": {"looks": 2, "agreed": 1},
        "differing": [
            {
                "at": "2026-12-09T13:35:02Z",
                "detail": "wanted: normal; the Powerwall is in backup mode (Backup Reserve 20 %)",
            }
        ],
    }
    assert shadow.run("13:50", "agreement").stdout.splitlines() == [
        "The Powerwall was checked 3 times.",
        "  charging, as wanted  1 of 1",
        "  normal, as wanted    1 of 2",
        "13:35  wanted: normal; the Powerwall is in backup mode (Backup Reserve 20 %)",
    ]
    assert json.loads(shadow.run("13:50", "agreement", "--since", "13:40", "--json").stdout)["at_rest"]["looks"] == 0
    assert "would have charged for 28 min" in shadow.run("13:50", "report").stdout


def test_what_was_held_before_the_shadow_fell_is_brought_back(simulation: Simulation) -> None:
    simulation.plan("13:00-14:00")
    simulation.drive(7200)
    simulation.run("13:05", "tick")
    assert simulation.simulator.powerwall.mode == "backup"

    update_config(simulation.folder, "control", shadow=True)
    simulation.drive(0)
    simulation.run("13:29", "tick")

    assert simulation.simulator.powerwall.settings == ("autonomous", 20)
    simulation.drive(7200)
    simulation.run("13:33", "tick")
    simulation.run("13:38", "tick")
    assert simulation.simulator.powerwall.settings == ("autonomous", 20)
    told = simulation.run("13:50", "report").stdout.splitlines()[1]
    assert told.startswith("Charged for 24 min; would have charged for 17 min;")


def test_trouble_in_the_shadow_ends_with_the_next_success_outside_it(shadow: Simulation) -> None:
    shadow.plan("13:00-14:00")
    with shadow.simulator.fault("tesla", "http-503"):
        assert shadow.run("13:05", "reconcile").exit_code == 3
    update_config(shadow.folder, "control", shadow=False)
    shadow.drive(7200)

    shadow.run("13:09", "tick")

    assert shadow.simulator.powerwall.mode == "backup"
    assert json.loads(shadow.run("13:10", "status", "--json").stdout)["episodes"] == []


def test_the_midnight_reset_leaves_the_other_controllers_stance(shadow: Simulation) -> None:
    shadow.simulator.powerwall.set_manually(mode="self_consumption", reserve_pct=55)

    assert shadow.run("00:05", "midnight-reset").exit_code == 0

    assert shadow.simulator.powerwall.settings == ("self_consumption", 55)
    assert shadow.simulator.count("tesla") == 0


def test_the_doctor_misses_no_midnight_reset_that_nothing_is_to_do(tmp_path: Path) -> None:
    memory = make_stored_house(tmp_path)
    with memory.writing() as db:
        save_battery_memory(db, BatteryMemory(midnight_reset_at=NOW - timedelta(days=3)))
    in_earnest = memory.run("doctor", "--offline", "--json").stdout
    update_config(memory.folder, "control", shadow=True)
    beside_another = memory.run("doctor", "--offline", "--json").stdout

    assert "last confirmed midnight reset was 3 days ago" in in_earnest
    assert "confirmed midnight reset" not in beside_another


def test_without_a_shadow_there_is_nothing_to_agree_about(simulation: Simulation) -> None:
    simulation.run("12:10", "tick")

    assert simulation.run("12:11", "agreement").stdout.startswith("The Powerwall has not been checked yet.")
    assert simulation.simulator.count("tesla") == 0

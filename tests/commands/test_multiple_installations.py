"""Several houses, cars and chargers: each house for itself, and none in the place of another."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from login_terminal import update_config
from simulation import Simulation

import smartcharge
from smartcharge.app import App
from smartcharge.commands.demo import make_command_runner
from smartcharge.config.load import load_config
from smartcharge.errors import LockBusyError
from smartcharge.simulator.kraken_account import SimulatedDevice
from smartcharge.simulator.tesla_cloud import EnergySite

HOLIDAY = "2252000002"


def second_house(simulation: Simulation, path: Path, **changes: dict[str, object]) -> tuple[Simulation, EnergySite]:
    """Set up the account's other site with a configuration of its own."""
    site = next((each for each in simulation.simulator.tesla.sites if str(each.site_id) == HOLIDAY), None)
    settings = yaml.safe_load((simulation.folder / "config.yaml").read_text(encoding="utf-8"))
    settings.pop("gcal")
    settings["tesla"]["energy_site_id"] = HOLIDAY
    for section, keys in changes.items():
        settings[section] = {**settings.get(section, {}), **keys}
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    path.chmod(0o600)
    return replace(
        simulation, runner=make_command_runner(path), folder=path.parent
    ), site or simulation.simulator.tesla.add_site()


def charge(simulation: Simulation) -> None:
    simulation.plan("13:00-15:00")
    simulation.drive(7200)


@pytest.mark.parametrize("layout", ["one folder", "two folders"])
def test_two_houses_side_by_side_are_held_and_released_apart(simulation: Simulation, layout: str) -> None:
    if layout == "one folder":
        places: dict[str, dict[str, object]] = {"database": {"path": "holiday/memory.db"}, "tesla": {"auth_path": "."}}
        other, site = second_house(simulation, simulation.folder / "holiday.yaml", **places)
    else:
        other, site = second_house(simulation, simulation.folder / "holiday" / "config.yaml")
        simulation.simulator.write_tesla_tokens(other.folder)
    charge(simulation)

    assert other.run("13:01", "pause").exit_code == 0
    assert simulation.run("13:02", "tick").exit_code == 0
    assert other.run("13:02", "tick").exit_code == 0
    assert (simulation.simulator.powerwall.mode, site.powerwall.mode) == ("backup", "autonomous")

    assert other.run("13:03", "resume").exit_code == 0
    assert other.run("13:04", "tick").exit_code == 0
    assert simulation.run("13:05", "pause").exit_code == 0
    assert (simulation.simulator.powerwall.mode, site.powerwall.mode) == ("autonomous", "backup")

    simulation.drive(0)
    assert other.run("13:29", "tick").exit_code == 0
    assert (simulation.simulator.powerwall.settings, site.powerwall.settings) == (
        ("autonomous", 20),
        ("autonomous", 20),
    )
    said = other.run("13:30", "doctor", "--offline", "-v").stdout
    assert "no other installation uses this database" in said


def test_the_example_in_the_same_folder_is_no_other_installation(simulation: Simulation) -> None:
    example = (Path(smartcharge.__file__).parent / "config.example.yaml").read_text(encoding="utf-8")
    (simulation.folder / "config.example.yaml").write_text(example, encoding="utf-8")

    said = simulation.run("12:58", "doctor", "--offline", "-v").stdout

    assert "no other installation uses this database" in said


def test_a_memory_that_another_house_uses_is_left_alone(simulation: Simulation) -> None:
    charge(simulation)
    assert simulation.run("12:58", "tick").exit_code == 0
    other, site = second_house(simulation, simulation.folder / "holiday.yaml")
    before = (simulation.folder / "smartcharge.db").read_bytes()

    first, second = other.run("13:02", "tick"), other.run("13:03", "tick")

    assert (first.exit_code, second.exit_code) == (4, 4)
    assert f"is the memory of another house, that of {simulation.folder}/config.yaml" in first.stderr
    assert "database.path" in first.stderr
    assert second.stderr == "", "it is told once an hour"
    assert other.run("13:04", "pause").exit_code == 4
    assert site.powerwall.writes == []
    assert (simulation.folder / "smartcharge.db").read_bytes() == before

    told = other.run("13:05", "doctor", "--offline")
    assert told.exit_code == 4
    assert "Problem    other installations: " in told.stdout
    assert "Problem    other installations: " in simulation.run("13:05", "doctor", "--offline").stdout
    assert simulation.run("13:06", "tick").exit_code == 0
    assert simulation.simulator.powerwall.mode == "backup"


def test_another_name_for_the_same_house_is_no_neighbour(simulation: Simulation) -> None:
    simulation.run("12:58", "tick")
    copy = simulation.folder / "copy.yaml"
    copy.write_bytes((simulation.folder / "config.yaml").read_bytes())
    update_config(simulation.folder, "tesla", energy_site_id=None)

    again = replace(simulation, runner=make_command_runner(copy))

    assert again.run("13:02", "tick").exit_code == 0
    assert "no other installation uses" in again.run("13:03", "doctor", "--offline", "-v").stdout


def test_two_accounts_in_one_folder_never_sign_in_by_turns(simulation: Simulation) -> None:
    other, _ = second_house(
        simulation,
        simulation.folder / "holiday.yaml",
        database={"path": "holiday.db"},
        eon_next={"email": "other@example.com"},
    )
    yesterday = (simulation.folder / "holiday.yaml").stat().st_mtime - 86_400
    os.utime(simulation.folder / "holiday.yaml", (yesterday, yesterday))
    assert simulation.run("12:58", "tick").exit_code == 0
    kept = (simulation.folder / ".kraken.json").read_bytes()

    refused = other.run("12:59", "fetch-dispatches")

    assert refused.exit_code == 4
    assert "holds the sign-in of another account, which is in use" in refused.stderr
    assert (simulation.folder / ".kraken.json").read_bytes() == kept
    assert simulation.simulator.account.sign_ins == 1
    assert "Warning    other installations: " in other.run("13:00", "doctor", "--offline").stdout


def test_houses_that_share_the_tesla_sign_in_talk_to_tesla_one_after_the_other(simulation: Simulation) -> None:
    tokens: dict[str, object] = {"auth_path": str(simulation.folder)}
    update_config(simulation.folder, "database", path="home/memory.db")
    update_config(simulation.folder, "tesla", **tokens)
    second_house(simulation, simulation.folder / "holiday" / "config.yaml", tesla=tokens)
    apart, _ = second_house(simulation, simulation.folder / "third" / "config.yaml", tesla={"auth_path": "elsewhere"})
    home, holiday, third = (
        App(load_config(path, {}), simulation.day)
        for path in (
            simulation.folder / "config.yaml",
            simulation.folder / "holiday" / "config.yaml",
            apart.folder / "config.yaml",
        )
    )

    with home.exclusive_lock():
        with pytest.raises(LockBusyError), holiday.exclusive_lock(wait_seconds=0):
            raise AssertionError("both are at work")
        with third.exclusive_lock(wait_seconds=0):
            pass
    with holiday.exclusive_lock(wait_seconds=0):
        pass


def test_a_pinned_car_that_was_registered_anew_is_named(simulation: Simulation) -> None:
    update_config(simulation.folder, "eon_next", device_id=simulation.simulator.house.device_id)
    assert simulation.run("12:00", "tick").exit_code == 0
    simulation.simulator.account.devices = (SimulatedDevice("5e1f0c7a-0000-4000-8000-0000000000e9"),)
    charge(simulation)

    outcome = simulation.run("13:02", "tick")

    assert outcome.exit_code == 4
    assert "eon_next.device_id names a device that is gone" in outcome.stderr
    assert "set it to 5e1f0c7a-0000-4000-8000-0000000000e9" in outcome.stderr
    assert simulation.simulator.powerwall.writes == []

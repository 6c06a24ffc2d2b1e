"""Several houses, cars and chargers: each house for itself, and none in the place of another."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from login_case import configure
from town_case import Town

from smartcharge.commands.demo import runner
from smartcharge.config import load_config
from smartcharge.errors import Busy
from smartcharge.toolbox import Toolbox
from smartcharge.world.kraken_account import Device
from smartcharge.world.tesla import Site

HOLIDAY = "2252000002"


def second_house(town: Town, path: Path, **changes: dict[str, object]) -> tuple[Town, Site]:
    """Set up the account's other site with a configuration of its own."""
    site = next((each for each in town.street.tesla.sites if str(each.site_id) == HOLIDAY), None)
    settings = yaml.safe_load((town.folder / "config.yaml").read_text(encoding="utf-8"))
    settings.pop("gcal")
    settings["tesla"]["energy_site_id"] = HOLIDAY
    for section, keys in changes.items():
        settings[section] = {**settings.get(section, {}), **keys}
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    path.chmod(0o600)
    return replace(town, runner=runner(path), folder=path.parent), site or town.street.tesla.add_site()


def charge(town: Town) -> None:
    town.plan("13:00-15:00")
    town.drive(7200)


@pytest.mark.parametrize("layout", ["one folder", "two folders"])
def test_two_houses_side_by_side_are_held_and_released_apart(town: Town, layout: str) -> None:
    if layout == "one folder":
        places: dict[str, dict[str, object]] = {"database": {"path": "holiday/memory.db"}, "tesla": {"auth_path": "."}}
        other, site = second_house(town, town.folder / "holiday.yaml", **places)
    else:
        other, site = second_house(town, town.folder / "holiday" / "config.yaml")
        town.street.write_tesla_tokens(other.folder)
    charge(town)

    assert other.run("13:01", "pause").exit_code == 0
    assert town.run("13:02", "tick").exit_code == 0
    assert other.run("13:02", "tick").exit_code == 0
    assert (town.street.powerwall.mode, site.powerwall.mode) == ("backup", "autonomous")

    assert other.run("13:03", "resume").exit_code == 0
    assert other.run("13:04", "tick").exit_code == 0
    assert town.run("13:05", "pause").exit_code == 0
    assert (town.street.powerwall.mode, site.powerwall.mode) == ("autonomous", "backup")

    town.drive(0)
    assert other.run("13:29", "tick").exit_code == 0
    assert (town.street.powerwall.stance, site.powerwall.stance) == (("autonomous", 20), ("autonomous", 20))
    said = other.run("13:30", "doctor", "--offline").stdout
    assert "no other house shares this one's database or folder" in said


def test_a_memory_that_another_house_uses_is_left_alone(town: Town) -> None:
    charge(town)
    assert town.run("12:58", "tick").exit_code == 0
    other, site = second_house(town, town.folder / "holiday.yaml")
    before = (town.folder / "smartcharge.db").read_bytes()

    first, second = other.run("13:02", "tick"), other.run("13:03", "tick")

    assert (first.exit_code, second.exit_code) == (4, 4)
    assert f"is the memory of another house, that of {town.folder}/config.yaml" in first.stderr
    assert "database.path" in first.stderr
    assert second.stderr == "", "it is told once an hour"
    assert other.run("13:04", "pause").exit_code == 4
    assert site.powerwall.writes == []
    assert (town.folder / "smartcharge.db").read_bytes() == before

    told = other.run("13:05", "doctor", "--offline")
    assert told.exit_code == 4
    assert "error    neighbours, database" in told.stdout
    assert "error    neighbours, database" in town.run("13:05", "doctor", "--offline").stdout
    assert town.run("13:06", "tick").exit_code == 0
    assert town.street.powerwall.mode == "backup"


def test_another_name_for_the_same_house_is_no_neighbour(town: Town) -> None:
    town.run("12:58", "tick")
    copy = town.folder / "copy.yaml"
    copy.write_bytes((town.folder / "config.yaml").read_bytes())
    configure(town.folder, "tesla", energy_site_id=None)

    again = replace(town, runner=runner(copy))

    assert again.run("13:02", "tick").exit_code == 0
    assert "no other house shares" in again.run("13:03", "doctor", "--offline").stdout


def test_two_accounts_in_one_folder_never_sign_in_by_turns(town: Town) -> None:
    other, _ = second_house(
        town, town.folder / "holiday.yaml", database={"path": "holiday.db"}, eon_next={"email": "other@example.com"}
    )
    yesterday = (town.folder / "holiday.yaml").stat().st_mtime - 86_400
    os.utime(town.folder / "holiday.yaml", (yesterday, yesterday))
    assert town.run("12:58", "tick").exit_code == 0
    kept = (town.folder / ".kraken.json").read_bytes()

    refused = other.run("12:59", "fetch-dispatches")

    assert refused.exit_code == 4
    assert "holds the sign-in of another account, which is in use" in refused.stderr
    assert (town.folder / ".kraken.json").read_bytes() == kept
    assert town.street.account.sign_ins == 1
    assert "warning  neighbours, folder" in other.run("13:00", "doctor", "--offline").stdout


def test_houses_that_share_the_tesla_sign_in_talk_to_tesla_one_after_the_other(town: Town) -> None:
    tokens: dict[str, object] = {"auth_path": str(town.folder)}
    configure(town.folder, "database", path="home/memory.db")
    configure(town.folder, "tesla", **tokens)
    second_house(town, town.folder / "holiday" / "config.yaml", tesla=tokens)
    apart, _ = second_house(town, town.folder / "third" / "config.yaml", tesla={"auth_path": "elsewhere"})
    home, holiday, third = (
        Toolbox(load_config(path, {}), town.day)
        for path in (town.folder / "config.yaml", town.folder / "holiday" / "config.yaml", apart.folder / "config.yaml")
    )

    with home.alone():
        with pytest.raises(Busy), holiday.alone(wait_seconds=0):
            raise AssertionError("both are at work")
        with third.alone(wait_seconds=0):
            pass
    with holiday.alone(wait_seconds=0):
        pass


def test_a_pinned_car_that_was_registered_anew_is_named(town: Town) -> None:
    configure(town.folder, "eon_next", device_id=town.street.house.device_id)
    assert town.run("12:00", "tick").exit_code == 0
    town.street.account.devices = (Device("5e1f0c7a-0000-4000-8000-0000000000e9"),)
    charge(town)

    outcome = town.run("13:02", "tick")

    assert outcome.exit_code == 4
    assert "eon_next.device_id names a device that is gone" in outcome.stderr
    assert "Now it seems to be 5e1f0c7a-0000-4000-8000-0000000000e9" in outcome.stderr
    assert town.street.powerwall.writes == []

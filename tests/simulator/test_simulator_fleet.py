"""The pretend Fleet API, as the unmodified pypowerwall meets it."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from pypowerwall import Powerwall
from pypowerwall.fleetapi import fleetapi

from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_cloud import FLEET_HOST_NORTH_AMERICA


@pytest.fixture(autouse=True)
def _hang_up_afterwards() -> object:
    """The library keeps one connection for all its objects, which would lead into the simulator before."""
    yield
    if fleetapi._http2_client is not None:  # noqa: SLF001 - there is no other way to it
        fleetapi._http2_client.close()  # noqa: SLF001


def connect(folder: Path) -> Powerwall:
    return Powerwall("", cloudmode=True, fleetapi=True, authpath=str(folder), failover=False, timeout=30)


def test_settings_are_read_and_written(simulator: Simulator, tmp_path: Path) -> None:
    powerwall = connect(simulator.write_fleet_tokens(tmp_path).parent)
    powerwall.set_mode("backup")
    powerwall.set_reserve(100)

    assert (powerwall.get_mode(force=True), powerwall.get_reserve(force=True)) == ("backup", 100)
    assert powerwall.level(scale=True) == pytest.approx(60)


def test_the_library_renews_an_expired_token_as_its_application(simulator: Simulator, tmp_path: Path) -> None:
    path = simulator.write_fleet_tokens(tmp_path)
    before = json.loads(path.read_text())
    simulator.set_time(simulator.now + timedelta(hours=8))

    assert connect(tmp_path).get_mode() == "autonomous"
    assert json.loads(path.read_text())["refresh_token"] != before["refresh_token"]
    assert simulator.count("tesla-auth") == 1


@pytest.mark.parametrize(
    "changes", [{"CLIENT_ID": "another"}, {"refresh_token": "another"}], ids=["application", "token"]
)
def test_no_other_application_renews_it(simulator: Simulator, tmp_path: Path, changes: dict[str, str]) -> None:
    path = simulator.write_fleet_tokens(tmp_path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    simulator.set_time(simulator.now + timedelta(hours=8))

    assert connect(tmp_path).get_mode() is None


def test_the_site_is_unknown_in_other_regions(simulator: Simulator, tmp_path: Path) -> None:
    simulator.write_fleet_tokens(tmp_path, FLEET_HOST_NORTH_AMERICA)

    assert connect(tmp_path).client.getsites() == []


def test_the_two_kinds_of_token_are_no_good_for_each_other(simulator: Simulator, tmp_path: Path) -> None:
    path = simulator.write_fleet_tokens(tmp_path)
    owner = simulator.tesla_auth.issue(simulator.now)
    path.write_text(json.dumps(json.loads(path.read_text()) | owner))

    assert connect(tmp_path).get_mode() is None
    assert {request.status for request in simulator.requests} == {401}

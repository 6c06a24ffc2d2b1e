"""The Powerwall over the Fleet API with the real library: what is its own beside what every battery must do."""

import gc
from datetime import timedelta
from pathlib import Path

import pytest
from controlled_time_limit import Share, once_asked
from fleet_installation import FleetInstallation

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    RatePlanMissingError,
    SignInRefusedError,
    ThrottledError,
    UnreachableError,
)
from smartcharge.simulator.http_messages import HttpReply, json_reply
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_cloud import FLEET_HOST_NORTH_AMERICA

NINE_HOURS = timedelta(hours=9)
"""An access token lives for eight."""


@pytest.fixture
def home(simulator: Simulator, tmp_path: Path) -> FleetInstallation:
    """A house whose owner has registered an application."""
    folder = tmp_path / "auth"
    folder.mkdir()
    simulator.write_fleet_tokens(folder)
    return FleetInstallation(simulator, folder)


# -- what it costs ------------------------------------------------------------------------------------


def test_a_hold_costs_seven_requests(home: FleetInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        powerwall.set_mode("backup")
        powerwall.read_settings()
        powerwall.set_reserve_pct(100)
        powerwall.read_settings()

    assert home.asked == ["products", "site_info", "live_status", *("operation", "site_info"), *("backup", "site_info")]
    assert home.written == ["backup", 100]


def test_the_facts_cost_one_request_beside_the_connection(home: FleetInstallation) -> None:
    with home.battery() as powerwall:
        facts = powerwall.facts()

    assert (facts.site, facts.sites, facts.grid_charging, facts.rate_plan) == ("Home", 1, True, True)
    assert home.asked == ["products", "site_info"]


# -- which site ---------------------------------------------------------------------------------------


def test_a_site_written_as_text_is_known_again(home: FleetInstallation) -> None:
    home.store(site_id=str(home.simulator.house.site_id))

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"


def test_the_only_site_need_not_be_named(home: FleetInstallation) -> None:
    home.store(site_id="")

    with home.battery() as powerwall:
        powerwall.set_mode("backup")

    assert home.written == ["backup"]


def test_of_two_sites_none_is_guessed(home: FleetInstallation) -> None:
    home.store(site_id="")
    other = home.simulator.tesla.add_site()

    trouble = home.refusal_of_mode("backup")

    assert isinstance(trouble, ConfigurationError)
    assert "config.yaml: tesla.energy_site_id" in str(trouble)
    assert "2252000001 (Home)" in str(trouble)
    assert (other.powerwall.writes, home.written) == ([], [])


def test_of_two_sites_the_one_in_the_configuration_is_written_to(home: FleetInstallation) -> None:
    other = home.simulator.tesla.add_site()

    with home.battery(site_id=str(other.site_id)) as powerwall:
        powerwall.set_mode("backup")

    assert ([write.value for write in other.powerwall.writes], home.written) == (["backup"], [])


def test_a_site_that_is_not_the_account_s_is_never_written_to(home: FleetInstallation) -> None:
    """The library alone would report that it is not connected, and write all the same."""
    with pytest.raises(ConfigurationError, match="2252000001"), home.battery(site_id="77") as powerwall:
        powerwall.set_mode("backup")

    assert home.asked == ["products"]


# -- which server -------------------------------------------------------------------------------------


def test_the_server_of_another_region_is_told_with_the_right_one(home: FleetInstallation) -> None:
    home.store(AUDIENCE=f"https://{FLEET_HOST_NORTH_AMERICA}")

    trouble = home.refusal_to_read()

    assert isinstance(trouble, ConfigurationError)
    assert "AUDIENCE" in str(trouble)
    assert "https://fleet-api.prd.eu.vn.cloud.tesla.com" in str(trouble)


def test_a_server_that_says_so_itself_is_told_the_same_way(
    home: FleetInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"response": None, "error": "user out of region, use base URL: https://fleet-api.example"}

    def misdirected(*_asked: object) -> HttpReply:
        return json_reply(told, 421)

    monkeypatch.setattr(home.simulator.fleet, "answer", misdirected)

    assert "AUDIENCE" in str(home.refusal_to_read())


# -- commands -----------------------------------------------------------------------------------------


def test_time_based_control_without_a_rate_plan_is_told_apart(home: FleetInstallation) -> None:
    home.simulator.powerwall.has_rate_plan = False

    assert isinstance(home.refusal_of_mode("autonomous"), RatePlanMissingError)


def test_an_answer_that_only_the_library_takes_for_a_failure_leaves_a_doubt(
    home: FleetInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A 204 has been seen where the change was made."""
    monkeypatch.setattr("smartcharge.simulator.tesla_cloud._UPDATED_REPLY", HttpReply(204))

    assert "204" in str(home.refusal_of_mode("backup"))
    assert home.written == ["backup"]


def test_a_wait_that_a_question_met_is_kept_by_commands(home: FleetInstallation) -> None:
    """The library keeps it with questions only."""
    throttled = home.simulator.fault("tesla", "http-429", only="live_status", amount=120)
    with home.battery() as powerwall, throttled:
        assert powerwall.read().lockouts is None
        with pytest.raises(ThrottledError) as raised:
            powerwall.set_mode("autonomous")

    assert raised.value.retry_after == timedelta(seconds=120)
    assert "operation" not in home.asked


def test_a_command_that_was_lost_on_the_way_is_sent_once(home: FleetInstallation) -> None:
    with home.simulator.fault("tesla", "drop", only="operation", after=True):
        assert type(home.refusal_of_mode("backup")) is UnreachableError

    assert home.written == ["backup"]


# -- the sign-in --------------------------------------------------------------------------------------


def test_a_token_that_has_run_out_is_renewed_once_and_kept(home: FleetInstallation) -> None:
    before = home.stored()
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.battery() as powerwall:
        assert powerwall.read().mode == "autonomous"

    assert home.simulator.count("tesla-auth") == 1
    assert home.stored()["refresh_token"] != before["refresh_token"]
    assert home.file.stat().st_mode & 0o777 == 0o600
    assert (home.folder / ".pypowerwall.fleetapi.good").read_bytes() == home.file.read_bytes()


def test_a_file_that_a_renewal_broke_is_written_from_memory(home: FleetInstallation) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.battery() as powerwall:
        newest = home.stored()
        home.file.write_text("")  # as a failing write leaves it
        powerwall.read()

    assert home.stored() == newest


def test_a_sign_in_that_was_revoked_asks_for_a_new_one_without_hammering(home: FleetInstallation) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)

    with home.simulator.fault("tesla-auth", "login-required"):
        trouble = home.refusal_to_read()

    assert isinstance(trouble, SignInRefusedError)
    assert "pypowerwall setup -fleetapi" in str(trouble)
    assert home.simulator.count("tesla-auth") == 1


RENEWAL_TROUBLES: dict[str, type[AppError]] = {
    "http-429": ThrottledError,
    "http-403": UnreachableError,
    "http-503": UnreachableError,
    "html": UnreachableError,
    "drop": UnreachableError,
}


def test_a_token_server_in_trouble_is_not_taken_for_a_revoked_sign_in(home: FleetInstallation) -> None:
    home.simulator.set_time(home.simulator.now + NINE_HOURS)
    found = {}
    for kind in RENEWAL_TROUBLES:
        with home.simulator.fault("tesla-auth", kind):
            found[kind] = type(home.refusal_to_read())

    assert found == RENEWAL_TROUBLES


def test_missing_scopes_are_named(home: FleetInstallation) -> None:
    with home.simulator.fault("tesla", "http-403"):
        trouble = home.refusal_to_read()

    assert isinstance(trouble, SignInRefusedError)
    assert "energy_cmds" in str(trouble)


def test_a_sign_in_for_the_owner_api_opens_nothing_here(home: FleetInstallation) -> None:
    home.store(
        access_token=home.simulator.tesla_auth.issue(home.simulator.now)["access_token"], refresh_token="of-no-use"
    )

    assert isinstance(home.refusal_to_read(), SignInRefusedError)


# -- the end of a conversation ------------------------------------------------------------------------


def use_to_the_end(home: FleetInstallation, share: Share, where: str) -> bool:
    """Read and write until the time is over, and keep nothing that holds on to what was open."""
    try:
        with once_asked(share, home.simulator, where), home.battery() as powerwall:
            powerwall.read()
            powerwall.set_mode("backup")
    except DeadlineExceeded:
        return True
    return False


@pytest.mark.parametrize("where", ["products", "operation"])
def test_the_alarm_passes_through_and_leaves_nothing_open(home: FleetInstallation, share: Share, where: str) -> None:
    with home.simulator.fault("tesla", "hang", only=where):
        assert use_to_the_end(home, share, where)

    gc.collect()  # what is still open would be a warning here, and a warning is an error
    assert home.stored()["refresh_token"]

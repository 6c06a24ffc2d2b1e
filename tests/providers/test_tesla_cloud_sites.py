"""Which of an account's energy sites the Powerwall's adapter talks to, and that it never guesses."""

import pytest
from cloud_installation import CloudInstallation

from smartcharge.errors import ConfigurationError, UnreachableError
from smartcharge.providers.tesla.cloud import list_cloud_sites


@pytest.mark.parametrize("kind", ["http-500", "html", "response-null"])
def test_without_the_settings_the_named_site_alone_is_written_to(home: CloudInstallation, kind: str) -> None:
    """The account's list of sites has told which gateway it is."""
    other = home.simulator.tesla.add_site()

    with home.simulator.fault("tesla", kind, only="site_info"), home.battery() as powerwall:
        powerwall.set_mode("backup")

    assert (other.powerwall.writes, home.written) == ([], ["backup"])


def test_of_two_sites_the_named_one_is_written_to(home: CloudInstallation) -> None:
    other = home.simulator.tesla.add_site()

    with home.battery() as powerwall:
        powerwall.set_mode("backup")

    assert (home.written, other.powerwall.writes) == (["backup"], [])


def test_of_two_sites_none_is_guessed(home: CloudInstallation) -> None:
    home.simulator.tesla.add_site()

    trouble = home.refusal_to_read(named=False)

    assert isinstance(trouble, ConfigurationError)
    assert "config.yaml: tesla.energy_site_id" in str(trouble)
    assert "2252000001 (Home)" in str(trouble)
    assert "2252000002 (Holiday house)" in str(trouble)


def test_the_librarys_own_site_file_names_one(home: CloudInstallation) -> None:
    home.simulator.tesla.add_site()
    home.site_file.write_text(str(home.simulator.house.site_id))

    with home.battery(named=False) as powerwall:
        powerwall.set_mode("backup")

    assert home.written == ["backup"]


def test_the_only_site_need_not_be_named(home: CloudInstallation) -> None:
    with home.battery(named=False) as powerwall:
        assert powerwall.read().mode == "autonomous"

    assert home.asked == ["products", "products", "products", "site_info", "live_status"]


def test_a_site_that_is_not_there_is_told_with_those_that_are(home: CloudInstallation) -> None:
    trouble = home.refusal_to_read(site_id="77")

    assert isinstance(trouble, ConfigurationError)
    assert "tesla.energy_site_id" in str(trouble)
    assert "2252000001 (Home)" in str(trouble)


def test_a_stale_site_file_is_told_by_its_name(home: CloudInstallation) -> None:
    home.site_file.write_text("77")

    trouble = home.refusal_to_read(named=False)

    assert isinstance(trouble, ConfigurationError)
    assert str(home.site_file) in str(trouble)


def test_an_account_without_a_site_is_a_matter_of_configuration(home: CloudInstallation) -> None:
    home.simulator.tesla.sites.clear()

    trouble = home.refusal_to_read(named=False)

    assert isinstance(trouble, ConfigurationError)
    assert "tesla.account_email" in str(trouble)


def test_a_roof_without_a_battery_is_a_matter_of_configuration(home: CloudInstallation) -> None:
    home.simulator.tesla.sites.clear()
    home.simulator.tesla.has_solar = True

    trouble = home.refusal_to_read(named=False)

    assert isinstance(trouble, ConfigurationError)
    assert "no Powerwall" in str(trouble)


def test_a_gateway_that_was_replaced_meanwhile_is_not_written_to(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        powerwall.read()
        home.simulator.tesla.sites[0].gateway_id = "1232100-00-E--TG0000000000P9"
        with pytest.raises(ConfigurationError, match="gateway"):
            powerwall.set_mode("backup")

    assert home.written == []


def test_a_site_that_gets_a_new_number_meanwhile_is_followed(home: CloudInstallation) -> None:
    with home.battery(named=False) as powerwall:
        home.simulator.tesla.sites[0].site_id = 2252000009

        assert powerwall.read().mode == "autonomous"

    assert home.site_file.read_text() == "2252000009"


@pytest.mark.parametrize("known", [None, "2252000001"])
def test_the_other_house_is_never_taken_in_place_of_a_site_that_is_forgotten(
    home: CloudInstallation, known: str | None
) -> None:
    """The library does so, and writes it down for good, where only one other site is left."""
    other = home.simulator.tesla.add_site()
    if known is not None:
        home.site_file.write_text(known)

    with home.simulator.fault("tesla", "site-forgotten", only="Home"):
        trouble = home.refusal_of_mode("backup")

    assert isinstance(trouble, ConfigurationError)
    assert "2252000002 (Holiday house)" in str(trouble)
    assert (home.written, other.powerwall.writes) == ([], [])
    assert (home.site_file.read_text() if home.site_file.exists() else None) == known


def test_the_sites_can_be_chosen_from(home: CloudInstallation) -> None:
    home.simulator.tesla.add_site()
    home.simulator.tesla.has_solar = True

    found = list_cloud_sites(email=home.simulator.house.tesla_email, auth_folder=home.folder)

    assert found == ((2252000002, "Holiday house"), (2252000001, "Home"))
    assert home.asked == ["products"] * 3


def test_the_sites_can_be_chosen_from_where_the_site_file_is_stale(home: CloudInstallation) -> None:
    home.site_file.write_text("77")

    assert list_cloud_sites(email=home.simulator.house.tesla_email, auth_folder=home.folder) == ((2252000001, "Home"),)


def test_no_sites_can_be_chosen_from_where_tesla_is_down(home: CloudInstallation) -> None:
    with home.simulator.fault("tesla", "http-503"), pytest.raises(UnreachableError, match="503"):
        list_cloud_sites(email=home.simulator.house.tesla_email, auth_folder=home.folder)

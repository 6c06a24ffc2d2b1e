"""What the adapters tell beyond a run's needs: registrations, every Zappi on its own, the Powerwall's settings."""

from dataclasses import replace

import pytest
from hub_case import charger
from kraken_case import NOW, House, car
from powerwall_case import Home

from smartcharge.adapters._powerwall_facts import facts_in
from smartcharge.adapters.tariff_kraken import KrakenTariff
from smartcharge.core.answers import Device, Registration
from smartcharge.core.model import ChargerState
from smartcharge.core.stance import BatteryFacts
from smartcharge.errors import ConfigurationRefused, Unreachable
from smartcharge.world.street import Street
from smartcharge.world.zappi import Zappi

SETTINGS = {
    "nothing at all": ({}, BatteryFacts(sites=1)),
    "no rate plan": ({"tariff_content": {}}, BatteryFacts(sites=1, rate_plan=False)),
    "a rate plan": ({"tariff_content": {"name": "Drive"}}, BatteryFacts(sites=1, rate_plan=True)),
    "a null rate plan": ({"tariff_content": None}, BatteryFacts(sites=1)),
    "grid charging is allowed where nothing bars it": (
        {"components": {"battery": True}},
        BatteryFacts(sites=1, grid_charging=True),
    ),
    "grid charging is barred": (
        {"components": {"disallow_charge_from_grid_with_solar_installed": True}},
        BatteryFacts(sites=1, grid_charging=False),
    ),
    "odd types": (
        {"components": {"disallow_charge_from_grid_with_solar_installed": "no"}, "version": 7, "user_settings": []},
        BatteryFacts(sites=1),
    ),
    "text with line breaks": ({"site_name": "My\r\nHome", "version": " 26.2 "}, BatteryFacts("MyHome", 1, "26.2")),
}


@pytest.mark.parametrize(("settings", "facts"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_read_and_gaps_stay_gaps(settings: dict[str, object], facts: BatteryFacts) -> None:
    assert facts_in(settings, sites=1) == facts


def test_the_powerwall_tells_its_facts_and_is_not_written(home: Home) -> None:
    with home.battery() as powerwall:
        facts = powerwall.facts()

    assert facts == BatteryFacts("Home", 1, "26.18.1 pretend", grid_charging=True, rate_plan=True, storm_watch=True)
    assert home.asked == ["products", "products", "site_info", "products"]
    assert home.written == []


def test_settings_that_cannot_be_had_are_no_facts(home: Home) -> None:
    with home.battery() as powerwall, home.street.fault("tesla", "response-null"), pytest.raises(Unreachable):
        powerwall.facts()


def test_every_zappi_is_judged_on_its_own(street: Street) -> None:
    street.myenergi.zappis = [Zappi(17000001, 7150, "C2"), Zappi(17000002, lag_s=900)]

    first, second = charger(street, pinned="17000001").read_each(street.now)

    assert (first.state, first.watts, first.serials) == (ChargerState.CHARGING, 7150, ("17000001",))
    assert (second.state, second.why, second.serials) == (ChargerState.UNKNOWN, "record is 15 min old", ("17000002",))


def test_a_hub_without_a_zappi_has_nothing_to_tell(street: Street) -> None:
    with street.fault("myenergi", "no-zappi"):
        assert charger(street).read_each(street.now) == ()


def test_registrations_are_told_whatever_they_are(house: House) -> None:
    house.keep()
    meter = {"id": "meter", "deviceType": "BATTERIES", "status": {"current": "LIVE"}}
    house.kraken.devices = [car("ev-a"), car("old", current="RETIRED"), car("rests", suspended=True), meter]

    first, retired, resting, other = KrakenTariff(house.account).registrations(NOW)

    assert len(house.kraken.asked) == 1
    watched = Device("ev-a", watched=True, state="SMART_CONTROL_CAPABLE")
    assert first == Registration(watched, is_live_car=True, suspended=False, kind="ELECTRIC_VEHICLES", status="LIVE")
    assert (retired.is_live_car, retired.status) == (False, "RETIRED")
    assert (resting.is_live_car, resting.suspended, resting.device.watched) == (True, True, False)
    assert (other.is_live_car, other.kind) == (False, "BATTERIES")


def test_no_registration_is_an_answer_too(house: House) -> None:
    house.keep()
    house.kraken.devices = []

    assert KrakenTariff(house.account).registrations(NOW) == ()


def test_registrations_that_are_not_told_are_unknown_and_not_none(house: House) -> None:
    house.keep()
    house.kraken.devices = None

    with pytest.raises(Unreachable, match="the devices are unknown"):
        KrakenTariff(house.account).registrations(NOW)


def test_a_pinned_car_that_is_gone_is_refused(house: House) -> None:
    house.keep()

    with pytest.raises(ConfigurationRefused, match=r"device_id.*gone"):
        KrakenTariff(replace(house.account, pinned_device="lost")).registrations(NOW)

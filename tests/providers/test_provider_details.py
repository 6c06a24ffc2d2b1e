"""What the adapters tell beyond a run's needs: registrations, every Zappi on its own, the Powerwall's settings."""

from dataclasses import replace

import pytest
from cloud_installation import CloudInstallation
from fake_kraken import NOW, KrakenInstallation, registered_car
from zappi_hub import make_charger

from smartcharge.errors import ConfigurationError, UnreachableError
from smartcharge.policy.battery import BatteryFacts
from smartcharge.policy.model import ChargerState, DeviceRegistration, RegisteredDevice
from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.tesla.parse import parse_battery_facts
from smartcharge.simulator.myenergi import SimulatedZappi
from smartcharge.simulator.simulator import Simulator

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
    assert parse_battery_facts(settings, sites=1) == facts


def test_the_powerwall_tells_its_facts_and_is_not_written(home: CloudInstallation) -> None:
    with home.battery() as powerwall:
        facts = powerwall.facts()

    assert facts == BatteryFacts("Home", 1, "26.18.1 pretend", grid_charging=True, rate_plan=True, storm_watch=True)
    assert home.asked == ["products", "products", "site_info", "products"]
    assert home.written == []


def test_settings_that_cannot_be_had_are_no_facts(home: CloudInstallation) -> None:
    with home.battery() as powerwall, home.simulator.fault("tesla", "response-null"), pytest.raises(UnreachableError):
        powerwall.facts()


def test_every_zappi_is_judged_on_its_own(simulator: Simulator) -> None:
    simulator.myenergi.zappis = [SimulatedZappi(17000001, 7150, "C2"), SimulatedZappi(17000002, lag_s=900)]

    first, second = make_charger(simulator, pinned="17000001").read_each(simulator.now)

    assert (first.state, first.watts, first.serials) == (ChargerState.CHARGING, 7150, ("17000001",))
    assert (second.state, second.why, second.serials) == (ChargerState.UNKNOWN, "record is 15 min old", ("17000002",))


def test_a_hub_without_a_zappi_has_nothing_to_tell(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "no-zappi"):
        assert make_charger(simulator).read_each(simulator.now) == ()


def test_registrations_are_told_whatever_they_are(house: KrakenInstallation) -> None:
    house.keep()
    meter = {"id": "meter", "deviceType": "BATTERIES", "status": {"current": "LIVE"}}
    house.kraken.devices = [
        registered_car("ev-a"),
        registered_car("old", current="RETIRED"),
        registered_car("rests", suspended=True),
        meter,
    ]

    first, retired, resting, other = KrakenTariff(house.account).registrations(NOW)

    assert len(house.kraken.asked) == 1
    watched = RegisteredDevice("ev-a", watched=True, state="SMART_CONTROL_CAPABLE")
    assert first == DeviceRegistration(
        watched, is_live_car=True, suspended=False, kind="ELECTRIC_VEHICLES", status="LIVE"
    )
    assert (retired.is_live_car, retired.status) == (False, "RETIRED")
    assert (resting.is_live_car, resting.suspended, resting.device.watched) == (True, True, False)
    assert (other.is_live_car, other.kind) == (False, "BATTERIES")


def test_no_registration_is_an_answer_too(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = []

    assert KrakenTariff(house.account).registrations(NOW) == ()


def test_registrations_that_are_not_told_are_unknown_and_not_none(house: KrakenInstallation) -> None:
    house.keep()
    house.kraken.devices = None

    with pytest.raises(UnreachableError, match="the devices are unknown"):
        KrakenTariff(house.account).registrations(NOW)


def test_a_pinned_car_that_is_gone_is_refused(house: KrakenInstallation) -> None:
    house.keep()

    with pytest.raises(ConfigurationError, match=r"device_id.*gone"):
        KrakenTariff(replace(house.account, pinned_device="lost")).registrations(NOW)

"""What the ledger lives on is kept by the runs themselves, and gathered from the memory alone."""

from contextlib import closing

import pytest
from fake_house import CONFIG_TEXT, FakeHouse, at

from smartcharge.errors import StoreError
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.powerwall import record_state_of_energy
from smartcharge.jobs.reconcile import run_reconcile
from smartcharge.policy.battery import BatteryReading, Lockout
from smartcharge.policy.ledger import TariffRates
from smartcharge.policy.model import ChargerState
from smartcharge.policy.slots import Span
from smartcharge.report.load import configured_rates, load_half_hours
from smartcharge.store.readings import load_battery_levels

DAY = Span(at("00:00"), at("23:59"))
PRICES = "gcal: {cheap_rate_pence: 7, standard_rate_pence: 27.5}\n"


def held_and_released(house: FakeHouse) -> None:
    """A hold from five past one to the end of the half hour; the car has stopped."""
    house.tariff.spans = ["13:00-13:30"]
    house.charger.answers = [ChargerState.CHARGING, ChargerState.IDLE]
    for clock, act in (("13:00", fetch_plan_if_due), ("13:05", run_reconcile), ("13:29", run_reconcile)):
        with closing(house.app(clock)) as app:
            act(app)
    assert house.battery.mode == "autonomous"


def kept_at(house: FakeHouse) -> list[str]:
    with closing(house.app("23:00")) as app:
        return [f"{each.at:%H:%M}" for each in load_battery_levels(app.read_only_db, DAY.starts_at, DAY.ends_at)]


def test_the_battery_is_read_and_kept_as_a_hold_begins_and_as_it_ends(house: FakeHouse) -> None:
    held_and_released(house)

    assert kept_at(house) == ["13:05", "13:29"]


def test_a_battery_in_other_hands_is_not_kept_every_minute(house: FakeHouse) -> None:
    house.tariff.spans = ["13:00-13:30"]
    house.charger.answers = [ChargerState.CHARGING, ChargerState.IDLE]
    for clock in ("13:00", "13:05", "13:29", "13:30", "13:31"):
        if clock == "13:29":
            house.battery.lockouts = frozenset({Lockout.STORM_WATCH})
        with closing(house.app(clock)) as app:
            (fetch_plan_if_due if clock == "13:00" else run_reconcile)(app)

    assert house.battery.mode == "backup"
    assert kept_at(house) == ["13:05"]


def test_what_cannot_be_kept_stops_a_beginning_and_no_release(house: FakeHouse) -> None:
    seen = BatteryReading("backup", 100.0, soe_pct=50.0, capacity_kwh=13.5)
    with closing(house.app("13:05")) as app:
        app.db.execute("PRAGMA query_only = ON")
        with pytest.raises(StoreError):
            record_state_of_energy(app, seen, releasing=False)
        assert app.exit_codes == []

        record_state_of_energy(app, seen, releasing=True)

        assert app.exit_codes == [StoreError.exit_code]


def test_gathering_writes_nothing_and_gives_every_half_hour(house: FakeHouse) -> None:
    held_and_released(house)
    before = house.config.database_path.read_bytes()

    with closing(house.app("23:00")) as app:
        entries = {entry.starts_at: entry for entry in load_half_hours(app, DAY)}

    one = entries[at("13:00").replace(second=0)]
    assert len(entries) == 48
    assert (one.planned, one.started, one.cheap, one.held.total_seconds()) == (True, True, True, 24 * 60)
    assert house.config.database_path.read_bytes() == before


def test_prices_are_the_owners_or_none(house: FakeHouse) -> None:
    with closing(house.app("13:00")) as app:
        assert configured_rates(app) is None

    house = FakeHouse(house.folder, CONFIG_TEXT + PRICES)
    with closing(house.app("13:00")) as app:
        assert configured_rates(app) == TariffRates(7.0, 27.5)

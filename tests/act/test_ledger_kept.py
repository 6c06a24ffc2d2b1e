"""What the ledger lives on is kept by the runs themselves, and gathered from the memory alone."""

from contextlib import closing

import pytest
from house_case import SETTINGS, House, at

from smartcharge.act import ledger, levels, plan, reconcile
from smartcharge.core.ledger import Rates
from smartcharge.core.model import ChargerState
from smartcharge.core.slots import Span
from smartcharge.core.stance import BatteryReading, Power
from smartcharge.errors import DatabaseRefused
from smartcharge.store import readings

DAY = Span(at("00:00"), at("23:59"))
PRICES = "gcal: {cheap_rate_pence: 7, standard_rate_pence: 27.5}\n"


def held_and_released(house: House) -> None:
    """A hold from five past one to the end of the half hour; the car has stopped."""
    house.tariff.spans = ["13:00-13:30"]
    house.charger.answers = [ChargerState.CHARGING, ChargerState.IDLE]
    for clock, act in (("13:00", plan.run), ("13:05", reconcile.run), ("13:29", reconcile.run)):
        with closing(house.tools(clock)) as tools:
            act(tools)
    assert house.battery.mode == "autonomous"


def kept_at(house: House) -> list[str]:
    with closing(house.tools("23:00")) as tools:
        return [f"{each.at:%H:%M}" for each in readings.batteries(tools.peek, DAY.starts_at, DAY.ends_at)]


def test_the_battery_is_read_and_kept_as_a_hold_begins_and_as_it_ends(house: House) -> None:
    held_and_released(house)

    assert kept_at(house) == ["13:05", "13:29"]


def test_a_battery_in_other_hands_is_not_kept_every_minute(house: House) -> None:
    house.tariff.spans = ["13:00-13:30"]
    house.charger.answers = [ChargerState.CHARGING, ChargerState.IDLE]
    for clock in ("13:00", "13:05", "13:29", "13:30", "13:31"):
        if clock == "13:29":
            house.battery.powers = frozenset({Power.STORM_WATCH})
        with closing(house.tools(clock)) as tools:
            (plan if clock == "13:00" else reconcile).run(tools)

    assert house.battery.mode == "backup"
    assert kept_at(house) == ["13:05"]


def test_what_cannot_be_kept_stops_a_beginning_and_no_release(house: House) -> None:
    seen = BatteryReading("backup", 100.0, soe_pct=50.0, capacity_kwh=13.5)
    with closing(house.tools("13:05")) as tools:
        tools.db.execute("PRAGMA query_only = ON")
        with pytest.raises(DatabaseRefused):
            levels.keep(tools, seen, releasing=False)
        assert tools.exit_codes == []

        levels.keep(tools, seen, releasing=True)

        assert tools.exit_codes == [DatabaseRefused.exit_code]


def test_gathering_writes_nothing_and_gives_every_half_hour(house: House) -> None:
    held_and_released(house)
    before = house.config.database_path.read_bytes()

    with closing(house.tools("23:00")) as tools:
        entries = {entry.starts_at: entry for entry in ledger.gather(tools, DAY)}

    one = entries[at("13:00").replace(second=0)]
    assert len(entries) == 48
    assert (one.planned, one.started, one.cheap, one.held.total_seconds()) == (True, True, True, 24 * 60)
    assert house.config.database_path.read_bytes() == before


def test_prices_are_the_owners_or_none(house: House) -> None:
    with closing(house.tools("13:00")) as tools:
        assert ledger.rates(tools) is None

    house = House(house.folder, SETTINGS + PRICES)
    with closing(house.tools("13:00")) as tools:
        assert ledger.rates(tools) == Rates(7.0, 27.5)

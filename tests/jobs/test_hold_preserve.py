"""`control.hold: preserve`: the battery's whole life where it is kept as it is, not filled."""

from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, FakeBattery, FakeHouse, at
from msgspec.structs import replace

from smartcharge.errors import UnreachableError, most_serious_exit_code
from smartcharge.jobs import powerwall
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import run_reconcile
from smartcharge.policy.battery import BatteryReading, Lockout
from smartcharge.policy.model import ChargerState
from smartcharge.store.control import load_battery_memory

IDLE = ChargerState.IDLE


@dataclass
class Charged(FakeBattery):
    """A Powerwall whose state of energy can be told, or cannot."""

    soe_pct: float | None = 60.4

    def read(self) -> BatteryReading:
        return replace(super().read(), soe_pct=self.soe_pct)


@dataclass
class Preserving:
    """A house that keeps its battery as it is."""

    house: FakeHouse
    battery: Charged

    def run(self, clock: str, *, idle: bool = False) -> int:
        """One tick's reconcile, with the plan asked for just before; returns its exit code."""
        self.house.charger.answers = [IDLE if idle else ChargerState.CHARGING]
        with closing(self.house.app(clock)) as app:
            fetch_plan_if_due(app)
            run_reconcile(app)
            return most_serious_exit_code(app.exit_codes)

    def reset(self, clock: str) -> None:
        """The midnight reset of the night after."""
        with closing(self.house.app(at(clock) + timedelta(days=1))) as app:
            run_midnight_reset(app)

    @property
    def owned(self) -> bool:
        """Whether anything of the battery is ours to bring back."""
        with closing(self.house.app("15:00")) as app:
            return load_battery_memory(app.read_only_db).owned

    @property
    def stance(self) -> tuple[str | None, float | None]:
        """What the battery is set to."""
        return self.battery.mode, self.battery.reserve_pct


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preserving:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    return at_home(tmp_path, "hold: preserve")


def at_home(folder: Path, control: str) -> Preserving:
    """The house, with a window from one to half past two."""
    house = FakeHouse(folder, f"{CONFIG_TEXT}control: {{{control}}}\n")
    house.battery = Charged()
    house.tariff.spans = ["13:00-14:30"]
    return Preserving(house, house.battery)


def test_it_is_held_at_its_state_of_energy_and_brought_back(home: Preserving) -> None:
    assert home.run("13:05") == 0
    held = home.stance
    home.run("13:29", idle=True)

    assert held == ("self_consumption", 60)
    assert home.battery.writes == ["self_consumption", 60, "autonomous", 20]
    assert not home.owned
    assert "Powerwall in Self-Powered (Backup Reserve 60 %) until 13:30" in " ".join(home.house.said)


def test_a_hold_that_goes_on_keeps_the_stance_of_its_entry(home: Preserving) -> None:
    home.run("13:05")
    calls = len(home.battery.calls)
    for clock in ("13:06", "13:10", "13:20"):
        home.run(clock)
    assert len(home.battery.calls) == calls

    home.battery.soe_pct = 57.0
    assert home.run("13:29") == 0

    assert home.battery.writes == ["self_consumption", 60]


def test_without_the_state_of_energy_nothing_is_begun(home: Preserving) -> None:
    home.battery.soe_pct = None

    assert home.run("13:05") == 3
    assert home.battery.writes == []
    assert not home.owned

    home.battery.soe_pct = 60.0
    assert home.run("13:06") == 0
    assert home.stance == ("self_consumption", 60)


def test_a_stance_that_is_like_ours_already_is_not_written_but_ended(home: Preserving) -> None:
    home.battery.mode, home.battery.reserve_pct = "self_consumption", 60.0

    home.run("13:05")
    assert (home.battery.writes, home.owned) == ([], True)
    home.run("13:29", idle=True)

    assert home.stance == ("autonomous", 20)


def test_what_the_owner_found_better_stays(home: Preserving) -> None:
    home.run("13:05")
    home.battery.reserve_pct = 35.0

    home.run("13:29")

    assert home.stance == ("autonomous", 35.0)
    assert "was changed by someone else" in " ".join(home.house.said)


@pytest.mark.parametrize(("mode", "reserve_pct"), [("backup", 20.0), ("autonomous", 100.0)])
def test_a_battery_that_somebody_else_holds_is_left_to_them(home: Preserving, mode: str, reserve_pct: float) -> None:
    home.battery.mode, home.battery.reserve_pct = mode, reserve_pct

    home.run("13:05")

    assert (home.battery.writes, home.owned) == ([], False)


def test_storm_watch_is_never_written_against(home: Preserving) -> None:
    home.battery.lockouts = frozenset({Lockout.STORM_WATCH})
    home.run("13:05")
    assert home.battery.writes == []

    home.battery.lockouts = frozenset()
    home.run("13:10")
    home.battery.lockouts = frozenset({Lockout.STORM_WATCH})
    home.run("13:29", idle=True)

    assert home.stance == ("self_consumption", 60)
    home.battery.lockouts = frozenset()
    home.run("13:31", idle=True)
    assert home.stance == ("autonomous", 20)


def test_a_write_that_failed_half_way_is_taken_up_again(home: Preserving) -> None:
    home.battery.trouble["set_reserve_pct"] = UnreachableError("lost", service="tesla")
    assert home.run("13:05") == 3
    assert home.stance == ("self_consumption", 20.0)

    del home.battery.trouble["set_reserve_pct"]
    home.battery.soe_pct = 59.8
    home.run("13:06")
    home.run("13:07")

    assert home.stance == ("self_consumption", 59)
    home.run("13:29", idle=True)
    assert home.stance == ("autonomous", 20)


def test_what_was_there_before_comes_back_where_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    home = at_home(tmp_path, "hold: preserve, restore: previous")
    home.battery.mode, home.battery.reserve_pct = "self_consumption", 33.0

    home.run("13:05")
    assert home.battery.writes == [60]
    home.run("13:29", idle=True)

    assert home.stance == ("self_consumption", 33)


def test_the_midnight_reset_ends_a_hold_that_nobody_released(home: Preserving) -> None:
    home.run("13:05")

    home.reset("00:05")

    assert home.stance == ("autonomous", 20)


def test_a_rehearsal_says_what_it_cannot_know_yet(home: Preserving) -> None:
    with closing(home.house.app("13:04")) as app:
        fetch_plan_if_due(app)
    with closing(home.house.app("13:05", dry_run=True)) as app:
        run_reconcile(app)

    assert home.house.said[-1].startswith("would set the Powerwall to keep its charge (Self-Powered, ")
    assert home.battery.writes == []

"""A hold that the gateway ends by itself: asked for, prolonged, ended, and left to whoever else asks for one."""

from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, FakeBattery, FakeHouse, at
from msgspec.structs import replace

from smartcharge.errors import (
    AppError,
    NotConfirmedError,
    TimedHoldUnsupportedError,
    UnreachableError,
    most_serious_exit_code,
)
from smartcharge.jobs import powerwall
from smartcharge.jobs.fetch import fetch_plan_if_due
from smartcharge.jobs.midnight_reset import run_midnight_reset
from smartcharge.jobs.reconcile import run_reconcile
from smartcharge.policy.battery import BatteryCommand, BatteryFacts, BatteryMemory, BatteryReading, BatterySettings
from smartcharge.policy.model import ChargerState
from smartcharge.store.control import load_battery_memory, save_pause
from smartcharge.store.database import transaction

IDLE, CHARGING = ChargerState.IDLE, ChargerState.CHARGING
V1R = CONFIG_TEXT.replace(
    "tesla: {account_email: you@example.com}",
    "tesla: {backend: v1r, gateway_host: 10.42.1.40, gateway_password: LABEL, rsa_key_path: key.pem}",
)


@dataclass
class FakeGateway(FakeBattery):
    """A gateway; leased_until: what ends by itself. knows_leases: whether it can."""

    now: datetime = field(default_factory=lambda: at("12:00"))
    timed_hold_until: datetime | None = None
    knows_leases: bool = True
    told: list[BatteryCommand] = field(default_factory=list)

    def read(self) -> BatteryReading:
        return self._acting(super().read())

    def read_settings(self) -> BatteryReading:
        return self._acting(super().read_settings())

    def _acting(self, found: BatteryReading) -> BatteryReading:
        if self.timed_hold_until is None or self.timed_hold_until <= self.now:
            return found
        underlying_settings = BatterySettings(str(found.mode), round(found.reserve_pct or 0))
        return replace(
            found,
            mode="backup",
            reserve_pct=100.0,
            timed_hold_until=self.timed_hold_until,
            underlying_settings=underlying_settings,
        )

    def facts(self) -> BatteryFacts:
        return BatteryFacts()

    def write(self, write: BatteryCommand) -> None:
        self._called("write")
        if write.until and not self.knows_leases:
            raise TimedHoldUnsupportedError("it cannot", service="tesla")
        self.told.append(write)
        if write.until or write.cancels_timed_hold:
            self.timed_hold_until = self.timed_hold_until if self.deaf else write.until
            return
        if write.mode is not None:
            self._take("mode", write.mode)
        if write.reserve_pct is not None:
            self._take("reserve_pct", write.reserve_pct)


@dataclass
class Home:
    """A house with a gateway, and a window from one to half past two."""

    house: FakeHouse
    gateway: FakeGateway

    def run(self, clock: str, *, idle: bool = False, unplanned: bool = False) -> int:
        """One tick's reconcile, with the plan asked for just before; returns its exit code."""
        self.house.charger.answers = [IDLE if idle else CHARGING]
        self.house.tariff.spans = [] if unplanned else ["13:00-14:30"]
        self.gateway.now = at(clock)
        with closing(self.house.app(clock)) as app:
            fetch_plan_if_due(app)
            run_reconcile(app)
            return most_serious_exit_code(app.exit_codes)

    def pause(self, clock: str) -> None:
        """The owner wants nothing more to be held."""
        with closing(self.house.app(clock)) as app, transaction(app.db):
            save_pause(app.db, app.now, None)

    @property
    def memory(self) -> BatteryMemory:
        with closing(self.house.app("15:00")) as app:
            return load_battery_memory(app.read_only_db)

    @property
    def timed_holds(self) -> list[str | None]:
        """When holds were to end, as they were asked for; None where one was to end at once."""
        asked = [write for write in self.gateway.told if write.until or write.cancels_timed_hold]
        return [f"{write.until:%H:%M}" if write.until else None for write in asked]

    @property
    def settings(self) -> tuple[str | None, float | None]:
        return self.gateway.mode, self.gateway.reserve_pct


def at_home(folder: Path, control: str = "") -> Home:
    house = FakeHouse(folder, f"{V1R}control: {{{control}}}\n" if control else V1R)
    gateway = FakeGateway()
    house.battery = gateway
    return Home(house, gateway)


@pytest.fixture(autouse=True)
def _no_naps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return at_home(tmp_path)


def test_a_hold_is_asked_for_to_its_end_and_the_settings_stay(home: Home) -> None:
    assert home.run("13:05") == 0

    assert (home.timed_holds, home.settings) == (["13:30"], ("autonomous", 20.0))
    assert home.memory.settings_before == BatterySettings("autonomous", 20)
    assert home.house.said[-1].startswith("13:05 Powerwall charging from the grid (Backup Reserve 100 %) until 13:30")


def test_a_hold_that_goes_on_is_asked_for_anew(home: Home) -> None:
    home.run("13:05")
    for clock in ("13:06", "13:20"):
        home.run(clock)
    assert home.timed_holds == ["13:30"]

    home.run("13:29")
    home.run("13:30")

    assert home.timed_holds == ["13:30", "14:00"]


def test_a_renewal_that_failed_is_made_good(home: Home) -> None:
    """What was decided is stored first, so the next run must notice that the gateway has not heard of it."""
    home.run("13:05")
    home.gateway.trouble["enter"] = UnreachableError("gone", service="tesla")
    home.run("13:29")
    del home.gateway.trouble["enter"]

    home.run("13:30")

    assert home.timed_holds == ["13:30", "14:00"]


def test_the_release_ends_it_and_lets_go(home: Home) -> None:
    home.run("13:05")

    assert home.run("13:29", idle=True) == 0

    assert (home.timed_holds, home.settings, home.gateway.timed_hold_until) == (
        ["13:30", None],
        ("autonomous", 20.0),
        None,
    )
    assert home.memory == BatteryMemory(confirmed_mode="autonomous", confirmed_reserve_pct=20)


def test_one_that_ended_by_itself_leaves_nothing_to_do(home: Home) -> None:
    home.run("13:05")

    assert home.run("13:45", unplanned=True) == 0

    assert (home.timed_holds, home.gateway.told[1:], home.memory.owned) == (["13:30"], [], False)


def test_what_was_there_before_is_brought_to_rest_in_one_write(home: Home) -> None:
    home.gateway.mode, home.gateway.reserve_pct = "self_consumption", 35.0
    home.run("13:05")

    home.run("13:29", idle=True)

    assert home.gateway.told[1:] == [BatteryCommand(cancels_timed_hold=True), BatteryCommand("autonomous", 20)]


def test_what_was_there_before_stays_where_that_is_wanted(tmp_path: Path) -> None:
    home = at_home(tmp_path, "restore: previous")
    home.gateway.mode, home.gateway.reserve_pct = "self_consumption", 90.0
    home.run("13:05")

    home.run("13:29", idle=True)

    assert home.gateway.told[1:] == [BatteryCommand(cancels_timed_hold=True)]
    assert home.settings == ("self_consumption", 90.0)


# -- the owner's hand ---------------------------------------------------------------------------------


def test_max_backup_that_the_owner_asked_for_is_left_alone(home: Home) -> None:
    home.gateway.timed_hold_until = at("13:50")

    assert home.run("13:05") == 0
    assert (home.gateway.told, home.memory.owned) == ([], False)
    assert "Max Backup controls the Powerwall" in " ".join(home.house.warned)

    home.run("13:51")
    assert home.timed_holds == ["14:00"]


def test_max_backup_that_the_owner_prolongs_outlasts_our_release(home: Home) -> None:
    home.run("13:05")
    home.gateway.timed_hold_until = at("15:00")

    home.run("13:29", idle=True)
    home.run("14:00", unplanned=True)
    assert home.timed_holds == ["13:30"]

    home.run("15:01", unplanned=True)
    assert (home.timed_holds, home.settings, home.memory.owned) == (["13:30"], ("autonomous", 20.0), False)


def test_an_owner_who_ends_it_in_his_app_has_the_window_to_himself(home: Home) -> None:
    home.run("13:05")
    home.gateway.timed_hold_until = None

    for clock in ("13:25", "13:29", "13:30", "13:40"):
        home.run(clock)

    assert (home.timed_holds, home.memory.owned) == (["13:30"], False)
    assert "was changed by someone else" in " ".join(home.house.said)


def test_a_mode_set_by_hand_beneath_it_comes_to_the_fore_at_the_next_look(home: Home) -> None:
    home.run("13:05")
    home.gateway.mode = "self_consumption"

    home.run("13:29")

    assert (home.timed_holds, home.settings, home.memory.owned) == (["13:30", None], ("self_consumption", 20.0), False)
    assert "was changed by someone else" in " ".join(home.house.said)


# -- trouble ------------------------------------------------------------------------------------------


def test_a_gateway_that_knows_of_none_is_held_by_its_settings(home: Home) -> None:
    home.gateway.knows_leases = False

    home.run("13:05")
    assert (home.gateway.told, home.memory.timed_hold_until) == ([BatteryCommand("backup", 100)], None)
    home.run("13:06")
    home.run("13:29", idle=True)

    assert home.gateway.told == [BatteryCommand("backup", 100), BatteryCommand("autonomous", 20)]


def test_settings_that_were_written_are_brought_back_and_never_leased_over(home: Home) -> None:
    """As where a hold was begun over Tesla's servers, and the configuration changed since."""
    home.gateway.knows_leases = False
    home.run("13:05")
    home.gateway.knows_leases = True

    home.run("13:29")
    home.run("13:59", idle=True)

    assert (home.timed_holds, home.settings, home.memory.owned) == ([], ("autonomous", 20), False)


def test_one_that_is_not_shown_is_asked_for_again(home: Home) -> None:
    home.gateway.deaf = True
    assert home.run("13:05") == NotConfirmedError.exit_code
    assert home.memory.in_doubt_since is not None
    home.gateway.deaf = False

    for clock in ("13:06", "13:07"):
        home.run(clock)

    assert home.gateway.timed_hold_until == at("13:30").replace(second=0)
    assert home.memory.in_doubt_since is None


def test_one_that_comes_late_is_ended_by_the_release(home: Home) -> None:
    """It was asked for, never shown, and begins when nobody expects it any more."""
    home.gateway.deaf = True
    home.run("13:05")
    home.pause("13:06")
    home.run("13:07")
    assert home.memory.owned
    home.gateway.timed_hold_until, home.gateway.deaf = at("13:30"), False

    for clock in ("13:08", "13:09", "13:10"):
        home.run(clock)

    assert (home.gateway.timed_hold_until, home.memory.owned) == (None, False)


@pytest.mark.parametrize(
    "trouble", [UnreachableError("gone", service="tesla"), NotConfirmedError("no", service="tesla")]
)
def test_a_release_that_fails_is_tried_again(home: Home, trouble: AppError) -> None:
    home.run("13:05")
    home.gateway.trouble["write"] = trouble
    assert home.run("13:29", idle=True) != 0
    del home.gateway.trouble["write"]

    home.run("13:30", idle=True)

    assert (home.settings, home.memory.owned) == (("autonomous", 20.0), False)


def test_the_midnight_reset_finds_a_battery_that_came_back_alone(home: Home) -> None:
    home.run("13:05")
    midnight = at("00:05") + timedelta(days=1)
    home.gateway.now = midnight

    with closing(home.house.app(midnight)) as app:
        run_midnight_reset(app)

    assert (home.gateway.told[1:], home.memory.owned) == ([], False)


def test_a_battery_that_is_kept_as_it_is_has_its_settings_written_in_one(tmp_path: Path) -> None:
    home = at_home(tmp_path, "hold: preserve")

    home.run("13:05")
    home.run("13:29", idle=True)

    assert home.gateway.told == [BatteryCommand("self_consumption", 50), BatteryCommand("autonomous", 20)]

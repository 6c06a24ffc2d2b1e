"""A clock that jumps does no harm: nothing is begun by it, what is held ends, and it passes."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_house import FakeHouse, at

from smartcharge.app import App
from smartcharge.errors import ThrottledError, UnreachableError, most_serious_exit_code
from smartcharge.jobs import powerwall
from smartcharge.jobs.tick import run_tick
from smartcharge.policy.model import ChargerState

HOUR, YEAR = timedelta(hours=1), timedelta(days=365)
EPOCH = datetime(1970, 1, 1, 12, 0, tzinfo=UTC)
REST, HOLD = ("autonomous", 20), ("backup", 100)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHouse:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    house = FakeHouse(tmp_path)
    house.tariff.spans = ["13:00-14:30"]
    return house


def run(house: FakeHouse, moment: datetime) -> int:
    with closing(house.app(moment)) as app:
        run_tick(app)
        return most_serious_exit_code(app.exit_codes)


def settings(house: FakeHouse) -> tuple[str | None, float | None]:
    return house.battery.mode, house.battery.reserve_pct


def held(house: FakeHouse) -> None:
    for minute in house.minutes("13:00", "13:05"):
        run(house, minute)
    assert settings(house) == HOLD


@pytest.mark.parametrize(
    "wrong", [at("13:10") - HOUR, at("13:10") + YEAR, EPOCH], ids=["an hour back", "a year ahead", "1970"]
)
def test_a_jump_ends_the_hold(house: FakeHouse, wrong: datetime) -> None:
    held(house)

    run(house, wrong)

    assert settings(house) == REST


@pytest.mark.parametrize("wrong", [at("13:10") - HOUR, EPOCH], ids=["an hour back", "1970"])
def test_nothing_is_begun_by_a_clock_that_cannot_be_right_and_it_is_told_once(
    house: FakeHouse, wrong: datetime
) -> None:
    held(house)
    house.tariff.spans = ["11:00-14:30"]

    codes = [run(house, wrong + timedelta(minutes=n)) for n in range(5)]
    told = list(house.warned)
    assert settings(house) == REST
    run(house, at("13:15"))
    run(house, at("13:16"))

    assert set(codes) == {UnreachableError.exit_code}
    assert [line.split(":")[0] for line in told] == ["smartcharge reconcile"]
    assert "clock shows" in told[0]
    assert len(house.warned) == 2  # begun and over
    assert settings(house) == HOLD


def test_a_clock_in_1970_resets_nothing_at_its_midnight(house: FakeHouse) -> None:
    house.battery.mode = "self_consumption"

    run(house, EPOCH.replace(hour=1))

    assert house.battery.calls == []


def test_after_a_clock_that_ran_a_year_ahead_holds_begin_and_the_supplier_is_asked_as_seldom_as_ever(
    house: FakeHouse,
) -> None:
    run(house, at("12:50"))
    house.tariff.spans = UnreachableError("down", service="kraken")
    run(house, at("12:53") + YEAR)
    house.tariff.spans = ["13:00-14:30"]
    run(house, at("12:56") + YEAR)
    house.tariff.asked.clear()

    for minute in house.minutes("13:00", "13:20"):
        run(house, minute)

    assert settings(house) == HOLD
    assert len(house.tariff.asked) <= 11


@pytest.mark.parametrize("answers", [True, False], ids=["a service confirms the clock", "no service tells the time"])
def test_after_a_clock_that_ran_an_hour_ahead_a_service_that_confirms_the_clock_lets_holds_begin(
    house: FakeHouse, *, answers: bool
) -> None:
    run(house, at("12:50"))
    house.tariff.spans = ["16:00-17:00"]
    run(house, at("12:55") + HOUR)
    house.tariff.spans = ["13:00-14:30"]

    for minute in house.minutes("12:56", "13:10"):
        house.tariff.true_time = minute if answers else None
        run(house, minute)

    assert settings(house) == (HOLD if answers else REST)
    assert any("clock" in line for line in house.warned) is not answers


def test_a_clock_that_goes_back_after_it_was_confirmed_is_doubtful_again(house: FakeHouse) -> None:
    run(house, at("12:50") + HOUR)
    house.tariff.spans = ["13:00-14:30", "16:00-17:00"]
    house.tariff.true_time = at("12:55")
    run(house, at("12:55"))
    house.tariff.true_time = None

    assert run(house, at("12:40")) == UnreachableError.exit_code
    assert "clock shows" in house.warned[-1]


def test_a_hold_is_not_begun_where_tesla_says_that_the_clock_is_wrong(
    house: FakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(house, at("12:59"))
    house.tariff.spans = UnreachableError("down", service="kraken")
    monkeypatch.setattr(App, "take_server_time", lambda app: app.now + timedelta(minutes=6))

    codes = [run(house, minute) for minute in house.minutes("13:00", "13:05")]

    assert settings(house) == REST
    assert house.battery.calls == ["enter", "read", "exit"]
    assert codes[-1] == UnreachableError.exit_code
    assert sum("clock reads" in line for line in house.warned) == 1


def test_a_release_is_not_held_back_where_tesla_says_that_the_clock_is_wrong(
    house: FakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    held(house)
    house.charger.answers = [ChargerState.IDLE]
    house.tariff.spans = UnreachableError("down", service="kraken")
    monkeypatch.setattr(App, "take_server_time", lambda app: app.now + timedelta(minutes=6))

    run(house, at("13:29"))

    assert settings(house) == REST
    assert "clock reads" in house.warned[-1]


def test_a_wait_that_a_clock_ahead_wrote_down_is_not_kept(house: FakeHouse) -> None:
    held(house)
    house.charger.answers = [ChargerState.IDLE]
    house.battery.trouble = {"read": ThrottledError("429", retry_after=timedelta(seconds=120), service="tesla")}
    run(house, at("13:29") + HOUR)
    house.battery.trouble = {}

    run(house, at("13:30"))

    assert settings(house) == REST


def test_a_command_on_its_way_while_the_clock_jumps_ahead_is_still_waited_for(house: FakeHouse) -> None:
    house.battery.lag = 9999
    run(house, at("13:00"))
    assert house.battery.writes == ["backup"]
    run(house, at("13:01") + YEAR)
    house.battery.settle()
    house.battery.lag = 0

    run(house, at("13:02") + YEAR)

    assert settings(house) == REST

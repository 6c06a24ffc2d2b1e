"""A lived afternoon decided again: as it was, and with other numbers exactly as it would have come with them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, FakeHouse, at

from smartcharge.app import App
from smartcharge.commands.replay import parse_policy_change, replay_day
from smartcharge.jobs import powerwall
from smartcharge.jobs.fetch import FETCH_DISPATCHES_COMMAND
from smartcharge.jobs.tick import run_tick
from smartcharge.policy.battery import BatteryOutcome
from smartcharge.policy.model import ChargerState
from smartcharge.policy.replay import ReplayedMinute, recorded_holds, replay_decisions
from smartcharge.policy.slots import Span
from smartcharge.report.journal_reader import SUPPLIER_FETCH_COMMAND, load_replay_data
from smartcharge.store.events import MANUAL_OVERRIDES

DAY = date(2026, 12, 9)
FIRST, LAST = "13:15", "14:32"
STARTS = at("13:20")
OTHERS = {
    "no extra half hour, and only long holds": {"extension": "false", "min_hold_seconds": "900"},
    "released earlier, and half an hour a day": {"release_lead_seconds": "200", "max_hours_per_day": "0.5"},
}


def lived(folder: Path, control: str = "") -> FakeHouse:
    """An afternoon with a car that starts late and charges on after its window, minute by minute."""
    folder.mkdir()
    house = FakeHouse(folder, f"{CONFIG_TEXT}control: {{{control}}}\n")
    house.tariff.spans = ["13:00-14:00"]
    for now in house.minutes(FIRST, LAST):
        house.charger.answers = [ChargerState.CHARGING if now >= STARTS else ChargerState.IDLE]
        with closing(house.app(now)) as app:
            run_tick(app)
    return house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeHouse]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
        yield lived(tmp_path_factory.mktemp("replay") / "house")


@contextmanager
def read_only(house: FakeHouse, clock: str = "18:00") -> Iterator[App]:
    with closing(App(house.config, at(clock), read_only=True)) as app:
        yield app


def span() -> Span:
    return Span(at(FIRST).replace(second=0), at(LAST).replace(second=0))


def held(ticks: Iterator[ReplayedMinute]) -> list[object]:
    return [(tick.at, tick.hold) for tick in ticks]


def test_the_afternoon_comes_out_as_it_was(house: FakeHouse) -> None:
    with read_only(house) as app:
        told = replay_day(app, DAY)

    assert [f"{each.row.at:%H:%M}" for each in told.decisions] == ["13:21", "13:29", "13:59", "14:29"]
    assert all(each.is_unchanged for each in told.decisions)
    assert told.mismatches == ()
    assert told.held.total_seconds() == 68 * 60


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_with_other_numbers_it_comes_out_as_it_would_have_come(
    house: FakeHouse, other: dict[str, str], tmp_path: Path
) -> None:
    with read_only(house) as app:
        replayed = held(replay_decisions(load_replay_data(app, span()), span(), parse_policy_change(app, other)))
    with read_only(lived(tmp_path / "other", ", ".join(f"{key}: {value}" for key, value in other.items()))) as app:
        truth = held(recorded_holds(load_replay_data(app, span()), span()))

    assert replayed == truth


def test_who_reads_the_journal_spells_its_outcomes_as_they_are_written() -> None:
    assert {BatteryOutcome.HELD_BY_OTHERS, BatteryOutcome.BY_HAND} == MANUAL_OVERRIDES
    assert FETCH_DISPATCHES_COMMAND == SUPPLIER_FETCH_COMMAND


def test_a_day_that_goes_on_is_decided_up_to_the_last_full_minute(house: FakeHouse) -> None:
    with read_only(house, "13:40") as app:
        told = replay_day(app, DAY)

    assert len(told.decisions) == 2
    assert told.held.total_seconds() == 19 * 60
    assert told.mismatches == ()

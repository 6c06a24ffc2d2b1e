"""A lived afternoon decided again: as it was, and with other numbers exactly as it would have come with them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

import pytest
from house_case import SETTINGS, House, at

from smartcharge.act import conversation, plan_answer, tick
from smartcharge.act.show import record, replay
from smartcharge.act.show.supposing import supposed
from smartcharge.core.model import ChargerState
from smartcharge.core.replay import Tick, promised, walk
from smartcharge.core.slots import Span
from smartcharge.core.stance import Ending
from smartcharge.toolbox import Toolbox

DAY = date(2026, 12, 9)
FIRST, LAST = "13:15", "14:32"
STARTS = at("13:20")
OTHERS = {
    "no extra half hour, and only long holds": {"extension": "false", "min_hold_seconds": "900"},
    "released earlier, and half an hour a day": {"release_lead_seconds": "200", "max_hours_per_day": "0.5"},
}


def lived(folder: Path, control: str = "") -> House:
    """An afternoon with a car that starts late and charges on after its window, minute by minute."""
    folder.mkdir()
    house = House(folder, f"{SETTINGS}control: {{{control}}}\n")
    house.tariff.spans = ["13:00-14:00"]
    for now in house.minutes(FIRST, LAST):
        house.charger.answers = [ChargerState.CHARGING if now >= STARTS else ChargerState.IDLE]
        with closing(house.tools(now)) as tools:
            tick.run(tools)
    return house


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "NAPS_SECONDS", (0.0,) * len(conversation.NAPS_SECONDS))
        yield lived(tmp_path_factory.mktemp("replay") / "house")


@contextmanager
def looking(house: House, clock: str = "18:00") -> Iterator[Toolbox]:
    with closing(Toolbox(house.config, at(clock), looking=True)) as tools:
        yield tools


def span() -> Span:
    return Span(at(FIRST).replace(second=0), at(LAST).replace(second=0))


def held(ticks: Iterator[Tick]) -> list[object]:
    return [(tick.at, tick.hold) for tick in ticks]


def test_the_afternoon_comes_out_as_it_was(house: House) -> None:
    with looking(house) as tools:
        told = replay.replay(tools, DAY)

    assert [f"{each.row.at:%H:%M}" for each in told.decisions] == ["13:21", "13:29", "13:59", "14:29"]
    assert all(each.agrees for each in told.decisions)
    assert told.gaps == ()
    assert told.held.total_seconds() == 68 * 60


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_with_other_numbers_it_comes_out_as_it_would_have_come(
    house: House, other: dict[str, str], tmp_path: Path
) -> None:
    with looking(house) as tools:
        replayed = held(walk(record.gather(tools, span()), span(), supposed(tools, other)))
    with looking(lived(tmp_path / "other", ", ".join(f"{key}: {value}" for key, value in other.items()))) as tools:
        truth = held(promised(record.gather(tools, span()), span()))

    assert replayed == truth


def test_who_reads_the_journal_spells_its_outcomes_as_they_are_written() -> None:
    assert {Ending.NOT_OURS, Ending.BY_HAND} == record.LEFT_TO_OTHERS
    assert plan_answer.COMMAND == record.ASKS_THE_SUPPLIER


def test_a_day_that_goes_on_is_decided_up_to_the_last_full_minute(house: House) -> None:
    with looking(house, "13:40") as tools:
        told = replay.replay(tools, DAY)

    assert len(told.decisions) == 2
    assert told.held.total_seconds() == 19 * 60
    assert told.gaps == ()

"""`smartcharge explain`, on a screen of 80 by 24 signs and for programs."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from recorded_afternoon import RunCommand, at, command_runner, record_afternoon

from smartcharge.policy.model import Reason
from smartcharge.store.control import save_manual_override, set_hold
from smartcharge.store.database import open_store
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_journal

SILENT = "the Zappi had not answered, or if your supplier had not answered for a long time"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_afternoon(tmp_path_factory.mktemp("explain"))


@pytest.fixture
def ask(house: Path, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    return command_runner(house, capsys)


def test_it_says_by_which_rule_and_facts_what_else_would_have_been_and_what_came_next(ask: RunCommand) -> None:
    said = ask("15:10", "explain", "13:05")

    assert said.exit_code == 0
    assert said.out.splitlines() == [
        "Wed 09 Dec 13:05: charge from the grid until 13:30, as decided at 13:02.",
        "",
        "because    the car is charging in a smart-charging slot",
        "facts      the Zappi, just then: 7,200 W, pilot C2: charging",
        "           your supplier, just then: slot Wed 13:00-14:00, about 7.2 kWh, first announced at 12:40",
        "           your tariff: off-peak hours 00:00-06:00",
        "otherwise  near the end of the half hour the charge would have continued to 14:00",
        f"           no charge, if the car had not been charging, or if {SILENT}",
        "then       13:29 charge from the grid until 14:00: the car is charging in a smart-charging slot",
    ]


def test_now_it_says_what_takes_two_facts_and_that_nothing_is_near(ask: RunCommand) -> None:
    said = ask("15:10", "explain").out

    assert "no charge from the grid" in said
    assert (
        "charge from the grid until 15:30, if the car had been charging and a smart-charging slot had been scheduled"
        in said
    )
    assert "the off-peak hours begin at Thu 10 Dec 00:00" in said


def test_in_a_hold_it_says_what_comes_next_if_the_car_charges_and_if_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = command_runner(record_afternoon(tmp_path, until="13:29"), capsys)("13:33", "explain").out

    assert "charge from the grid until 14:00; Tesla has not confirmed the Powerwall's settings" in said
    assert "this half hour is already off-peak, so it runs to its end" in said
    assert "the charge itself: the car is charging in a smart-charging slot" in said
    assert "the Zappi, 4 min ago: 7,200 W, pilot C2; too old to count" in said
    assert "the Powerwall, 31 min ago: asked to charge until 14:00" in said
    assert "13:59 charge from the grid for the extra half hour, until 14:30, if the car is charging" in said
    assert (
        "13:59 back to normal, unless the Zappi shows that the car is charging: the last off-peak half hour ends"
        in said
    )


def test_a_time_that_lies_ahead_today_is_yesterday_s(ask: RunCommand) -> None:
    assert "no decision before Tue 08 Dec 23:00" in ask("15:10", "explain", "23:00").out


def test_a_time_may_be_given_either_way_but_not_both(ask: RunCommand) -> None:
    assert ask("15:10", "explain", "--at", "13:05").out == ask("15:10", "explain", "2026-12-09T13:05").out
    assert ask("15:10", "explain", "13:05", "--at", "13:06").exit_code == 2


@pytest.mark.parametrize(("text", "told"), [("2026-12-10T13:00", "is in the future"), ("lunch", "Write 13:30")])
def test_a_time_that_cannot_be_explained_is_a_usage_error(ask: RunCommand, text: str, told: str) -> None:
    said = ask("15:10", "explain", text)

    assert (said.exit_code, said.out) == (2, "")
    assert told in said.err


def test_a_decision_that_would_not_be_made_again_is_said_to_have_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_store(record_afternoon(tmp_path, until="13:59") / "smartcharge.db")) as db:
        (row,) = load_journal(db, since=at("13:59"))
        assert row.state is not None
        append_journal(db, at=at("14:01"), command="reconcile", reason=Reason.CAR_STOPPED, state=row.state,
                       outcome=Event.DECIDED)  # fmt: skip
    said = command_runner(tmp_path, capsys)("15:10", "explain", "14:05").out

    assert "the car is still charging as its slot ends" in said
    assert "at the time: the car stopped charging in the extra half hour; smartcharge has changed since then" in said


def test_a_window_that_was_left_to_somebody_else_is_explained_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_store(record_afternoon(tmp_path, until="13:02") / "smartcharge.db")) as db:
        set_hold(db, None, Reason.STOOD_DOWN, at("13:02"))
        save_manual_override(db, at("13:02"), at("14:30"))
        append_journal(db, at=at("13:02"), command="reconcile", reason=Reason.STOOD_DOWN, outcome=Event.BY_HAND,
                       detail="the battery was changed by hand")  # fmt: skip
    ask = command_runner(tmp_path, capsys)
    past, now = ask("13:20", "explain", "13:02").out, ask("13:03", "explain").out

    for said in (past, now):
        assert "no charge from the grid" in said
        assert "someone else set the Powerwall, so this slot is left to them" in said
        assert "the Powerwall" in said
        assert "if no one else had set the Powerwall" in said
    assert "13:02 leaves the Powerwall alone: the battery was changed by hand" in past


def test_programs_get_one_object_with_times_in_utc(ask: RunCommand) -> None:
    told = json.loads(ask("15:10", "explain", "13:05", "--json").out)

    assert (told["because"], told["agrees"]) == ("CHARGING_IN_WINDOW", True)
    assert told["hold"] == {"until": "2026-12-09T13:30:00Z", "kind": "WINDOW"}
    assert told["decided_at"] == "2026-12-09T13:02:02Z"
    zappi = {"source": "the Zappi", "at": "2026-12-09T13:02:02Z", "says": "7,200 W, pilot C2: charging"}
    assert zappi in told["facts"]
    assert {"had": ["the car had not been charging"], "hold": None, "because": "NOTHING_TO_HOLD"} in told["otherwise"]
    assert told["next"][0] == {
        "at": "2026-12-09T13:29:00Z",
        "charger": ["CHARGING"],
        "hold": {"until": "2026-12-09T14:00:00Z", "kind": "WINDOW"},
        "because": "CHARGING_IN_WINDOW",
    }
    assert json.loads(ask("15:10", "explain", "00:30", "--json").out) is None


def test_it_writes_nothing(ask: RunCommand, house: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in house.iterdir()}
    ask("15:10", "explain")
    ask("15:10", "explain", "13:05")

    assert {path: path.stat().st_mtime_ns for path in house.iterdir()} == before

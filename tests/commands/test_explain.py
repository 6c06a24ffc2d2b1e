"""`smartcharge explain`, on a screen of 80 by 24 signs and for programs."""

import json
from contextlib import closing
from pathlib import Path

import pytest
from recorded_afternoon import RunCommand, at, command_runner, record_afternoon

from smartcharge.policy.model import Reason
from smartcharge.store.control import save_manual_override, set_hold
from smartcharge.store.database import open_store
from smartcharge.store.journal import append_journal, load_journal

SILENT = "the Zappi given no answer, or Kraken given no answer for long"


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
        "Wed 09 Dec 13:05: held until 13:30, as decided at 13:02.",
        "",
        "because    the car is charging in a planned cheap window (CHARGING_IN_WINDOW)",
        "facts      the Zappi, just then: 7,200 W, pilot C2: charging",
        "           Kraken, just then: window Wed 13:00-14:00, about 7.2 kWh, first named at 12:40",
        "           your tariff: night rate 00:00-06:00",
        f"otherwise  not held, had the car not been charging, or {SILENT}",
        "           held until 14:00, had its release been due",
        "then       13:29 held until 14:00: the car is charging in a planned cheap window",
    ]


def test_now_it_says_what_takes_two_facts_and_that_nothing_is_near(ask: RunCommand) -> None:
    said = ask("15:10", "explain").out

    assert "nothing is held" in said
    assert "(NOTHING_TO_HOLD)" in said
    assert "held until 15:30, had the car been charging and a cheap window been planned" in said
    assert "the night rate begins at Thu 10 Dec 00:00" in said


def test_in_a_hold_it_says_what_comes_next_if_the_car_charges_and_if_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = command_runner(record_afternoon(tmp_path, until="13:29"), capsys)("13:33", "explain").out

    assert "held until 14:00; Tesla has not confirmed how the Powerwall stands" in said
    assert "the half hour is already cheap and stands to its end (SLOT_ALREADY_CHEAP)" in said
    assert "the hold itself: the car is charging in a planned cheap window (CHARGING_IN_WINDOW)" in said
    assert "the Zappi, 4 min ago: 7,200 W, pilot C2; too old to count" in said
    assert "the hold, 31 min ago: promised until 14:00" in said
    assert "13:59 held for the extra half hour, until 14:30, if the car charges" in said
    assert "13:59 released, unless the car is known to charge: the last cheap half hour ends" in said


def test_a_time_that_lies_ahead_today_is_yesterday_s(ask: RunCommand) -> None:
    assert "By Tue 08 Dec 23:00 nothing had been decided" in ask("15:10", "explain", "23:00").out


def test_a_time_may_be_given_either_way_but_not_both(ask: RunCommand) -> None:
    assert ask("15:10", "explain", "--at", "13:05").out == ask("15:10", "explain", "2026-12-09T13:05").out
    assert ask("15:10", "explain", "13:05", "--at", "13:06").exit_code == 2


@pytest.mark.parametrize(("text", "told"), [("2026-12-10T13:00", "lies ahead"), ("lunch", "write 13:30")])
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
                       outcome="decided")  # fmt: skip
    said = command_runner(tmp_path, capsys)("15:10", "explain", "14:05").out

    assert "(OVERRUN)" in said
    assert (
        "then it was: the car stopped during the extra half hour (CAR_STOPPED); the program has changed since" in said
    )


def test_a_window_that_was_left_to_somebody_else_is_explained_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_store(record_afternoon(tmp_path, until="13:02") / "smartcharge.db")) as db:
        set_hold(db, None, Reason.STOOD_DOWN, at("13:02"))
        save_manual_override(db, at("13:02"), at("14:30"))
        append_journal(db, at=at("13:02"), command="reconcile", reason=Reason.STOOD_DOWN, outcome="changed by hand",
                       detail="the battery was changed by hand")  # fmt: skip
    ask = command_runner(tmp_path, capsys)
    past, now = ask("13:20", "explain", "13:02").out, ask("13:03", "explain").out

    for said in (past, now):
        assert "nothing is held" in said
        assert "(STOOD_DOWN)" in said
        assert "the Powerwall" in said
        assert "had nobody else set the battery" in said
    assert "13:02 stands down: the battery was changed by hand" in past


def test_programs_get_one_object_with_times_in_utc(ask: RunCommand) -> None:
    told = json.loads(ask("15:10", "explain", "13:05", "--json").out)

    assert (told["because"], told["agrees"]) == ("CHARGING_IN_WINDOW", True)
    assert told["hold"] == {"until": "2026-12-09T13:30:00Z", "kind": "WINDOW"}
    assert told["decided_at"] == "2026-12-09T13:02:02Z"
    zappi = {"source": "the Zappi", "at": "2026-12-09T13:02:02Z", "says": "7,200 W, pilot C2: charging"}
    assert zappi in told["facts"]
    assert {"had": ["the car not been charging"], "hold": None, "because": "NOTHING_TO_HOLD"} in told["otherwise"]
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

"""`smartcharge replay`: the day as it was decided, and with other numbers."""

from contextlib import closing
from pathlib import Path

import pytest
from recorded_afternoon import RunCommand, at, command_runner, record_afternoon

from smartcharge.policy.model import Reason
from smartcharge.store.database import open_store
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_journal

REFUSED = {
    "a key that is no number of the policy": ("default_reserve_pct=30", "Use one of extension, release_lead"),
    "a key in another section": ("tesla.backend=cloud", "tesla.backend cannot be changed here"),
    "a slip of the pen": ("extention=false", "Did you mean control.extension?"),
    "no switch": ("extension=maybe", "control.extension is maybe. Use true or false."),
    "too small a number": ("grace_seconds=30", "control.grace_seconds is 30. Use whole seconds, 120 to 3600."),
    "no time": ("cheap_period=25:00-07:00", "Use two different local times"),
    "no value": ("extension=", "for example extension=false"),
    "no key": ("false", "for example extension=false"),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record_afternoon(tmp_path_factory.mktemp("replay"))


@pytest.fixture
def ask(house: Path, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    return command_runner(house, capsys)


def test_a_day_is_shown_with_its_decisions_and_that_they_come_out_the_same(ask: RunCommand) -> None:
    said = ask("15:10", "replay", "today")

    assert said.exit_code == 0
    assert said.out.splitlines() == [
        "Wed 09 Dec 2026, re-run: 4 decisions, all the same as then",
        "13:02       charge from the grid until 13:30: the car is charging in a smart-charging slot",
        "13:29       charge from the grid until 14:00: the car is charging in a smart-charging slot",
        f"13:59       charge from the grid for the extra half hour, until 14:30: {Reason.OVERRUN.sentence}",
        "14:29       back to normal: the last off-peak half hour ends",
        "Charged from the grid for 87 min.",
    ]


@pytest.mark.parametrize("key", ["extension", "control.extension"])
def test_another_number_shows_what_would_have_differed_in_minutes_and_pence(ask: RunCommand, key: str) -> None:
    said = ask("15:10", "replay", "2026-12-09", "--set", f"{key}=false").out

    assert said.splitlines()[-4:] == [
        "With control.extension=false:",
        "13:59-14:29 not charging for 30 min: the last off-peak half hour ends",
        "Charged for 57 min instead of 87 min.",
        "Estimated from the usual power of the day: 2.8 kWh less into the Powerwall, 52 p more saved.",
    ]


def test_a_number_that_changes_nothing_says_so(ask: RunCommand) -> None:
    said = ask("15:10", "replay", "today", "--set", "min_hold_seconds=240", "--set", "max_hours_per_day=null").out

    assert said.splitlines()[-1] == (
        "With control.min_hold_seconds=240, control.max_hours_per_day=null nothing would have been different."
    )


def test_where_the_record_is_silent_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with closing(open_store(record_afternoon(tmp_path) / "smartcharge.db")) as db:
        db.execute("DELETE FROM readings WHERE at > '2026-12-09T13:10'")
    said = command_runner(tmp_path, capsys)("15:10", "replay", "today", "--set", "cheap_period=12:00-13:10").out

    assert "13:29-14:29 not charging when re-run minute by minute: the journal does not show" in said
    assert "For 17 min it was not recorded whether the car was charging" in said


def test_a_decision_that_comes_out_otherwise_is_shown_with_what_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(open_store(record_afternoon(tmp_path, until="13:02") / "smartcharge.db")) as db:
        (row,) = load_journal(db, since=at("13:02"))
        append_journal(db, at=at("13:03"), command="reconcile", reason=Reason.SLOT_ENDS, state=row.state,
                       outcome=Event.DECIDED)  # fmt: skip
    said = command_runner(tmp_path, capsys)("15:10", "replay", "today").out

    assert "2 decisions, 1 different: smartcharge has changed since" in said
    assert "the car is charging in a smart-charging slot (then: the last off-peak half hour ends)" in said


@pytest.mark.parametrize(("setting", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_tried_is_refused_with_what_can(ask: RunCommand, setting: str, told: str) -> None:
    said = ask("15:10", "replay", "today", "--set", setting)

    assert (said.exit_code, said.out) == (2, "")
    assert told in said.err


@pytest.mark.parametrize("day", ["tomorrow", "22/11/2026", "2026-02-30", "0001-01-01"])
def test_a_day_that_is_none_is_a_usage_error_that_shows_the_form(ask: RunCommand, day: str) -> None:
    said = ask("15:10", "replay", day)

    assert said.exit_code == 2
    assert "Write 2026-11-22, today or yesterday" in said.err


def test_a_day_that_has_not_begun_is_a_usage_error(ask: RunCommand) -> None:
    said = ask("15:10", "replay", "2026-12-10")

    assert said.exit_code == 2
    assert "has not started yet" in said.err


def test_a_day_without_journal_is_said_to_be_one(ask: RunCommand) -> None:
    said = ask("15:10", "replay", "yesterday")

    assert said.exit_code == 0
    assert said.out.startswith("The journal has no entries for Tue 08 Dec 2026")


def test_it_writes_nothing(ask: RunCommand, house: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in house.iterdir()}
    ask("15:10", "replay", "today", "--set", "extension=false")

    assert {path: path.stat().st_mtime_ns for path in house.iterdir()} == before

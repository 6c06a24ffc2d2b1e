"""What `history` is asked for, and how it tells: spans, commands, code names, long errors, no life and a long one."""

import csv
import io
import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from stored_house import MINUTE, NOW, StoredHouse, TerminalOutput, make_stored_house, store_journal_entry

from smartcharge.cli import run_cli
from smartcharge.cli_context import CliContext
from smartcharge.commands.history import load_history
from smartcharge.policy.model import Reason
from smartcharge.report.snapshot import load_snapshot
from smartcharge.store.events import EventDetail
from smartcharge.store.times import format_instant

HOUR = 60 * MINUTE
ENTRIES = {
    "a success": (
        ("reconcile", "well again", EventDetail(subject="kraken sign-in")),
        "the sign-in to your supplier works again",
    ),
    "a wait": (
        ("reconcile", "waiting", "Storm Watch controls the Powerwall"),
        "reconcile: Storm Watch controls the Powerwall",
    ),
    "the end of a wait": (("reconcile", "waited", None), "reconcile: continues, there is nothing more to wait for"),
    "a reset": (
        ("midnight-reset", "written", "Self-Powered (Backup Reserve 20 %)"),
        "Powerwall: Self-Powered (Backup Reserve 20 %)",
    ),
    "rest": (("midnight-reset", "already at rest", "backup"), "the Powerwall was already back to normal: backup"),
    "a pause at night": (("midnight-reset", "postponed", "smartcharge is paused"), "postponed: smartcharge is paused"),
    "a remark": (("fetch-dispatches", "remarked", "an odd type"), "fetch-dispatches: noticed: an odd type"),
    "the taking over": (("migration", "taken over", "12 rows"), "taken over: 12 rows"),
}


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


@pytest.mark.parametrize(("entry", "line"), ENTRIES.values(), ids=ENTRIES)
def test_an_entry_is_told_in_plain_words(memory: StoredHouse, entry: tuple[str, str, str | None], line: str) -> None:
    with memory.writing() as db:
        store_journal_entry(db, *entry)

    assert line in memory.run("history").stdout


def test_a_decision_and_a_failure_are_told_in_plain_words(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_journal_entry(db, "reconcile", "decided", reason=Reason.OVERRUN)
        store_journal_entry(db, "reconcile", "failed", error="Tesla did not answer in time.", reason=Reason.OVERRUN)
        store_journal_entry(db, "fetch-dispatches", "trouble", error="Kraken is down. Nothing to do.")

    lines = memory.run("history").stdout.splitlines()

    assert [line.partition("  ")[2] for line in lines] == [
        f"reconcile: decided to go on charging the Powerwall: {Reason.OVERRUN.sentence}",
        "reconcile: did not work: Tesla did not answer in time",
        "fetch-dispatches: Kraken is down. Nothing to do",
    ]


def test_since_means_the_last_such_moment(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_journal_entry(
            db, "reconcile", "changed", "at 21:59", at=NOW.replace(hour=21, minute=59) - timedelta(days=1)
        )
        store_journal_entry(
            db, "reconcile", "changed", "at 22:00", at=NOW.replace(hour=22, minute=0) - timedelta(days=1)
        )
        store_journal_entry(db, "reconcile", "changed", "at noon", at=NOW.replace(hour=12, minute=0))

    assert [line.split()[-1] for line in memory.run("history", "--since", "22:00").stdout.splitlines()] == [
        "22:00",
        "noon",
    ]
    assert memory.run("history", "--since", "12:00").stdout.splitlines()[0].endswith("at noon")
    evening = memory.run("history", "--since", "21:30", "--until", "23:00").stdout
    assert [line.split()[-1] for line in evening.splitlines()] == ["21:59", "22:00"]


def test_the_hour_that_comes_twice_is_the_later_one_once_it_has_been(memory: StoredHouse) -> None:
    morning = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    with memory.writing() as db:
        store_journal_entry(db, "reconcile", "changed", at=datetime(2026, 10, 25, 0, 30, tzinfo=UTC))
        store_journal_entry(db, "reconcile", "changed", at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC))

    (line,) = memory.run("history", "--since", "01:30", at=morning).stdout.splitlines()

    assert line.startswith("Sun 25 Oct 01:30 GMT  ")


def test_only_the_commands_that_are_named_are_told(memory: StoredHouse) -> None:
    with memory.writing() as db:
        for command in ("reconcile", "midnight-reset", "send-invites"):
            store_journal_entry(db, command, "changed")

    one = json.loads(memory.run("history", "--json", "--command", "reconcile").stdout)
    two = memory.run("history", "--csv", "--command", "reconcile", "--command", "send-invites").stdout

    assert [row["what"] for row in one] == ["reconcile"]
    assert [row["what"] for row in csv.DictReader(io.StringIO(two))] == ["reconcile", "send-invites"]
    assert memory.run("history", "--command", "dance").exit_code == 2


def test_an_empty_history_says_so_to_people_only(memory: StoredHouse) -> None:
    assert memory.run("history").stdout == (
        "Nothing was recorded from Tue 08 Dec 13:06 to 13:06. Use --since to look further back.\n"
    )
    assert "by reconcile from" in memory.run("history", "--command", "reconcile", out=TerminalOutput()).stdout
    assert json.loads(memory.run("history", "--json").stdout) == []
    assert len(memory.run("history", "--csv").stdout.splitlines()) == 1


def test_a_long_error_is_folded_on_a_terminal_and_whole_elsewhere(
    memory: StoredHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = "so it goes on and on " * 20 + "to the end"
    with memory.writing() as db:
        store_journal_entry(db, "reconcile", "trouble", error=error)
    monkeypatch.setenv("COLUMNS", "60")

    lines = memory.run("history", out=TerminalOutput()).stdout.splitlines()

    assert len(lines) == 4
    assert max(map(len, lines)) <= 60
    assert lines[-1].endswith(" ...")
    assert all(line.startswith(" " * 18) for line in lines[1:])
    assert memory.run("history").stdout.endswith("to the end\n")
    assert json.loads(memory.run("history", "--json").stdout)[0]["error"] == error


def test_text_from_outside_begins_no_line_and_colours_no_terminal(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_journal_entry(db, "reconcile", "trouble", error="a\nb\x1b[31mc")

    assert memory.run("history").stdout.splitlines() == ["Wed 09 Dec 13:05  reconcile: a b?[31mc"]


def test_a_day_of_ten_years_is_found_at_once(memory: StoredHouse) -> None:
    """What SQLite does for a day, or for the status, does not grow with the years before it."""
    begins = NOW - timedelta(days=3650)
    moments = [format_instant(begins + n * 4 * HOUR) for n in range(6 * 3650)]
    with memory.writing() as db:
        insert = "INSERT INTO journal (at, command, outcome) VALUES (?, 'reconcile', 'changed')"
        db.executemany(insert, [(at,) for at in moments])
        insert = """
            INSERT INTO dispatches (kind, device, start, end, fetched_at, first_seen_at)
            VALUES ('planned', 'car', ?, ?, ?, ?)
        """
        db.executemany(insert, [(at, after, at, at) for at, after in pairwise(moments)])
    steps: list[None] = []
    session = CliContext(str(memory.config), verbose=False, now=NOW)
    with closing(session.open_app(read_only=True)) as app:
        app.read_only_db.set_progress_handler(lambda: steps.append(None), 1000)
        found = load_history(app, NOW - timedelta(days=1), NOW)
        load_snapshot(app)

    assert len(found) == 11
    assert len(steps) < 20


def test_years_are_told_where_they_differ(memory: StoredHouse) -> None:
    with memory.writing() as db:
        store_journal_entry(db, "reconcile", "changed", at=NOW - timedelta(days=400))

    assert memory.run("history", "--since", "2025-01-01").stdout.startswith("Tue 04 Nov 2025 13:06  ")


def test_the_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_cli(["history", "--help"]) == 0
    assert "reconcile|fetch-dispatches|midnight-reset|send-invites" in capsys.readouterr().out.replace("\n", "")

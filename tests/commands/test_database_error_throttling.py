"""A refusal that the database cannot remember is told at once, and then once an hour: not in a mail a minute."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from stored_house import CONFIG_TEXT, NOW, StoredHouse, make_stored_house

MINUTE = timedelta(minutes=1)


@pytest.fixture
def memory(tmp_path: Path) -> StoredHouse:
    return make_stored_house(tmp_path)


def misspelt(memory: StoredHouse) -> None:
    memory.configure(f"{CONFIG_TEXT}control: {{default_reserv_pct: 20}}\n")


def newer(memory: StoredHouse) -> None:
    with closing(sqlite3.connect(memory.database)) as db, db:
        db.execute("PRAGMA user_version = 999")


def tick(memory: StoredHouse, at: datetime, command: str = "tick") -> str:
    """What a run says, which is refused."""
    outcome = memory.run(command, at=at)
    assert (outcome.exit_code, outcome.stdout) == (4, "")
    return outcome.stderr


REFUSED = {"a configuration": (misspelt, "default_reserve_pct"), "a database": (newer, "newer smartcharge")}
CASES = pytest.mark.parametrize(("spoil", "words"), REFUSED.values(), ids=REFUSED)


@CASES
def test_it_is_told_at_once_and_then_once_an_hour(memory: StoredHouse, spoil: object, words: str) -> None:
    assert callable(spoil)
    spoil(memory)

    said = {n: tick(memory, NOW + n * MINUTE) for n in (0, 1, 2, 59, 60, 61, 119, 120, 121)}

    assert [n for n, line in said.items() if line] == [0, 60, 120]
    assert all(words in line and line.count("\n") == 1 for line in said.values() if line)


@CASES
def test_every_line_of_a_crontab_tells_it_for_itself(memory: StoredHouse, spoil: object, words: str) -> None:
    assert callable(spoil)
    spoil(memory)

    assert words in tick(memory, NOW, "reconcile")
    assert words in tick(memory, NOW, "send-invites")


def test_a_configuration_that_was_changed_and_is_still_wrong_is_told_at_once(memory: StoredHouse) -> None:
    misspelt(memory)
    tick(memory, NOW)
    misspelt(memory)

    assert "default_reserve_pct" in tick(memory, NOW + MINUTE)


@pytest.mark.parametrize("arguments", [("-v", "tick"), ("tick", "--dry-run"), ("pause",), ("status",)])
def test_whoever_asks_hears_it_each_time(memory: StoredHouse, arguments: tuple[str, ...]) -> None:
    misspelt(memory)

    assert all("default_reserve_pct" in memory.run(*arguments).stderr for _ in range(2))


@CASES
def test_where_it_cannot_be_noted_it_is_told_each_time(memory: StoredHouse, spoil: object, words: str) -> None:
    assert callable(spoil)
    spoil(memory)
    (memory.folder / ".config.yaml.told").mkdir()

    assert all(words in tick(memory, NOW + n * MINUTE) for n in range(3))


def test_the_note_holds_no_word_of_it_and_is_nobody_else_s(memory: StoredHouse) -> None:
    misspelt(memory)
    tick(memory, NOW)

    note = memory.folder / ".config.yaml.told"
    assert note.stat().st_mode & 0o777 == 0o600
    assert "reserv" not in note.read_text()


@pytest.mark.parametrize("broken", ["", "a b c", "mark yesterday", "mark 2026-12-09T13:06:02"])
def test_a_note_that_cannot_be_read_says_nothing(memory: StoredHouse, broken: str) -> None:
    misspelt(memory)
    (memory.folder / ".config.yaml.told").write_text(broken)

    assert tick(memory, NOW)
    assert not tick(memory, NOW + MINUTE)

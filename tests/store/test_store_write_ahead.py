"""A database that another program has open in write-ahead mode: runs go on, and set the mode right when they can."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import at

from smartcharge.idle import database_change_count
from smartcharge.store.database import open_store, transaction
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_journal

OTHER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode = WAL")
db.execute("SELECT COUNT(*) FROM holds").fetchall()
print("open", flush=True)
sys.stdin.readline()
"""
OURS = """
import sys
from pathlib import Path
from smartcharge.store.database import open_store
print(open_store(Path(sys.argv[1])).execute("PRAGMA journal_mode").fetchone()[0])
"""


@pytest.fixture
def other(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A program that has our database open, in a mode of its own."""
    open_store(path).close()
    command = [sys.executable, "-c", OTHER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process


@pytest.mark.usefixtures("other")
def test_what_is_written_meanwhile_is_kept(path: Path) -> None:
    with closing(open_store(path)) as db, transaction(db):
        append_journal(db, at=at("13:05"), command="tick", outcome=Event.REMARKED)

    with closing(open_store(path, read_only=True)) as db:
        assert [row.outcome for row in load_journal(db)] == [Event.REMARKED]


@pytest.mark.usefixtures("other")
def test_an_idle_minute_is_not_recognised_by_a_header_that_does_not_count(path: Path) -> None:
    with pytest.raises(OSError, match="write-ahead mode"):
        database_change_count(str(path))


def test_when_it_is_closed_the_next_run_sets_the_mode_right(path: Path, other: "subprocess.Popen[str]") -> None:
    assert other.stdin is not None
    other.stdin.close()
    other.wait()

    run = subprocess.run([sys.executable, "-c", OURS, str(path)], capture_output=True, text=True, check=True)

    assert run.stdout == "delete\n"
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert database_change_count(str(path)) > 0

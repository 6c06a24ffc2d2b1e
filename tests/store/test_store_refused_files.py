"""A file that cannot be our memory is refused with its name and the mend, and left as it was."""

import errno
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import files_on_disk, query_tuples

from smartcharge.errors import StoreError
from smartcharge.store.database import open_store, transaction


def run(*statements: str) -> Callable[[Path], None]:
    """Make a database by statements."""

    def make(path: Path) -> None:
        with closing(sqlite3.connect(path)) as db:
            for statement in statements:
                db.execute(statement)
            db.commit()

    return make


def newer(path: Path) -> None:
    open_store(path).close()
    run("PRAGMA user_version = 999")(path)


def scribbled_over(path: Path) -> None:
    open_store(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 4000)


REFUSED = {
    "a text file": (lambda path: path.write_text("dispatches\n" * 100), "is not an SQLite database"),
    "another program's database": (
        run("PRAGMA application_id = 7", "CREATE TABLE a (b)"),
        "belongs to another program",
    ),
    "an unknown table": (run("CREATE TABLE readings (start, end)"), "belongs to another program"),
    "dispatches of another kind": (run("CREATE TABLE dispatches (parcel)"), "belongs to another program"),
    "an unknown version": (run("PRAGMA user_version = 3"), "belongs to another program"),
    "a newer smartcharge's database": (newer, "made by a newer smartcharge. To fix: upgrade"),
    "a damaged first page": (scribbled_over, "is damaged"),
}


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED)
def test_it_is_refused_and_left_alone(path: Path, make: Callable[[Path], None], words: str, *, read_only: bool) -> None:
    make(path)
    before = files_on_disk(path.parent)

    with pytest.raises(StoreError, match=words) as caught:
        open_store(path, read_only=read_only)

    assert str(path) in str(caught.value)
    assert caught.value.fix
    assert caught.value.exit_code == 4
    assert files_on_disk(path.parent) == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_folder_is_refused(tmp_path: Path, *, read_only: bool) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        open_store(tmp_path, read_only=read_only)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    with pytest.raises(StoreError, match=f"cannot be opened: {os.strerror(errno.ENOTDIR)}"):
        open_store(tmp_path / "data" / "deeper" / "smartcharge.db")


def test_damage_found_while_reading_on_is_told_as_damage(path: Path) -> None:
    with closing(open_store(path)) as db:
        for _ in range(400):
            db.execute(
                "INSERT INTO journal (at, command, outcome) VALUES ('2026-11-22T13:05:00Z', 'tick', hex(zeroblob(99)))"
            )
    with path.open("r+b") as file:
        file.seek(-10 * 4096, os.SEEK_END)
        file.write(b"\xff" * 10 * 4096)

    with closing(open_store(path)) as db:
        rows = db.execute("SELECT * FROM journal ORDER BY id")
        with pytest.raises(StoreError, match="is damaged"):
            rows.fetchall()


def test_a_full_disk_is_told_and_the_transaction_undone(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA max_page_count = 1")  # the limit sinks to what the file has now

    def fill() -> None:
        with transaction(db):
            for _ in range(1000):
                db.execute("INSERT INTO alerts VALUES (hex(randomblob(200)), 'full', '2026-11-22T13:05:00Z', 1, NULL)")

    with pytest.raises(StoreError, match="the disk is full"):
        fill()
    assert query_tuples(db, "SELECT COUNT(*) FROM alerts") == [(0,)]


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that a user without rights can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def opened_by_somebody_else(path: Path, *, read_only: bool = False) -> str:
    """What a user without rights is told."""
    code = """
import os
import sys
import urllib.parse  # newer versions of pathlib load it late, when nobody may no longer read it
from pathlib import Path
from smartcharge.store import migrations
from smartcharge.store.database import open_store
from smartcharge.errors import StoreError
if os.getuid() == 0:
    os.setuid(65534)  # nobody
try:
    open_store(Path(sys.argv[1]), read_only=bool(sys.argv[2]))
except StoreError as refused:
    print(refused)
else:
    print("opened")
"""
    return subprocess.run(
        [sys.executable, "-c", code, path, "yes" if read_only else ""], check=True, capture_output=True, text=True
    ).stdout


def test_a_database_that_may_only_be_read_is_refused_for_writing_and_opened_for_reading(anybodys: Path) -> None:
    path = anybodys / "smartcharge.db"
    open_store(path).close()
    path.chmod(0o444)
    anybodys.chmod(0o555)

    assert "cannot be written. To fix: run smartcharge as the user who owns this file" in opened_by_somebody_else(path)
    assert opened_by_somebody_else(path, read_only=True) == "opened\n"
    anybodys.chmod(0o755)


def test_a_folder_without_the_right_to_write_cannot_hold_the_journal(anybodys: Path) -> None:
    path = anybodys / "smartcharge.db"
    open_store(path).close()
    path.chmod(0o666)
    anybodys.chmod(0o555)

    assert "cannot be written" in opened_by_somebody_else(path)
    anybodys.chmod(0o755)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_database_that_may_not_be_read_is_refused(anybodys: Path, *, read_only: bool) -> None:
    path = anybodys / "smartcharge.db"
    open_store(path).close()
    path.chmod(0o000)

    assert f"the database {path} cannot be" in opened_by_somebody_else(path, read_only=read_only)


@pytest.mark.skipif(os.getuid() != 0, reason="needs somebody else's folder")
def test_a_folder_that_may_not_be_entered_is_refused(anybodys: Path) -> None:
    path = anybodys / "private" / "smartcharge.db"
    open_store(path).close()

    assert f"cannot be opened: {os.strerror(errno.EACCES)}" in opened_by_somebody_else(path)

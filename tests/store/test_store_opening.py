"""Opening the database: what is made, what is written, and above all what is not."""

import fcntl
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from store_helpers import POLICY, at, files_on_disk, make_legacy_database, query_tuples

from smartcharge.errors import LockBusyError, StoreError
from smartcharge.policy.model import Hold, Reason
from smartcharge.store.control import load_open_hold, load_state, set_hold
from smartcharge.store.database import is_on_disk, open_store, transaction
from smartcharge.store.schema import APPLICATION_ID, SCHEMA_VERSION

ROW: dict[str, object] = {
    "start": "2026-11-22T13:30:00Z",
    "end": "2026-11-22T14:30:00Z",
    "fetched_at": "2026-11-22T13:00:00Z",
}


def test_a_new_database_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "data" / "smartcharge.db"

    open_store(path).close()

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["smartcharge.db"]


def test_a_new_database_carries_our_stamp(db: sqlite3.Connection) -> None:
    assert query_tuples(db, "SELECT * FROM pragma_application_id, pragma_user_version") == [
        (APPLICATION_ID, SCHEMA_VERSION)
    ]


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "delete"), ("synchronous", 2), ("busy_timeout", 10_000), ("foreign_keys", 1)]
)
def test_every_connection_is_set_up_to_survive_a_power_cut(db: sqlite3.Connection, pragma: str, value: object) -> None:
    assert query_tuples(db, f"PRAGMA {pragma}") == [(value,)]


def test_opening_again_writes_nothing(path: Path) -> None:
    open_store(path).close()
    before = files_on_disk(path.parent)

    open_store(path).close()

    assert files_on_disk(path.parent) == before


def test_a_database_left_in_write_ahead_mode_is_brought_back_to_one_file(path: Path) -> None:
    open_store(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")

    with closing(open_store(path)) as db:
        assert query_tuples(db, "PRAGMA journal_mode") == [("delete",)]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_path_may_hold_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "100% häuslich?mode=ro#1.db"

    open_store(path).close()

    with closing(open_store(path, read_only=True)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM holds") == [(0,)]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_missing_database_reads_as_an_empty_one_and_stays_missing(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "data" / "smartcharge.db", read_only=True)) as db:
        seen = load_state(db, at("13:05"), POLICY)

    assert (seen.windows, seen.hold) == ((), None)
    assert list(tmp_path.iterdir()) == []


def test_only_the_file_itself_is_lasting(path: Path) -> None:
    with closing(open_store(path, read_only=True)) as stand_in, closing(open_store(path)) as db:
        assert not is_on_disk(stand_in)
        assert is_on_disk(db)
    with closing(open_store(path, read_only=True)) as db:
        assert is_on_disk(db)


def test_an_old_database_is_read_through_a_copy_in_memory(path: Path) -> None:
    make_legacy_database(path, "the running form", [ROW])
    before = files_on_disk(path.parent)

    with closing(open_store(path, read_only=True)) as db:
        assert query_tuples(db, "SELECT start, end FROM dispatches") == [(ROW["start"], ROW["end"])]
        with pytest.raises(StoreError):
            db.execute("DELETE FROM dispatches")
    assert files_on_disk(path.parent) == before


def test_reading_opens_the_file_without_the_right_to_write(path: Path) -> None:
    open_store(path).close()

    with closing(open_store(path, read_only=True)) as db:
        handles = [int(link.name) for link in Path("/proc/self/fd").iterdir() if link.resolve() == path]
        assert [fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_ACCMODE for handle in handles] == [os.O_RDONLY]
        with pytest.raises(StoreError, match="cannot be written"):
            set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))


@pytest.mark.parametrize("read_only", [True, False])
def test_loading_a_situation_writes_nothing(path: Path, *, read_only: bool) -> None:
    with closing(open_store(path)) as db:
        set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))
    before = files_on_disk(path.parent)

    with closing(open_store(path, read_only=read_only)) as db:
        load_state(db, at("13:06"), POLICY)
        assert db.total_changes == 0
    assert files_on_disk(path.parent) == before


def test_opening_an_up_to_date_database_imports_nothing_heavy(path: Path) -> None:
    open_store(path).close()
    code = """
import sys
from pathlib import Path
from smartcharge.store import journal, control
from smartcharge.store.database import open_store
open_store(Path(sys.argv[1])).close()
print({"sqlite_utils", "smartcharge.store.migrations"} & set(sys.modules))
"""

    seen = subprocess.run([sys.executable, "-c", code, path], check=True, capture_output=True, text=True)

    assert seen.stdout == "set()\n"


def test_half_a_transaction_left_by_a_crash_is_undone_before_reading(path: Path) -> None:
    open_store(path).close()
    code = """
import os, signal, sys
from pathlib import Path
from smartcharge.store.database import open_store
db = open_store(Path(sys.argv[1]))
db.execute("PRAGMA cache_size = 2")  # so that half of it reaches the file
db.execute("BEGIN IMMEDIATE")
for n in range(2000):
    db.execute("INSERT INTO journal (at, command, outcome) VALUES ('2026-11-22T13:05:00Z', 'tick', ?)", ("x" * 99,))
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert path.with_name("smartcharge.db-journal").stat().st_size > 0

    with closing(open_store(path, read_only=True)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM journal") == [(0,)]
        assert query_tuples(db, "PRAGMA integrity_check") == [("ok",)]
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_transaction_is_kept_as_a_whole_or_not_at_all(db: sqlite3.Connection) -> None:
    def half_of_it() -> None:
        with transaction(db):
            set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half_of_it()
    assert load_open_hold(db) is None
    assert not db.in_transaction


def test_a_transaction_inside_another_ends_with_the_outer_one(db: sqlite3.Connection) -> None:
    with transaction(db):
        with transaction(db):
            set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))
        assert db.in_transaction
    assert not db.in_transaction


def test_a_transaction_without_changes_writes_nothing(db: sqlite3.Connection, path: Path) -> None:
    before = files_on_disk(path.parent)

    with transaction(db):
        set_hold(db, None, Reason.NOTHING_TO_HOLD, at("13:05"))
        assert files_on_disk(path.parent) == before

    assert files_on_disk(path.parent) == before


def test_a_database_that_another_run_is_writing_is_busy(db: sqlite3.Connection, path: Path) -> None:
    db.execute("PRAGMA busy_timeout = 0")
    with (
        closing(open_store(path)) as other,
        transaction(other),
        pytest.raises(LockBusyError, match="another run"),
        transaction(db),
    ):
        pass
    assert not db.in_transaction

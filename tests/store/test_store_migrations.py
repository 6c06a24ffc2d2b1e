"""Every database there ever was is brought to the present in place: all of it or none, by one process at a time."""

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database
from store_helpers import LEGACY_SCHEMAS, files_on_disk, insert_legacy_rows, make_legacy_database, query_tuples

from smartcharge.errors import StoreError
from smartcharge.store.database import open_store, transaction
from smartcharge.store.migrations import MIGRATIONS, apply_migrations
from smartcharge.store.schema import APPLICATION_ID, SCHEMA_VERSION

ROWS = [
    {"start": "2026-11-20T13:30:00+00:00", "end": "2026-11-20T14:30:00+00:00", "delta_kwh": -7.5, "type": "SMART_FLEX",
     "source": "smart-charge", "location": "AT_HOME", "fetched_at": "2026-11-20T14:29:01.123456+00:00"},
    {"start": "2026-11-21T13:30:00Z", "end": "2026-11-21T14:00:00Z", "delta_kwh": -3.5, "type": None,
     "source": None, "location": None, "fetched_at": "2026-11-21T14:05:00+00:00"},
]  # fmt: skip
SCHEMA = """
    SELECT type, name, sql FROM sqlite_schema
    WHERE tbl_name NOT LIKE 'legacy%' AND name <> 'sqlite_sequence' ORDER BY type, name
"""


def stopped_before(path: Path, step: str) -> None:
    """Leave a database as the version before `step` made it."""
    if step == steps()[0]:
        return
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        MIGRATIONS.apply(Database(db), stop_before=step)


def steps() -> list[str]:
    """The names of all steps."""
    with closing(sqlite3.connect(":memory:")) as db:
        return [step.name for step in MIGRATIONS.pending(Database(db))]


def test_the_version_counts_the_steps() -> None:
    assert [name[:5] for name in steps()] == [f"m{n:03}_" for n in range(1, SCHEMA_VERSION + 1)]


@pytest.mark.parametrize("step", steps())
@pytest.mark.parametrize("form", [None, *LEGACY_SCHEMAS])
def test_every_version_of_every_form_comes_to_the_same_present(path: Path, form: str | None, step: str) -> None:
    if form is not None:
        make_legacy_database(path, form, ROWS)
    stopped_before(path, step)

    with closing(open_store(path)) as db, closing(open_store(Path(f"{path}.new"))) as new:
        assert query_tuples(db, SCHEMA) == query_tuples(new, SCHEMA)
        assert query_tuples(db, "SELECT * FROM pragma_application_id, pragma_user_version") == [
            (APPLICATION_ID, SCHEMA_VERSION)
        ]
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(0 if form is None else len(ROWS),)]
        assert query_tuples(db, "PRAGMA foreign_key_check") == []
        assert query_tuples(db, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("form", LEGACY_SCHEMAS)
def test_the_old_rows_stay_as_they_were_beside_the_new(path: Path, form: str) -> None:
    make_legacy_database(path, form, ROWS)
    with closing(sqlite3.connect(path)) as old:
        before = query_tuples(old, "SELECT * FROM dispatches")

    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT * FROM legacy_dispatches") == before


def test_a_database_caught_while_it_was_widened_keeps_both_halves(path: Path) -> None:
    make_legacy_database(path, "the running form", ROWS[:1])
    with closing(sqlite3.connect(path)) as old:
        old.execute(f"{LEGACY_SCHEMAS['the running form'].split(';')[0].replace('dispatches', 'dispatches_new')}")
        insert_legacy_rows(old, "dispatches_new", ROWS)

    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(2,)]
        assert query_tuples(db, "SELECT COUNT(*) FROM legacy_dispatches") == [(1,)]
        assert query_tuples(db, "SELECT COUNT(*) FROM legacy_dispatches_new") == [(2,)]


def test_a_table_of_the_owners_own_survives(path: Path) -> None:
    make_legacy_database(path, "the documented form", ROWS)
    with closing(sqlite3.connect(path)) as old:
        old.executescript("CREATE TABLE my_notes (note); INSERT INTO my_notes VALUES ('meter read')")

    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT note FROM my_notes") == [("meter read",)]


def test_whose_memory_it_is_survives_while_what_was_foreseen_does_not(path: Path) -> None:
    stopped_before(path, "m006_foreseen")
    with closing(sqlite3.connect(path)) as old, old:
        old.execute("INSERT INTO fetches (device, watched) VALUES ('gone', 0), ('car', 1)")
        old.execute("INSERT INTO quiet VALUES (1, 'whose', '2026-11-22T13:00:00Z', 'a', 'b', 'c', 'd', 'e')")

    with closing(open_store(path)) as db:
        rows = query_tuples(db, "SELECT device, forecast FROM fetches ORDER BY device")
        assert rows == [("car", "2026-11-22T13:00:00Z - - - - - whose"), ("gone", None)]


def test_a_failing_step_leaves_the_database_as_it_was(path: Path) -> None:
    make_legacy_database(path, "the documented form", ROWS)
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE episodes (in_the_way)")
    before = files_on_disk(path.parent)

    with pytest.raises(StoreError, match="episodes"):
        open_store(path)

    assert {name: content for name, (_, content) in files_on_disk(path.parent).items()} == {
        name: content for name, (_, content) in before.items()
    }


def test_a_step_that_fails_takes_back_only_itself_and_can_be_tried_again(path: Path) -> None:
    make_legacy_database(path, "the documented form", ROWS)
    stopped_before(path, "m002_legacy_dispatches")
    with closing(sqlite3.connect(path)) as old:
        old.executescript("CREATE TRIGGER no BEFORE INSERT ON journal BEGIN SELECT RAISE (ABORT, 'not today'); END")
    with pytest.raises(StoreError, match="not today"):
        open_store(path)
    with closing(sqlite3.connect(path)) as old:
        assert query_tuples(old, "PRAGMA user_version") == [(1,)]
        assert query_tuples(old, "SELECT COUNT(*) FROM dispatches") == [(0,)]
        old.execute("DROP TRIGGER no")

    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(2,)]


KILLED_AT = [
    "BEGIN IMMEDIATE",
    'CREATE TABLE "_sqlite_migrations"',
    "ALTER TABLE dispatches",
    "CREATE TABLE holds",
    "PRAGMA user_version = 1",
    "INSERT INTO dispatches",
    "PRAGMA user_version = 2",
    "COMMIT",
]


@pytest.mark.parametrize("statement", KILLED_AT)
def test_a_process_killed_in_the_middle_leaves_the_old_database_or_the_new(path: Path, statement: str) -> None:
    make_legacy_database(path, "the running form", ROWS)
    code = """
import os, signal, sys
from pathlib import Path
from smartcharge.errors import StoreError
from smartcharge.store.database import open_store

def kill(sql):
    if sql.strip().startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

opened = []

def watch(event, args):
    if event == "sqlite3.connect/handle":
        opened.append(args[0])
    elif opened and event == "import" and args[0] == "smartcharge.store.migrations":
        opened[0].set_trace_callback(kill)
        opened[0].execute("PRAGMA cache_size = 1")  # what is changed reaches the file early

sys.addaudithook(watch)
open_store(Path(sys.argv[1]))
"""
    child = subprocess.run([sys.executable, "-c", code, path, statement], check=False, capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr

    with closing(open_store(path, read_only=True)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(2,)]
    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM dispatches") == [(2,)]
        assert query_tuples(db, "SELECT COUNT(*) FROM legacy_dispatches") == [(2,)]
        assert query_tuples(db, "SELECT COUNT(*) FROM _sqlite_migrations") == [(SCHEMA_VERSION,)]
        assert query_tuples(db, "PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("form", [None, "the first form"])
def test_several_processes_may_open_an_old_or_missing_database_at_once(path: Path, form: str | None) -> None:
    if form is not None:
        make_legacy_database(path, form, ROWS)
    code = """
import sys
from pathlib import Path
from smartcharge.store import migrations
from smartcharge.errors import StoreError
from smartcharge.store.database import open_store
print("ready", flush=True)
input()
db = open_store(Path(sys.argv[1]))
print(db.execute("SELECT COUNT(*) FROM dispatches").fetchone()[0], db.execute("PRAGMA user_version").fetchone()[0])
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    told = [child.communicate(timeout=120) for child in children]

    assert told == [(f"{0 if form is None else 2} {SCHEMA_VERSION}\n", "")] * len(children)
    with closing(open_store(path)) as db:
        assert query_tuples(db, "SELECT COUNT(*) FROM _sqlite_migrations") == [(SCHEMA_VERSION,)]


def test_whoever_waited_for_another_process_finds_nothing_left_to_do(path: Path) -> None:
    make_legacy_database(path, "the running form", ROWS)

    with closing(open_store(path)) as db, transaction(db):
        changes = db.total_changes
        apply_migrations(db)
        assert db.total_changes == changes

"""The numbered steps that bring an empty or older database to the present; imported only where steps are missing."""

import sqlite3

from sqlite_utils import Database, Migrations

from smartcharge.store import legacy
from smartcharge.store.schema import APPLICATION_ID, FORESEEN, INVITES, LEASE, LEDGER_AND_QUIET, OLD_TABLES, TABLES

STEPS = Migrations("smartcharge")


@STEPS()
def m001_tables(db: Database) -> None:
    """Put what an older installation kept out of the way, and make every table."""
    for table in OLD_TABLES:
        if db.table(table).exists():
            db.execute(f"ALTER TABLE {table} RENAME TO {legacy.PREFIX}{table}")
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 1")


@STEPS()
def m002_legacy_dispatches(db: Database) -> None:
    """Take an older installation's dispatches over as history; its own tables stay as they were."""
    tables = [name for table in OLD_TABLES if db.table(name := f"{legacy.PREFIX}{table}").exists()]
    if tables:
        legacy.take_over(db.conn, tables)
    db.execute("PRAGMA user_version = 2")


@STEPS()
def m003_invites(db: Database) -> None:
    """Make room for the calendar's events, and for what became of an attempt to post."""
    for statement in INVITES:
        db.execute(statement)
    db.execute("PRAGMA user_version = 3")


@STEPS()
def m004_ledger_and_quiet(db: Database) -> None:
    """Make room for what the ledger and the metrics count, and for how long there is nothing to do."""
    for statement in LEDGER_AND_QUIET:
        db.execute(statement)
    db.execute("PRAGMA user_version = 4")


@STEPS()
def m005_lease(db: Database) -> None:
    """Make room for how long a gateway has been asked to hold by itself."""
    for statement in LEASE:
        db.execute(statement)
    db.execute("PRAGMA user_version = 5")


@STEPS()
def m006_foreseen(db: Database) -> None:
    """Keep what was foreseen with an answer beside the answer: a row, and so a page, less in every fetch."""
    for statement in FORESEEN:
        db.execute(statement)
    db.execute("PRAGMA user_version = 6")


def apply(db: sqlite3.Connection) -> None:
    """Take the missing steps, inside the caller's transaction."""
    STEPS.apply(Database(db, recursive_triggers=False, execute_plugins=False))

"""Requests are counted where they are made, and travel with transactions that are written anyway."""

import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from memory_case import NOW
from prometheus_client.parser import text_string_to_metric_families
from town_case import Town

from smartcharge.quiet import change_count
from smartcharge.store import dispatches, fetches, open_store, services, transaction
from smartcharge.store.border import Connection


def told(town: Town, clock: str) -> dict[str, int]:
    """What the metrics say."""
    families = text_string_to_metric_families(town.run(clock, "metrics").stdout)
    samples = (sample for family in families if family.name == "smartcharge_requests" for sample in family.samples)
    return {sample.labels["service"]: int(sample.value) for sample in samples}


def arrived(town: Town) -> dict[str, int]:
    """What the street has seen; one mail is one attempt."""
    seen = Counter(each.service.removesuffix("-auth") for each in town.street.requests)
    mails = sum(each.operation == "AUTH" for each in town.street.requests)
    return {"kraken": seen["kraken"], "zappi": seen["myenergi"], "tesla": seen["tesla"], "mail": mails}


def test_the_counters_equal_what_the_street_has_seen(town: Town) -> None:
    """Sign-in, plan, hold, mail and release; then a short outage of everybody."""
    town.plan("13:00-14:00")
    for clock in ("12:00", "12:01", "12:03"):
        town.run(clock, "tick")
    town.drive(7200)
    for clock in ("13:02", "13:04"):
        town.run(clock, "tick")
    town.run("13:05", "doctor")  # what only looks is not written down
    seen_by_the_doctor = Counter(arrived(town)) - Counter(told(town, "13:05"))
    town.drive(0)
    town.run("13:29", "tick")
    with town.street.fault("kraken", "http-503"), town.street.fault("myenergi", "drop"):
        town.run("13:35", "tick")
    with town.street.fault("tesla", "http-503"):
        town.drive(7200)
        town.run("13:40", "tick")

    counted = Counter(told(town, "13:41"))

    assert counted + seen_by_the_doctor == Counter(arrived(town))
    assert all(counted[service] > 0 for service in ("kraken", "zappi", "tesla", "mail"))
    assert seen_by_the_doctor["tesla"] > 0


def test_an_answer_that_changes_nothing_writes_one_row(town: Town) -> None:
    town.plan("13:00-14:00")
    town.run("12:00", "tick")
    town.run("12:03", "tick")
    pages, rows = on_disk(town)
    asked = arrived(town)["kraken"]

    town.run("12:06", "tick")

    later_pages, later_rows = on_disk(town)
    assert arrived(town)["kraken"] == asked + 1
    assert [old.split()[:3] for old in rows - later_rows] == [["INSERT", "INTO", '"fetches"']]
    assert len(rows - later_rows) == len(later_rows - rows) == 1
    assert sum(old != new for old, new in zip(pages, later_pages, strict=True)) == 2  # with the file's header


def on_disk(town: Town) -> tuple[list[bytes], set[str]]:
    """The pages of the database, and its rows."""
    content = (town.folder / "smartcharge.db").read_bytes()
    with closing(sqlite3.connect(town.folder / "smartcharge.db")) as db:
        return [content[at : at + 4096] for at in range(0, len(content), 4096)], set(db.iterdump())


@pytest.fixture
def db(tmp_path: Path) -> Connection:
    return open_store(tmp_path / "smartcharge.db")


def counting(db: Connection, sent: Counter[str]) -> None:
    db.before_commit = partial(services.add_requests, db, sent)


def test_a_transaction_that_changes_anything_takes_them_along(db: Connection) -> None:
    sent = Counter(kraken=3, tesla=1)
    with closing(db):
        counting(db, sent)
        with transaction(db), transaction(db):
            fetches.record_answer(db, "car", NOW, ok=True)
        sent["kraken"] += 2
        with transaction(db):
            fetches.record_answer(db, "car", NOW, ok=True)

        assert [services.service(db, name).requests for name in ("kraken", "tesla", "zappi")] == [5, 1, 0]
        assert not sent


def test_a_transaction_that_changes_nothing_leaves_them(db: Connection) -> None:
    sent = Counter(kraken=3)
    with closing(db):
        counting(db, sent)
        changes = db.total_changes
        with transaction(db):
            dispatches.record_completed(db, [], NOW)

        assert (db.total_changes, sent["kraken"]) == (changes, 3)


def test_a_transaction_that_fails_keeps_no_count(db: Connection) -> None:
    with closing(db):
        counting(db, Counter(kraken=3))
        with pytest.raises(ZeroDivisionError):
            _fail_in_mid_write(db)

        assert services.service(db, "kraken").requests == 0


def _fail_in_mid_write(db: Connection) -> None:
    with transaction(db):
        fetches.record_answer(db, "car", NOW, ok=True)
        raise ZeroDivisionError


def test_an_unchanged_answer_is_written_and_counted_in_one_transaction(town: Town) -> None:
    town.run("12:00", "tick")
    town.run("12:03", "tick")
    path, before = str(town.folder / "smartcharge.db"), told(town, "12:05")
    transactions = change_count(path)

    town.run("12:06", "tick")

    assert change_count(path) == transactions + 1
    assert told(town, "12:06") == {**before, "kraken": before["kraken"] + 1}

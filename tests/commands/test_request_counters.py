"""Requests are counted where they are made, and travel with transactions that are written anyway."""

import sqlite3
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from simulation import Simulation
from stored_house import NOW

from smartcharge.idle import database_change_count
from smartcharge.store.database import StoreConnection, open_store, transaction
from smartcharge.store.devices import record_plan_fetch
from smartcharge.store.dispatches import record_completed_dispatches
from smartcharge.store.services import add_request_counts, load_service


def told(simulation: Simulation, clock: str) -> dict[str, int]:
    """What the metrics say."""
    families = text_string_to_metric_families(simulation.run(clock, "metrics").stdout)
    samples = (sample for family in families if family.name == "smartcharge_requests" for sample in family.samples)
    return {sample.labels["service"]: int(sample.value) for sample in samples}


def arrived(simulation: Simulation) -> dict[str, int]:
    """What the street has seen; one mail is one attempt."""
    seen = Counter(each.service.removesuffix("-auth") for each in simulation.simulator.requests)
    mails = sum(each.operation == "AUTH" for each in simulation.simulator.requests)
    return {"kraken": seen["kraken"], "zappi": seen["myenergi"], "tesla": seen["tesla"], "mail": mails}


def test_the_counters_equal_what_the_street_has_seen(simulation: Simulation) -> None:
    """Sign-in, plan, hold, mail and release; then a short outage of everybody."""
    simulation.plan("13:00-14:00")
    for clock in ("12:00", "12:01", "12:03"):
        simulation.run(clock, "tick")
    simulation.drive(7200)
    for clock in ("13:02", "13:04"):
        simulation.run(clock, "tick")
    simulation.run("13:05", "doctor")  # what only looks is not written down
    seen_by_the_doctor = Counter(arrived(simulation)) - Counter(told(simulation, "13:05"))
    simulation.drive(0)
    simulation.run("13:29", "tick")
    with simulation.simulator.fault("kraken", "http-503"), simulation.simulator.fault("myenergi", "drop"):
        simulation.run("13:35", "tick")
    with simulation.simulator.fault("tesla", "http-503"):
        simulation.drive(7200)
        simulation.run("13:40", "tick")

    counted = Counter(told(simulation, "13:41"))

    assert counted + seen_by_the_doctor == Counter(arrived(simulation))
    assert all(counted[service] > 0 for service in ("kraken", "zappi", "tesla", "mail"))
    assert seen_by_the_doctor["tesla"] > 0


def test_an_answer_that_changes_nothing_writes_one_row(simulation: Simulation) -> None:
    simulation.plan("13:00-14:00")
    simulation.run("12:00", "tick")
    simulation.run("12:03", "tick")
    pages, rows = on_disk(simulation)
    asked = arrived(simulation)["kraken"]

    simulation.run("12:06", "tick")

    later_pages, later_rows = on_disk(simulation)
    assert arrived(simulation)["kraken"] == asked + 1
    assert [old.split()[:3] for old in rows - later_rows] == [["INSERT", "INTO", '"fetches"']]
    assert len(rows - later_rows) == len(later_rows - rows) == 1
    assert sum(old != new for old, new in zip(pages, later_pages, strict=True)) == 2  # with the file's header


def on_disk(simulation: Simulation) -> tuple[list[bytes], set[str]]:
    """The pages of the database, and its rows."""
    content = (simulation.folder / "smartcharge.db").read_bytes()
    with closing(sqlite3.connect(simulation.folder / "smartcharge.db")) as db:
        return [content[at : at + 4096] for at in range(0, len(content), 4096)], set(db.iterdump())


@pytest.fixture
def db(tmp_path: Path) -> StoreConnection:
    return open_store(tmp_path / "smartcharge.db")


def counting(db: StoreConnection, sent: Counter[str]) -> None:
    db.before_commit = partial(add_request_counts, db, sent)


def test_a_transaction_that_changes_anything_takes_them_along(db: StoreConnection) -> None:
    sent = Counter(kraken=3, tesla=1)
    with closing(db):
        counting(db, sent)
        with transaction(db), transaction(db):
            record_plan_fetch(db, "car", NOW, ok=True)
        sent["kraken"] += 2
        with transaction(db):
            record_plan_fetch(db, "car", NOW, ok=True)

        assert [load_service(db, name).requests for name in ("kraken", "tesla", "zappi")] == [5, 1, 0]
        assert not sent


def test_a_transaction_that_changes_nothing_leaves_them(db: StoreConnection) -> None:
    sent = Counter(kraken=3)
    with closing(db):
        counting(db, sent)
        changes = db.total_changes
        with transaction(db):
            record_completed_dispatches(db, [], NOW)

        assert (db.total_changes, sent["kraken"]) == (changes, 3)


def test_a_transaction_that_fails_keeps_no_count(db: StoreConnection) -> None:
    with closing(db):
        counting(db, Counter(kraken=3))
        with pytest.raises(ZeroDivisionError):
            _fail_in_mid_write(db)

        assert load_service(db, "kraken").requests == 0


def _fail_in_mid_write(db: StoreConnection) -> None:
    with transaction(db):
        record_plan_fetch(db, "car", NOW, ok=True)
        raise ZeroDivisionError


def test_an_unchanged_answer_is_written_and_counted_in_one_transaction(simulation: Simulation) -> None:
    simulation.run("12:00", "tick")
    simulation.run("12:03", "tick")
    path, before = str(simulation.folder / "smartcharge.db"), told(simulation, "12:05")
    transactions = database_change_count(path)

    simulation.run("12:06", "tick")

    assert database_change_count(path) == transactions + 1
    assert told(simulation, "12:06") == {**before, "kraken": before["kraken"] + 1}

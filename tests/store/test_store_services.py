"""Trouble with the services, and the freshness of devices: written when something happened, and then only."""

import sqlite3
from pathlib import Path

from store_case import at, on_disk

from smartcharge.core.answers import Device
from smartcharge.store import fetches, services
from smartcharge.store.fetches import DeviceRow
from smartcharge.store.services import ServiceRow

CAR = Device("car", watched=True, state="SMART_CONTROL_CAPABLE")


def test_an_unknown_service_has_no_trouble(db: sqlite3.Connection) -> None:
    assert services.service(db, "kraken") == ServiceRow("kraken")


def test_a_success_without_trouble_writes_nothing(db: sqlite3.Connection, path: Path) -> None:
    services.remember_host(db, "zappi", "s18.myenergi.net")
    before = on_disk(path.parent)

    services.succeeded(db, "zappi", at("13:00"))
    services.succeeded(db, "kraken", at("13:00"))
    services.remember_host(db, "zappi", "s18.myenergi.net")

    assert on_disk(path.parent) == before


def test_failures_are_counted_with_the_patience_asked_for(db: sqlite3.Connection) -> None:
    services.failed(db, "kraken", at("13:00"), "no answer", None)
    services.failed(db, "kraken", at("13:03"), "too many requests", at("13:05"))

    assert services.service(db, "kraken") == ServiceRow(
        "kraken", asked_at=at("13:03"), failures=2, not_before=at("13:05"), last_error="too many requests"
    )


def test_a_success_ends_the_trouble_and_keeps_the_host(db: sqlite3.Connection) -> None:
    services.remember_host(db, "zappi", "s18.myenergi.net")
    services.failed(db, "zappi", at("13:00"), "no answer", at("13:01"))
    services.refused(db, "zappi", at("13:03"), "fingerprint", "401")
    services.succeeded(db, "zappi", at("13:06"))

    assert services.service(db, "zappi") == ServiceRow(
        "zappi", asked_at=at("13:06"), ok_at=at("13:06"), host="s18.myenergi.net"
    )


def test_a_refusal_is_remembered_with_what_it_was_refused_for(db: sqlite3.Connection) -> None:
    services.refused(db, "kraken", at("13:00"), "fingerprint", "KT-CT-1138")

    assert services.service(db, "kraken") == ServiceRow(
        "kraken", at("13:00"), failures=1, refused_for="fingerprint", refused_at=at("13:00"), last_error="KT-CT-1138"
    )


def test_a_refusal_that_is_only_suspected_does_not_stand_yet(db: sqlite3.Connection) -> None:
    services.refused(db, "zappi", at("13:00"), services.SUSPECTED + "fingerprint", "401")
    assert not services.service(db, "zappi").is_refused

    services.refused(db, "zappi", at("13:01"), "fingerprint", "401")

    assert services.service(db, "zappi").is_refused


def test_a_new_host_replaces_the_old(db: sqlite3.Connection) -> None:
    services.remember_host(db, "zappi", "s18.myenergi.net")
    services.remember_host(db, "zappi", "s19.myenergi.net")

    assert services.service(db, "zappi").host == "s19.myenergi.net"


def test_devices_are_written_only_where_something_changed(db: sqlite3.Connection, path: Path) -> None:
    fetches.record_devices(db, [CAR, Device("wall", watched=False)])
    before = on_disk(path.parent)

    fetches.record_devices(db, [CAR, Device("wall", watched=False)])

    assert on_disk(path.parent) == before
    assert fetches.devices(db) == (DeviceRow("car", watched=True, state=CAR.state), DeviceRow("wall", watched=False))


def test_a_device_that_is_no_longer_named_is_no_longer_watched(db: sqlite3.Connection) -> None:
    fetches.record_devices(db, [Device("car", watched=True, boosting=True, state="BOOSTING")])
    fetches.record_devices(db, [])

    assert fetches.devices(db) == (DeviceRow("car", watched=False, boosting=False, state="BOOSTING"),)


def test_facts_of_a_device_do_not_touch_its_freshness(db: sqlite3.Connection) -> None:
    fetches.record_answer(db, "car", at("13:00"), ok=True)
    fetches.record_devices(db, [Device("car", watched=True, boosting=True)])

    assert fetches.devices(db) == (
        DeviceRow("car", watched=True, boosting=True, asked_at=at("13:00"), last_ok_at=at("13:00")),
    )


def test_a_failed_answer_keeps_the_last_good_one(db: sqlite3.Connection) -> None:
    fetches.record_answer(db, "car", at("13:00"), ok=True)
    fetches.record_answer(db, "car", at("13:03"), ok=False, error="null")
    fetches.record_answer(db, "car", at("13:06"), ok=False, error="null again")

    assert fetches.devices(db) == (
        DeviceRow("car", True, False, None, at("13:06"), at("13:00"), 2, "null again"),  # noqa: FBT003  # the row as it is
    )


def test_a_good_answer_ends_the_failures(db: sqlite3.Connection) -> None:
    fetches.record_answer(db, "car", at("13:00"), ok=False, error="null")
    fetches.record_answer(db, "car", at("13:03"), ok=True)

    assert fetches.devices(db) == (DeviceRow("car", watched=True, asked_at=at("13:03"), last_ok_at=at("13:03")),)


def test_the_supplier_was_last_asked_when_anything_was_asked(db: sqlite3.Connection) -> None:
    assert fetches.last_asked_at(db) is None
    services.asked(db, "zappi", at("13:30"))
    services.asked(db, "kraken", at("13:00"))
    assert fetches.last_asked_at(db) == at("13:00")
    fetches.record_answer(db, "car", at("13:03"), ok=False, error="null")
    assert fetches.last_asked_at(db) == at("13:03")
    services.failed(db, "kraken", at("13:06"), "no answer", None)
    assert fetches.last_asked_at(db) == at("13:06")

"""Trouble with the services, and the freshness of devices: written when something happened, and then only."""

import sqlite3
from pathlib import Path

from store_helpers import at, files_on_disk

from smartcharge.policy.model import RegisteredDevice
from smartcharge.store.devices import DeviceRow, load_devices, load_supplier_asked_at, record_devices, record_plan_fetch
from smartcharge.store.services import (
    SUSPECTED_REFUSAL_PREFIX,
    ServiceRow,
    load_service,
    record_service_attempt,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
    save_service_host,
)

CAR = RegisteredDevice("car", watched=True, state="SMART_CONTROL_CAPABLE")


def test_an_unknown_service_has_no_trouble(db: sqlite3.Connection) -> None:
    assert load_service(db, "kraken") == ServiceRow("kraken")


def test_a_success_without_trouble_writes_nothing(db: sqlite3.Connection, path: Path) -> None:
    save_service_host(db, "zappi", "s18.myenergi.net")
    before = files_on_disk(path.parent)

    record_service_success(db, "zappi", at("13:00"))
    record_service_success(db, "kraken", at("13:00"))
    save_service_host(db, "zappi", "s18.myenergi.net")

    assert files_on_disk(path.parent) == before


def test_failures_are_counted_with_the_patience_asked_for(db: sqlite3.Connection) -> None:
    record_service_failure(db, "kraken", at("13:00"), "no answer", None)
    record_service_failure(db, "kraken", at("13:03"), "too many requests", at("13:05"))

    assert load_service(db, "kraken") == ServiceRow(
        "kraken", asked_at=at("13:03"), failures=2, not_before=at("13:05"), last_error="too many requests"
    )


def test_a_success_ends_the_trouble_and_keeps_the_host(db: sqlite3.Connection) -> None:
    save_service_host(db, "zappi", "s18.myenergi.net")
    record_service_failure(db, "zappi", at("13:00"), "no answer", at("13:01"))
    record_sign_in_refusal(db, "zappi", at("13:03"), "fingerprint", "401")
    record_service_success(db, "zappi", at("13:06"))

    assert load_service(db, "zappi") == ServiceRow(
        "zappi", asked_at=at("13:06"), ok_at=at("13:06"), host="s18.myenergi.net"
    )


def test_a_refusal_is_remembered_with_what_it_was_refused_for(db: sqlite3.Connection) -> None:
    record_sign_in_refusal(db, "kraken", at("13:00"), "fingerprint", "KT-CT-1138")

    assert load_service(db, "kraken") == ServiceRow(
        "kraken", at("13:00"), failures=1, refused_for="fingerprint", refused_at=at("13:00"), last_error="KT-CT-1138"
    )


def test_a_refusal_that_is_only_suspected_does_not_stand_yet(db: sqlite3.Connection) -> None:
    record_sign_in_refusal(db, "zappi", at("13:00"), SUSPECTED_REFUSAL_PREFIX + "fingerprint", "401")
    assert not load_service(db, "zappi").is_refused

    record_sign_in_refusal(db, "zappi", at("13:01"), "fingerprint", "401")

    assert load_service(db, "zappi").is_refused


def test_a_new_host_replaces_the_old(db: sqlite3.Connection) -> None:
    save_service_host(db, "zappi", "s18.myenergi.net")
    save_service_host(db, "zappi", "s19.myenergi.net")

    assert load_service(db, "zappi").host == "s19.myenergi.net"


def test_devices_are_written_only_where_something_changed(db: sqlite3.Connection, path: Path) -> None:
    record_devices(db, [CAR, RegisteredDevice("wall", watched=False)])
    before = files_on_disk(path.parent)

    record_devices(db, [CAR, RegisteredDevice("wall", watched=False)])

    assert files_on_disk(path.parent) == before
    assert load_devices(db) == (DeviceRow("car", watched=True, state=CAR.state), DeviceRow("wall", watched=False))


def test_a_device_that_is_no_longer_named_is_no_longer_watched(db: sqlite3.Connection) -> None:
    record_devices(db, [RegisteredDevice("car", watched=True, boosting=True, state="BOOSTING")])
    record_devices(db, [])

    assert load_devices(db) == (DeviceRow("car", watched=False, boosting=False, state="BOOSTING"),)


def test_facts_of_a_device_do_not_touch_its_freshness(db: sqlite3.Connection) -> None:
    record_plan_fetch(db, "car", at("13:00"), ok=True)
    record_devices(db, [RegisteredDevice("car", watched=True, boosting=True)])

    assert load_devices(db) == (
        DeviceRow("car", watched=True, boosting=True, asked_at=at("13:00"), last_ok_at=at("13:00")),
    )


def test_a_failed_answer_keeps_the_last_good_one(db: sqlite3.Connection) -> None:
    record_plan_fetch(db, "car", at("13:00"), ok=True)
    record_plan_fetch(db, "car", at("13:03"), ok=False, error="null")
    record_plan_fetch(db, "car", at("13:06"), ok=False, error="null again")

    assert load_devices(db) == (
        DeviceRow("car", True, False, None, at("13:06"), at("13:00"), 2, "null again"),  # noqa: FBT003  # the row as it is
    )


def test_a_good_answer_ends_the_failures(db: sqlite3.Connection) -> None:
    record_plan_fetch(db, "car", at("13:00"), ok=False, error="null")
    record_plan_fetch(db, "car", at("13:03"), ok=True)

    assert load_devices(db) == (DeviceRow("car", watched=True, asked_at=at("13:03"), last_ok_at=at("13:03")),)


def test_the_supplier_was_last_asked_when_anything_was_asked(db: sqlite3.Connection) -> None:
    assert load_supplier_asked_at(db) is None
    record_service_attempt(db, "zappi", at("13:30"))
    record_service_attempt(db, "kraken", at("13:00"))
    assert load_supplier_asked_at(db) == at("13:00")
    record_plan_fetch(db, "car", at("13:03"), ok=False, error="null")
    assert load_supplier_asked_at(db) == at("13:03")
    record_service_failure(db, "kraken", at("13:06"), "no answer", None)
    assert load_supplier_asked_at(db) == at("13:06")

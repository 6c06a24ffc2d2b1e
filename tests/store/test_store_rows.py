"""A row that cannot be read is refused alone; what a release needs is kept, or told by an error of its own."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from store_helpers import POLICY, at

from smartcharge.errors import DamagedRowError
from smartcharge.policy.battery import BatteryMemory, BatterySettings
from smartcharge.policy.model import (
    BatteryLevel,
    ChargerReading,
    ChargerState,
    Dispatch,
    Hold,
    HoldKind,
    ManualOverride,
    Pause,
    Reason,
    RegisteredDevice,
)
from smartcharge.policy.plan import PlanChanges
from smartcharge.store.calendar import load_latest_revisions, make_event_uid
from smartcharge.store.control import (
    load_battery_memory,
    load_hold_history,
    load_manual_override,
    load_open_hold,
    load_pause,
    load_state,
    save_battery_memory,
    save_manual_override,
    save_pause,
    set_hold,
)
from smartcharge.store.database import open_store
from smartcharge.store.devices import load_devices, load_supplier_asked_at, record_devices, record_plan_fetch
from smartcharge.store.dispatches import (
    apply_plan_changes,
    load_dispatch_history,
    load_planned_dispatches,
    load_windows,
    record_completed_dispatches,
)
from smartcharge.store.events import Event
from smartcharge.store.journal import (
    append_journal,
    load_journal,
    load_last_decision,
    load_last_journal_row,
    load_newest_journal_at,
)
from smartcharge.store.outbox import load_next_due_message, load_waiting_messages, queue_message
from smartcharge.store.readings import (
    load_battery_levels,
    load_charger_readings,
    load_last_battery_level,
    load_last_charger_reading,
    record_battery_level,
    record_charger_reading,
)
from smartcharge.store.repair import find_refused_rows, repair_database
from smartcharge.store.rows import refused_rows_of
from smartcharge.store.services import count_alert_failure, load_open_alerts, load_service, record_service_failure

NOT_TEXT = "CAST(x'41ff' AS TEXT)"
"""Bytes that are no UTF-8, stored as text."""
NOW = at("13:10")
LONG_AGO, FAR_AHEAD = at("00:00", day=1), at("00:00", day=30)


def fill(db: sqlite3.Connection) -> None:
    """Two rows in every table with more than one, the damaged one being the first or the newest."""
    record_devices(db, [RegisteredDevice("car", watched=True), RegisteredDevice("other", watched=True)])
    for device in ("car", "other"):
        record_plan_fetch(db, device, NOW, ok=True)
        apply_plan_changes(db, device, PlanChanges(new=(Dispatch(at("13:00"), at("14:30"), 9.0),)), NOW)
    completed = [Dispatch(at("10:00"), at("10:30"), 2.0), Dispatch(at("11:00"), at("11:30"), 3.0)]
    record_completed_dispatches(db, completed, NOW)
    for clock in ("13:01", "13:02"):
        record_charger_reading(db, ChargerReading(ChargerState.CHARGING, at(clock), 7000.0, "pilot C2"))
        record_battery_level(db, at(clock), 50.0)
    set_hold(db, Hold(at("12:30")), Reason.CHARGING_IN_WINDOW, at("12:01"))
    set_hold(db, None, Reason.SLOT_ENDS, at("12:29"))
    set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:01"))
    save_battery_memory(
        db,
        BatteryMemory(
            owned_since=at("13:01"),
            owns_mode=True,
            owns_reserve=True,
            settings_before=BatterySettings("autonomous", 20),
            confirmed_mode="backup",
            confirmed_reserve_pct=100,
        ),
    )
    for clock in ("13:03", "13:04"):
        state = load_state(db, at(clock), POLICY)
        append_journal(
            db, at=at(clock), command="reconcile", reason=Reason.SLOT_ENDS, state=state, outcome=Event.DECIDED
        )
    for kind in ("kraken", "zappi"):
        count_alert_failure(db, "reconcile", kind, at("13:05"))
        record_service_failure(db, kind, NOW, "no answer", None)
    for uid in ("a", "b"):
        queue_message(db, uid, b"words", "owner@example.com", NOW)
    for sequence in (0, 1):
        db.execute(
            "INSERT INTO events (uid, sequence, method, first_start, starts_at, ends_at, stamped_at)"
            " VALUES (?, 0, 'REQUEST', ?, '2026-11-22T13:00:00Z', '2026-11-22T14:30:00Z', '2026-11-22T13:00:00Z')",
            (f"event {sequence}", f"2026-11-22T13:0{sequence}:00Z"),
        )


Reader = Callable[[sqlite3.Connection], tuple[object, ...]]
READERS: list[tuple[str, str, str, Reader]] = [
    ("fetches", "last_error", "device = 'other'", load_devices),
    ("dispatches", "device", "id = 2", lambda db: load_windows(db, NOW)),
    ("dispatches", "end", "id = 2", lambda db: load_dispatch_history(db, at("12:00"), FAR_AHEAD, NOW)),
    ("dispatches", "withdrawn_at", "id = 1", lambda db: load_planned_dispatches(db, "car", NOW)),
    ("holds", "closed_because", "id = 1", lambda db: load_hold_history(db, LONG_AGO, FAR_AHEAD)),
    ("readings", "why", "id = 1", lambda db: load_charger_readings(db, LONG_AGO, FAR_AHEAD)),
    ("readings", "soe_pct", "id = 2", lambda db: load_battery_levels(db, LONG_AGO, FAR_AHEAD)),
    ("journal", "situation", "id = 1", load_journal),
    ("journal", "because", "id = 1", load_journal),
    ("alerts", "since", "kind = 'kraken'", load_open_alerts),
    ("outbox", "recipient", "uid = 'a'", load_waiting_messages),
    ("events", "method", "uid = 'event 0'", lambda db: load_latest_revisions(db, LONG_AGO)),
]
EXPECTED_LEFT = {"withdrawn_at": 0}
"""How many rows each reader has left, where that is not one."""


def damage(db: sqlite3.Connection, table: str, column: str, where: str, value: str = NOT_TEXT) -> None:
    """Write a value past the table's rules, as a damaged page would hold it."""
    db.execute("PRAGMA writable_schema = ON")
    db.execute("DROP TRIGGER IF EXISTS journal_is_append_only")
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("UPDATE sqlite_schema SET sql = replace(sql, 'STRICT', '') WHERE name = ?", (table,))
    db.execute("PRAGMA writable_schema = RESET")
    changed = db.execute(f"UPDATE {table} SET {column} = {value} WHERE {where}")  # noqa: S608
    assert changed.rowcount == 1


@pytest.fixture
def filled(db: sqlite3.Connection) -> sqlite3.Connection:
    fill(db)
    return db


@pytest.mark.parametrize("value", [NOT_TEXT, "x'00ff'"])
@pytest.mark.parametrize(("table", "column", "where", "read"), READERS, ids=[f"{r[0]}.{r[1]}" for r in READERS])
def test_a_damaged_row_is_left_out_and_the_others_are_read(
    filled: sqlite3.Connection, table: str, column: str, where: str, read: Reader, value: str
) -> None:
    damage(filled, table, column, where, value)

    assert len(read(filled)) == EXPECTED_LEFT.get(column, 1)
    (refused,) = refused_rows_of(filled).values()
    assert (refused.table, refused.column) == (table, column)
    assert refused in list(find_refused_rows(filled))


def test_the_last_row_that_can_be_read_stands_for_a_damaged_newer_one(filled: sqlite3.Connection) -> None:
    damage(filled, "journal", "at", "id = 2", "'2026-11-22T13:04:99Z'")
    damage(filled, "readings", "state", "id = 3", "'ASLEEP'")
    damage(filled, "readings", "capacity_kwh", "id = 4", "'much'")

    newest, last = load_last_journal_row(filled, "reconcile"), load_last_charger_reading(filled)
    assert newest
    assert newest.at == at("13:03")
    assert load_newest_journal_at(filled, NOW) == at("13:03")
    assert (decided := load_last_decision(filled, NOW))
    assert decided.at == at("13:03")
    assert last
    assert last.reading.at == at("13:01")
    assert load_last_battery_level(filled) == BatteryLevel(at("13:01"), 50.0)


def test_what_is_remembered_of_a_service_is_nothing_where_it_cannot_be_read(filled: sqlite3.Connection) -> None:
    damage(filled, "services", "not_before", "service = 'kraken'")
    damage(filled, "fetches", "asked_at", "device = 'car'")

    assert load_service(filled, "kraken").failures == 0
    assert load_service(filled, "zappi").failures == 1
    assert load_supplier_asked_at(filled) == NOW


def test_a_damaged_message_does_not_keep_the_next_from_being_posted(filled: sqlite3.Connection) -> None:
    damage(filled, "outbox", "recipient", "uid = 'a'")

    message = load_next_due_message(filled, NOW)

    assert message
    assert message.uid == "b"


STATE_DAMAGE = {
    "a zone that does not exist": ("Europe/London", "Europe/Londom"),
    "a time out of range": ("2026-11-22T13:03:00Z", "9026-11-22T13:03:00Z"),
    "a foreign word": ('"charger":"UNKNOWN"', '"charger":"UNKNOWM"'),
    "a time without a zone": ("2026-11-22T13:03:00Z", "2026-11-22T13:03:00"),
}


@pytest.mark.parametrize(("old", "new"), STATE_DAMAGE.values(), ids=STATE_DAMAGE)
def test_a_decision_that_cannot_have_been_known_is_refused(filled: sqlite3.Connection, old: str, new: str) -> None:
    damage(filled, "journal", "situation", "id = 1", f"replace(situation, '{old}', '{new}')")

    assert [row.id for row in load_journal(filled)] == [2]


@pytest.mark.parametrize("column", ["because", "opened_at", "kind", "window_start"])
def test_an_open_hold_stands_until_its_end_whatever_else_of_it_is_damaged(
    filled: sqlite3.Connection, column: str
) -> None:
    damage(filled, "holds", column, "closed_at IS NULL")

    row = load_open_hold(filled)

    assert row
    assert row.hold.until == at("13:30")
    assert row.hold.kind is (HoldKind.EXTENSION if column in {"kind", "opened_at"} else HoldKind.WINDOW)
    assert row.reason is None
    assert refused_rows_of(filled)
    set_hold(filled, None, Reason.SLOT_ENDS, at("13:29"))
    assert load_open_hold(filled) is None


def test_an_open_hold_without_an_end_is_an_error_of_its_own(filled: sqlite3.Connection) -> None:
    damage(filled, "holds", "until", "closed_at IS NULL")

    with pytest.raises(DamagedRowError, match="until is not text") as told:
        load_state(filled, NOW, POLICY)
    assert told.value.exit_code == 4


@pytest.mark.parametrize("column", ["before_mode", "confirmed_mode", "confirmed_reserve_pct", "midnight_reset_at"])
def test_a_damaged_memory_of_the_battery_keeps_what_is_owned(filled: sqlite3.Connection, column: str) -> None:
    damage(filled, "battery", column, "id = 1")

    assert load_battery_memory(filled) == BatteryMemory(owns_mode=True, owns_reserve=True)


def test_a_memory_that_does_not_say_what_is_owned_is_an_error_of_its_own(filled: sqlite3.Connection) -> None:
    damage(filled, "battery", "owns_mode", "id = 1")

    with pytest.raises(DamagedRowError, match="owns_mode"):
        load_battery_memory(filled)


def test_what_the_owner_said_and_cannot_be_read_counts_as_a_pause(filled: sqlite3.Connection) -> None:
    save_pause(filled, NOW, at("18:00"))
    save_manual_override(filled, NOW, at("14:00"))
    assert load_manual_override(filled) == ManualOverride(NOW, at("14:00"))

    damage(filled, "owner", "paused_until", "id = 1")

    assert load_pause(filled) == Pause()
    assert load_manual_override(filled) is None


def test_a_damaged_installation_is_an_error_of_its_own(filled: sqlite3.Connection) -> None:
    damage(filled, "installation", "salt", "id = 1")

    with pytest.raises(DamagedRowError, match="installation"):
        make_event_uid(filled, at("13:00"))


def test_a_repair_keeps_the_file_as_it_was_and_removes_only_what_cannot_be_read(path: Path) -> None:
    with closing(open_store(path)) as db:
        fill(db)
        for table, column, where, _ in READERS:
            damage(db, table, column, where)
        counts = {table: db.execute(f"SELECT COUNT(*) AS n FROM {table}").fetchone() for table, *_ in READERS}  # noqa: S608
    before = path.read_bytes()

    result = repair_database(path, NOW)

    assert result.copy
    assert result.copy.name == "smartcharge.db.before-repair-20261122T131000Z"
    assert result.copy.read_bytes() == before
    assert result.copy.stat().st_mode & 0o777 == 0o600
    with closing(open_store(path)) as db:
        assert list(find_refused_rows(db)) == []
        assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
        assert load_open_hold(db)
        assert load_battery_memory(db).settings_before == BatterySettings("autonomous", 20)
        kept = sum(db.execute(f"SELECT COUNT(*) AS n FROM {table}").fetchone()["n"] for table in counts)  # noqa: S608
        assert kept == sum(row["n"] for row in counts.values() if row) - len(result.removed)


def test_a_repair_of_a_sound_database_writes_nothing(path: Path) -> None:
    with closing(open_store(path)) as db:
        fill(db)
    before = path.read_bytes()

    assert repair_database(path, NOW).copy is None
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("column", "days", "owned"), [("before_mode", 0, True), ("owns_mode", 0, True), ("owns_mode", 3, False)]
)
def test_a_repair_keeps_the_powerwall_ours_where_it_was_held_lately(
    path: Path, column: str, days: int, *, owned: bool
) -> None:
    with closing(open_store(path)) as db:
        fill(db)
        set_hold(db, None, Reason.SLOT_ENDS, at("13:29"))
        damage(db, "battery", column, "id = 1")

    repair_database(path, NOW + timedelta(days=days))

    with closing(open_store(path)) as db:
        assert load_battery_memory(db).owned is owned

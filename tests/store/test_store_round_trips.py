"""Whatever is stored is found again, equal to what it was."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields
from store_helpers import NO_DEADLINE, POLICY, WHOLE_CENTURY, at, files_on_disk, memory_database, query_tuples

from smartcharge.errors import StoreError
from smartcharge.policy.battery import BatteryMemory, BatterySettings, BatterySite, UnconfirmedCommands
from smartcharge.policy.model import (
    BatteryLevel,
    ChargerReading,
    ChargerState,
    DispatchWindow,
    Hold,
    HoldKind,
    ManualOverride,
    Pause,
    Reason,
    State,
)
from smartcharge.store.control import (
    clear_pause_and_override,
    load_battery_memory,
    load_manual_override,
    load_pause,
    load_state,
    save_battery_memory,
    save_manual_override,
    save_pause,
    set_hold,
)
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_journal, load_last_journal_row
from smartcharge.store.outbox import OutboxCounts, count_outbox
from smartcharge.store.readings import (
    ChargerRow,
    load_last_battery_level,
    load_last_charger_reading,
    record_battery_level,
    record_charger_reading,
)
from smartcharge.store.services import Alert, count_alert_failure, delete_alert, load_open_alerts, mark_alert_notified
from smartcharge.store.times import format_instant, format_optional_instant, parse_instant, parse_optional_instant

moments = st.datetimes(*WHOLE_CENTURY).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
watts = st.floats(-1e5, 1e5)
percents = st.integers(0, 100)
words = st.text(st.characters(exclude_categories=["Cs"]))

memories = st.builds(
    BatteryMemory,
    owned_since=st.none() | moments,
    owns_mode=st.booleans(),
    owns_reserve=st.booleans(),
    settings_before=st.none() | st.builds(BatterySettings, words, percents),
    confirmed_mode=st.none() | words,
    confirmed_reserve_pct=st.none() | percents,
    in_doubt_since=st.none() | moments,
    unverified_until=st.none() | moments,
    rate_plan_missing=st.booleans(),
    midnight_reset_at=st.none() | moments,
    site=st.none() | st.builds(BatterySite, words, words),
    unconfirmed=st.none()
    | st.builds(
        UnconfirmedCommands,
        releasing=st.booleans(),
        runs=st.integers(0, 500),
        mode=st.none() | words,
        mode_at=st.none() | moments,
        reserve_pct=st.none() | percents,
        reserve_at=st.none() | moments,
    ),
)
chargers = st.builds(
    ChargerReading,
    state=st.sampled_from(ChargerState),
    at=moments,
    watts=st.none() | watts,
    why=words,
    session_kwh=st.none() | st.floats(0, 1e3),
    serials=st.lists(st.text("0123456789", min_size=1)).map(tuple),
)
situations = st.builds(
    State,
    now=moments,
    policy=st.just(POLICY),
    windows=st.lists(st.builds(DispatchWindow, moments, moments, moments, words, energy_kwh=st.none() | watts)).map(
        tuple
    ),
    charger=st.sampled_from(ChargerState),
    hold=st.none() | st.builds(Hold, moments, st.sampled_from(HoldKind)),
    pause=st.none() | st.builds(Pause, st.none() | moments),
    manual_override=st.none() | st.builds(ManualOverride, moments, moments),
    held_since_noon=st.timedeltas(timedelta(0), timedelta(hours=24)),
)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert parse_instant(format_instant(one)) == one
    assert (format_instant(one) < format_instant(other)) == (one < other)


@given(st.datetimes(*WHOLE_CENTURY, timezones=st.timezones()))
def test_an_instant_has_one_spelling_whatever_zone_it_came_in(moment: datetime) -> None:
    assert format_instant(moment) == format_instant(moment.astimezone(UTC))
    assert len(format_instant(moment)) == len("2026-11-22T13:30:00Z")


def test_parts_of_a_second_are_cut() -> None:
    assert format_instant(at("13:30").replace(microsecond=999_999)) == "2026-11-22T13:30:00Z"


@pytest.mark.parametrize(
    "naive",
    [
        lambda: format_instant(WHOLE_CENTURY[0]),
        lambda: parse_instant("2026-11-22T13:30:00"),
        lambda: parse_instant("soon"),
    ],
)
def test_what_is_no_instant_is_refused(naive: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat"):
        naive()


def test_none_stays_none() -> None:
    assert format_optional_instant(None) is None
    assert parse_optional_instant(None) is None
    assert parse_optional_instant(format_optional_instant(at("13:30"))) == at("13:30")


@NO_DEADLINE
@given(memories, memories)
def test_the_batterys_memory(first: BatteryMemory, second: BatteryMemory) -> None:
    with closing(memory_database()) as db:
        assert load_battery_memory(db) == BatteryMemory()
        save_battery_memory(db, first)
        save_battery_memory(db, second)
        assert load_battery_memory(db) == second


def test_every_part_of_the_batterys_memory_has_its_column(db: sqlite3.Connection) -> None:
    save_battery_memory(db, BatteryMemory())
    columns = {column for (column,) in query_tuples(db, "SELECT name FROM pragma_table_info('battery')")}

    parts = {field.name for field in fields(BatteryMemory)}

    named = parts - {"settings_before", "unconfirmed"}
    named |= {f"unconfirmed_{field.name}" for field in fields(UnconfirmedCommands)}

    assert named | {"before_mode", "before_reserve_pct", "site_backend", "id"} == columns


def test_the_same_memory_is_not_written_again(db: sqlite3.Connection, path: Path) -> None:
    memory = BatteryMemory(at("13:05"), owns_mode=True, midnight_reset_at=at("00:01").replace(microsecond=5))
    save_battery_memory(db, memory)
    before = files_on_disk(path.parent)

    save_battery_memory(db, memory)

    assert files_on_disk(path.parent) == before


@NO_DEADLINE
@given(moments, st.none() | moments, moments, moments)
def test_the_owners_hand(now: datetime, until: datetime | None, seen: datetime, left_until: datetime) -> None:
    with closing(memory_database()) as db:
        assert (load_pause(db), load_manual_override(db)) == (None, None)
        save_pause(db, now, until)
        assert (load_pause(db), load_manual_override(db)) == (Pause(until), None)
        save_manual_override(db, seen, left_until)
        assert (load_pause(db), load_manual_override(db)) == (Pause(until), ManualOverride(seen, left_until))
        clear_pause_and_override(db)
        assert (load_pause(db), load_manual_override(db)) == (None, None)


def test_a_pause_may_be_lengthened(db: sqlite3.Connection) -> None:
    save_pause(db, at("13:00"), at("14:00"))
    save_pause(db, at("13:30"), None)

    assert load_pause(db) == Pause(None)


@NO_DEADLINE
@given(chargers, st.none() | words)
def test_a_reading_of_the_charger(reading: ChargerReading, error: str | None) -> None:
    with closing(memory_database()) as db:
        record_charger_reading(db, reading, error)
        assert load_last_charger_reading(db) == ChargerRow(reading, error)


@NO_DEADLINE
@given(moments, st.none() | st.floats(0, 100), st.none() | st.floats(1, 1000))
def test_a_reading_of_the_battery(moment: datetime, soe_pct: float | None, capacity_kwh: float | None) -> None:
    with closing(memory_database()) as db:
        record_battery_level(db, moment, soe_pct, capacity_kwh)
        assert load_last_battery_level(db) == BatteryLevel(moment, soe_pct, capacity_kwh)


def test_the_last_reading_is_the_one_kept_last_of_its_kind(db: sqlite3.Connection) -> None:
    assert (load_last_charger_reading(db), load_last_battery_level(db)) == (None, None)
    record_charger_reading(db, ChargerReading(ChargerState.IDLE, at("13:05")))
    record_charger_reading(db, ChargerReading(ChargerState.CHARGING, at("13:03")))
    record_battery_level(db, at("13:04"), 55.5)

    last = load_last_charger_reading(db)

    assert last
    assert last.reading.state is ChargerState.CHARGING


@NO_DEADLINE
@given(situations, st.sampled_from(Reason))
def test_a_situation_in_the_journal(seen: State, reason: Reason) -> None:
    with closing(memory_database()) as db:
        append_journal(db, at=seen.now, command="reconcile", reason=reason, state=seen, outcome=Event.CONFIRMED)
        row = load_last_journal_row(db, "reconcile")
        assert row
        assert (row.at, row.state, row.reason, row.outcome) == (seen.now, seen, reason, Event.CONFIRMED)


def test_the_journal_gives_a_span_of_one_command_oldest_first(db: sqlite3.Connection) -> None:
    for clock in ("13:00", "13:01", "13:02", "13:03"):
        append_journal(db, at=at(clock), command="reconcile", outcome=Event.CONFIRMED, detail=clock)
        append_journal(db, at=at(clock), command="fetch-dispatches", outcome=Event.FAILED, error="no answer")

    def details(**which: object) -> list[str | None]:
        return [row.detail.text for row in load_journal(db, **which)]  # type: ignore[arg-type]

    assert details(command="reconcile") == ["13:00", "13:01", "13:02", "13:03"]
    assert details(command="reconcile", since=at("13:01"), until=at("13:03")) == ["13:01", "13:02"]
    assert details(command="reconcile", limit=2) == ["13:02", "13:03"]
    assert len(load_journal(db)) == 8
    assert [row.state for row in load_journal(db, limit=1)] == [None]
    assert load_last_journal_row(db, "tick") is None


def test_the_journal_cannot_be_rewritten_but_may_be_pruned(db: sqlite3.Connection) -> None:
    append_journal(db, at=at("13:00"), command="tick", outcome=Event.CONFIRMED)

    with pytest.raises(StoreError, match="append-only"):
        db.execute("UPDATE journal SET outcome = 'released'")
    db.execute("DELETE FROM journal")

    assert load_journal(db) == ()


def test_an_episode_counts_is_told_and_ends(db: sqlite3.Connection) -> None:
    assert count_alert_failure(db, "reconcile", "tesla", at("13:00")) == Alert("reconcile", "tesla", at("13:00"), 1)
    count_alert_failure(db, "fetch-dispatches", "kraken", at("12:00"))
    mark_alert_notified(db, "reconcile", "tesla", at("13:01"))
    counted = count_alert_failure(db, "reconcile", "tesla", at("13:02"))

    assert counted == Alert("reconcile", "tesla", at("13:00"), 2, at("13:01"))
    assert [episode.kind for episode in load_open_alerts(db)] == ["kraken", "tesla"]
    assert delete_alert(db, "reconcile", "tesla") == counted
    assert [episode.kind for episode in load_open_alerts(db)] == ["kraken"]
    assert not db.in_transaction


def test_an_episode_that_is_not_open_ends_without_a_write(db: sqlite3.Connection, path: Path) -> None:
    before = files_on_disk(path.parent)

    assert delete_alert(db, "reconcile", "tesla") is None
    assert files_on_disk(path.parent) == before


def test_a_counted_failure_is_on_the_disk_at_once(db: sqlite3.Connection, path: Path) -> None:
    count_alert_failure(db, "reconcile", "tesla", at("13:00"))

    with closing(sqlite3.connect(path)) as other:
        assert query_tuples(other, "SELECT count FROM alerts") == [(1,)]


def test_the_outbox_is_counted_by_what_became_of_each_message(db: sqlite3.Connection) -> None:
    assert count_outbox(db) == OutboxCounts(0, 0, 0)
    for sequence, state in enumerate(["queued", "queued", "inflight", "sent", "failed", "superseded"]):
        db.execute(
            """
            INSERT INTO outbox (uid, sequence, method, message, recipient, state, created_at)
            VALUES ('window@house', ?, 'REQUEST', x'00', 'you@example.com', ?, '2026-11-22T13:00:00Z')
            """,
            (sequence, state),
        )

    assert count_outbox(db) == OutboxCounts(waiting=3, sent=1, failed=1)


def test_a_situation_is_all_that_is_stored(db: sqlite3.Connection) -> None:
    set_hold(db, Hold(at("12:30")), Reason.CHARGING_IN_WINDOW, at("11:50"))
    set_hold(db, None, Reason.SLOT_ENDS, at("12:29"))
    set_hold(db, Hold(at("13:30"), HoldKind.EXTENSION), Reason.OVERRUN, at("12:59"))
    save_pause(db, at("13:00"), at("18:00"))
    save_manual_override(db, at("13:01"), at("14:00"))

    assert load_state(db, at("13:05"), POLICY) == State(
        now=at("13:05"),
        policy=POLICY,
        hold=Hold(at("13:30"), HoldKind.EXTENSION),
        pause=Pause(at("18:00")),
        manual_override=ManualOverride(at("13:01"), at("14:00")),
        held_since_noon=timedelta(minutes=29 + 6),
    )

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
from store_case import CENTURY, POLICY, UNHURRIED, at, in_memory, on_disk, texts

from smartcharge.core.answers import BatteryLevel, ChargerReading
from smartcharge.core.model import Because, ChargerState, Hold, HoldKind, Pause, Situation, StandDown, Window
from smartcharge.core.stance import BatteryMemory, Stance
from smartcharge.store import battery, episodes, holds, journal, outbox, owner, readings, situation
from smartcharge.store.episodes import Episode
from smartcharge.store.times import from_text, from_text_or_none, to_text, to_text_or_none

moments = st.datetimes(*CENTURY).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))
watts = st.floats(-1e5, 1e5)
percents = st.integers(0, 100)
words = st.text(st.characters(exclude_categories=["Cs"]))

memories = st.builds(
    BatteryMemory,
    owned_since=st.none() | moments,
    owns_mode=st.booleans(),
    owns_reserve=st.booleans(),
    before=st.none() | st.builds(Stance, words, percents),
    confirmed_mode=st.none() | words,
    confirmed_reserve_pct=st.none() | percents,
    in_doubt_since=st.none() | moments,
    unproven_until=st.none() | moments,
    rate_plan_missing=st.booleans(),
    rested_at=st.none() | moments,
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
    Situation,
    now=moments,
    policy=st.just(POLICY),
    windows=st.lists(st.builds(Window, moments, moments, moments, words, energy_kwh=st.none() | watts)).map(tuple),
    charger=st.sampled_from(ChargerState),
    hold=st.none() | st.builds(Hold, moments, st.sampled_from(HoldKind)),
    pause=st.none() | st.builds(Pause, st.none() | moments),
    stand_down=st.none() | st.builds(StandDown, moments, moments),
    held_since_noon=st.timedeltas(timedelta(0), timedelta(hours=24)),
)


@given(moments, moments)
def test_text_order_is_time_order(one: datetime, other: datetime) -> None:
    assert from_text(to_text(one)) == one
    assert (to_text(one) < to_text(other)) == (one < other)


@given(st.datetimes(*CENTURY, timezones=st.timezones()))
def test_an_instant_has_one_spelling_whatever_zone_it_came_in(moment: datetime) -> None:
    assert to_text(moment) == to_text(moment.astimezone(UTC))
    assert len(to_text(moment)) == len("2026-11-22T13:30:00Z")


def test_parts_of_a_second_are_cut() -> None:
    assert to_text(at("13:30").replace(microsecond=999_999)) == "2026-11-22T13:30:00Z"


@pytest.mark.parametrize(
    "naive",
    [lambda: to_text(CENTURY[0]), lambda: from_text("2026-11-22T13:30:00"), lambda: from_text("soon")],
)
def test_what_is_no_instant_is_refused(naive: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"time zone|isoformat"):
        naive()


def test_none_stays_none() -> None:
    assert to_text_or_none(None) is None
    assert from_text_or_none(None) is None
    assert from_text_or_none(to_text_or_none(at("13:30"))) == at("13:30")


@UNHURRIED
@given(memories, memories)
def test_the_batterys_memory(first: BatteryMemory, second: BatteryMemory) -> None:
    with closing(in_memory()) as db:
        assert battery.memory(db) == BatteryMemory()
        battery.save(db, first)
        battery.save(db, second)
        assert battery.memory(db) == second


def test_every_part_of_the_batterys_memory_has_its_column(db: sqlite3.Connection) -> None:
    battery.save(db, BatteryMemory())
    columns = {column for (column,) in texts(db, "SELECT name FROM pragma_table_info('battery')")}

    parts = {field.name for field in fields(BatteryMemory)}

    assert parts - {"before"} | {"before_mode", "before_reserve_pct", "id"} == columns


def test_the_same_memory_is_not_written_again(db: sqlite3.Connection, path: Path) -> None:
    memory = BatteryMemory(at("13:05"), owns_mode=True, rested_at=at("00:01").replace(microsecond=5))
    battery.save(db, memory)
    before = on_disk(path.parent)

    battery.save(db, memory)

    assert on_disk(path.parent) == before


@UNHURRIED
@given(moments, st.none() | moments, moments, moments)
def test_the_owners_hand(now: datetime, until: datetime | None, seen: datetime, left_until: datetime) -> None:
    with closing(in_memory()) as db:
        assert (owner.paused(db), owner.stood_down(db)) == (None, None)
        owner.pause(db, now, until)
        assert (owner.paused(db), owner.stood_down(db)) == (Pause(until), None)
        owner.stand_down(db, seen, left_until)
        assert (owner.paused(db), owner.stood_down(db)) == (Pause(until), StandDown(seen, left_until))
        owner.resume(db)
        assert (owner.paused(db), owner.stood_down(db)) == (None, None)


def test_a_pause_may_be_lengthened(db: sqlite3.Connection) -> None:
    owner.pause(db, at("13:00"), at("14:00"))
    owner.pause(db, at("13:30"), None)

    assert owner.paused(db) == Pause(None)


@UNHURRIED
@given(chargers, st.none() | words)
def test_a_reading_of_the_charger(reading: ChargerReading, error: str | None) -> None:
    with closing(in_memory()) as db:
        readings.record_charger(db, reading, error)
        assert readings.last_charger(db) == readings.ChargerRow(reading, error)


@UNHURRIED
@given(moments, st.none() | st.floats(0, 100), st.none() | st.floats(1, 1000))
def test_a_reading_of_the_battery(moment: datetime, soe_pct: float | None, capacity_kwh: float | None) -> None:
    with closing(in_memory()) as db:
        readings.record_battery(db, moment, soe_pct, capacity_kwh)
        assert readings.last_battery(db) == BatteryLevel(moment, soe_pct, capacity_kwh)


def test_the_last_reading_is_the_one_kept_last_of_its_kind(db: sqlite3.Connection) -> None:
    assert (readings.last_charger(db), readings.last_battery(db)) == (None, None)
    readings.record_charger(db, ChargerReading(ChargerState.IDLE, at("13:05")))
    readings.record_charger(db, ChargerReading(ChargerState.CHARGING, at("13:03")))
    readings.record_battery(db, at("13:04"), 55.5)

    last = readings.last_charger(db)

    assert last
    assert last.reading.state is ChargerState.CHARGING


@UNHURRIED
@given(situations, st.sampled_from(Because))
def test_a_situation_in_the_journal(seen: Situation, because: Because) -> None:
    with closing(in_memory()) as db:
        journal.append(db, at=seen.now, command="reconcile", because=because, situation=seen, outcome="held")
        row = journal.last(db, "reconcile")
        assert row
        assert (row.at, row.situation, row.because, row.outcome) == (seen.now, seen, because, "held")


def test_the_journal_gives_a_span_of_one_command_oldest_first(db: sqlite3.Connection) -> None:
    for clock in ("13:00", "13:01", "13:02", "13:03"):
        journal.append(db, at=at(clock), command="reconcile", outcome="held", detail=clock)
        journal.append(db, at=at(clock), command="fetch-dispatches", outcome="asked", error="no answer")

    def details(**which: object) -> list[str | None]:
        return [row.detail for row in journal.rows(db, **which)]  # type: ignore[arg-type]

    assert details(command="reconcile") == ["13:00", "13:01", "13:02", "13:03"]
    assert details(command="reconcile", since=at("13:01"), until=at("13:03")) == ["13:01", "13:02"]
    assert details(command="reconcile", limit=2) == ["13:02", "13:03"]
    assert len(journal.rows(db)) == 8
    assert [row.situation for row in journal.rows(db, limit=1)] == [None]
    assert journal.last(db, "tick") is None


def test_the_journal_cannot_be_rewritten_but_may_be_pruned(db: sqlite3.Connection) -> None:
    journal.append(db, at=at("13:00"), command="tick", outcome="held")

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        db.execute("UPDATE journal SET outcome = 'released'")
    db.execute("DELETE FROM journal")

    assert journal.rows(db) == ()


def test_an_episode_counts_is_told_and_ends(db: sqlite3.Connection) -> None:
    assert episodes.count_failure(db, "reconcile", "tesla", at("13:00")) == Episode(
        "reconcile", "tesla", at("13:00"), 1
    )
    episodes.count_failure(db, "fetch-dispatches", "kraken", at("12:00"))
    episodes.mark_told(db, "reconcile", "tesla", at("13:01"))
    counted = episodes.count_failure(db, "reconcile", "tesla", at("13:02"))

    assert counted == Episode("reconcile", "tesla", at("13:00"), 2, at("13:01"))
    assert [episode.kind for episode in episodes.open_episodes(db)] == ["kraken", "tesla"]
    assert episodes.end(db, "reconcile", "tesla") == counted
    assert [episode.kind for episode in episodes.open_episodes(db)] == ["kraken"]
    assert not db.in_transaction


def test_an_episode_that_is_not_open_ends_without_a_write(db: sqlite3.Connection, path: Path) -> None:
    before = on_disk(path.parent)

    assert episodes.end(db, "reconcile", "tesla") is None
    assert on_disk(path.parent) == before


def test_a_counted_failure_is_on_the_disk_at_once(db: sqlite3.Connection, path: Path) -> None:
    episodes.count_failure(db, "reconcile", "tesla", at("13:00"))

    with closing(sqlite3.connect(path)) as other:
        assert texts(other, "SELECT count FROM episodes") == [(1,)]


def test_the_outbox_is_counted_by_what_became_of_each_message(db: sqlite3.Connection) -> None:
    assert outbox.counts(db) == outbox.OutboxCounts(0, 0, 0)
    for sequence, state in enumerate(["queued", "queued", "inflight", "sent", "failed", "superseded"]):
        db.execute(
            """
            INSERT INTO outbox (uid, sequence, method, message, recipient, state, created_at)
            VALUES ('window@house', ?, 'REQUEST', x'00', 'you@example.com', ?, '2026-11-22T13:00:00Z')
            """,
            (sequence, state),
        )

    assert outbox.counts(db) == outbox.OutboxCounts(waiting=3, sent=1, failed=1)


def test_a_situation_is_all_that_is_stored(db: sqlite3.Connection) -> None:
    holds.change(db, Hold(at("12:30")), Because.CHARGING_IN_WINDOW, at("11:50"))
    holds.change(db, None, Because.SLOT_ENDS, at("12:29"))
    holds.change(db, Hold(at("13:30"), HoldKind.EXTENSION), Because.OVERRUN, at("12:59"))
    owner.pause(db, at("13:00"), at("18:00"))
    owner.stand_down(db, at("13:01"), at("14:00"))

    assert situation.load(db, at("13:05"), POLICY) == Situation(
        now=at("13:05"),
        policy=POLICY,
        hold=Hold(at("13:30"), HoldKind.EXTENSION),
        pause=Pause(at("18:00")),
        stand_down=StandDown(at("13:01"), at("14:00")),
        held_since_noon=timedelta(minutes=29 + 6),
    )

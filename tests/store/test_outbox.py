"""The outbox and the events behind it: one mail at a time for each event, the newest, the same bytes again."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from store_helpers import POLICY, at, query_tuples

from smartcharge.policy.calendar import EventRevision, InviteMethod
from smartcharge.policy.model import Dispatch, Hold, Reason, RegisteredDevice
from smartcharge.policy.plan import PlanChanges, diff_plan
from smartcharge.store.calendar import (
    load_calendar_evidence,
    load_feed_state,
    load_latest_revisions,
    load_revision,
    make_event_uid,
    mark_feed_written,
    record_revision,
)
from smartcharge.store.control import set_hold
from smartcharge.store.database import open_store
from smartcharge.store.devices import load_devices, record_devices
from smartcharge.store.dispatches import apply_plan_changes, load_planned_dispatches
from smartcharge.store.outbox import (
    OutboxCounts,
    OutboxMessage,
    claim_message,
    count_outbox,
    count_sent_since,
    load_next_due_message,
    load_waiting_messages,
    mark_message_failed,
    mark_message_sent,
    queue_invite,
    requeue_interrupted_messages,
    requeue_undelivered_message,
)

TO = "family@example.com"
NOW = at("13:05")


def revision(sequence: int = 0, method: InviteMethod = InviteMethod.REQUEST, end: str = "16:00") -> EventRevision:
    return EventRevision(at("13:00"), sequence, method, at("13:00"), at(end), NOW + timedelta(seconds=sequence), 7.2)


def queue(
    db: sqlite3.Connection, sequence: int = 0, method: str = "REQUEST", now: datetime = NOW, uid: str = "a"
) -> None:
    queue_invite(db, uid, sequence, method, TO, now)


def claimed(db: sqlite3.Connection, now: datetime = NOW, message: bytes = b"bytes") -> OutboxMessage:
    outbox_message = load_next_due_message(db, now)
    assert outbox_message is not None
    assert claim_message(db, outbox_message, outbox_message.message or message, TO, now)
    return outbox_message


def states(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return query_tuples(db, "SELECT sequence, state FROM outbox ORDER BY uid, sequence")


def test_a_message_waits_until_it_is_sent(db: sqlite3.Connection) -> None:
    queue(db)
    assert count_outbox(db) == OutboxCounts(waiting=1)
    outbox_message = claimed(db)
    assert count_outbox(db) == OutboxCounts(waiting=1)
    mark_message_sent(db, outbox_message, NOW)

    assert count_outbox(db) == OutboxCounts(sent=1)
    assert load_next_due_message(db, NOW) is None


def test_the_newest_revision_takes_the_place_of_what_was_never_tried(db: sqlite3.Connection) -> None:
    queue(db, 0)
    queue(db, 1)

    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_what_never_left_the_house_need_not_be_cancelled(db: sqlite3.Connection) -> None:
    queue(db, 0)
    queue(db, 1, "CANCEL")

    assert states(db) == [(0, "superseded"), (1, "superseded")]
    assert load_next_due_message(db, NOW) is None


@pytest.mark.parametrize("became", ["sent", "unknown", "inflight"])
def test_what_may_have_arrived_is_cancelled(db: sqlite3.Connection, became: str) -> None:
    queue(db, 0)
    outbox_message = claimed(db)
    if became == "sent":
        mark_message_sent(db, outbox_message, NOW)
    elif became == "unknown":
        requeue_interrupted_messages(db)
    queue(db, 1, "CANCEL")

    assert states(db)[1] == (1, "queued")


def test_what_was_certainly_refused_is_not_cancelled(db: sqlite3.Connection) -> None:
    queue(db, 0)
    requeue_undelivered_message(db, claimed(db), "450")
    queue(db, 1, "CANCEL")

    assert states(db) == [(0, "superseded"), (1, "superseded")]


def test_an_events_next_mail_waits_five_minutes(db: sqlite3.Connection) -> None:
    queue(db, 0)
    mark_message_sent(db, claimed(db), NOW)
    queue(db, 1)

    assert load_next_due_message(db, NOW + timedelta(seconds=299)) is None
    outbox_message = load_next_due_message(db, NOW + timedelta(seconds=300))
    assert outbox_message is not None
    assert (outbox_message.sequence, outbox_message.is_first) == (1, False)


def test_another_event_does_not_wait_for_it(db: sqlite3.Connection) -> None:
    queue(db, 0)
    mark_message_sent(db, claimed(db), NOW)
    queue(db, 0, uid="b")

    assert load_next_due_message(db, NOW) is not None


def test_a_clock_put_back_by_days_keeps_nothing_waiting(db: sqlite3.Connection) -> None:
    queue(db, 0)
    mark_message_sent(db, claimed(db), NOW)
    queue(db, 1)

    assert load_next_due_message(db, NOW - timedelta(days=3)) is not None


def test_a_mail_from_a_clock_that_ran_ahead_does_not_hide_the_one_after_it(db: sqlite3.Connection) -> None:
    for sequence, now in enumerate((NOW + timedelta(days=365), NOW)):
        queue(db, sequence, now=now)
        mark_message_sent(db, claimed(db, now), now)
    queue(db, 2, "CANCEL")

    assert load_next_due_message(db, NOW + timedelta(seconds=299)) is None
    assert load_next_due_message(db, NOW + timedelta(seconds=300)) is not None


def test_what_arrived_by_a_clock_that_ran_ahead_is_cancelled_at_once(db: sqlite3.Connection) -> None:
    ahead = NOW + timedelta(days=365)
    queue(db, 0, now=ahead)
    mark_message_sent(db, claimed(db, ahead), ahead)
    queue(db, 1, "CANCEL")

    outbox_message = load_next_due_message(db, NOW)
    assert outbox_message is not None
    assert (outbox_message.sequence, outbox_message.is_first) == (1, False)


def test_what_was_overtaken_since_it_was_looked_up_is_not_claimed(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox_message = load_next_due_message(db, NOW)
    assert outbox_message is not None
    queue(db, 1)

    assert not claim_message(db, outbox_message, b"bytes", TO, NOW)
    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_a_run_that_died_leaves_the_same_bytes(db: sqlite3.Connection) -> None:
    queue(db)
    claimed(db, message=b"first")
    requeue_interrupted_messages(db)
    outbox_message = load_next_due_message(db, NOW)

    assert outbox_message is not None
    assert (outbox_message.message, outbox_message.is_first) == (b"first", True)


def test_a_run_that_always_dies_waits_longer(db: sqlite3.Connection) -> None:
    queue(db)
    for _ in range(2):
        claimed(db)
        requeue_interrupted_messages(db)

    assert load_next_due_message(db, NOW + timedelta(minutes=4)) is None
    assert load_next_due_message(db, NOW + timedelta(minutes=5)) is not None


def test_bytes_that_certainly_went_nowhere_are_written_anew(db: sqlite3.Connection) -> None:
    queue(db)
    requeue_undelivered_message(db, claimed(db, message=b"for a mistyped address"), "535")

    outbox_message = load_next_due_message(db, NOW)
    assert outbox_message is not None
    assert outbox_message.message is None
    assert query_tuples(db, "SELECT attempts, last_error FROM outbox") == [(1, "535")]


def test_bytes_that_may_have_arrived_once_stay_whatever_comes_later(db: sqlite3.Connection) -> None:
    queue(db)
    claimed(db, message=b"first")
    requeue_interrupted_messages(db)
    requeue_undelivered_message(db, claimed(db), "450")

    outbox_message = load_next_due_message(db, NOW)
    assert outbox_message is not None
    assert outbox_message.message == b"first"


@pytest.mark.parametrize("outcome", ["unknown", "not taken"])
def test_an_older_revision_is_never_sent_after_a_newer(db: sqlite3.Connection, outcome: str) -> None:
    queue(db, 0)
    outbox_message = claimed(db)
    queue(db, 1)
    if outcome == "unknown":
        requeue_interrupted_messages(db)
    else:
        requeue_undelivered_message(db, outbox_message, "450")

    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_a_refused_message_is_counted_and_a_later_one_may_try_again(db: sqlite3.Connection) -> None:
    queue(db, 0)
    mark_message_failed(db, claimed(db), "550 5.7.1")
    queue(db, 1)

    assert count_outbox(db) == OutboxCounts(waiting=1, failed=1)
    assert load_next_due_message(db, NOW) is not None


def test_what_may_have_been_posted_counts_against_the_day(db: sqlite3.Connection) -> None:
    for uid in ("sent", "unknown", "refused"):
        queue(db, uid=uid)
    mark_message_sent(db, claimed(db), NOW)
    claimed(db)
    requeue_interrupted_messages(db)
    outbox_message = load_waiting_messages(db)[-1]
    claim_message(db, outbox_message, b"", TO, NOW)
    requeue_undelivered_message(db, outbox_message, "450")

    assert count_sent_since(db, NOW) == 2
    assert count_sent_since(db, NOW + timedelta(seconds=1)) == 0
    assert count_sent_since(db, NOW - timedelta(days=2)) == 0


def test_a_revision_comes_back_as_it_was(db: sqlite3.Connection) -> None:
    invite = record_revision(db, revision(0))

    assert load_revision(db, invite.uid, 0) == invite
    assert load_latest_revisions(db, at("12:00")) == (invite,)


def test_only_the_last_revision_of_an_event_counts(db: sqlite3.Connection) -> None:
    record_revision(db, revision(0))
    last = record_revision(db, revision(1, InviteMethod.CANCEL))

    assert load_latest_revisions(db, at("12:00")) == (last,)


def test_the_uid_is_one_installations_own_and_survives_a_lost_row(db: sqlite3.Connection, tmp_path: Path) -> None:
    uid = record_revision(db, revision(0)).uid
    db.execute("DELETE FROM events")
    db.execute("DELETE FROM outbox")
    other = open_store(tmp_path / "other.db")

    assert record_revision(db, revision(0)).uid == uid
    assert make_event_uid(other, at("13:00")) != uid
    assert make_event_uid(db, at("13:30")) != uid
    assert set(uid) <= set("0123456789abcdef-")
    other.close()


def planned(db: sqlite3.Connection, now: datetime, *spans: str) -> None:
    """One answer of the supplier for the one car."""
    if not load_devices(db):
        record_devices(db, [RegisteredDevice("car", watched=True)])
    ends = [span.split("-") for span in spans]
    answer = tuple(Dispatch(at(start), at(end), 7.2) for start, end in ends)
    changes: PlanChanges = diff_plan(load_planned_dispatches(db, "car", now), answer, now)
    apply_plan_changes(db, "car", changes, now)


def test_a_window_remembers_where_it_began_through_every_revision(db: sqlite3.Connection) -> None:
    planned(db, at("10:00"), "13:00-16:00")
    planned(db, at("10:05"), "12:30-16:00")
    planned(db, at("10:10"), "12:30-15:00", "18:00-19:00")

    plan = load_calendar_evidence(db, at("10:15"), POLICY.cheap_period, show_planned=False).plan
    assert [(p.starts_at, p.ends_at, p.first_start, p.first_seen_at, p.energy_kwh) for p in plan] == [
        (at("12:30"), at("15:00"), at("13:00"), at("10:00"), 7.2),
        (at("18:00"), at("19:00"), at("18:00"), at("10:10"), 7.2),
    ]


def test_a_plan_that_swings_to_and_fro_is_still_one_window(db: sqlite3.Connection) -> None:
    for minute, span in enumerate(("13:00-16:00", "12:30-16:00", "13:00-16:00", "12:30-16:00")):
        planned(db, at(f"10:0{minute}"), span)

    (plan,) = load_calendar_evidence(db, at("10:15"), POLICY.cheap_period, show_planned=False).plan
    assert plan.first_start == at("13:00")


def test_what_was_withdrawn_or_is_not_watched_is_no_plan(db: sqlite3.Connection) -> None:
    planned(db, at("13:10"), "13:00-16:00", "18:00-19:00")
    planned(db, at("13:20"), "18:00-19:00")
    assert len(load_calendar_evidence(db, at("13:20"), POLICY.cheap_period, show_planned=False).plan) == 1
    record_devices(db, [RegisteredDevice("car", watched=False)])

    assert load_calendar_evidence(db, at("13:20"), POLICY.cheap_period, show_planned=False).plan == ()


def test_the_evidence_holds_the_holds(db: sqlite3.Connection) -> None:
    set_hold(db, Hold(at("13:30")), Reason.CHARGING_IN_WINDOW, at("13:05"))
    set_hold(db, None, Reason.SLOT_ENDS, at("13:28:30"))
    set_hold(db, Hold(at("14:30")), Reason.CHARGING_IN_WINDOW, at("14:05"))

    seen = load_calendar_evidence(db, at("14:05"), POLICY.cheap_period, show_planned=False)
    assert [hold.span.ends_at for hold in seen.holds] == [at("13:30"), at("14:30")]


def test_a_feed_is_stale_when_there_is_news(db: sqlite3.Connection) -> None:
    assert load_feed_state(db) == ("0", None)
    record_revision(db, revision(0))
    newest, _ = load_feed_state(db)
    mark_feed_written(db, newest)
    assert load_feed_state(db) == (newest, newest)
    record_revision(db, revision(1, end="15:00"))

    assert load_feed_state(db)[0] != newest


QUERIES = {
    "the next letter": lambda db: load_next_due_message(db, NOW),
    "what may have been posted": lambda db: count_sent_since(db, NOW),
    "what waits": load_waiting_messages,
    "the evidence": lambda db: load_calendar_evidence(db, NOW, POLICY.cheap_period, show_planned=False),
    "the feed's state": load_feed_state,
}


@pytest.mark.parametrize("name", QUERIES)
def test_an_old_house_is_as_quick_as_a_new_one(db: sqlite3.Connection, name: str) -> None:
    queue(db)
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    QUERIES[name](db)
    db.set_trace_callback(None)

    steps = [str(step[3]) for sql in statements for step in query_tuples(db, f"EXPLAIN QUERY PLAN {sql}")]
    growing = ("events", "outbox", "old", "holds", "d", "older")
    assert steps
    assert [s for s in steps if s.startswith("SCAN") and s.split()[1] in growing and "INDEX" not in s] == []

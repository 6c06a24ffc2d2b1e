"""The outbox and the events behind it: one mail at a time for each event, the newest, the same bytes again."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from store_case import POLICY, at, texts

from smartcharge.core.answers import Device, Dispatch
from smartcharge.core.calendar import Method, Revision
from smartcharge.core.dispatches import Changes, reconcile
from smartcharge.core.model import Because, Hold
from smartcharge.store import dispatches, fetches, holds, invites, open_store, outbox
from smartcharge.store.outbox import Letter, OutboxCounts

TO = "family@example.com"
NOW = at("13:05")


def revision(sequence: int = 0, method: Method = Method.REQUEST, end: str = "16:00") -> Revision:
    return Revision(at("13:00"), sequence, method, at("13:00"), at(end), NOW + timedelta(seconds=sequence), 7.2)


def queue(
    db: sqlite3.Connection, sequence: int = 0, method: str = "REQUEST", now: datetime = NOW, uid: str = "a"
) -> None:
    outbox.queue(db, uid, sequence, method, TO, now)


def claimed(db: sqlite3.Connection, now: datetime = NOW, message: bytes = b"bytes") -> Letter:
    letter = outbox.next_due(db, now)
    assert letter is not None
    assert outbox.claim(db, letter, letter.message or message, TO, now)
    return letter


def states(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return texts(db, "SELECT sequence, state FROM outbox ORDER BY uid, sequence")


def test_a_message_waits_until_it_is_sent(db: sqlite3.Connection) -> None:
    queue(db)
    assert outbox.counts(db) == OutboxCounts(waiting=1)
    letter = claimed(db)
    assert outbox.counts(db) == OutboxCounts(waiting=1)
    outbox.sent(db, letter, NOW)

    assert outbox.counts(db) == OutboxCounts(sent=1)
    assert outbox.next_due(db, NOW) is None


def test_the_newest_revision_takes_the_place_of_what_was_never_tried(db: sqlite3.Connection) -> None:
    queue(db, 0)
    queue(db, 1)

    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_what_never_left_the_house_need_not_be_cancelled(db: sqlite3.Connection) -> None:
    queue(db, 0)
    queue(db, 1, "CANCEL")

    assert states(db) == [(0, "superseded"), (1, "superseded")]
    assert outbox.next_due(db, NOW) is None


@pytest.mark.parametrize("became", ["sent", "unknown", "inflight"])
def test_what_may_have_arrived_is_cancelled(db: sqlite3.Connection, became: str) -> None:
    queue(db, 0)
    letter = claimed(db)
    if became == "sent":
        outbox.sent(db, letter, NOW)
    elif became == "unknown":
        outbox.requeue_unknown(db)
    queue(db, 1, "CANCEL")

    assert states(db)[1] == (1, "queued")


def test_what_was_certainly_refused_is_not_cancelled(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox.not_taken(db, claimed(db), "450")
    queue(db, 1, "CANCEL")

    assert states(db) == [(0, "superseded"), (1, "superseded")]


def test_an_events_next_mail_waits_five_minutes(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox.sent(db, claimed(db), NOW)
    queue(db, 1)

    assert outbox.next_due(db, NOW + timedelta(seconds=299)) is None
    letter = outbox.next_due(db, NOW + timedelta(seconds=300))
    assert letter is not None
    assert (letter.sequence, letter.is_first) == (1, False)


def test_another_event_does_not_wait_for_it(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox.sent(db, claimed(db), NOW)
    queue(db, 0, uid="b")

    assert outbox.next_due(db, NOW) is not None


def test_a_clock_put_back_by_days_keeps_nothing_waiting(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox.sent(db, claimed(db), NOW)
    queue(db, 1)

    assert outbox.next_due(db, NOW - timedelta(days=3)) is not None


def test_a_mail_from_a_clock_that_ran_ahead_does_not_hide_the_one_after_it(db: sqlite3.Connection) -> None:
    for sequence, now in enumerate((NOW + timedelta(days=365), NOW)):
        queue(db, sequence, now=now)
        outbox.sent(db, claimed(db, now), now)
    queue(db, 2, "CANCEL")

    assert outbox.next_due(db, NOW + timedelta(seconds=299)) is None
    assert outbox.next_due(db, NOW + timedelta(seconds=300)) is not None


def test_what_arrived_by_a_clock_that_ran_ahead_is_cancelled_at_once(db: sqlite3.Connection) -> None:
    ahead = NOW + timedelta(days=365)
    queue(db, 0, now=ahead)
    outbox.sent(db, claimed(db, ahead), ahead)
    queue(db, 1, "CANCEL")

    letter = outbox.next_due(db, NOW)
    assert letter is not None
    assert (letter.sequence, letter.is_first) == (1, False)


def test_what_was_overtaken_since_it_was_looked_up_is_not_claimed(db: sqlite3.Connection) -> None:
    queue(db, 0)
    letter = outbox.next_due(db, NOW)
    assert letter is not None
    queue(db, 1)

    assert not outbox.claim(db, letter, b"bytes", TO, NOW)
    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_a_run_that_died_leaves_the_same_bytes(db: sqlite3.Connection) -> None:
    queue(db)
    claimed(db, message=b"first")
    outbox.requeue_unknown(db)
    letter = outbox.next_due(db, NOW)

    assert letter is not None
    assert (letter.message, letter.is_first) == (b"first", True)


def test_a_run_that_always_dies_waits_longer(db: sqlite3.Connection) -> None:
    queue(db)
    for _ in range(2):
        claimed(db)
        outbox.requeue_unknown(db)

    assert outbox.next_due(db, NOW + timedelta(minutes=4)) is None
    assert outbox.next_due(db, NOW + timedelta(minutes=5)) is not None


def test_bytes_that_certainly_went_nowhere_are_written_anew(db: sqlite3.Connection) -> None:
    queue(db)
    outbox.not_taken(db, claimed(db, message=b"for a mistyped address"), "535")

    letter = outbox.next_due(db, NOW)
    assert letter is not None
    assert letter.message is None
    assert texts(db, "SELECT attempts, last_error FROM outbox") == [(1, "535")]


def test_bytes_that_may_have_arrived_once_stay_whatever_comes_later(db: sqlite3.Connection) -> None:
    queue(db)
    claimed(db, message=b"first")
    outbox.requeue_unknown(db)
    outbox.not_taken(db, claimed(db), "450")

    letter = outbox.next_due(db, NOW)
    assert letter is not None
    assert letter.message == b"first"


@pytest.mark.parametrize("outcome", ["unknown", "not taken"])
def test_an_older_revision_is_never_sent_after_a_newer(db: sqlite3.Connection, outcome: str) -> None:
    queue(db, 0)
    letter = claimed(db)
    queue(db, 1)
    if outcome == "unknown":
        outbox.requeue_unknown(db)
    else:
        outbox.not_taken(db, letter, "450")

    assert states(db) == [(0, "superseded"), (1, "queued")]


def test_a_refused_message_is_counted_and_a_later_one_may_try_again(db: sqlite3.Connection) -> None:
    queue(db, 0)
    outbox.gave_up(db, claimed(db), "550 5.7.1")
    queue(db, 1)

    assert outbox.counts(db) == OutboxCounts(waiting=1, failed=1)
    assert outbox.next_due(db, NOW) is not None


def test_what_may_have_been_posted_counts_against_the_day(db: sqlite3.Connection) -> None:
    for uid in ("sent", "unknown", "refused"):
        queue(db, uid=uid)
    outbox.sent(db, claimed(db), NOW)
    claimed(db)
    outbox.requeue_unknown(db)
    letter = outbox.waiting(db)[-1]
    outbox.claim(db, letter, b"", TO, NOW)
    outbox.not_taken(db, letter, "450")

    assert outbox.posted_since(db, NOW) == 2
    assert outbox.posted_since(db, NOW + timedelta(seconds=1)) == 0
    assert outbox.posted_since(db, NOW - timedelta(days=2)) == 0


def test_a_revision_comes_back_as_it_was(db: sqlite3.Connection) -> None:
    invite = invites.record(db, revision(0))

    assert invites.revision(db, invite.uid, 0) == invite
    assert invites.latest(db, at("12:00")) == (invite,)


def test_only_the_last_revision_of_an_event_counts(db: sqlite3.Connection) -> None:
    invites.record(db, revision(0))
    last = invites.record(db, revision(1, Method.CANCEL))

    assert invites.latest(db, at("12:00")) == (last,)


def test_the_uid_is_one_installations_own_and_survives_a_lost_row(db: sqlite3.Connection, tmp_path: Path) -> None:
    uid = invites.record(db, revision(0)).uid
    db.execute("DELETE FROM events")
    db.execute("DELETE FROM outbox")
    other = open_store(tmp_path / "other.db")

    assert invites.record(db, revision(0)).uid == uid
    assert invites.uid(other, at("13:00")) != uid
    assert invites.uid(db, at("13:30")) != uid
    assert set(uid) <= set("0123456789abcdef-")
    other.close()


def planned(db: sqlite3.Connection, now: datetime, *spans: str) -> None:
    """One answer of the supplier for the one car."""
    if not fetches.devices(db):
        fetches.record_devices(db, [Device("car", watched=True)])
    ends = [span.split("-") for span in spans]
    answer = tuple(Dispatch(at(start), at(end), 7.2) for start, end in ends)
    changes: Changes = reconcile(dispatches.remembered(db, "car", now), answer, now)
    dispatches.apply(db, "car", changes, now)


def test_a_window_remembers_where_it_began_through_every_revision(db: sqlite3.Connection) -> None:
    planned(db, at("10:00"), "13:00-16:00")
    planned(db, at("10:05"), "12:30-16:00")
    planned(db, at("10:10"), "12:30-15:00", "18:00-19:00")

    plan = invites.evidence(db, at("10:15"), POLICY.cheap_period, when_planned=False).plan
    assert [(p.starts_at, p.ends_at, p.first_start, p.first_seen_at, p.energy_kwh) for p in plan] == [
        (at("12:30"), at("15:00"), at("13:00"), at("10:00"), 7.2),
        (at("18:00"), at("19:00"), at("18:00"), at("10:10"), 7.2),
    ]


def test_a_plan_that_swings_to_and_fro_is_still_one_window(db: sqlite3.Connection) -> None:
    for minute, span in enumerate(("13:00-16:00", "12:30-16:00", "13:00-16:00", "12:30-16:00")):
        planned(db, at(f"10:0{minute}"), span)

    (plan,) = invites.evidence(db, at("10:15"), POLICY.cheap_period, when_planned=False).plan
    assert plan.first_start == at("13:00")


def test_what_was_withdrawn_or_is_not_watched_is_no_plan(db: sqlite3.Connection) -> None:
    planned(db, at("13:10"), "13:00-16:00", "18:00-19:00")
    planned(db, at("13:20"), "18:00-19:00")
    assert len(invites.evidence(db, at("13:20"), POLICY.cheap_period, when_planned=False).plan) == 1
    fetches.record_devices(db, [Device("car", watched=False)])

    assert invites.evidence(db, at("13:20"), POLICY.cheap_period, when_planned=False).plan == ()


def test_the_evidence_holds_the_holds(db: sqlite3.Connection) -> None:
    holds.change(db, Hold(at("13:30")), Because.CHARGING_IN_WINDOW, at("13:05"))
    holds.change(db, None, Because.SLOT_ENDS, at("13:28:30"))
    holds.change(db, Hold(at("14:30")), Because.CHARGING_IN_WINDOW, at("14:05"))

    seen = invites.evidence(db, at("14:05"), POLICY.cheap_period, when_planned=False)
    assert [hold.span.ends_at for hold in seen.holds] == [at("13:30"), at("14:30")]


def test_a_feed_is_stale_when_there_is_news(db: sqlite3.Connection) -> None:
    assert invites.feed_state(db) == ("0", None)
    invites.record(db, revision(0))
    newest, _ = invites.feed_state(db)
    invites.mark_feed(db, newest)
    assert invites.feed_state(db) == (newest, newest)
    invites.record(db, revision(1, end="15:00"))

    assert invites.feed_state(db)[0] != newest


QUERIES = {
    "the next letter": lambda db: outbox.next_due(db, NOW),
    "what may have been posted": lambda db: outbox.posted_since(db, NOW),
    "what waits": outbox.waiting,
    "the evidence": lambda db: invites.evidence(db, NOW, POLICY.cheap_period, when_planned=False),
    "the feed's state": invites.feed_state,
}


@pytest.mark.parametrize("name", QUERIES)
def test_an_old_house_is_as_quick_as_a_new_one(db: sqlite3.Connection, name: str) -> None:
    queue(db)
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    QUERIES[name](db)
    db.set_trace_callback(None)

    steps = [str(step[3]) for sql in statements for step in texts(db, f"EXPLAIN QUERY PLAN {sql}")]
    growing = ("events", "outbox", "old", "holds", "d", "older")
    assert steps
    assert [s for s in steps if s.startswith("SCAN") and s.split()[1] in growing and "INDEX" not in s] == []

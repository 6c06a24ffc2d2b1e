"""A family with a calendar: whatever plan, car, mail server and power cuts do, its calendar comes right in the end."""

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from hypothesis import strategies as st
from msgspec.structs import replace
from store_helpers import at, memory_database

from smartcharge.policy.calendar import CalendarInputs, Invite, InviteMethod, due_revisions
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, Dispatch, Policy, RegisteredDevice
from smartcharge.policy.plan import diff_plan
from smartcharge.policy.slots import CheapPeriod, Span
from smartcharge.store.calendar import load_calendar_evidence, load_latest_revisions, load_revision, record_revision
from smartcharge.store.control import load_state, set_hold
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes, load_planned_dispatches
from smartcharge.store.outbox import (
    OutboxMessage,
    claim_message,
    load_next_due_message,
    load_waiting_messages,
    mark_message_sent,
    queue_invite,
    requeue_interrupted_messages,
    requeue_undelivered_message,
)

POLICY = Policy(CheapPeriod(time(0), time(6), "Europe/London"))
CAR = "car"
RECIPIENT = "family@example.com"
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)

HistoryStep = tuple[str, object]

SPAN_STRATEGY = st.tuples(st.integers(-4, 12) | st.integers(-1, 1), st.integers(1, 12))
"""Start, counted from now, and length, in quarters of an hour."""
PLAN_STEPS = st.tuples(st.just("plan"), st.lists(SPAN_STRATEGY, min_size=1, max_size=3) | st.just([]))
TICK_STEPS = st.tuples(st.just("tick"), st.sampled_from([*ChargerState, *[ChargerState.CHARGING] * 5]))
WAIT_STEPS = st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 14, 16, 30, 90, 600]))
DELIVERY_STEPS = st.tuples(
    st.just("post"), st.sampled_from(["taken", "taken", "lost on the way back", "lost on the way", "later", "died"])
)
HISTORY_STRATEGY = st.builds(
    lambda begins, goes_on: [("plan", begins), *goes_on],
    st.lists(SPAN_STRATEGY, min_size=1, max_size=3),
    st.lists(TICK_STEPS | PLAN_STEPS | TICK_STEPS | WAIT_STEPS | DELIVERY_STEPS, min_size=8, max_size=40),
)


EMPTY_DATABASE, SCRATCH_DATABASE = memory_database(), memory_database()


def _empty_database() -> sqlite3.Connection:
    """The one database of all families, emptied: quicker than by all its steps."""
    EMPTY_DATABASE.backup(SCRATCH_DATABASE)
    return SCRATCH_DATABASE


@dataclass
class SimulatedCalendar:
    """One house, of which there is one at a time.

    calendar: by UID, what arrived last; arrived: every mail that did, in its order.
    """

    show_planned: bool
    db: sqlite3.Connection = field(default_factory=_empty_database)
    now: datetime = field(default_factory=lambda: at("12:07:02"))
    calendar: dict[str, Invite] = field(default_factory=dict)
    arrived: list[tuple[datetime, Invite, bytes]] = field(default_factory=list)
    tried: int = 0

    def __post_init__(self) -> None:
        record_devices(self.db, [RegisteredDevice(CAR, watched=True)])

    def live(self, step: HistoryStep) -> None:
        """One thing happens, and with it everything that it makes due."""
        kind, what = step
        getattr(self, f"_{kind}")(what)

    def _wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def _plan(self, spans: list[tuple[int, int]]) -> None:
        begin = self.now.replace(minute=self.now.minute // 15 * 15, second=0)
        answer = {begin + start * QUARTER: length * QUARTER for start, length in spans}
        planned = [
            Dispatch(start, start + length, 7.2) for start, length in answer.items() if start + length > self.now
        ]
        record_plan_fetch(self.db, CAR, self.now, ok=True)
        changes = diff_plan(load_planned_dispatches(self.db, CAR, self.now), planned, self.now)
        apply_plan_changes(self.db, CAR, changes, self.now)
        self.intend()

    def _tick(self, car: ChargerState) -> None:
        record_plan_fetch(self.db, CAR, self.now, ok=True)
        seen = load_state(self.db, self.now, POLICY)
        decision = decide(replace(seen, charger=car))
        set_hold(self.db, decision.hold, decision.reason, self.now)
        self.intend()

    def intend(self) -> None:
        """As the acts do it, in the transaction of the change."""
        for revision in due_revisions(self.evidence):
            invite = record_revision(self.db, revision)
            queue_invite(self.db, invite.uid, revision.sequence, revision.method, RECIPIENT, self.now)

    @property
    def evidence(self) -> CalendarInputs:
        return load_calendar_evidence(self.db, self.now, POLICY.cheap_period, show_planned=self.show_planned)

    def _post(self, outcome: str) -> None:
        requeue_interrupted_messages(self.db)
        outbox_message = load_next_due_message(self.db, self.now)
        if outbox_message is None:
            return
        self.tried += 1
        message = (
            outbox_message.message
            or f"{outbox_message.uid} {outbox_message.sequence}, written by run {self.tried}".encode()
        )
        claim_message(self.db, outbox_message, message, RECIPIENT, self.now)
        if outcome in {"taken", "lost on the way back"} or (outcome == "died" and self.tried % 2):
            self._arrives(outbox_message, message)
        if outcome == "taken":
            mark_message_sent(self.db, outbox_message, self.now)
        elif outcome == "later":
            requeue_undelivered_message(self.db, outbox_message, "450")
        elif outcome.startswith("lost"):
            requeue_interrupted_messages(self.db)

    def _arrives(self, outbox_message: OutboxMessage, message: bytes) -> None:
        invite = load_revision(self.db, outbox_message.uid, outbox_message.sequence)
        self.arrived.append((self.now, invite, message))
        self.calendar[outbox_message.uid] = invite

    def events(self) -> dict[str, Invite]:
        """What the calendar should hold, by UID."""
        return {invite.uid: invite for invite in load_latest_revisions(self.db, self.now - 30 * DAY)}

    def shown(self) -> list[Span]:
        """The spans that the calendar should show."""
        return [e.revision.span for e in self.events().values() if e.revision.method is InviteMethod.REQUEST]

    def catch_up(self) -> None:
        """The mail server is well again."""
        while load_waiting_messages(self.db):
            self._post("taken")
            self.now += timedelta(minutes=1)

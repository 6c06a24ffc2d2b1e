"""A family with a calendar: whatever plan, car, mail server and power cuts do, its calendar comes right in the end."""

import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from hypothesis import strategies as st
from msgspec.structs import replace
from store_case import at, in_memory

from smartcharge.core.answers import Device, Dispatch
from smartcharge.core.calendar import Evidence, Invite, Method
from smartcharge.core.decide import decide
from smartcharge.core.dispatches import reconcile
from smartcharge.core.invites import due
from smartcharge.core.model import ChargerState, Policy
from smartcharge.core.slots import CheapPeriod, Span
from smartcharge.store import dispatches, fetches, holds, invites, outbox, situation
from smartcharge.store.outbox import Letter

POLICY = Policy(CheapPeriod(time(0), time(6), "Europe/London"))
CAR = "car"
RECIPIENT = "family@example.com"
QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)

Step = tuple[str, object]

SPANS = st.tuples(st.integers(-4, 12) | st.integers(-1, 1), st.integers(1, 12))
"""Start, counted from now, and length, in quarters of an hour."""
PLANS = st.tuples(st.just("plan"), st.lists(SPANS, min_size=1, max_size=3) | st.just([]))
TICKS = st.tuples(st.just("tick"), st.sampled_from([*ChargerState, *[ChargerState.CHARGING] * 5]))
WAITS = st.tuples(st.just("wait"), st.sampled_from([1, 2, 5, 14, 16, 30, 90, 600]))
POSTS = st.tuples(
    st.just("post"), st.sampled_from(["taken", "taken", "lost on the way back", "lost on the way", "later", "died"])
)
HISTORIES = st.builds(
    lambda begins, goes_on: [("plan", begins), *goes_on],
    st.lists(SPANS, min_size=1, max_size=3),
    st.lists(TICKS | PLANS | TICKS | WAITS | POSTS, min_size=8, max_size=40),
)


EMPTY, SCRATCH = in_memory(), in_memory()


def _as_new() -> sqlite3.Connection:
    """The one database of all families, emptied: quicker than by all its steps."""
    EMPTY.backup(SCRATCH)
    return SCRATCH


@dataclass
class Family:
    """One house, of which there is one at a time.

    calendar: by UID, what arrived last; arrived: every mail that did, in its order.
    """

    when_planned: bool
    db: sqlite3.Connection = field(default_factory=_as_new)
    now: datetime = field(default_factory=lambda: at("12:07:02"))
    calendar: dict[str, Invite] = field(default_factory=dict)
    arrived: list[tuple[datetime, Invite, bytes]] = field(default_factory=list)
    tried: int = 0

    def __post_init__(self) -> None:
        fetches.record_devices(self.db, [Device(CAR, watched=True)])

    def live(self, step: Step) -> None:
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
        fetches.record_answer(self.db, CAR, self.now, ok=True)
        changes = reconcile(dispatches.remembered(self.db, CAR, self.now), planned, self.now)
        dispatches.apply(self.db, CAR, changes, self.now)
        self.intend()

    def _tick(self, car: ChargerState) -> None:
        fetches.record_answer(self.db, CAR, self.now, ok=True)
        seen = situation.load(self.db, self.now, POLICY)
        decision = decide(replace(seen, charger=car))
        holds.change(self.db, decision.hold, decision.because, self.now)
        self.intend()

    def intend(self) -> None:
        """As the acts do it, in the transaction of the change."""
        for revision in due(self.evidence):
            invite = invites.record(self.db, revision)
            outbox.queue(self.db, invite.uid, revision.sequence, revision.method, RECIPIENT, self.now)

    @property
    def evidence(self) -> Evidence:
        return invites.evidence(self.db, self.now, POLICY.cheap_period, when_planned=self.when_planned)

    def _post(self, outcome: str) -> None:
        outbox.requeue_unknown(self.db)
        letter = outbox.next_due(self.db, self.now)
        if letter is None:
            return
        self.tried += 1
        message = letter.message or f"{letter.uid} {letter.sequence}, written by run {self.tried}".encode()
        outbox.claim(self.db, letter, message, RECIPIENT, self.now)
        if outcome in {"taken", "lost on the way back"} or (outcome == "died" and self.tried % 2):
            self._arrives(letter, message)
        if outcome == "taken":
            outbox.sent(self.db, letter, self.now)
        elif outcome == "later":
            outbox.not_taken(self.db, letter, "450")
        elif outcome.startswith("lost"):
            outbox.requeue_unknown(self.db)

    def _arrives(self, letter: Letter, message: bytes) -> None:
        invite = invites.revision(self.db, letter.uid, letter.sequence)
        self.arrived.append((self.now, invite, message))
        self.calendar[letter.uid] = invite

    def events(self) -> dict[str, Invite]:
        """What the calendar should hold, by UID."""
        return {invite.uid: invite for invite in invites.latest(self.db, self.now - 30 * DAY)}

    def shown(self) -> list[Span]:
        """The spans that the calendar should show."""
        return [e.revision.span for e in self.events().values() if e.revision.method is Method.REQUEST]

    def catch_up(self) -> None:
        """The mail server is well again."""
        while outbox.waiting(self.db):
            self._post("taken")
            self.now += timedelta(minutes=1)

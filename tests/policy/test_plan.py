"""A supplier that moves, drops and repeats its plans, against what is remembered of them."""

from dataclasses import dataclass, field
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from random_states import LAW_SETTINGS
from state_words import at, seconds

from smartcharge.policy.model import Dispatch
from smartcharge.policy.plan import KnownDispatch, PlanChanges, diff_plan

Span = tuple[datetime, datetime]


def dispatch(words: str) -> Dispatch:
    """Read "13:00-14:00", or "13:00-14:00 7.5" with the planned energy in kWh."""
    span, *energy = words.split()
    starts, ends = span.split("-")
    return Dispatch(at(starts), at(ends), energy_kwh=float(energy[0]) if energy else None)


def told(words: str) -> list[Dispatch]:
    return [dispatch(one) for one in words.split(", ") if one]


@dataclass
class Book:
    """The store in small: every start and end ever planned, and the marks on it."""

    rows: dict[int, KnownDispatch] = field(default_factory=dict)
    heirs: dict[int, Span] = field(default_factory=dict)

    def hear(self, answer: list[Dispatch], now: datetime) -> PlanChanges:
        changes = diff_plan(self.rows.values(), answer, now)
        for new in changes.new:
            row = len(self.rows)
            self.rows[row] = KnownDispatch(row, new.starts_at, new.ends_at, new.energy_kwh)
        for row in changes.returned:
            self.rows[row] = replace(self.rows[row], missing_since=None, withdrawn_at=None)
            self.heirs.pop(row, None)
        for row, energy_kwh in changes.energy_changed:
            self.rows[row] = replace(self.rows[row], energy_kwh=energy_kwh)
        for row in changes.missing:
            self.rows[row] = replace(self.rows[row], missing_since=now)
        for row in (*changes.withdrawn, *dict(changes.superseded)):
            self.rows[row] = replace(self.rows[row], withdrawn_at=now)
        self.heirs |= dict(changes.superseded)
        return changes

    def live(self) -> list[Span]:
        return sorted(row.span for row in self.rows.values() if row.withdrawn_at is None)

    def withdrawn(self) -> list[Span]:
        return sorted(row.span for id_, row in self.rows.items() if row.withdrawn_at and id_ not in self.heirs)

    def superseded(self) -> list[Span]:
        return sorted(self.rows[row].span for row in self.heirs)


PLANS = {
    # (when, the answer) ..., then live, withdrawn, superseded
    "what is planned is live": ([("12:00", "13:00-14:00")], "13:00-14:00", "", ""),
    "nothing planned is nothing": ([("12:00", "")], "", "", ""),
    "one empty answer takes nothing": ([("12:00", "13:00-14:00"), ("12:03", "")], "13:00-14:00", "", ""),
    "nor does a second within the minute": (
        [("12:00", "13:00-14:00"), ("12:03", ""), ("12:03:59", "")], "13:00-14:00", "", ""),
    "a second after a minute does": (
        [("12:00", "13:00-14:00"), ("12:03", ""), ("12:04", "")], "", "13:00-14:00", ""),
    "an emptied list that refills in time loses nothing": (
        [("12:00", "13:00-14:00"), ("12:03", ""), ("12:05", "13:00-14:00")], "13:00-14:00", "", ""),
    "and is counted anew when it empties again": (
        [("12:00", "13:00-14:00"), ("12:03", ""), ("12:05", "13:00-14:00"), ("12:07", "")], "13:00-14:00", "", ""),
    "one that reappears is live again": (
        [("12:00", "13:00-14:00"), ("12:03", ""), ("12:05", ""), ("12:20", "13:00-14:00")], "13:00-14:00", "", ""),
    "an active one is withdrawn at once": ([("12:00", "13:00-14:00"), ("13:10", "")], "", "13:00-14:00", ""),
    "from its first second": ([("12:00", "13:00-14:00"), ("13:00", "")], "", "13:00-14:00", ""),
    "but not a second before": ([("12:00", "13:00-14:00"), ("12:59:59", "")], "13:00-14:00", "", ""),
    "to its last second": ([("12:00", "13:00-14:00"), ("13:59:59", "")], "", "13:00-14:00", ""),
    "an ended one has ended": ([("12:00", "13:00-14:00"), ("14:00", ""), ("14:10", "")], "13:00-14:00", "", ""),
    "a missing one that begins is withdrawn": (
        [("12:00", "13:00-14:00"), ("12:59:30", ""), ("13:00:00", "")], "", "13:00-14:00", ""),
    "an active one comes back": (
        [("12:00", "13:00-14:00"), ("13:10", ""), ("13:12", "13:00-14:00")], "13:00-14:00", "", ""),
    "one of several is taken back": (
        [("12:00", "13:00-14:00, 15:00-16:00"), ("13:10", "15:00-16:00")], "15:00-16:00", "13:00-14:00", ""),
    "a longer end is a revision": (
        [("12:00", "13:00-14:00"), ("13:10", "13:00-15:00")], "13:00-15:00", "", "13:00-14:00"),
    "so is a shorter one": ([("12:00", "13:00-14:00"), ("13:10", "13:00-13:30")], "13:00-13:30", "", "13:00-14:00"),
    "a start trimmed to now is a revision": (
        [("12:00", "13:00-14:00"), ("13:20", "13:20-14:00")], "13:20-14:00", "", "13:00-14:00"),
    "a later start that overlaps too": (
        [("12:00", "13:00-14:00"), ("12:05", "13:30-15:00")], "13:30-15:00", "", "13:00-14:00"),
    "one that only touches is another": (
        [("12:00", "13:00-14:00"), ("12:05", "14:00-15:00")], "13:00-14:00, 14:00-15:00", "", ""),
    "nor is one that it touches from before": (
        [("12:00", "14:00-15:00"), ("12:05", "13:00-14:00")], "13:00-14:00, 14:00-15:00", "", ""),
    "one that moved clear away is withdrawn in time": (
        [("12:00", "13:00-14:00"), ("12:05", "15:00-16:00"), ("12:06", "15:00-16:00")],
        "15:00-16:00", "13:00-14:00", ""),
    "a revision that is taken back revives the first": (
        [("12:00", "13:00-14:00"), ("12:05", "13:00-15:00"), ("12:10", "13:00-14:00")],
        "13:00-14:00", "", "13:00-15:00"),
    "a window is split in two": (
        [("12:00", "13:00-16:00"), ("12:05", "13:00-14:00, 15:00-16:00")],
        "13:00-14:00, 15:00-16:00", "", "13:00-16:00"),
    "two windows become one": (
        [("12:00", "13:00-14:00, 15:00-16:00"), ("12:05", "13:00-16:00")],
        "13:00-16:00", "", "13:00-14:00, 15:00-16:00"),
    "back-to-back windows are two": ([("12:00", "13:00-14:00, 14:00-14:30")], "13:00-14:00, 14:00-14:30", "", ""),
    "overlapping ones are both live": ([("12:00", "13:00-15:00, 14:00-16:00")], "13:00-15:00, 14:00-16:00", "", ""),
    "a repeated one is one": ([("12:00", "13:00-14:00, 13:00-14:00, 13:00-14:00")], "13:00-14:00", "", ""),
    "the order does not matter": ([("12:00", "15:00-16:00, 13:00-14:00")], "13:00-14:00, 15:00-16:00", "", ""),
    "what has ended already is not planned": ([("14:00", "13:00-14:00, 15:00-16:00")], "15:00-16:00", "", ""),
    "odd seconds are kept": ([("12:00", "13:37:11-13:38:27")], "13:37:11-13:38:27", "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "live", "withdrawn", "superseded"), PLANS.values(), ids=PLANS)
def test_a_plan_is_followed(answers: list[tuple[str, str]], live: str, withdrawn: str, superseded: str) -> None:
    book = Book()
    for when, answer in answers:
        book.hear(told(answer), at(when))
    spans = [[(one.starts_at, one.ends_at) for one in told(words)] for words in (live, withdrawn, superseded)]
    assert [book.live(), book.withdrawn(), book.superseded()] == spans


def test_a_window_moved_a_dozen_times_keeps_every_revision() -> None:
    book = Book()
    revisions = [f"18:{minute:02}-19:{minute:02}" for minute in range(0, 36, 3)]
    for number, revision in enumerate(revisions):
        book.hear(told(revision), at("17:00") + seconds(180 * number))
    *old, last = [(one.starts_at, one.ends_at) for one in told(", ".join(revisions))]
    assert (book.live(), book.superseded(), book.withdrawn()) == ([last], old, [])


def test_a_revision_is_told_apart_from_a_withdrawal() -> None:
    book = Book()
    book.hear(told("13:00-14:00, 18:00-19:00"), at("12:00"))
    changes = book.hear(told("13:00-14:30"), at("13:10"))
    longer = dispatch("13:00-14:30")
    assert changes == PlanChanges(new=(longer,), missing=(1,), superseded=((0, (longer.starts_at, longer.ends_at)),))


def test_what_is_withdrawn_at_once_is_not_also_missing() -> None:
    book = Book()
    book.hear(told("13:00-14:00"), at("12:00"))
    assert book.hear([], at("13:10")) == PlanChanges(withdrawn=(0,))


ENERGIES = {
    "the same energy is no news": ("13:00-14:00 7.5", "13:00-14:00 7.5", ()),
    "another is": ("13:00-14:00 7.5", "13:00-14:00 3", ((0, 3.0),)),
    "zero is an energy": ("13:00-14:00 7.5", "13:00-14:00 0", ((0, 0.0),)),
    "and not the same as silence": ("13:00-14:00 0", "13:00-14:00", ((0, None),)),
}


@pytest.mark.parametrize(("before", "after", "energy_changed"), ENERGIES.values(), ids=ENERGIES)
def test_another_energy_is_no_other_window(before: str, after: str, energy_changed: object) -> None:
    book = Book()
    book.hear(told(before), at("12:00"))
    changes = book.hear(told(after), at("12:03"))
    assert changes == PlanChanges(energy_changed=changes.energy_changed)
    assert changes.energy_changed == energy_changed
    assert book.rows[0].energy_kwh == told(after)[0].energy_kwh


def test_no_change_is_falsy_and_any_change_is_not() -> None:
    assert not PlanChanges()
    assert all(
        [
            PlanChanges(returned=(0,)),
            PlanChanges(missing=(0,)),
            PlanChanges(withdrawn=(0,)),
            PlanChanges(energy_changed=((0, None),)),
        ]
    )


DISPATCHES = st.builds(
    lambda start, length, energy: Dispatch(
        at("12:00") + seconds(60 * start), at("12:00") + seconds(60 * (start + length)), energy
    ),
    st.integers(-60, 300),
    st.integers(1, 120),
    st.sampled_from([None, 0.0, 7.5]),
)
ANSWERS = st.lists(st.tuples(st.integers(1, 900), st.lists(DISPATCHES, max_size=4)), min_size=1, max_size=6)
"""Seconds since the answer before, and what it says."""


@LAW_SETTINGS
@given(ANSWERS)
def test_every_answer_is_taken_in_whole_and_once(answers: list[tuple[int, list[Dispatch]]]) -> None:
    book, now = Book(), at("12:00")
    for wait, answer in answers:
        now += seconds(wait)
        before = dict(book.rows)
        book.hear(answer, now)
        ahead = {(one.starts_at, one.ends_at) for one in answer if one.ends_at > now}
        live_ahead = {span for span in book.live() if span[1] > now}
        still_awaited = {row.span for row in book.rows.values() if row.missing_since and row.starts_at > now}

        assert ahead <= live_ahead <= ahead | still_awaited
        assert not book.hear(answer, now), "the same answer twice changes nothing"
        assert len({row.span for row in book.rows.values()}) == len(book.rows) >= len(before)
        assert all(book.rows[row] == was for row, was in before.items() if was.ends_at <= now)


@LAW_SETTINGS
@given(ANSWERS)
def test_two_answers_a_minute_apart_leave_only_what_both_say(answers: list[tuple[int, list[Dispatch]]]) -> None:
    book, now = Book(), at("12:00")
    for wait, answer in answers:
        now += seconds(wait)
        book.hear(answer, now)
    now += seconds(60)
    book.hear(answer, now)
    ahead = {(one.starts_at, one.ends_at) for one in answer if one.ends_at > now}
    assert {span for span in book.live() if span[1] > now} == ahead

"""How an answer changes the stored plan: new, revised, missing, withdrawn and returned dispatches."""

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


def dispatches(words: str) -> list[Dispatch]:
    return [dispatch(one) for one in words.split(", ") if one]


@dataclass
class StoredPlan:
    """What the store keeps: every start and end ever planned, with its marks."""

    rows: dict[int, KnownDispatch] = field(default_factory=dict)
    replacements: dict[int, Span] = field(default_factory=dict)

    def apply(self, answer: list[Dispatch], now: datetime) -> PlanChanges:
        changes = diff_plan(self.rows.values(), answer, now)
        for new in changes.new:
            row = len(self.rows)
            self.rows[row] = KnownDispatch(row, new.starts_at, new.ends_at, new.energy_kwh)
        for row in changes.returned:
            self.rows[row] = replace(self.rows[row], missing_since=None, withdrawn_at=None)
            self.replacements.pop(row, None)
        for row, energy_kwh in changes.energy_changed:
            self.rows[row] = replace(self.rows[row], energy_kwh=energy_kwh)
        for row in changes.missing:
            self.rows[row] = replace(self.rows[row], missing_since=now)
        for row in (*changes.withdrawn, *dict(changes.superseded)):
            self.rows[row] = replace(self.rows[row], withdrawn_at=now)
        self.replacements |= dict(changes.superseded)
        return changes

    def live(self) -> list[Span]:
        return sorted(row.span for row in self.rows.values() if row.withdrawn_at is None)

    def withdrawn(self) -> list[Span]:
        return sorted(row.span for id_, row in self.rows.items() if row.withdrawn_at and id_ not in self.replacements)

    def superseded(self) -> list[Span]:
        return sorted(self.rows[row].span for row in self.replacements)


PLANS = {
    # (when, the answer) ..., then live, withdrawn, superseded
    "what is planned is live": ([("12:00", "13:00-14:00")], "13:00-14:00", "", ""),
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
    "a longer end is a revision": (
        [("12:00", "13:00-14:00"), ("13:10", "13:00-15:00")], "13:00-15:00", "", "13:00-14:00"),
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
    "a repeated one is one": ([("12:00", "13:00-14:00, 13:00-14:00, 13:00-14:00")], "13:00-14:00", "", ""),
    "what has ended already is not planned": ([("14:00", "13:00-14:00, 15:00-16:00")], "15:00-16:00", "", ""),
}  # fmt: skip


@pytest.mark.parametrize(("answers", "live", "withdrawn", "superseded"), PLANS.values(), ids=PLANS)
def test_the_stored_plan_follows_the_answers(
    answers: list[tuple[str, str]], live: str, withdrawn: str, superseded: str
) -> None:
    stored = StoredPlan()
    for when, answer in answers:
        stored.apply(dispatches(answer), at(when))
    spans = [[(one.starts_at, one.ends_at) for one in dispatches(words)] for words in (live, withdrawn, superseded)]
    assert [stored.live(), stored.withdrawn(), stored.superseded()] == spans


def test_a_revision_is_no_withdrawal() -> None:
    stored = StoredPlan()
    stored.apply(dispatches("13:00-14:00, 18:00-19:00"), at("12:00"))
    changes = stored.apply(dispatches("13:00-14:30"), at("13:10"))
    longer = dispatch("13:00-14:30")
    assert changes == PlanChanges(new=(longer,), missing=(1,), superseded=((0, (longer.starts_at, longer.ends_at)),))


def test_what_is_withdrawn_at_once_is_not_also_missing() -> None:
    stored = StoredPlan()
    stored.apply(dispatches("13:00-14:00"), at("12:00"))
    assert stored.apply([], at("13:10")) == PlanChanges(withdrawn=(0,))


ENERGIES = {
    "the same energy is no news": ("13:00-14:00 7.5", "13:00-14:00 7.5", ()),
    "another is": ("13:00-14:00 7.5", "13:00-14:00 3", ((0, 3.0),)),
    "zero is an energy": ("13:00-14:00 7.5", "13:00-14:00 0", ((0, 0.0),)),
    "and not the same as silence": ("13:00-14:00 0", "13:00-14:00", ((0, None),)),
}


@pytest.mark.parametrize(("before", "after", "energy_changed"), ENERGIES.values(), ids=ENERGIES)
def test_another_energy_is_the_same_window(before: str, after: str, energy_changed: object) -> None:
    stored = StoredPlan()
    stored.apply(dispatches(before), at("12:00"))
    changes = stored.apply(dispatches(after), at("12:03"))
    assert changes == PlanChanges(energy_changed=changes.energy_changed)
    assert changes.energy_changed == energy_changed
    assert stored.rows[0].energy_kwh == dispatches(after)[0].energy_kwh


def test_only_a_change_is_truthy() -> None:
    changes = [PlanChanges(returned=(0,)), PlanChanges(missing=(0,)), PlanChanges(withdrawn=(0,)),
               PlanChanges(energy_changed=((0, None),))]  # fmt: skip
    assert all(changes)
    assert not PlanChanges()


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
def test_every_answer_is_stored_whole_and_once(answers: list[tuple[int, list[Dispatch]]]) -> None:
    stored, now = StoredPlan(), at("12:00")
    for wait, answer in answers:
        now += seconds(wait)
        before = dict(stored.rows)
        stored.apply(answer, now)
        ahead = {(one.starts_at, one.ends_at) for one in answer if one.ends_at > now}
        live_ahead = {span for span in stored.live() if span[1] > now}
        still_awaited = {row.span for row in stored.rows.values() if row.missing_since and row.starts_at > now}

        assert ahead <= live_ahead <= ahead | still_awaited
        assert not stored.apply(answer, now), "the same answer twice changes nothing"
        assert len({row.span for row in stored.rows.values()}) == len(stored.rows) >= len(before)
        assert all(stored.rows[row] == was for row, was in before.items() if was.ends_at <= now)


@LAW_SETTINGS
@given(ANSWERS)
def test_two_answers_a_minute_apart_leave_only_what_both_say(answers: list[tuple[int, list[Dispatch]]]) -> None:
    stored, now = StoredPlan(), at("12:00")
    for wait, answer in answers:
        now += seconds(wait)
        stored.apply(answer, now)
    now += seconds(60)
    stored.apply(answer, now)
    ahead = {(one.starts_at, one.ends_at) for one in answer if one.ends_at > now}
    assert {span for span in stored.live() if span[1] > now} == ahead

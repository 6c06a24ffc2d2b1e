"""What the state of a decision says: windows that touch, pauses, manual overrides, due releases."""

import pytest
from msgspec.structs import replace
from state_words import at, build_state, parse_window

from smartcharge.policy.model import ManualOverride, Pause, Reason, merge_windows
from smartcharge.policy.slots import Span

# ruff: noqa: FBT001 - truth values are columns of the tables


NOW = at("12:00")

CONTIGUOUS = {
    "one": ("13:00-14:00", "13:00-14:00"),
    "two apart": ("13:00-14:00, 14:00:01-15:00", "13:00-14:00, 14:00:01-15:00"),
    "two that touch": ("13:00-14:00, 14:00-15:00", "13:00-15:00"),
    "two that overlap": ("13:00-14:30, 14:00-15:00", "13:00-15:00"),
    "one inside another": ("13:00-15:00, 13:30-14:00", "13:00-15:00"),
    "one behind the one inside": ("13:00-15:00, 13:30-14:00, 15:00-16:00", "13:00-16:00"),
    "out of order": ("14:00-15:00, 13:00-14:00", "13:00-15:00"),
    "of two cars": ("13:00-14:00, 14:00-15:00 van", "13:00-15:00"),
    "one withdrawn between": ("13:00-14:00, 14:00-15:00 withdrawn, 15:00-16:00", "13:00-14:00, 15:00-16:00"),
    "one replaced": ("13:00-15:00 superseded, 13:00-14:00", "13:00-14:00"),
}


@pytest.mark.parametrize(("plan", "spans"), CONTIGUOUS.values(), ids=CONTIGUOUS)
def test_windows_that_touch_count_as_one(plan: str, spans: str) -> None:
    expected = [build_state("12:00", one).windows[0] for one in spans.split(", ") if one]
    assert merge_windows(build_state("12:00", plan).windows) == tuple(Span(w.starts_at, w.ends_at) for w in expected)


@pytest.mark.parametrize(
    ("mark", "live"), [("", True), ("stale", True), ("boosting", True), ("withdrawn", False), ("superseded", False)]
)
def test_a_window_is_live_until_it_is_withdrawn(mark: str, live: bool) -> None:
    assert parse_window(f"13:00-14:00 {mark}", NOW).live is live


OVERRIDES = {
    # the plan, until (noticed at 13:05, at least until 14:30)
    "the window as it was": ("13:00-14:00", "14:30"),
    "lengthened": ("13:00-15:00", "15:30"),
    "shortened": ("13:00-13:30", "14:00"),
    "ending mid-slot": ("13:00-13:40", "14:30"),
    "joined by another": ("13:00-14:00, 14:00-16:00", "16:30"),
    "joined by another car's": ("13:00-14:00, 13:50-15:00 van", "15:30"),
    "followed by another": ("13:00-14:00, 14:01-16:00", "14:30"),
    "withdrawn": ("13:00-14:00 withdrawn", "14:30"),
    "moved on": ("13:00-14:00 superseded, 13:10-16:00", "16:30"),
    "moved away": ("13:00-14:00 superseded, 15:00-16:00", "14:30"),
    "unknown, because the supplier does not answer": ("13:00-15:00 stale", "15:30"),
}


@pytest.mark.parametrize(("plan", "until"), OVERRIDES.values(), ids=OVERRIDES)
def test_a_manual_override_moves_with_its_window(plan: str, until: str) -> None:
    seen = replace(build_state("13:10", plan), manual_override=ManualOverride(at("13:05"), at("14:30")))
    assert seen.manual_override_until == at(until)
    assert replace(seen, now=at(until)).manual_override_until is None


PAUSES = {
    "until resumed": (Pause(), True),
    "for a second yet": (Pause(at("13:10:01")), True),
    "to this second": (Pause(at("13:10:00")), False),
}


@pytest.mark.parametrize(("pause", "paused"), PAUSES.values(), ids=PAUSES)
def test_a_pause_ends_at_its_moment(pause: Pause | None, paused: bool) -> None:
    assert replace(build_state("13:10"), pause=pause).is_paused is paused


def test_a_hold_is_due_a_lead_before_its_end() -> None:
    dues = [build_state(when, held="13:30").is_release_due for when in ("13:28:29", "13:28:30", "13:30", "19:00")]
    assert dues == [False, True, True, True]
    assert not build_state("13:30").is_release_due


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_clause_for_the_owner(reason: Reason) -> None:
    assert reason == reason.name == str(reason)
    assert reason.sentence[0].islower()
    assert not reason.sentence.endswith(".")
    assert [other.sentence for other in Reason].count(reason.sentence) == 1

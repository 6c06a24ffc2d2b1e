"""The words of the house: windows that touch, pauses, stand-downs, and decisions."""

import pytest
from msgspec.structs import replace
from state_words import at, build_state, parse_hold, parse_window

from smartcharge.policy.model import Hold, HoldKind, ManualOverride, Pause, Reason, merge_windows
from smartcharge.policy.slots import Span

# ruff: noqa: FBT001 - truth values are columns of the tables


NOW = at("12:00")

CONTIGUOUS = {
    "nothing": ("", ""),
    "one": ("13:00-14:00", "13:00-14:00"),
    "two apart": ("13:00-14:00, 14:00:01-15:00", "13:00-14:00, 14:00:01-15:00"),
    "two that touch": ("13:00-14:00, 14:00-15:00", "13:00-15:00"),
    "two that overlap": ("13:00-14:30, 14:00-15:00", "13:00-15:00"),
    "one inside another": ("13:00-15:00, 13:30-14:00", "13:00-15:00"),
    "one behind the one inside": ("13:00-15:00, 13:30-14:00, 15:00-16:00", "13:00-16:00"),
    "the same three times": ("13:00-14:00, 13:00-14:00, 13:00-14:00", "13:00-14:00"),
    "out of order": ("14:00-15:00, 13:00-14:00", "13:00-15:00"),
    "of two cars": ("13:00-14:00, 14:00-15:00 van", "13:00-15:00"),
    "one taken back between": ("13:00-14:00, 14:00-15:00 withdrawn, 15:00-16:00", "13:00-14:00, 15:00-16:00"),
    "one replaced": ("13:00-15:00 superseded, 13:00-14:00", "13:00-14:00"),
    "a stale one": ("13:00-14:00 stale", "13:00-14:00"),
}


@pytest.mark.parametrize(("plan", "spans"), CONTIGUOUS.values(), ids=CONTIGUOUS)
def test_windows_that_touch_count_as_one(plan: str, spans: str) -> None:
    expected = [build_state("12:00", one).windows[0] for one in spans.split(", ") if one]
    assert merge_windows(build_state("12:00", plan).windows) == tuple(Span(w.starts_at, w.ends_at) for w in expected)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    planned = parse_window("13:00-14:00", NOW)
    assert [planned.covers(at(moment)) for moment in ("12:59:59", "13:00", "13:59:59", "14:00")] == [
        False, True, True, False]  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "live"), [("", True), ("stale", True), ("boosting", True), ("withdrawn", False), ("superseded", False)]
)
def test_a_window_lives_until_it_is_taken_back(mark: str, live: bool) -> None:
    assert parse_window(f"13:00-14:00 {mark}", NOW).live is live


STAND_DOWNS = {
    # the plan, until (stood down at 13:05, at least until 14:30)
    "the window as it was": ("13:00-14:00", "14:30"),
    "lengthened": ("13:00-15:00", "15:30"),
    "shortened": ("13:00-13:30", "14:00"),
    "ending mid-slot": ("13:00-13:40", "14:30"),
    "joined by another": ("13:00-14:00, 14:00-16:00", "16:30"),
    "joined by another car's": ("13:00-14:00, 13:50-15:00 van", "15:30"),
    "followed by another": ("13:00-14:00, 14:01-16:00", "14:30"),
    "taken back": ("13:00-14:00 withdrawn", "14:30"),
    "moved on": ("13:00-14:00 superseded, 13:10-16:00", "16:30"),
    "moved away": ("13:00-14:00 superseded, 15:00-16:00", "14:30"),
    "unknown, because Kraken is silent": ("13:00-15:00 stale", "15:30"),
}


@pytest.mark.parametrize(("plan", "until"), STAND_DOWNS.values(), ids=STAND_DOWNS)
def test_a_manual_override_moves_with_its_window(plan: str, until: str) -> None:
    seen = replace(build_state("13:10", plan), manual_override=ManualOverride(at("13:05"), at("14:30")))
    assert seen.manual_override_until == at(until)
    assert replace(seen, now=at(until)).manual_override_until is None


PAUSES = {
    "none": (None, False),
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


def test_a_hold_is_its_end_and_kind() -> None:
    assert (
        parse_hold("13:30")
        == Hold(at("13:30"))
        != parse_hold("13:30 extended")
        == Hold(at("13:30"), HoldKind.EXTENSION)
    )


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_clause_for_the_owner(reason: Reason) -> None:
    assert reason == reason.name == str(reason)
    assert reason.sentence[0].islower()
    assert not reason.sentence.endswith(".")
    assert [other.sentence for other in Reason].count(reason.sentence) == 1


def test_what_was_seen_cannot_be_changed() -> None:
    seen = build_state("13:05")

    with pytest.raises(AttributeError):
        seen.now = at("14:00")  # type: ignore[misc]
    assert seen == build_state("13:05")

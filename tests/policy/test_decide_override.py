"""The owner's word against the rules: pauses, and windows left to whoever set the battery; times as in winter."""

import pytest
from msgspec.structs import replace
from state_words import at, build_state, parse_hold

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ManualOverride, Pause, Reason, State

OWNER = {
    # when, the owner's word, the plan, because (the car charges, 13:30 is held, nothing is held after)
    "a pause releases at once": ("13:05", Pause(), "13:00-14:00", "PAUSED"),
    "a pause stands to its last second": ("13:29:59", Pause(at("13:30")), "13:00-14:00", "PAUSED"),
    "a pause outranks the night": ("24:05", Pause(), "", "PAUSED"),
    "another's stance is left alone": ("13:05", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "to the half hour after the window": (
        "14:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "moving with a window that grows": (
        "15:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:40, 14:40-15:00", "STOOD_DOWN"),
    "and where the window is gone, as first said": (
        "14:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00 withdrawn", "STOOD_DOWN"),
    "standing down outranks the night": ("24:05", ManualOverride(at("23:45"), at("24:30")), "", "STOOD_DOWN"),
}  # fmt: skip


def with_word(seen: State, word: Pause | ManualOverride) -> State:
    return replace(seen, pause=word) if isinstance(word, Pause) else replace(seen, manual_override=word)


@pytest.mark.parametrize(("when", "word", "plan", "reason"), OWNER.values(), ids=OWNER)
def test_the_owner_comes_first(when: str, word: Pause | ManualOverride, plan: str, reason: str) -> None:
    decision = decide(with_word(build_state(when, plan, "charging", "13:30"), word))
    assert (decision.hold, decision.reason) == (None, Reason[reason])


OVER = {
    "the pause is over at its minute": ("13:30", Pause(at("13:30")), "13:00-14:00", "14:00"),
    "the next window is ours again": (
        "14:30", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00, 14:30-15:00", "15:00"),
    "a window that shrank is over earlier": (
        "14:00", ManualOverride(at("13:05"), at("14:30")), "13:00-13:30, 14:00-15:00", "14:30"),
    "a window that grew is over later": (
        "15:30", ManualOverride(at("13:05"), at("14:30")), "13:00-15:00, 15:30-16:00", "16:00"),
}  # fmt: skip


@pytest.mark.parametrize(("when", "word", "plan", "after"), OVER.values(), ids=OVER)
def test_the_owners_word_ends(when: str, word: Pause | ManualOverride, plan: str, after: str) -> None:
    decision = decide(with_word(build_state(when, plan, "charging"), word))
    assert (decision.hold, decision.reason) == (parse_hold(after), Reason.CHARGING_IN_WINDOW)


def test_a_pause_is_named_before_a_manual_override() -> None:
    seen = with_word(build_state("13:05"), ManualOverride(at("13:05"), at("14:30")))
    assert decide(with_word(seen, Pause())).reason is Reason.PAUSED

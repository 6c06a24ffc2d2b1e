"""The owner's word against the rules: pauses, and windows left to whoever set the battery; times as in winter."""

import pytest
from msgspec.structs import replace
from situations import at, hold, situation

from smartcharge.core.decide import decide
from smartcharge.core.model import Because, Pause, Situation, StandDown

OWNER = {
    # when, the owner's word, the plan, because (the car charges, 13:30 is held, nothing is held after)
    "a pause releases at once": ("13:05", Pause(), "13:00-14:00", "PAUSED"),
    "a pause stands to its last second": ("13:29:59", Pause(at("13:30")), "13:00-14:00", "PAUSED"),
    "a pause outranks the night": ("24:05", Pause(), "", "PAUSED"),
    "another's stance is left alone": ("13:05", StandDown(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "to the half hour after the window": (
        "14:29:59", StandDown(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "moving with a window that grows": (
        "15:29:59", StandDown(at("13:05"), at("14:30")), "13:00-14:40, 14:40-15:00", "STOOD_DOWN"),
    "and where the window is gone, as first said": (
        "14:29:59", StandDown(at("13:05"), at("14:30")), "13:00-14:00 withdrawn", "STOOD_DOWN"),
    "standing down outranks the night": ("24:05", StandDown(at("23:45"), at("24:30")), "", "STOOD_DOWN"),
}  # fmt: skip


def with_word(seen: Situation, word: Pause | StandDown) -> Situation:
    return replace(seen, pause=word) if isinstance(word, Pause) else replace(seen, stand_down=word)


@pytest.mark.parametrize(("when", "word", "plan", "because"), OWNER.values(), ids=OWNER)
def test_the_owner_comes_first(when: str, word: Pause | StandDown, plan: str, because: str) -> None:
    decision = decide(with_word(situation(when, plan, "charging", "13:30"), word))
    assert (decision.hold, decision.because) == (None, Because[because])


OVER = {
    "the pause is over at its minute": ("13:30", Pause(at("13:30")), "13:00-14:00", "14:00"),
    "the next window is ours again": (
        "14:30", StandDown(at("13:05"), at("14:30")), "13:00-14:00, 14:30-15:00", "15:00"),
    "a window that shrank is over earlier": (
        "14:00", StandDown(at("13:05"), at("14:30")), "13:00-13:30, 14:00-15:00", "14:30"),
    "a window that grew is over later": (
        "15:30", StandDown(at("13:05"), at("14:30")), "13:00-15:00, 15:30-16:00", "16:00"),
}  # fmt: skip


@pytest.mark.parametrize(("when", "word", "plan", "after"), OVER.values(), ids=OVER)
def test_the_owners_word_ends(when: str, word: Pause | StandDown, plan: str, after: str) -> None:
    decision = decide(with_word(situation(when, plan, "charging"), word))
    assert (decision.hold, decision.because) == (hold(after), Because.CHARGING_IN_WINDOW)


def test_a_pause_is_named_before_a_stand_down() -> None:
    seen = with_word(situation("13:05"), StandDown(at("13:05"), at("14:30")))
    assert decide(with_word(seen, Pause())).because is Because.PAUSED

"""Pauses and manual overrides come before the other rules; all times are a winter day's in London."""

import pytest
from msgspec.structs import replace
from state_words import at, build_state, parse_hold

from smartcharge.policy.decide import decide
from smartcharge.policy.model import ManualOverride, Pause, Reason, State

OWNER = {
    # when, pause or override, the plan, because (the car charges, 13:30 is held, nothing is held after)
    "a pause releases at once": ("13:05", Pause(), "13:00-14:00", "PAUSED"),
    "a pause stands to its last second": ("13:29:59", Pause(at("13:30")), "13:00-14:00", "PAUSED"),
    "a pause comes before the cheap period": ("24:05", Pause(), "", "PAUSED"),
    "a manual override": ("13:05", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "to the half hour after the window": (
        "14:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00", "STOOD_DOWN"),
    "longer with a window that grows": (
        "15:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:40, 14:40-15:00", "STOOD_DOWN"),
    "to its first end where the window is withdrawn": (
        "14:29:59", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00 withdrawn", "STOOD_DOWN"),
    "an override comes before the cheap period": ("24:05", ManualOverride(at("23:45"), at("24:30")), "", "STOOD_DOWN"),
}  # fmt: skip


def with_owner(seen: State, owner: Pause | ManualOverride) -> State:
    return replace(seen, pause=owner) if isinstance(owner, Pause) else replace(seen, manual_override=owner)


@pytest.mark.parametrize(("when", "owner", "plan", "reason"), OWNER.values(), ids=OWNER)
def test_the_owner_comes_before_the_other_rules(
    when: str, owner: Pause | ManualOverride, plan: str, reason: str
) -> None:
    decision = decide(with_owner(build_state(when, plan, "charging", "13:30"), owner))
    assert (decision.hold, decision.reason) == (None, Reason[reason])


OVER = {
    "the pause is over at its minute": ("13:30", Pause(at("13:30")), "13:00-14:00", "14:00"),
    "the next window": (
        "14:30", ManualOverride(at("13:05"), at("14:30")), "13:00-14:00, 14:30-15:00", "15:00"),
    "a window that shrank is over earlier": (
        "14:00", ManualOverride(at("13:05"), at("14:30")), "13:00-13:30, 14:00-15:00", "14:30"),
    "a window that grew is over later": (
        "15:30", ManualOverride(at("13:05"), at("14:30")), "13:00-15:00, 15:30-16:00", "16:00"),
}  # fmt: skip


@pytest.mark.parametrize(("when", "owner", "plan", "after"), OVER.values(), ids=OVER)
def test_a_pause_and_an_override_end(when: str, owner: Pause | ManualOverride, plan: str, after: str) -> None:
    decision = decide(with_owner(build_state(when, plan, "charging"), owner))
    assert (decision.hold, decision.reason) == (parse_hold(after), Reason.CHARGING_IN_WINDOW)


def test_a_pause_is_named_before_a_manual_override() -> None:
    seen = with_owner(build_state("13:05"), ManualOverride(at("13:05"), at("14:30")))
    assert decide(with_owner(seen, Pause())).reason is Reason.PAUSED

"""The laws hold in every state that the small house can reach, and the walk notices where they do not."""

import logging

import closed_walk
import pytest
from closed_walk import LawBrokenError, walk

from smartcharge.policy import battery_steps
from smartcharge.policy.battery import BatteryMemory


def test_the_laws_hold_in_every_state_of_the_small_house() -> None:
    found = walk()

    logging.getLogger(__name__).info("%d states, %d transitions", found.states, found.transitions)
    assert found.outcomes["owned"] > found.outcomes["not owned"] > 0


def test_a_memory_that_is_not_stored_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed_walk.WalkedBattery, "save", lambda *_: None)

    with pytest.raises(LawBrokenError, match="before the doubt is stored"):
        walk()


def test_an_ownership_that_ends_too_early_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(battery_steps, "memory_after", lambda *_: BatteryMemory())

    with pytest.raises(LawBrokenError):
        walk()

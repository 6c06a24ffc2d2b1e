"""What random days found stays mended."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from house_case import House, at
from soak_places import Fuse, hostile

from smartcharge import episodes
from smartcharge.act import plan, tick
from smartcharge.core.model import ChargerState
from smartcharge.errors import Busy
from smartcharge.guard import attempt
from smartcharge.quiet import is_quiet
from smartcharge.toolbox import Toolbox


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.tariff.spans = ["13:00-13:30"]
    return house


def run(house: House, clock: str, act: Callable[[Toolbox], None] = tick.run, *, disk_is_full: bool = False) -> int:
    with hostile(Fuse(), lambda: disk_is_full, foresight_steps=2), closing(house.tools(clock)) as tools:
        return attempt(lambda: act(tools), tools.warn)


def test_a_full_disk_stops_no_release_though_the_lock_was_in_trouble(house: House) -> None:
    """That the lock is free again cannot be noted then; the battery comes back all the same."""
    run(house, "13:05")
    assert house.battery.mode == "backup"
    house.charger.answers = [ChargerState.IDLE]
    run(house, "13:10", lambda tools: episodes.failed(tools, "reconcile", episodes.LOCK, Busy("another run")))

    run(house, "13:29", disk_is_full=True)

    assert (house.battery.mode, house.battery.reserve_pct) == ("autonomous", 20)


def test_a_clock_in_doubt_is_told_though_the_supplier_was_asked_first(house: House) -> None:
    """Where each command has a line of its own, nothing quiet is foreseen over what `reconcile` has to tell."""
    run(house, "12:50")

    run(house, "11:50", plan.run)

    line = ["--config", str(house.config.path), "reconcile"]
    assert len(house.tariff.asked) == 2
    assert not is_quiet(line, os.environ, at("11:50"))
    assert not is_quiet(line, os.environ, at("11:51"))

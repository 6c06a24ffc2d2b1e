"""Shares of the time end when they should, however they lie inside one another, and leave nothing behind."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from smartcharge import budget
from smartcharge.budget import OutOfTime, share


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    before = signal.getsignal(signal.SIGALRM)
    yield
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def burn() -> None:
    """Work that never ends."""
    while True:
        pass


def seconds_of(inner: float, outer: float, *, times: int = 1) -> float:
    """How long an outer share lasts in which so many inner ones run out."""
    began = time.monotonic()
    with suppress(OutOfTime), share(outer):
        for _ in range(times):
            with suppress(OutOfTime), share(inner):
                burn()
        burn()
    return time.monotonic() - began


def test_a_share_ends_its_block() -> None:
    with pytest.raises(OutOfTime), share(0.05):
        burn()


def test_time_outs_inside_lend_nothing_to_the_share_around_them() -> None:
    assert 0.3 <= seconds_of(0.05, 0.3, times=4) < 1


def test_a_share_never_outlasts_the_one_around_it() -> None:
    assert 0.1 <= seconds_of(9.0, 0.1) < 0.8


def test_a_share_that_is_not_used_up_changes_nothing_around_it() -> None:
    began = time.monotonic()
    with suppress(OutOfTime), share(0.2):
        for _ in range(100):
            with share(5.0):
                pass
        burn()

    assert 0.2 <= time.monotonic() - began < 0.9


def test_who_swallows_the_alarm_hears_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "AGAIN_SECONDS", 0.05)

    def swallow_once() -> None:
        with suppress(OutOfTime):
            burn()
        burn()

    with pytest.raises(OutOfTime), share(0.05):
        swallow_once()


def test_an_alarm_at_the_very_end_of_a_share_never_rings_outside_it() -> None:
    """Whatever instruction it falls on, the share's own end included, it is heard inside or not at all."""
    chance, heard = Random(7), 0  # noqa: S311  # a game, no secret
    with share(30.0):
        for _ in range(3000):
            try:
                with share(chance.uniform(0.00001, 0.00012)):
                    sum(range(chance.randrange(3000)))
            except OutOfTime:
                heard += 1
            sum(range(50))

    assert 100 < heard < 2900


def test_memory_is_bounded_for_a_while() -> None:
    with budget.bounded_memory(2**25), pytest.raises(MemoryError):
        bytearray(2**27)

    assert len(bytearray(2**27)) == 2**27


STUCK = """
import sys, threading, time
from smartcharge import budget
budget.bounds(3, time.monotonic() - float(sys.argv[1]))
threading.Event().wait(20)
"""


def test_the_last_resort_counts_from_the_beginning_of_the_run() -> None:
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", STUCK, str(budget.LAST_RESORT_SECONDS - 0.2)], check=False)

    assert ended.returncode == 3
    assert time.monotonic() - began < 5


def test_a_command_ends_by_itself_before_the_last_resort_does_it_within_the_fifty_seconds() -> None:
    assert budget.COMMAND_SECONDS < budget.LAST_RESORT_SECONDS < 50

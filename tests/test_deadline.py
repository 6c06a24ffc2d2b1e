"""Shares of the time end when they should, however they lie inside one another, and leave nothing behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from math import inf
from random import Random

import pytest

from smartcharge import deadline
from smartcharge.deadline import COMMAND_LIMIT_SECONDS, HARD_LIMIT_SECONDS, DeadlineExceeded, limit_memory, time_limit


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


class Clock:
    """A clock that stands still but while time is spent; the alarm that is wound by it is a true signal."""

    def __init__(self) -> None:
        self.now, self._rings_at = 1000.0, inf

    def monotonic(self) -> float:
        return self.now

    def wind(self, _which: int, seconds: float) -> None:
        self._rings_at = self.now + seconds if seconds else inf

    def redeem(self) -> None:
        """Work that never ends: it goes from alarm to alarm."""
        while self._rings_at < inf:
            self.now, self._rings_at = self._rings_at, inf
            signal.raise_signal(signal.SIGALRM)
        pytest.fail("no alarm will ever ring")

    def seconds_of(self, inner: float, outer: float, *, times: int = 1) -> float:
        """How long an outer share lasts in which so many inner ones run out."""
        began = self.now
        with suppress(DeadlineExceeded), time_limit(outer):
            for _ in range(times):
                with suppress(DeadlineExceeded), time_limit(inner):
                    self.redeem()
            self.redeem()
        return self.now - began


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(deadline, "time", made)
    monkeypatch.setattr(signal, "setitimer", made.wind)
    return made


def test_a_share_ends_its_block() -> None:
    with pytest.raises(DeadlineExceeded), time_limit(0.05):
        burn()


def test_time_outs_inside_lend_nothing_to_the_share_around_them(clock: Clock) -> None:
    assert clock.seconds_of(5.0, 30.0, times=4) == pytest.approx(30, abs=0.001)


def test_a_share_never_outlasts_the_one_around_it(clock: Clock) -> None:
    assert clock.seconds_of(90.0, 10.0) == pytest.approx(10, abs=0.001)


def test_a_share_that_is_not_used_up_changes_nothing_around_it(clock: Clock) -> None:
    began = clock.now
    with suppress(DeadlineExceeded), time_limit(20.0):
        for _ in range(100):
            with time_limit(5.0):
                clock.now += 0.125
        clock.redeem()

    assert clock.now - began == pytest.approx(20, abs=0.001)


def test_who_swallows_the_alarm_hears_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "REPEAT_SIGNAL_SECONDS", 0.05)

    def swallow_once() -> None:
        with suppress(DeadlineExceeded):
            burn()
        burn()

    with pytest.raises(DeadlineExceeded), time_limit(0.05):
        swallow_once()


def test_an_alarm_at_the_very_end_of_a_share_never_rings_outside_it() -> None:
    """Whatever instruction it falls on, the share's own end included, it is heard inside or not at all."""
    chance, heard = Random(7), 0  # noqa: S311  # a game, no secret
    with time_limit(600.0):
        for _ in range(3000):
            try:
                with time_limit(chance.uniform(0.00001, 0.00012)):
                    sum(range(chance.randrange(3000)))
            except DeadlineExceeded:
                heard += 1
            sum(range(50))

    assert 0 < heard < 3000  # how many, the machine decides


def test_memory_is_bounded_for_a_while() -> None:
    with limit_memory(2**25), pytest.raises(MemoryError):
        bytearray(2**27)

    assert len(bytearray(2**27)) == 2**27


STUCK = """
import sys, threading, time
from smartcharge import deadline
deadline.limit_process(3, time.monotonic() - float(sys.argv[1]))
threading.Event().wait(deadline.HARD_LIMIT_SECONDS - 10)
"""


def test_the_last_resort_counts_from_the_beginning_of_the_run() -> None:
    """Counted from its own beginning it would come when the wait is over, which ends well."""
    ended = subprocess.run([sys.executable, "-c", STUCK, str(HARD_LIMIT_SECONDS - 0.2)], check=False)

    assert ended.returncode == 3


def test_a_command_ends_by_itself_before_the_last_resort_does_it_within_the_fifty_seconds() -> None:
    assert COMMAND_LIMIT_SECONDS < HARD_LIMIT_SECONDS < 50

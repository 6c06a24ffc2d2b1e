"""A share of the time that is used up at a moment the test chooses, however long the test has taken until then."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import SimpleNamespace

import pytest

from smartcharge import deadline
from smartcharge.deadline import time_limit
from smartcharge.simulator.simulator import Simulator

SETTLING_SECONDS = 0.2
"""For who asked to begin its wait for the answer: in the midst of sending, asyncio swallows the first alarm."""


class Share:
    """The budget's clock, and its alarm; a share that is opened with it has all the time that it needs."""

    ROOMY_SECONDS = 600.0

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._ahead = 0.0
        monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + self._ahead))

    def use_up(self) -> None:
        """Let the time pass, in any thread, and ring as the kernel's timer does."""
        self._ahead += self.ROOMY_SECONDS
        os.kill(os.getpid(), signal.SIGALRM)

    @contextmanager
    def used_up_once(self, claim: Callable[[], bool]) -> Iterator[None]:
        """Open a share that is used up as soon as a claim holds."""
        is_over = threading.Event()

        def watch() -> None:
            while not is_over.wait(0.01):
                if claim():
                    is_over.wait(SETTLING_SECONDS)
                    self.use_up()
                    return

        watching = threading.Thread(target=watch)
        try:
            with time_limit(self.ROOMY_SECONDS):
                watching.start()
                yield
        finally:
            is_over.set()
            watching.join()


def once_asked(share: Share, simulator: Simulator, word: str) -> AbstractContextManager[None]:
    """A share that is used up as soon as somebody in the street is asked for something with this word in it."""
    before = len(simulator.requests)
    return share.used_up_once(lambda: any(word in each.operation for each in simulator.requests[before:]))

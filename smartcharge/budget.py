"""Time budgets: every command ends in time, whatever a server, a resolver or a lock does.

Time-outs per read do not bound an answer that drips, and libraries swallow `Exception`; so the budget
is a kernel timer whose handler raises a `BaseException`. Only timers are used, no clock is read.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

COMMAND_SECONDS = 48.0
"""Of the 50 s a command may take: the rest is for saying so."""
LAST_RESORT_SECONDS = 50.0
KRAKEN_SECONDS = 15.0
ZAPPI_SECONDS = 10.0
MAIL_SECONDS = 8.0
BATTERY_SECONDS = 25.0


class OutOfTime(BaseException):
    """A share of the budget is used up; deliberately no `Exception`, so that no library can swallow it."""


def _ring(_signal: int, _frame: FrameType | None) -> None:
    # Again in a second: an exception that is raised inside a finaliser is lost, the next one is not.
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    raise OutOfTime


@contextmanager
def share(seconds: float) -> Iterator[None]:
    """Raise `OutOfTime` in the block after `seconds`, or earlier where an enclosing share ends earlier.

    Main thread only (signals are delivered nowhere else).
    """
    previous = signal.signal(signal.SIGALRM, _ring)
    outer, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    granted = min(seconds, outer) if outer else seconds
    signal.setitimer(signal.ITIMER_REAL, granted)
    try:
        yield
    finally:
        left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (granted - left), 0.001))


def bound_name_look_ups() -> None:
    """Keep the system's resolver short: it runs where no signal is heard, and is read once, at the first look-up."""
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")


def last_resort(exit_code: int) -> threading.Timer:
    """End the process after the whole budget even where the main thread no longer hears its timer.

    A daemon thread, started only by runs that are about to talk to somebody; the caller cancels it.
    Everything worth keeping is committed before it is acted on, so the next run repairs any such end.
    """
    watchdog = threading.Timer(LAST_RESORT_SECONDS, os._exit, (exit_code,))
    watchdog.daemon = True
    watchdog.start()
    return watchdog

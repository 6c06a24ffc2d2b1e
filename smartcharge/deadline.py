"""Time and memory budgets: every command ends in time and within bounds, whatever a server, a resolver or a lock does.

Time-outs per read do not bound an answer that drips, and libraries swallow `Exception`; so the budget is a kernel timer
whose handler raises a `BaseException`. Deadlines are instants of the kernel's monotonic clock, which never jumps.
"""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType

COMMAND_LIMIT_SECONDS = 47.0
"""Of the 50 s a command may take from its process's start: the rest is for starting, and for saying so."""
HARD_LIMIT_SECONDS = 49.0
KRAKEN_LIMIT_SECONDS = 15.0
ZAPPI_LIMIT_SECONDS = 10.0
MAIL_LIMIT_SECONDS = 8.0
BATTERY_LIMIT_SECONDS = 25.0
REPEAT_SIGNAL_SECONDS = 1.0
"""An exception that is raised inside a finaliser is lost, the next one is not."""
POSTPONE_SIGNAL_SECONDS, MIN_TIMER_SECONDS = 0.01, 0.000_001
MEMORY_HEADROOM_BYTES = 192 * 2**20
"""A run that asks everybody grows by 50 MB."""

_deadlines: list[float] = []
"""When the open shares end, the innermost last; none ends later than the one around it."""


class DeadlineExceeded(BaseException):
    """A share of the budget is used up; deliberately no `Exception`, so that no library can swallow it."""


def time_limit(seconds: float) -> AbstractContextManager[None]:
    """Give a context that raises `OutOfTime` in its block after `seconds`, or when an enclosing share ends.

    Main thread only (signals are delivered nowhere else).
    """
    return _TimeLimit(seconds)


class _TimeLimit:
    """A context of our own making, so that the handler can tell whether one is just being opened or closed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        self._handler = signal.signal(signal.SIGALRM, _handle_alarm)
        _deadlines.append(min([time.monotonic() + self._seconds, *_deadlines[-1:]]))
        _arm_timer()

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        _deadlines.pop()
        _arm_timer()
        signal.signal(signal.SIGALRM, self._handler)


def _arm_timer() -> None:
    """Let the timer ring at the end of the innermost share; where none is open, never."""
    left = max(_deadlines[-1] - time.monotonic(), MIN_TIMER_SECONDS) if _deadlines else 0.0
    signal.setitimer(signal.ITIMER_REAL, left)


def _handle_alarm(_signal: int, frame: FrameType | None) -> None:
    if not _deadlines or time.monotonic() < _deadlines[-1]:
        _arm_timer()  # it rang for a share that has ended meanwhile
    elif frame is not None and frame.f_globals is globals():
        signal.setitimer(signal.ITIMER_REAL, POSTPONE_SIGNAL_SECONDS)  # half a share must not be left behind
    else:
        signal.setitimer(signal.ITIMER_REAL, REPEAT_SIGNAL_SECONDS)
        raise DeadlineExceeded


def limit_process(exit_code: int, began: float) -> ExitStack:
    """Bound the process from now on, where it is about to talk to somebody; closing takes the bounds off again.

    exit_code: of the end by the last resort; began: when the run did, by the monotonic clock.
    """
    _limit_dns_lookups()
    with ExitStack() as stack:
        stack.callback(_start_kill_timer(exit_code, began).cancel)
        stack.enter_context(limit_memory())
        return stack.pop_all()


def _limit_dns_lookups() -> None:
    """Keep the system's resolver short: it runs where no signal is heard, and is read once, at the first look-up."""
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")


def _start_kill_timer(exit_code: int, began: float) -> threading.Timer:
    """End the process after the whole budget even where the main thread no longer hears its timer.

    A daemon thread; everything worth keeping is committed before it is acted on, so the next run repairs any such end.
    """
    left = began + HARD_LIMIT_SECONDS - time.monotonic()
    watchdog = threading.Timer(left, os._exit, (exit_code,))
    watchdog.daemon = True
    watchdog.start()
    return watchdog


@contextmanager
def limit_memory(room_bytes: int = MEMORY_HEADROOM_BYTES) -> Iterator[None]:
    """Let the process grow by so much and no more: an answer without end is then a `MemoryError`.

    Libraries take that for any other error, while a computer without memory left ends whatever it likes. Works on
    Linux (proc(5), `statm`; setrlimit(2), RLIMIT_DATA); elsewhere nothing is bounded.
    """
    import resource  # noqa: PLC0415  # an idle run asks nobody

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
        wanted = pages * resource.getpagesize() + room_bytes
        if soft == resource.RLIM_INFINITY or wanted < soft:
            resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))

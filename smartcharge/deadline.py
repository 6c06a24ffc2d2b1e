"""Limits on time and memory: every command ends in time, whatever a server, a resolver, a lock or a library does.

A time-out per read does not limit an answer that arrives a byte at a time, and libraries swallow `Exception`. So a
limit is a kernel timer whose handler raises a `BaseException`. Deadlines are instants of the monotonic clock, which
never jumps.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from smartcharge.errors import AppError, UnexpectedError, UnreachableError

COMMAND_LIMIT_SECONDS = 47.0
"""Of the 50 s that a command may take from the start of its process; the rest is for starting and for the last line."""
HARD_LIMIT_SECONDS = 49.0
KRAKEN_LIMIT_SECONDS = 15.0
ZAPPI_LIMIT_SECONDS = 10.0
MAIL_LIMIT_SECONDS = 8.0
BATTERY_LIMIT_SECONDS = 25.0
REPEAT_SIGNAL_SECONDS = 1.0
"""An exception that is raised in a finaliser or in a callback of an event loop is lost; the next one is not."""
POSTPONE_SIGNAL_SECONDS, MIN_TIMER_SECONDS = 0.01, 0.000_001
MEMORY_HEADROOM_BYTES = 192 * 2**20
"""A run that asks every service grows by 50 MB."""

_limits: list["_TimeLimit"] = []
"""The open limits, the innermost last; none ends later than the one around it."""


class DeadlineExceeded(BaseException):
    """The time is used up. It is no `Exception`, so that libraries do not swallow it."""


def time_limit(seconds: float) -> AbstractContextManager[None]:
    """Give a context that raises `DeadlineExceeded` in its block after `seconds`, or when an enclosing limit ends.

    It leaves the block as `DeadlineExceeded` whatever a library has made of it on the way: an exception group of a task
    group, a cancellation, an error of its own. Main thread only, because signals are delivered nowhere else.
    """
    return _TimeLimit(seconds)


class _TimeLimit:
    """A class and no generator, so that the signal handler can tell whether a limit is just being opened or closed."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.ends_at = 0.0
        self.is_exceeded = False

    def __enter__(self) -> None:
        self._handler = signal.signal(signal.SIGALRM, _handle_alarm)
        self.ends_at = min([time.monotonic() + self._seconds, *(limit.ends_at for limit in _limits[-1:])])
        _limits.append(self)
        _arm_timer()

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        _limits.pop()
        _arm_timer()
        signal.signal(signal.SIGALRM, self._handler)
        if failure is None:
            return
        cause = unwrap_group(failure)
        if self.is_exceeded and not isinstance(cause, DeadlineExceeded | AppError | KeyboardInterrupt):
            raise DeadlineExceeded from failure
        if cause is not failure:
            raise cause


def _arm_timer() -> None:
    """Start the timer for the end of the innermost limit; stop it where none is open."""
    left = max(_limits[-1].ends_at - time.monotonic(), MIN_TIMER_SECONDS) if _limits else 0.0
    signal.setitimer(signal.ITIMER_REAL, left)


def _handle_alarm(_signal: int, frame: FrameType | None) -> None:
    if not _limits or time.monotonic() < _limits[-1].ends_at:
        _arm_timer()  # the signal was for a limit that has been closed meanwhile
    elif frame is not None and frame.f_globals is globals():
        signal.setitimer(signal.ITIMER_REAL, POSTPONE_SIGNAL_SECONDS)  # a limit must be opened or closed as a whole
    else:
        signal.setitimer(signal.ITIMER_REAL, REPEAT_SIGNAL_SECONDS)
        _limits[-1].is_exceeded = True
        raise DeadlineExceeded


def unwrap_group(failure: BaseException) -> BaseException:
    """What an exception group is about: an interruption, the end of the time, or one of our errors; else the group."""
    if not isinstance(failure, BaseExceptionGroup):
        return failure
    leaves = list(_group_leaves(failure))
    for kind in (KeyboardInterrupt, DeadlineExceeded, AppError):
        if found := next((leaf for leaf in leaves if isinstance(leaf, kind)), None):
            return found
    return leaves[0] if len(leaves) == 1 else failure


def _group_leaves(failure: BaseException) -> Iterator[BaseException]:
    pending = [failure]
    while pending:
        each = pending.pop()
        if isinstance(each, BaseExceptionGroup):
            pending.extend(reversed(each.exceptions))
        else:
            yield each


def service_boundary(service: str, label: str) -> AbstractContextManager[None]:
    """Give a context for asking one service: only `AppError`, `DeadlineExceeded` and `KeyboardInterrupt` leave it.

    service: the key of the service; label: its name for people. Too large or too deeply nested an answer becomes
    `UnreachableError`, everything else (a mistake, a library's `BaseException` or its `SystemExit`) `UnexpectedError`.
    """
    return _ServiceBoundary(service, label)


class _ServiceBoundary:
    def __init__(self, service: str, label: str) -> None:
        self._service = service
        self._label = label

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if failure is None:
            return
        cause = unwrap_group(failure)
        if isinstance(cause, DeadlineExceeded | AppError | KeyboardInterrupt | GeneratorExit):
            if cause is not failure:
                raise cause
            return
        raise service_error(cause, self._service, self._label) from failure


def service_error(failure: BaseException, service: str, label: str) -> AppError:
    """The error for a failure that the provider does not know; its text may hold secrets and is not repeated."""
    if isinstance(failure, MemoryError):
        return UnreachableError(f"the answer of {label} needs more memory than there is", service=service)
    if isinstance(failure, RecursionError):
        return UnreachableError(f"the answer of {label} is nested too deeply", service=service)
    place = failure.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {Path(place.tb_frame.f_code.co_filename).name}, line {place.tb_lineno}" if place else ""
    return UnexpectedError(
        f"{label} could not be asked: unexpected {type(failure).__name__}{where}",
        fix="Please report it",
        service=service,
    )


def limit_process(exit_code: int, began: float) -> ExitStack:
    """Limit the process from now on, before it connects to anybody; closing the stack lifts the limits.

    exit_code: the process's, where it is killed at the hard limit; began: start of the run on the monotonic clock.
    """
    _limit_dns_lookups()
    with ExitStack() as stack:
        stack.callback(_start_kill_timer(exit_code, began).cancel)
        stack.enter_context(limit_memory())
        stack.enter_context(_silence_lost_exceptions())
        return stack.pop_all()


def _limit_dns_lookups() -> None:
    """Limit the system's resolver: no signal interrupts it, and it reads this variable at the first look-up."""
    os.environ.setdefault("RES_OPTIONS", "timeout:2 attempts:1")


def _start_kill_timer(exit_code: int, began: float) -> threading.Timer:
    """End the process at the hard limit, even where the main thread receives no signal.

    A daemon thread. Everything worth keeping is committed before it is acted on, so the next run repairs such an end.
    """
    left = began + HARD_LIMIT_SECONDS - time.monotonic()
    timer = threading.Timer(left, os._exit, (exit_code,))
    timer.daemon = True
    timer.start()
    return timer


@contextmanager
def limit_memory(room_bytes: int = MEMORY_HEADROOM_BYTES) -> Iterator[None]:
    """Limit the growth of the process, so that an endless answer ends in a `MemoryError`.

    Without a limit the system's out-of-memory killer ends the process or another one. Works on Linux (proc(5), `statm`;
    setrlimit(2), RLIMIT_DATA); on other systems there is no limit.
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


@contextmanager
def _silence_lost_exceptions() -> Iterator[None]:
    """Print nothing for exceptions of finalisers and of libraries' threads: what matters shows in the conversation."""
    hooks: tuple[Callable[[Any], object], Callable[[Any], object]] = (sys.unraisablehook, threading.excepthook)
    sys.unraisablehook = threading.excepthook = _ignore_exception
    try:
        yield
    finally:
        sys.unraisablehook, threading.excepthook = hooks


def _ignore_exception(_arguments: object) -> None:
    """Drop it."""

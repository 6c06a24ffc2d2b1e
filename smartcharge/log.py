"""What the program says, and to whom: changes to standard output, trouble to standard error, details with -v."""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from smartcharge.errors import one_line

UNWRITTEN = 1
"""The exit code of a run that could not write what it said."""

_lost: list[OSError] = []
"""Why something that was said on standard output could not be written."""


def say(line: str) -> None:
    """One line for a change that was made."""
    try:
        _print(line, sys.stdout)
    except OSError as odd:
        lose(odd)


def warn(line: str) -> None:
    """One line for trouble that begins or ends."""
    with suppress(OSError):
        _print(line, sys.stderr)


def is_watched() -> bool:
    """Whether trouble is read as it is told, by somebody at a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


def lose(odd: OSError) -> int:
    """Go on though standard output takes nothing more: what is done matters more than who hears of it.

    Gives the exit code of a command that had nothing else to do. A reader who has left, as `head` does, wanted no more.
    """
    _lost.append(odd)
    return 0 if isinstance(odd, BrokenPipeError) else UNWRITTEN


def last_words(code: int) -> int:
    """Write what is still to be written, and give the exit code of the process, in which nothing is said any more.

    code: as it is so far.
    """
    _finish(sys.__stdout__, lose)
    lost = next((odd for odd in _lost if not isinstance(odd, BrokenPipeError)), None)
    if lost:
        warn(f"smartcharge: what was said could not be written ({lost.strerror}).")
    _finish(sys.__stderr__, str)
    return code or (UNWRITTEN if lost else 0)


def hush_libraries() -> None:
    """Keep every library's own log off the terminal, at any verbosity.

    They log addresses, serials and pieces of answers; what matters of it reaches the owner in our words.
    """
    import logging  # noqa: PLC0415  # an idle tick needs no log at all

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _print(line: str, stream: TextIO | None) -> None:
    if stream is not None:  # as it is where the caller has closed it
        print(one_line(line), file=stream, flush=True)


def _finish(stream: TextIO | None, if_lost: Callable[[OSError], object]) -> None:
    """Write out what waits; a stream that takes nothing is led nowhere, or the interpreter would stumble at its end."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError as odd:
        if_lost(odd)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)

"""What the program says, and to whom: changes to standard output, trouble to standard error, details with -v."""

import sys


def say(line: str) -> None:
    """One line for a change that was made."""
    _print(line, sys.stdout)


def warn(line: str) -> None:
    """One line for trouble that begins or ends."""
    _print(line, sys.stderr)


def hush_libraries() -> None:
    """Keep every library's own log off the terminal, at any verbosity.

    They log addresses, serials and pieces of answers; what matters of it reaches the owner in our words.
    """
    import logging  # noqa: PLC0415  # an idle tick needs no log at all

    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())


def _print(line: str, stream: object) -> None:
    print(_one_line(line), file=stream, flush=True)  # type: ignore[call-overload]


def _one_line(text: str) -> str:
    """Text from outside cannot begin a second line, nor colour the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)

"""How a command asks whoever typed it: hidden on a terminal, else a line of standard input for each answer."""

import io
import sys
from contextlib import suppress

import click

MOST_CHARACTERS = 16_384


def has_terminal() -> bool:
    """Whether somebody sits there."""
    return sys.stdin is not None and sys.stdin.isatty()


def hidden(question: str) -> str:
    """Ask for a secret, which a terminal does not show; without one the next line is it, "" where there is none."""
    if not has_terminal():
        return next_line()
    answer: str = click.prompt(f"{question} (not shown)", hide_input=True, default="", show_default=False)
    return answer


def shown(question: str) -> str:
    """Ask for what is no secret; without a terminal the next line is it, "" where there is none."""
    if not has_terminal():
        return next_line()
    answer: str = click.prompt(question, default="", show_default=False)
    return answer


def next_line() -> str:
    """Read a line of standard input with its end, "" where there is none; what is no text is replaced by signs."""
    if sys.stdin is None:  # closed by the caller
        return ""
    if isinstance(sys.stdin, io.TextIOWrapper):
        with suppress(io.UnsupportedOperation):  # after the first line, when it has been said
            sys.stdin.reconfigure(errors="replace")
    return sys.stdin.readline(MOST_CHARACTERS)

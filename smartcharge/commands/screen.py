"""Printing labelled rows: folded to a width, and in colour on a terminal."""

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from functools import partial

import click

from smartcharge.formatting import LABEL_WIDTH, TextRow, TextTone, wrap_row

TONE_STYLES: dict[TextTone, Callable[[str], str]] = {
    TextTone.PLAIN: str,
    TextTone.HOLDING: partial(click.style, fg="green", bold=True),
    TextTone.RESTING: partial(click.style, bold=True),
    TextTone.WARNING: partial(click.style, fg="yellow"),
    TextTone.ERROR: partial(click.style, fg="red", bold=True),
    TextTone.DIM: partial(click.style, dim=True),
}


def print_rows(rows: Iterable[TextRow], *, width: int | None = None) -> None:
    """Print rows, folded to `width` letters: None for the width of the terminal, and no folding without one.

    A terminal gets colours, unless NO_COLOR is set or it is a dumb one.
    """
    is_terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if is_terminal else None
    shown = min((each for each in (width, columns) if each), default=None)
    is_coloured = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for row in rows:
        head = f"{row.label:<{LABEL_WIDTH}}"
        for number, line in enumerate(wrap_row(head, row.text, shown, max_lines=row.max_lines)):
            click.echo(_style_line(line, row, is_first=not number) if is_coloured else line)


def _style_line(line: str, row: TextRow, *, is_first: bool) -> str:
    """Colour the text of a line, but not its label."""
    label, words = (line[:LABEL_WIDTH], line[LABEL_WIDTH:]) if is_first else ("", line)
    return f"{label}{TONE_STYLES[row.tone](words)}"

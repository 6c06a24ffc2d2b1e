"""Text for a terminal: lines that keep within its width, the words of a long one below one another."""

from collections.abc import Iterator
from enum import Enum, auto
from textwrap import wrap

from msgspec import Struct

LABEL = 11
"""The column in which the words of a labelled line begin."""
NARROWEST = 24


class Tone(Enum):
    """How a line is meant: the colour of it is the terminal's business."""

    PLAIN = auto()
    HOLDING = auto()
    AT_REST = auto()
    DOUBT = auto()
    WRONG = auto()
    FAINT = auto()


class Row(Struct, frozen=True):
    """One line, before it is folded: a label, "" for none, and what is told under it.

    most_lines: what is longer when it is folded may be cut; None: nothing is cut.
    """

    label: str
    text: str
    tone: Tone = Tone.PLAIN
    most_lines: int | None = None


GAP = Row("", "")


def plain(text: str) -> str:
    """Text from outside cannot begin a second line, nor colour the terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


def folded(head: str, text: str, width: int | None, *, most_lines: int | None = None) -> Iterator[str]:
    """A head and its text, folded below the text's beginning; width: in letters, None where nothing is folded.

    most_lines: what is longer is cut, and ends in "...".
    """
    line = f"{head}{plain(text)}"
    if width is None or len(line) <= width:
        yield line.rstrip()
        return
    indent = " " * min(len(head), max(width - NARROWEST, 0))
    yield from wrap(
        line,
        width,
        subsequent_indent=indent,
        max_lines=most_lines,
        placeholder=" ...",
        drop_whitespace=True,
        break_on_hyphens=False,
    )

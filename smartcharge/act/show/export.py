"""Files that the owner asks for by name: replaced as a whole, and never in place of something else."""

import os
from pathlib import Path

from smartcharge.errors import ConfigurationRefused
from smartcharge.files import write_private

PRIVATE, READABLE = 0o600, 0o644
MEND = "Give a file in a folder that exists and that this user may write to"


def export(path: Path, text: str, *, first_words: str, mode: int) -> None:
    """Write a text to a file: whoever reads it sees the old one or the new one, whole.

    first_words: how such a file begins; one that begins otherwise is not replaced. Raises `ConfigurationRefused`.
    """
    try:
        if not _may_be_replaced(path, first_words):
            right = "Give another name: this one holds something else, which was left as it is"
            raise ConfigurationRefused("is there already", place=str(path), right=right)
        aside = path.with_name(f".{path.name}.{os.getpid()}")
        write_private(aside, text.encode())
        aside.chmod(mode)
        aside.replace(path)
    except OSError as odd:
        why = odd.strerror or type(odd).__name__
        raise ConfigurationRefused(f"cannot be written: {why}", place=str(path), right=MEND) from odd


def _may_be_replaced(path: Path, first_words: str) -> bool:
    if not path.exists():
        return True
    with path.open("rb") as file:
        return file.read(len(first_words.encode())) in {b"", first_words.encode()}

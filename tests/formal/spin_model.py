"""Check a Promela model exhaustively with spin, and count what was visited.

As a program: `python tests/formal/spin_model.py [-DNAME ...]` checks battery_return.pml; with -DLOCKS_MAY_FAIL that is
the large form, which takes about a minute and 1 GB.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MODEL = Path(__file__).with_name("battery_return.pml")
COMPILE = ("gcc", "-O2", "-DSAFETY", "-DCOLLAPSE", "-DNOFAIR", "-o", "pan", "pan.c")
SEARCH = ("./pan", "-E", "-m1000000")
"""Assertions only, no invalid end states; the search may go one million steps deep."""
COMMENT_PATTERN = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """states, transitions: how many were visited. violated: the assertion that failed, None where all of them hold."""

    states: int
    transitions: int
    violated: str | None


def is_spin_installed() -> bool:
    """Whether spin, and the C compiler that it needs, are there."""
    return shutil.which("spin") is not None and shutil.which("gcc") is not None


def check_model(folder: Path, *flags: str) -> SearchResult:
    """Search all states of the model with these -D flags. Raises `RuntimeError` where the search was cut short."""
    (folder / "model.pml").write_text(MODEL.read_text(encoding="utf-8"), encoding="utf-8")
    for command in (("spin", "-a", *flags, "model.pml"), COMPILE):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    told = subprocess.run(SEARCH, cwd=folder, check=True, capture_output=True, text=True).stdout
    if "max search depth too small" in told or "out of memory" in told:
        raise RuntimeError(told)
    violated = re.search(r"assertion violated (.*) \(at depth", told)
    return SearchResult(
        states=_find_number(r"(\d+) states, stored", told),
        transitions=_find_number(r"([\d.e+]+) transitions", told),
        violated=violated[1].strip() if violated else None,
    )


def mistakes_in_model() -> list[str]:
    """The names of the mistakes that the model can be made with."""
    text = COMMENT_PATTERN.sub("", MODEL.read_text(encoding="utf-8"))
    return sorted(set(re.findall(r"^#ifn?def (\w+)", text, re.MULTILINE)) - {"LOCKS_MAY_FAIL"})


def _find_number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(text)
    return int(float(found[1]))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(check_model(Path(name), *sys.argv[1:]))  # noqa: T201  # this is its output

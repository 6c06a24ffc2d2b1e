"""The support bundle: one readable text with all that helps to find a fault, and nothing that opens a door."""

import platform
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from smartcharge import __version__
from smartcharge.act.doctor import examination
from smartcharge.act.doctor.findings import Finding
from smartcharge.act.doctor.private_words import is_private, private_words, settings
from smartcharge.act.doctor.redaction import Redact, redactor
from smartcharge.errors import ConfigurationRefused
from smartcharge.store import inspection
from smartcharge.toolbox import Toolbox

FIRST_WORDS = "smartcharge support bundle"
ADVICE = "Secrets are struck out by value and by look. Read it all the same before you give it to anybody."
MOST_ROWS = 200
LIBRARIES = (
    *("click", "icalendar", "jinja2", "msgspec", "pymyenergi", "pypowerwall", "pyyaml", "requests", "sqlite-utils"),
    *("tzdata", "httpx", "urllib3"),
)
MACHINE = Path("/proc/device-tree/model")
"""Where Linux names a small computer's model."""


def bundle(tools: Toolbox, found: list[Finding]) -> str:
    """Examine the house offline and put everything into one text; `found` takes the findings. Nothing is written."""
    examination.examine(tools, found.append, offline=True)  # replaces a memory that cannot be read by an empty one
    parts = {
        "configuration": _configuration(tools),
        "the doctor": [finding.line for finding in found],
        "database": _database(tools.peek),
        **{name: _rows(inspection.newest(tools.peek, name, MOST_ROWS)) for name in inspection.NEWEST},
    }
    return _text(tools.now, parts, redactor(private_words(tools)))


def bare_bundle(now: datetime, refused: ConfigurationRefused) -> str:
    """What can be told where the configuration does not load; what stands in it is not known, so nothing is quoted."""
    place = Path(refused.place).name
    return _text(now, {"configuration": [f"{refused.key or 'something'} in {place} is refused"]}, redactor(()))


def _text(now: datetime, parts: Mapping[str, Sequence[str]], redact: Redact) -> str:
    lines = [f"{FIRST_WORDS}, {now:%F %H:%MZ}", ADVICE]
    for title, content in {"versions": list(_versions()), **parts}.items():
        lines += ["", f"== {title}", *content]
    home = str(Path.home())
    told = "\n".join(map(redact, lines)) + "\n"
    return told.replace(f"{home}/", "~/") if len(home) > 1 else told


def _versions() -> Iterator[str]:
    yield f"smartcharge {__version__}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()}), {sys.maxsize.bit_length() + 1} bit"
    yield f"SQLite {sqlite3.sqlite_version}"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    if MACHINE.exists():
        yield MACHINE.read_text(encoding="utf-8", errors="replace").rstrip("\0")
    for name in LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} is not installed"


def _configuration(tools: Toolbox) -> list[str]:
    return [f"{key:<28} {_told(tools, key, value)}" for key, value in settings(tools)]


def _told(tools: Toolbox, key: str, value: object) -> str:
    if value is None:
        return "is not set"
    if is_private(tools, key, value):
        return "is set"
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _database(db: sqlite3.Connection) -> list[str]:
    counts = (f"{name:<28} {rows:,} rows" for name, rows in inspection.row_counts(db).items())
    return [f"{'schema':<28} version {inspection.schema_version(db)}", *counts]


def _rows(rows: Sequence[inspection.Row]) -> list[str]:
    return [" | ".join(f"{key} {_plain(value)}" for key, value in row.items() if value is not None) for row in rows]


def _plain(value: object) -> str:
    """Text from outside cannot begin a second line."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(str(value).split()))

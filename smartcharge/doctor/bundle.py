"""The support bundle: one readable text with all that helps to find a fault, and without secrets."""

import platform
import sqlite3
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from smartcharge import __version__
from smartcharge.app import App
from smartcharge.config.load import Config
from smartcharge.doctor.check import Check
from smartcharge.doctor.redact import Redactor, is_private_value, iter_config_values, make_redactor, private_values
from smartcharge.doctor.run_checks import run_checks
from smartcharge.errors import ConfigurationError
from smartcharge.store.journal import (
    NEWEST_ROWS_QUERIES,
    TableRow,
    count_table_rows,
    load_newest_rows,
    read_schema_version,
)
from smartcharge.text import collapse_spaces

BUNDLE_FILE_PREFIX = "smartcharge support bundle"
BUNDLE_ADVICE = "Secrets have been removed. Read the file all the same before you give it to anyone."
MAX_BUNDLE_ROWS = 200
REPORTED_LIBRARIES = (
    *("click", "icalendar", "jinja2", "msgspec", "pymyenergi", "pypowerwall", "pyyaml", "requests", "sqlite-utils"),
    *("tzdata", "httpx", "urllib3"),
)
DEVICE_MODEL_FILE = Path("/proc/device-tree/model")
"""The file in which Linux names the model of a small computer."""


def build_support_bundle(app: App, checks: list[Check]) -> str:
    """Run the offline checks and return everything as one text. checks: takes their results. Nothing is written."""
    run_checks(app, checks.append, offline=True)  # an unreadable database is replaced by an empty one
    parts = {
        "configuration": _configuration_lines(app),
        "the doctor": [check.line for check in checks],
        "database": _database_lines(app.read_only_db),
        **{name: _row_lines(load_newest_rows(app.read_only_db, name, MAX_BUNDLE_ROWS)) for name in NEWEST_ROWS_QUERIES},
    }
    return _bundle_text(app.now, parts, make_redactor(private_values(app.config, app.read_only_db)))


def build_minimal_bundle(now: datetime, refused: ConfigurationError) -> str:
    """Return the bundle of a configuration that is not valid; nothing is quoted from it."""
    place = Path(refused.place).name
    return _bundle_text(
        now, {"configuration": [f"{refused.key or 'something'} in {place} is refused"]}, make_redactor(())
    )


def _bundle_text(now: datetime, parts: Mapping[str, Sequence[str]], redact: Redactor) -> str:
    lines = [f"{BUNDLE_FILE_PREFIX}, {now:%F %H:%MZ}", BUNDLE_ADVICE]
    for title, content in {"versions": list(_version_lines()), **parts}.items():
        lines += ["", f"== {title}", *content]
    home = str(Path.home())
    text = "\n".join(map(redact, lines)) + "\n"
    return text.replace(f"{home}/", "~/") if len(home) > 1 else text


def _version_lines() -> Iterator[str]:
    yield f"smartcharge {__version__}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()}), {sys.maxsize.bit_length() + 1} bit"
    yield f"SQLite {sqlite3.sqlite_version}"
    yield f"{platform.system()} {platform.release()} {platform.machine()}"
    if DEVICE_MODEL_FILE.exists():
        yield DEVICE_MODEL_FILE.read_text(encoding="utf-8", errors="replace").rstrip("\0")
    for name in REPORTED_LIBRARIES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            yield f"{name} is not installed"


def _configuration_lines(app: App) -> list[str]:
    return [f"{key:<28} {_shown_value(app.config, key, value)}" for key, value in iter_config_values(app.config)]


def _shown_value(config: Config, key: str, value: object) -> str:
    if value is None:
        return "is not set"
    if is_private_value(config, key, value):
        return "is set"
    return " to ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _database_lines(db: sqlite3.Connection) -> list[str]:
    counts = (f"{name:<28} {rows:,} rows" for name, rows in count_table_rows(db).items())
    return [f"{'schema':<28} version {read_schema_version(db)}", *counts]


def _row_lines(rows: Sequence[TableRow]) -> list[str]:
    return [
        " | ".join(f"{key} {_printable_value(value)}" for key, value in row.items() if value is not None)
        for row in rows
    ]


def _printable_value(value: object) -> str:
    """Return a value on one line."""
    return collapse_spaces(str(value))

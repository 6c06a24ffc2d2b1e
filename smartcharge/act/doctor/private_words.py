"""Every value of this house that must not be told: what is configured, what is signed in with, and serials."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from smartcharge.store import readings
from smartcharge.toolbox import Toolbox
from smartcharge.wiring import KRAKEN_TOKENS

SHOWN = {"supplier", "backend", "smtp_host", "invite_when", "resting_mode", "restore", "hold"}
"""Keys whose words tell nothing of the house; every other word of a configuration is kept back."""
SITE = ".pypowerwall.site"
LEAST_LETTERS = 12
"""Of a token; what is shorter in a file of tokens is the name of something."""
INSTANT = re.compile(r"\d{4}-\d\d-\d\d")


def settings(tools: Toolbox) -> Iterator[tuple[str, object]]:
    """Every key of the configuration, "section.key", with its value; a section that is missing has none."""
    for section in tools.config.__struct_fields__:
        found = getattr(tools.config, section)
        for key in getattr(found, "__struct_fields__", ()):
            yield f"{section}.{key}", getattr(found, key)


def is_private(tools: Toolbox, key: str, value: object) -> bool:
    """Whether a configured value is kept back."""
    is_word = isinstance(value, str) and key.partition(".")[2] not in SHOWN
    return is_word or value in tools.config.secrets


def private_words(tools: Toolbox) -> Iterator[str]:
    """The values, each as it is written where it is kept."""
    yield from (secret.reveal() for secret in tools.config.secrets)
    yield from (value for key, value in settings(tools) if isinstance(value, str) and is_private(tools, key, value))
    folder, tesla = tools.config.folder, tools.config.tesla_sign_in
    for path in (folder / KRAKEN_TOKENS, tesla, tesla.with_name(f"{tesla.name}.good"), tesla.with_name(SITE)):
        with suppress(OSError):
            yield from _in_file(path)
    last = readings.last_charger(tools.peek)
    yield from last.reading.serials if last else ()


def _in_file(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        yield from _in_value(json.loads(text))
    except (ValueError, RecursionError):
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= LEAST_LETTERS)
    if path.name == SITE:
        yield text.strip()


def _in_value(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (key for key in value if "@" in key)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _in_value(each)
    elif isinstance(value, str) and len(value) >= LEAST_LETTERS and not INSTANT.match(value):
        yield value

"""Remove secrets and serial numbers from what the doctor and the support bundle show."""

import json
import re
import sqlite3
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from msgspec.structs import replace

from smartcharge.app import KRAKEN_TOKEN_FILE
from smartcharge.config.load import Config
from smartcharge.doctor.check import Check, CheckReporter
from smartcharge.store.readings import load_last_charger_reading

SERIAL_SHOWN_DIGITS = 4
MIN_MASKED_LENGTH = 6
"""A shorter value would also match ordinary words."""


def redact_checks(config: Config, report_check: CheckReporter) -> CheckReporter:
    """Report checks with every secret of the configuration removed."""
    masks = {found: mask for found, mask in _secret_masks(config) if len(found) >= MIN_MASKED_LENGTH}

    def report_redacted(check: Check) -> None:
        message, fix = check.message, check.fix
        for secret, mask in masks.items():
            message, fix = message.replace(secret, mask), fix.replace(secret, mask)
        report_check(replace(check, message=message, fix=fix))

    return report_redacted


def shorten_serial(serial: str) -> str:
    """Return enough of a serial number to tell two devices apart."""
    return f"...{serial[-SERIAL_SHOWN_DIGITS:]}" if len(serial) > SERIAL_SHOWN_DIGITS else serial


def _secret_masks(config: Config) -> Iterator[tuple[str, str]]:
    for secret in config.secrets:
        yield secret.reveal(), "***"
    hub = config.myenergi
    for serial in (hub.hub_serial, hub.zappi_serial):
        if serial:
            yield serial, shorten_serial(serial)


PUBLIC_CONFIG_KEYS = {"supplier", "backend", "smtp_host", "invite_when", "resting_mode", "restore", "hold"}
"""Keys whose text says nothing about the house; every other text of a configuration is hidden."""
TESLA_SITE_FILE = ".pypowerwall.site"
MIN_TOKEN_LENGTH = 12
"""Shorter text in a token file is a name, not a token."""
DATE_PATTERN = re.compile(r"\d{4}-\d\d-\d\d")


def iter_config_values(config: Config) -> Iterator[tuple[str, object]]:
    """Yield every key of the configuration as "section.key", with its value; a missing section has none."""
    for section in config.__struct_fields__:
        found = getattr(config, section)
        for key in getattr(found, "__struct_fields__", ()):
            yield f"{section}.{key}", getattr(found, key)


def is_private_value(config: Config, key: str, value: object) -> bool:
    """Whether a configured value is hidden."""
    is_word = isinstance(value, str) and key.partition(".")[2] not in PUBLIC_CONFIG_KEYS
    return is_word or value in config.secrets


def private_values(config: Config, db: sqlite3.Connection) -> Iterator[str]:
    """Yield the private values of configuration, token files and database, each as it is stored."""
    yield from (secret.reveal() for secret in config.secrets)
    yield from (
        value
        for key, value in iter_config_values(config)
        if isinstance(value, str) and is_private_value(config, key, value)
    )
    folder, tesla = config.folder, config.tesla_credentials_file
    for path in (
        folder / KRAKEN_TOKEN_FILE,
        tesla,
        tesla.with_name(f"{tesla.name}.good"),
        tesla.with_name(TESLA_SITE_FILE),
    ):
        with suppress(OSError):
            yield from _private_values_in_file(path)
    last = load_last_charger_reading(db)
    yield from last.reading.serials if last else ()


def _private_values_in_file(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        yield from _private_values_in_json(json.loads(text))
    except (ValueError, RecursionError):
        yield from (line.strip() for line in text.splitlines() if len(line.strip()) >= MIN_TOKEN_LENGTH)
    if path.name == TESLA_SITE_FILE:
        yield text.strip()


def _private_values_in_json(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (key for key in value if "@" in key)
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _private_values_in_json(each)
    elif isinstance(value, str) and len(value) >= MIN_TOKEN_LENGTH and not DATE_PATTERN.match(value):
        yield value


REDACTED = "***"
SHORT_VALUE_LENGTH = 6
"""A shorter value is removed only as a whole word: it is part of many others."""

MAX_GROUPED_LENGTH = 64
"""A longer value is not shown in groups."""
GROUP_SEPARATORS = r"(?:\s|%20|[+-])*"
"""What may separate the letters of a value that is shown in groups."""

Redactor = Callable[[str], str]

REDACTION_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(look), instead)
    for look, instead in (
        (r"(?<=://)[^/\s@]+@", f"{REDACTED}@"),
        (r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)*", "<address>"),
        (r"\beyJ[\w-]+(?:\.[\w-]*)*", "<token>"),
        (r"(?i)\b(bearer|basic|digest|jwt)\s+[\w.+/=~-]{8,}", rf"\1 {REDACTED}"),
        (r"(?i)\b(\w*(?:pass|passwd|password|secret|token|api_?key|authorization)\w*['\"]?\s*[:=]\s*['\"]?)[^\s,;&'\"]+",
         rf"\1{REDACTED}"),
        (r"\b[A-Z]-[0-9A-Z]{6,10}\b", f"A-{REDACTED}"),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{8}([0-9a-fA-F]{4})\b", r"...\1"),
        (r"\b\d{7}-\d{2}-[A-Z]-+\w*(\w{4})\b", r"...\1"),
        (r"(?<![\w-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}", "<token>"),
        (r"\b(?=[0-9A-Z]*\d{4})(?=[0-9A-Z]*[A-Z])[0-9A-Z]{6,}([0-9A-Z]{4})\b", r"...\1"),
        (r"(?<![\d.])\d{3,}(\d{4})(?![\d.]*\d)", r"...\1"),
    )
)  # fmt: skip
"""Addresses with a password, e-mail addresses, tokens, named secrets, account numbers, ids, gateways, serials."""


def make_redactor(known: Iterable[str]) -> Redactor:
    """Return the function that removes private text. known: every private value, of any length."""
    words = {spelling for word in known if word for spelling in _value_encodings(word)}
    patterns = [_value_pattern(word) for word in sorted(words, key=len, reverse=True)]
    by_value = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def redact(text: str) -> str:
        redacted = by_value.sub(REDACTED, text) if by_value else text
        for look, instead in REDACTION_PATTERNS:
            redacted = look.sub(instead, redacted)
        return redacted

    return redact


def _value_encodings(word: str) -> Iterator[str]:
    yield word
    yield quote(word, safe="")
    yield json.dumps(word)[1:-1]
    yield repr(word)[1:-1]
    yield b64encode(word.encode()).decode().rstrip("=")


def _value_pattern(word: str) -> str:
    """Allow any number of blanks inside the value: a password is often shown in groups."""
    compact = "".join(word.split())
    if len(compact) < SHORT_VALUE_LENGTH:
        return rf"(?<!\w){re.escape(word)}(?!\w)"
    return GROUP_SEPARATORS.join(map(re.escape, compact)) if len(compact) <= MAX_GROUPED_LENGTH else re.escape(word)

"""What must not leave the house is struck out of a text: known by value, or by its look.

A value that is configured or stored is struck out wherever it stands, in any spelling that a library's error may
give it; what is configured no more is still known by its look: addresses, account numbers, tokens, serials.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

STRUCK = "***"
SHORT = 6
"""A shorter word is struck out only where it stands alone: it is part of many others."""

LONG = 64
"""Nobody shows a longer one in groups."""
BETWEEN = r"(?:\s|%20|[+-])*"
"""What may stand between two letters of a word that is shown in groups."""

Redact = Callable[[str], str]

LOOKS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(look), instead)
    for look, instead in (
        (r"(?<=://)[^/\s@]+@", f"{STRUCK}@"),
        (r"[\w.+%'-]+@[\w-]+(?:\.[\w-]+)*", "<address>"),
        (r"\beyJ[\w-]+(?:\.[\w-]*)*", "<token>"),
        (r"(?i)\b(bearer|basic|digest|jwt)\s+[\w.+/=~-]{8,}", rf"\1 {STRUCK}"),
        (r"(?i)\b(\w*(?:pass|passwd|password|secret|token|api_?key|authorization)\w*['\"]?\s*[:=]\s*['\"]?)[^\s,;&'\"]+",
         rf"\1{STRUCK}"),
        (r"\b[A-Z]-[0-9A-Z]{6,10}\b", f"A-{STRUCK}"),
        (r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{8}([0-9a-fA-F]{4})\b", r"...\1"),
        (r"\b\d{7}-\d{2}-[A-Z]-+\w*(\w{4})\b", r"...\1"),
        (r"(?<![\w-])(?=[\w+=-]*\d)(?=[\w+=-]*[A-Za-z])[\w+=-]{24,}", "<token>"),
        (r"\b(?=[0-9A-Z]*\d{4})(?=[0-9A-Z]*[A-Z])[0-9A-Z]{6,}([0-9A-Z]{4})\b", r"...\1"),
        (r"(?<![\d.])\d{3,}(\d{4})(?![\d.]*\d)", r"...\1"),
    )
)  # fmt: skip
"""Addresses with a password, e-mail addresses, tokens, named secrets, account numbers, ids, gateways, serials."""


def redactor(known: Iterable[str]) -> Redact:
    """Give the function that strikes out. known: every value that must not be told, of any length."""
    words = {spelling for word in known if word for spelling in _spellings(word)}
    patterns = [_pattern(word) for word in sorted(words, key=len, reverse=True)]
    by_value = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None

    def redact(text: str) -> str:
        told = by_value.sub(STRUCK, text) if by_value else text
        for look, instead in LOOKS:
            told = look.sub(instead, told)
        return told

    return redact


def _spellings(word: str) -> Iterator[str]:
    yield word
    yield quote(word, safe="")
    yield json.dumps(word)[1:-1]
    yield repr(word)[1:-1]
    yield b64encode(word.encode()).decode().rstrip("=")


def _pattern(word: str) -> str:
    """Its blanks may be more, fewer or none: a password is often shown in groups."""
    compact = "".join(word.split())
    if len(compact) < SHORT:
        return rf"(?<!\w){re.escape(word)}(?!\w)"
    return BETWEEN.join(map(re.escape, compact)) if len(compact) <= LONG else re.escape(word)

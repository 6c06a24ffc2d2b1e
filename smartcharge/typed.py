"""From the text that an owner typed to the value that a key's type asks for."""

import re
from collections.abc import Callable
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, convert

from smartcharge.secret import Secret
from smartcharge.settings import File, Period, nearest

Resolve = Callable[[str], Path]
"""Turns the text of a path into the path; ValueError where it is none."""

NO_FILES: Final = frozenset({"", ".", "..", "~"})
"""What a folder's path ends in, where it ends like one."""
_SWITCHES: Final = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def typed(text: str | tuple[str, ...], kind: object, resolve: Resolve) -> object:
    """Give the value; ValueError, whose own text must not be shown, where `kind` does not allow it."""

    def build(kind: type, text: object) -> object:
        if not isinstance(text, str):
            raise ValueError("not text")  # noqa: TRY004  # msgspec's refusal is a ValueError too
        if issubclass(kind, ZoneInfo):
            return _zone(text)
        if issubclass(kind, Secret):
            return kind(text)
        return resolve(text)

    return convert(_prepared(text, kind), kind, strict=False, dec_hook=build)


def right(kind: object, text: str) -> str:
    """Say in a sentence what would be right in place of `text`."""
    if get_origin(kind) is Literal:
        near = nearest(text, get_args(kind))
        return f"{f'Did you mean {near}? ' if near else ''}It should be one of {', '.join(get_args(kind))}"
    meta: Meta = get_args(kind)[1]
    return f"It should be {meta.description}"


def is_secret(kind: object) -> bool:
    """Whether values of this type must never be shown."""
    plain = _plain(kind)
    return isinstance(plain, type) and issubclass(plain, Secret)


def without_none(kind: object) -> object:
    """Give the type that a value has where it is given."""
    if get_origin(kind) in {Union, UnionType}:
        return next(part for part in get_args(kind) if part is not NoneType)
    return kind


def _prepared(text: str | tuple[str, ...], kind: object) -> object:
    """Put text into the form that msgspec reads; two equal times become none, and a folder's path is no file's."""
    if kind == Period:
        moments = [_clock(part) for part in (text.split(",") if isinstance(text, str) else text)]
        return moments if len(set(moments)) == len(moments) else []
    if isinstance(text, tuple) or is_secret(kind):
        return text
    plain = text.strip()
    if kind == File and plain.rpartition("/")[2] in NO_FILES:
        raise ValueError("a folder's path")
    return _SWITCHES.get(plain.lower(), plain) if _plain(kind) is bool else plain


def _clock(text: str) -> str:
    """Complete H:MM to what msgspec reads as a time of day; "" for every other form."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text.strip())
    return f"{found[1]:0>2}:{found[2]}:00" if found else ""


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("no such zone") from None


def _plain(kind: object) -> object:
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind

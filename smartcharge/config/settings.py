"""The keys of the configuration as a table: how the text of each becomes a value, and what would be right instead."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Struct

from smartcharge.config.schema import CONFIG_SECTIONS, Secret

PathResolver = Callable[[str], Path]
"""Turns the text of a path into the path; ValueError where it is none."""
MODE_SYNONYMS: Final = {"time_based_control": "autonomous", "self_powered": "self_consumption"}
"""What Tesla's app calls the modes."""


class Setting(Struct, frozen=True):
    """One key of the configuration. name: "section.key"; value_type: of a value that is given, so never None."""

    name: str
    value_type: Any
    is_required: bool

    @property
    def is_secret(self) -> bool:
        """Whether its values must never be shown."""
        return get_args(self.value_type)[:1] == (Secret,)

    def parse(self, text: str | tuple[str, ...], resolve: PathResolver) -> object:
        """Give the value; ValueError, whose own text must not be shown, where the type does not allow it."""
        prepare: Callable[[Any], object] = ((self._meta and self._meta.extra) or {}).get("prepare", str.strip)

        def build(value_type: type, text: str) -> object:
            if value_type is Secret:
                return Secret(text)
            return resolve(text) if value_type is Path else _parse_time_zone(text)

        if isinstance(text, tuple) and get_origin(get_args(self.value_type)[0]) is not tuple:
            raise ValueError("a list")
        return msgspec.convert(prepare(text), self.value_type, strict=False, dec_hook=build)

    def describe_valid_value(self, text: str) -> str:
        """Say in a sentence what would be right in place of `text`."""
        if self._meta is None:
            near = closest_name(text, get_args(self.value_type))
            return f"{f'Did you mean {near}? ' if near else ''}Use one of {', '.join(get_args(self.value_type))}"
        return f"Use {self._meta.description}"

    @property
    def _meta(self) -> msgspec.Meta | None:
        """What the type is annotated with; None for a choice of words."""
        return None if get_origin(self.value_type) is Literal else get_args(self.value_type)[1]


def closest_name(word: str, names: Iterable[str]) -> str | None:
    """Find the name that was probably meant, None where none is near."""
    import difflib  # noqa: PLC0415  # only a misspelt key needs it

    plain = re.sub(r"[\s-]", "_", word.strip().lower())
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(MODE_SYNONYMS.get(plain, plain), folded, n=1)
    return folded[near[0]] if near else None


def _parse_time_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        raise ValueError("no such zone") from None


def _without_none(value_type: Any) -> Any:  # noqa: ANN401  # any type of a field
    if get_origin(value_type) in {Union, UnionType}:
        return next(part for part in get_args(value_type) if part is not NoneType)
    return value_type


SETTINGS: Final[dict[str, dict[str, Setting]]] = {
    section: {
        each.name: Setting(f"{section}.{each.name}", _without_none(each.type), each.required)
        for each in msgspec.structs.fields(section_type)
    }
    for section, section_type in CONFIG_SECTIONS.items()
}
"""Section -> key -> setting."""

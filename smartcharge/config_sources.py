"""Where a configuration value may stand, and which place wins: the environment, then the file, each also by file."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from smartcharge.errors import ConfigurationRefused
from smartcharge.secret import is_one_line
from smartcharge.settings import SECTIONS, nearest
from smartcharge.yaml_text import Given, read_sections, read_text

PREFIX: Final = "SMARTCHARGE"

Layer = Mapping[str, Mapping[str, Given]]
"""Section -> key -> value, as one place gives it."""


class Sources(Struct, frozen=True):
    """All that was given for one installation.

    path: the configuration file; layers: the first that has a value wins; home: what ~ means, None for the account's.
    """

    path: Path
    layers: tuple[Layer, ...]
    home: str | None

    def resolve(self, text: str) -> Path:
        """Read a path as seen from the configuration file; ValueError where it is none."""
        if not is_one_line(text):
            raise ValueError("not one line of text")
        if self.home and (text == "~" or text.startswith("~/")):
            return Path(self.home, text[2:])
        try:
            return self.path.parent / Path(text).expanduser()
        except RuntimeError:
            raise ValueError("no such home folder") from None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that a value is read from, the configuration first."""
        given = (entry for layer in self.layers for keys in layer.values() for entry in keys.items())
        named = (value.text for key, value in given if key.endswith("_file") and _filled(value))
        return (self.path, *(self.resolve(text) for text in named if isinstance(text, str)))

    def pick(self, section: str, key: str) -> Given | None:
        """Give what was given for a key, None where nothing was; ConfigurationRefused where it was given twice."""
        for layer in self.layers:
            entries = layer.get(section, {})
            direct, named = _filled(entries.get(key)), _filled(entries.get(f"{key}_file"))
            if direct and named:
                right = f"Keep either {key} or {key}_file"
                raise ConfigurationRefused("is given twice", place=named.place, key=f"{section}.{key}", right=right)
            if direct or named:
                return direct or self._content(f"{section}.{key}_file", named)
        return None

    def _content(self, key: str, named: Given | None) -> Given | None:
        """Read the file that holds a value; an empty one is a slip, not a value left out."""
        if named is None:
            return None
        try:
            path = self.resolve(named.text if isinstance(named.text, str) else "")
        except ValueError:
            right = "It should be the path of the file that holds the value"
            raise ConfigurationRefused("is no path", place=named.place, key=key, right=right) from None
        text = read_text(path, key).strip()
        if not text:
            raise ConfigurationRefused("is empty", place=str(path), key=key, right="The file should hold the value")
        return Given(text, str(path))


def gather(path: Path, environment: Mapping[str, str]) -> Sources:
    """Read the file and the environment; ConfigurationRefused for a section or key in the file that does not exist."""
    written = read_sections(path)
    _refuse_strangers(path, written)
    named: dict[str, dict[str, Given]] = {
        section: {
            key: Given(environment[variable], f"${variable}")
            for key in _keys(section)
            if (variable := _variable(section, key)) in environment
        }
        for section in SECTIONS
    }
    return Sources(path, (named, written), environment.get("HOME"))


def strange_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Warn of variables that look like ours but name no key; they may be another program's, so none is refused."""
    known = {_variable(section, key) for section in SECTIONS for key in _keys(section)}
    ours = tuple(_variable(section, "") for section in SECTIONS)
    for variable in sorted(environment):
        if variable.startswith(ours) and variable not in known:
            near = nearest(variable, known)
            yield f"${variable} names no key and is ignored. {f'Did you mean ${near}?' if near else 'Remove it.'}"


def _refuse_strangers(path: Path, written: Layer) -> None:
    for section, entries in written.items():
        if section not in SECTIONS:
            mend = _home_of(section) or _suggestion(section, list(SECTIONS))
            raise ConfigurationRefused("is not a section", place=str(path), key=section, right=mend)
        for key, given in entries.items():
            if key not in _keys(section):
                mend = _home_of(key) or _suggestion(key, _keys(section)[::2])
                raise ConfigurationRefused("is not a key", place=given.place, key=f"{section}.{key}", right=mend)


def _home_of(key: str) -> str | None:
    """Say where a key belongs that stands in the wrong place."""
    homes = [section for section in SECTIONS if key in _keys(section)]
    return f"It belongs under {' or '.join(homes)}" if homes else None


def _suggestion(name: str, names: list[str]) -> str:
    near = nearest(name, names)
    return f"Did you mean {near}?" if near else f"It should be one of {', '.join(names)}"


def _keys(section: str) -> list[str]:
    """List a section's keys, each followed by the one that names a file instead."""
    return [key for name in SECTIONS[section].__struct_fields__ for key in (name, f"{name}_file")]


def _variable(section: str, key: str) -> str:
    return f"{PREFIX}_{section}_{key}".upper()


def _filled(given: Given | None) -> Given | None:
    return given if given and (isinstance(given.text, tuple) or given.text.strip()) else None

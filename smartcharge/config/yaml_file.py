"""Reads the configuration file as text, so that a value stays as it was typed, with the line of each."""

from errno import EFBIG
from pathlib import Path
from typing import Final

import yaml
from msgspec import Struct

from smartcharge.errors import ConfigurationError
from smartcharge.regular_file import read_regular_file

MAX_CONFIG_BYTES: Final = 64 * 1024
MAX_YAML_DEPTH: Final = 3
"""A mapping of sections, a mapping of keys, a list of values: nothing lies deeper."""
YAML_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
NULL_WORDS: Final = frozenset({"", "~", "null", "Null", "NULL"})
QUOTING_FIX: Final = "Put values with special characters in quotes, and a space after each colon"


class RawValue(Struct, frozen=True):
    """A value as typed; place: the file with its line, or the environment variable; text "" where left out."""

    text: str | tuple[str, ...]
    place: str

    @property
    def is_given(self) -> bool:
        """Whether there is more than blanks; an empty list is given."""
        return isinstance(self.text, tuple) or bool(self.text.strip())


def read_config_text(path: Path, key: str | None = None) -> str:
    """Read a small UTF-8 file, named by `key` or the configuration itself; else ConfigurationError."""
    try:
        return read_regular_file(path, MAX_CONFIG_BYTES).decode("utf-8-sig")
    except OSError as error:
        if error.errno == EFBIG:
            problem, fix = "is too large", f"It should hold at most {MAX_CONFIG_BYTES // 1024} KiB"
        else:
            problem = f"cannot be read ({error.strerror})"
            fix = "Check the path, and that the user who runs this may read the file"
    except UnicodeDecodeError:
        problem, fix = "is not UTF-8 text", "Save it as UTF-8"
    raise ConfigurationError(problem, place=str(path), key=key, right=fix)


def read_config_sections(path: Path) -> dict[str, dict[str, RawValue]]:
    """Read section -> key -> value; ConfigurationError with line and fix for anything else than that."""
    text = read_config_text(path)
    try:
        _refuse_unsupported_yaml(path, text)
        root = yaml.compose(text, Loader=YAML_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigurationError("this is not valid YAML", place=place, right=_syntax_fix(text, mark)) from None
    return {
        section: {
            key: _raw_value(path, f"{section}.{key}", value)
            for key, value in _mapping_entries(path, node, section).items()
        }
        for section, node in _mapping_entries(path, root, None).items()
    }


def _refuse_unsupported_yaml(path: Path, text: str) -> None:
    """Refuse anchors, aliases, tags and depth before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=YAML_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            problem, fix = "anchors and aliases (& and *) are not used here", QUOTING_FIX
        elif getattr(event, "tag", None) not in {None, "tag:yaml.org,2002:str"}:
            problem = "tags (!) are not used here"
            fix = f"{QUOTING_FIX}; a value can come from a file by <key>_file, or from the environment"
        elif depth > MAX_YAML_DEPTH:
            problem, fix = "this is nested too deeply", "Check the indentation"
        else:
            continue
        raise ConfigurationError(problem, place=_location(path, event), right=fix)


def _mapping_entries(path: Path, node: yaml.Node | None, section: str | None) -> dict[str, yaml.Node]:
    """Give a mapping's entries, each key once; nothing for what was left empty. section: None for the whole file."""
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        keys = "a list of keys, each as `key: value`, two blanks further in"
        fix = f"Use {keys if section else 'sections with keys in them'}; see config.example.yaml"
        raise ConfigurationError("holds no keys", place=_location(path, node), key=section, right=fix)
    entries: dict[str, yaml.Node] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            place = _location(path, name)
            raise ConfigurationError("a key must be a word", place=place, key=section, right=QUOTING_FIX)
        if name.value in entries:
            key = f"{section}.{name.value}" if section else name.value
            raise ConfigurationError("is given twice", place=_location(path, name), key=key, right="Keep one of them")
        entries[name.value] = value
    return entries


def _raw_value(path: Path, key: str, node: yaml.Node) -> RawValue:
    place = _location(path, node)
    if isinstance(node, yaml.ScalarNode):
        return RawValue("" if _is_null(node) else node.value, place)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return RawValue(tuple(item.value for item in node.value), place)
    problem = "is neither a value nor a list of values"
    raise ConfigurationError(problem, place=place, key=key, right="Check the indentation")


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in NULL_WORDS


def _location(path: Path, part: yaml.Node | yaml.Event) -> str:
    return f"{path}, line {part.start_mark.line + 1}" if part.start_mark else str(path)


def _syntax_fix(text: str, mark: yaml.Mark | None) -> str:
    """Guess the slip behind a syntax error; the parser's own words could quote a secret."""
    lines = text.split("\n")
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "Indent with blanks, not with tabs"
    return f"{QUOTING_FIX}; check the indentation and the line above too"

"""A configuration file as its owner typed it: YAML's structure, but every value as text.

YAML 1.1 would turn 01234567 into 342391, 12_34 into 1234, yes into True and 22:30 into 1350; serials, keys and
times must stay what stands in the file, so the types are decided later, by the key.
"""

from pathlib import Path
from typing import Final

import yaml
from msgspec import Struct

from smartcharge.errors import ConfigurationRefused

LIMIT_BYTES: Final = 64 * 1024
DEPTH: Final = 3
"""A mapping of sections, a mapping of keys, a list of values: nothing lies deeper."""

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_QUOTES: Final = "Put values with special characters in quotes, and a space after each colon"


class Given(Struct, frozen=True):
    """A value as typed; place: the file with its line, or the environment variable; text "" where left out."""

    text: str | tuple[str, ...]
    place: str


def read_text(path: Path, key: str | None = None) -> str:
    """Read a small UTF-8 file, named by `key` or the configuration itself; else ConfigurationRefused."""
    try:
        with path.open("rb") as file:
            content = file.read(LIMIT_BYTES + 1)
        text = content.decode("utf-8-sig")
    except OSError as error:
        right = "Check the path, and that the user who runs this may read the file"
        problem = f"cannot be read ({error.strerror})"
        raise ConfigurationRefused(problem, place=str(path), key=key, right=right) from None
    except UnicodeDecodeError:
        raise ConfigurationRefused("is not UTF-8 text", place=str(path), key=key, right="Save it as UTF-8") from None
    if len(content) > LIMIT_BYTES:
        right = f"It should hold at most {LIMIT_BYTES // 1024} KiB"
        raise ConfigurationRefused("is too large", place=str(path), key=key, right=right)
    return text


def read_sections(path: Path) -> dict[str, dict[str, Given]]:
    """Read section -> key -> value; ConfigurationRefused with line and mend for anything else than that."""
    text = read_text(path)
    try:
        _refuse_cleverness(path, text)
        root = yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        raise ConfigurationRefused("this is not valid YAML", place=place, right=_mend(text, mark)) from None
    return {
        section: {key: _given(path, f"{section}.{key}", value) for key, value in _entries(path, node, section).items()}
        for section, node in _entries(path, root, None).items()
    }


def _refuse_cleverness(path: Path, text: str) -> None:
    """Refuse anchors, aliases, tags and depth before anything is built from them."""
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        place = _place(path, event)
        if isinstance(event, yaml.NodeEvent) and event.anchor:
            raise ConfigurationRefused("anchors and aliases (& and *) are not used here", place=place, right=_QUOTES)
        if getattr(event, "tag", None) not in {None, "tag:yaml.org,2002:str"}:
            right = f"{_QUOTES}; a value can come from a file by <key>_file, or from the environment"
            raise ConfigurationRefused("tags (!) are not used here", place=place, right=right)
        if depth > DEPTH:
            raise ConfigurationRefused("this is nested too deeply", place=place, right="Check the indentation")


def _entries(path: Path, node: yaml.Node | None, section: str | None) -> dict[str, yaml.Node]:
    """Give a mapping's entries, each key once; nothing for what was left empty."""
    if node is None or _is_null(node):
        return {}
    if not isinstance(node, yaml.MappingNode):
        right = (
            "a list of keys, each as `key: value`, two blanks further in" if section else "sections with keys in them"
        )
        raise ConfigurationRefused(
            "holds no keys",
            place=_place(path, node),
            key=section,
            right=f"It should be {right}; see config.example.yaml",
        )
    entries: dict[str, yaml.Node] = {}
    for name, value in node.value:
        if not isinstance(name, yaml.ScalarNode):
            raise ConfigurationRefused("a key must be a word", place=_place(path, name), key=section, right=_QUOTES)
        if name.value in entries:
            key = f"{section}.{name.value}" if section else name.value
            raise ConfigurationRefused("is given twice", place=_place(path, name), key=key, right="Keep one of them")
        entries[name.value] = value
    return entries


def _given(path: Path, key: str, node: yaml.Node) -> Given:
    place = _place(path, node)
    if isinstance(node, yaml.ScalarNode):
        return Given("" if _is_null(node) else node.value, place)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return Given(tuple(item.value for item in node.value), place)
    raise ConfigurationRefused(
        "is neither a value nor a list of values", place=place, key=key, right="Check the indentation"
    )


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value in _NULLS


def _place(path: Path, part: yaml.Node | yaml.Event) -> str:
    return f"{path}, line {part.start_mark.line + 1}" if part.start_mark else str(path)


def _mend(text: str, mark: yaml.Mark | None) -> str:
    """Guess the slip behind a syntax error; the parser's own words could quote a secret."""
    lines = text.split("\n")
    if mark and mark.line < len(lines) and "\t" in lines[mark.line]:
        return "Indent with blanks, not with tabs"
    return f"{_QUOTES}; check the indentation and the line above too"

"""YAML for stories: clock times stay text, a key written twice is an error, unknown keys get a suggestion."""

import re
from collections.abc import Collection, Hashable, Mapping
from difflib import get_close_matches

import yaml

from smartcharge.world.story_times import StoryError

NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 13:30 as a number to base sixty and 2026-12-09 as a date; here both are text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's own
        made: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        if len(made) < len(node.value):
            raise StoryError(f"{node.start_mark.name}, line {node.start_mark.line + 1}: a key is written twice")
        return made


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(NUMBERS[0], re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(NUMBERS[1], re.compile(r"[-+]?\d+\.\d+$"), list("-+0123456789"))


def read_yaml(text: str, name: str) -> dict[str, object]:
    """Read a story's text; StoryError where it is not one mapping of YAML."""
    loader = _Loader(text)
    loader.name = name
    try:
        read = loader.get_single_data()
    except yaml.YAMLError as error:
        raise StoryError(f"{name}: {error}") from error
    finally:
        loader.dispose()
    return mapping(read, name)


def mapping(value: object, where: str, known: Collection[str] | None = None) -> dict[str, object]:
    """Take a value as a mapping with text keys, of which all must be known where a list is given."""
    if not isinstance(value, Mapping):
        raise StoryError(f"{where}: a mapping is wanted, not {value!r}")
    made = {str(key): each for key, each in value.items()}
    for key in made:
        if known is not None and key not in known:
            near = get_close_matches(key, known, n=1)
            raise StoryError(f"{where}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return made


def listed(value: object) -> list[object]:
    """Take a list as it is, nothing as an empty one, anything else as a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def words(value: object) -> tuple[str, ...]:
    """Take one text or a list of texts."""
    return tuple(str(each) for each in listed(value))


def whole(value: object, where: str) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise StoryError(f"{where}: a whole number is wanted, not {value!r}")
    return value


def number(value: object, where: str) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise StoryError(f"{where}: a number is wanted, not {value!r}")
    return float(value)

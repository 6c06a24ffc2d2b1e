"""Times as scenarios write them: local time in London on the scenario's day, `+1 00:30` a day later, or ISO 8601."""

import re
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from zoneinfo import ZoneInfo

import yaml

LONDON = ZoneInfo("Europe/London")
WALL_TIME_PATTERN = re.compile(r"(?:\+(\d+) )?(\d{2}:\d{2}(?::\d{2})?)")
CLOCK_PATTERN = r"(?:\+\d+ )?\d{2}:\d{2}(?::\d{2})?"
SPAN_PATTERN = re.compile(rf"({CLOCK_PATTERN})\s*-\s*({CLOCK_PATTERN})")


class ScenarioError(ValueError):
    """A scenario file that cannot be played; says where and why."""


@dataclass(frozen=True, slots=True)
class ScenarioCalendar:
    """Turns a scenario's written times into instants, UTC."""

    day: date

    def moment(self, text: object) -> datetime:
        """Read one time; ScenarioError where it is none, or where clocks skip it."""
        written = str(text).strip()
        if match := WALL_TIME_PATTERN.fullmatch(written):
            return self._instant(int(match[1] or 0), match[2], written)
        try:
            moment = datetime.fromisoformat(written)
        except ValueError:
            raise ScenarioError(f"{written!r} is no time: write 13:30, +1 00:30, or ISO with an offset") from None
        if moment.tzinfo is None:
            raise ScenarioError(f"{written!r} lacks its offset")
        return moment.astimezone(UTC)

    def span(self, text: object) -> tuple[datetime, datetime]:
        """Read `13:00-14:30`; an end before its start is the next day's."""
        match = SPAN_PATTERN.fullmatch(str(text).strip())
        if match is None:
            raise ScenarioError(f"{str(text)!r} is no span: write 13:00-14:30")
        start, end = self.moment(match[1]), self.moment(match[2])
        while end <= start:
            end += timedelta(days=1)
        return start, end

    def _instant(self, days_later: int, clock: str, written: str) -> datetime:
        wall = datetime.combine(self.day + timedelta(days=days_later), time.fromisoformat(clock), LONDON)
        moment = wall.astimezone(UTC)
        if moment.astimezone(LONDON).replace(tzinfo=None) != wall.replace(tzinfo=None):
            raise ScenarioError(f"{written!r} does not exist: London's clocks go forward over it")
        return moment


NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")


class _ScenarioLoader(yaml.SafeLoader):
    """YAML 1.1 reads 13:30 as a number to base sixty and 2026-12-09 as a date; here both are text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:  # noqa: FBT001, FBT002 - PyYAML's own
        result: dict[Hashable, object] = super().construct_mapping(node, deep=deep)
        if len(result) < len(node.value):
            raise ScenarioError(f"{node.start_mark.name}, line {node.start_mark.line + 1}: a key is written twice")
        return result


_ScenarioLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in NUMBER_TAGS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_ScenarioLoader.add_implicit_resolver(NUMBER_TAGS[0], re.compile(r"[-+]?\d+$"), list("-+0123456789"))
_ScenarioLoader.add_implicit_resolver(NUMBER_TAGS[1], re.compile(r"[-+]?\d+\.\d+$"), list("-+0123456789"))


def parse_scenario_yaml(text: str, name: str) -> dict[str, object]:
    """Read a scenario's text; ScenarioError where it is not one mapping of YAML."""
    loader = _ScenarioLoader(text)
    loader.name = name
    try:
        read = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ScenarioError(f"{name}: {error}") from error
    finally:
        loader.dispose()
    return as_mapping(read, name)


def as_mapping(value: object, where: str, known: Collection[str] | None = None) -> dict[str, object]:
    """Take a value as a mapping with text keys, of which all must be known where a list is given."""
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where}: a mapping is wanted, not {value!r}")
    result = {str(key): each for key, each in value.items()}
    for key in result:
        if known is not None and key not in known:
            near = get_close_matches(key, known, n=1)
            raise ScenarioError(f"{where}: unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return result


def as_list(value: object) -> list[object]:
    """Take a list as it is, nothing as an empty one, anything else as a list of one."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def as_strings(value: object) -> tuple[str, ...]:
    """Take one text or a list of texts."""
    return tuple(str(each) for each in as_list(value))


def as_int(value: object, where: str) -> int:
    """Take a whole number."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ScenarioError(f"{where}: a whole number is wanted, not {value!r}")
    return value


def as_float(value: object, where: str) -> float:
    """Take a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScenarioError(f"{where}: a number is wanted, not {value!r}")
    return float(value)

"""Other houses that this computer looks after: each has a configuration of its own, and a memory of its own.

In a memory that two houses share, the windows of one would hold the battery of the other, and its releases be lost.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from smartcharge.config import Config, load_config
from smartcharge.errors import ConfigurationRefused
from smartcharge.quiet import config_in

CONFIGURATIONS = ("*.yaml", "*.yml")
MEND = "Give each configuration a database in a folder of its own (database.path)"


def owner_of_memory(config: Config, noted: str, environment: Mapping[str, str]) -> Path | None:
    """The configuration of another house whose memory this is; None where it is ours.

    noted: what was foreseen in it with the last answer of a supplier, "" where nothing was.
    """
    path = config_in(noted)
    if path is None or not _is_another(Path(path), config.path):
        return None
    found = _loaded(Path(path), environment)
    is_theirs = found is not None and _is_same(found.database_path, config.database_path)
    return found.path if found and is_theirs and is_other_house(found, config) else None


def others_beside(config: Config, environment: Mapping[str, str]) -> Iterator[Config]:
    """The configurations of other houses in the same folder."""
    for pattern in CONFIGURATIONS:
        for path in sorted(config.path.parent.glob(pattern)):
            found = _loaded(path, environment) if _is_another(path, config.path) else None
            if found and is_other_house(found, config):
                yield found


def is_other_house(one: Config, other: Config) -> bool:
    """Whether they have another hub or another Powerwall, as far as both are named; suppliers may change."""
    mine, theirs = _marks(one), _marks(other)
    return any(a and b and a != b for a, b in zip(mine, theirs, strict=True))


def _marks(config: Config) -> tuple[str | None, ...]:
    hub_serial, tesla = config.myenergi.hub_serial, config.tesla
    return (hub_serial, tesla.energy_site_id, tesla.gateway_host) if tesla else (hub_serial, None, None)


def _loaded(path: Path, environment: Mapping[str, str]) -> Config | None:
    try:
        return load_config(path, environment)
    except ConfigurationRefused:
        return None


def _is_another(path: Path, mine: Path) -> bool:
    return path.exists() and not _is_same(path, mine)


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)

"""Other installations on this computer: each house has a configuration and a database of its own.

In a database that two houses share, the slots of one would hold the battery of the other, whose release is lost.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from smartcharge.config.find import EXAMPLE_CONFIG
from smartcharge.config.load import Config, load_config
from smartcharge.errors import ConfigurationError
from smartcharge.idle import fingerprint_config_path

CONFIG_FILE_PATTERNS = ("*.yaml", "*.yml")
SHARED_DATABASE_FIX = "Give each configuration a database in a folder of its own (database.path)"


def database_owner(config: Config, forecast: str, environment: Mapping[str, str]) -> Path | None:
    """Give the configuration file of another house whose database this is; None where it is ours.

    forecast: the idle forecast that is stored in it, "" where there is none; it names its configuration.
    """
    path = fingerprint_config_path(forecast)
    if path is None or not _is_other_config_file(Path(path), config.path):
        return None
    found = _load_config_or_none(Path(path), environment)
    is_theirs = found is not None and _is_same_path(found.database_path, config.database_path)
    return found.path if found and is_theirs and is_other_installation(found, config) else None


def other_installations(config: Config, environment: Mapping[str, str]) -> Iterator[Config]:
    """Give the configurations of other houses in the same folder."""
    for pattern in CONFIG_FILE_PATTERNS:
        for path in sorted(config.path.parent.glob(pattern)):
            found = _load_config_or_none(path, environment) if _is_other_config_file(path, config.path) else None
            if found and is_other_installation(found, config):
                yield found


def is_other_installation(one: Config, other: Config) -> bool:
    """Whether hub or Powerwall differ, as far as both name them; a change of supplier does not make another house."""
    pairs = zip(_installation_ids(one), _installation_ids(other), strict=True)
    return any(a and b and a != b for a, b in pairs)


def _installation_ids(config: Config) -> tuple[str | None, ...]:
    hub_serial, tesla = config.myenergi.hub_serial, config.tesla
    return (hub_serial, tesla.energy_site_id, tesla.gateway_host) if tesla else (hub_serial, None, None)


def _load_config_or_none(path: Path, environment: Mapping[str, str]) -> Config | None:
    try:
        return load_config(path, environment)
    except ConfigurationError:
        return None


def _is_other_config_file(path: Path, mine: Path) -> bool:
    return path.exists() and path.name != EXAMPLE_CONFIG and not _is_same_path(path, mine)


def _is_same_path(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)

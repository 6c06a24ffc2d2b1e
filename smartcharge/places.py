"""Where a configuration may lie; in plain text, for who must not load more."""

from collections.abc import Mapping
from os.path import join

SYSTEM_FOLDER = "/etc/smartcharge"
NAME = "config.yaml"


def config_places(
    explicit: str | None, environment: Mapping[str, str], cwd: str, home: str, system: str = SYSTEM_FOLDER
) -> tuple[str, ...]:
    """The paths to look at, in order; what is named, by option or by $SMARTCHARGE_CONFIG, is the only one."""
    named = explicit or environment.get("SMARTCHARGE_CONFIG")
    if named:
        return (join(home, named[2:]) if named.startswith("~/") else join(cwd, named),)
    return join(cwd, NAME), join(home, ".config", "smartcharge", NAME), join(system, NAME)

"""Where a configuration may lie, and what its files are like; in plain text, for who must not load more."""

from collections.abc import Mapping
from os import stat
from os.path import join

SYSTEM_CONFIG_FOLDER = "/etc/smartcharge"
CONFIG_FILE_NAME = "config.yaml"

EXAMPLE_CONFIG = "config.example.yaml"
"""The example that comes with the program; it is valid, but no house."""


def config_file_candidates(
    explicit: str | None, environment: Mapping[str, str], cwd: str, home: str, system: str = SYSTEM_CONFIG_FOLDER
) -> tuple[str, ...]:
    """The paths to look at, in order; what is named, by option or by $SMARTCHARGE_CONFIG, is the only one."""
    named = explicit or environment.get("SMARTCHARGE_CONFIG")
    if named:
        return (join(home, named[2:]) if named.startswith("~/") else join(cwd, named),)
    return (
        join(cwd, CONFIG_FILE_NAME),
        join(home, ".config", "smartcharge", CONFIG_FILE_NAME),
        join(system, CONFIG_FILE_NAME),
    )


def file_signature(path: str) -> str:
    """What tells a file from itself before any change; a missing one is marked too. Take it before the file is read."""
    try:
        status = stat(path)
    except OSError:
        return f"0 0 0 0 {path}"
    return f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size} {status.st_ino} {path}"

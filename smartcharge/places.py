"""Where a configuration may lie, and what its files are like; in plain text, for who must not load more."""

from collections.abc import Mapping
from os import stat
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


def file_mark(path: str) -> str:
    """What tells a file from itself before any change; a missing one is marked too. Take it before the file is read."""
    try:
        seen = stat(path)
    except OSError:
        return f"0 0 0 0 {path}"
    return f"{seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_size} {seen.st_ino} {path}"

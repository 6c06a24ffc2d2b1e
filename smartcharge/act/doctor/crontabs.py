"""What starts this installation, as far as it can be read: a crontab's line, or a service of systemd with its timer.

An idle run writes nothing, so only this tells a line that finds nothing to do from one that is not there.
"""

import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

COMMANDS = {"tick", "reconcile"}
"""Without one of them the battery is never brought back."""
OWN_CRONTAB = ("crontab", "-l")
SYSTEM_TABLES = (Path("/etc/crontab"), *map(Path, ("/etc/cron.d", "/var/spool/cron/crontabs")))
UNITS = (Path("/etc/systemd/system"), Path("~/.config/systemd/user"))
PATIENCE_SECONDS = 2.0
MOST_BYTES = 65_536


def told(config: Path) -> str:
    """A clause on what starts the installation of this configuration file."""
    named = list(dict.fromkeys(place for place, line in _lines() if _names(line, config)))
    if named:
        return f"{' and '.join(named)} should start it"
    return "no crontab and no systemd timer that this user can read starts it"


def _names(line: str, config: Path) -> bool:
    words = line.split()
    is_ours = any("smartcharge" in word for word in words) and bool(COMMANDS & set(words))
    return is_ours and not line.lstrip().startswith("#") and (str(config) in line or "--config" not in words)


def _lines() -> Iterator[tuple[str, str]]:
    """Everything that starts something at a time, with where it stands."""
    for line in _own_crontab().splitlines():
        yield "this user's crontab", line
    for table in SYSTEM_TABLES:
        for path in _files(table, "*"):
            yield from ((str(path), line) for line in _text(path).splitlines())
    for folder in UNITS:
        for timer in _files(folder.expanduser(), "*.timer"):
            yield from ((str(timer), line) for line in _text(timer.with_suffix(".service")).splitlines())


def _own_crontab() -> str:
    with suppress(OSError, subprocess.SubprocessError, UnicodeError):
        asked = subprocess.run(  # noqa: S603  # a literal
            OWN_CRONTAB,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        return asked.stdout[:MOST_BYTES]
    return ""


def _files(place: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return [place] if place.is_file() else sorted(path for path in place.glob(pattern) if path.is_file())
    return []


def _text(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(MOST_BYTES).decode(errors="replace")
    return ""

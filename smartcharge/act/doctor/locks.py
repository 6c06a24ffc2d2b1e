"""Who holds a lock for longer than a run may last: a process that hangs keeps all others from the battery.

Source: proc(5), `/proc/locks`, `/proc/PID/stat` and `/proc/uptime`; where there is none of it, nothing is told.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.act.words import age
from smartcharge.toolbox import Toolbox

HERE = Area("locks")
PROC = Path("/proc")
LONG = timedelta(seconds=60)
"""No run lasts so long."""
LOCKS = ("smartcharge.lock", "fetch.lock", "mail.lock", ".kraken.json.lock")
DATABASE = ("", "-shm")
"""Beside its name: itself, and what programs share in write-ahead mode."""
PROCESS, INODE = 4, 5
STARTED_AT = 19
"""The columns of a lock, and of a process's state behind its name."""


class Holder(Struct, frozen=True):
    """A process that has a file locked. lives: for how long it has been running, and at most has had the lock."""

    pid: int
    name: str
    lives: timedelta


def examine(tools: Toolbox) -> Iterator[Finding]:
    """The locks of runs, and those that SQLite takes on the database for whoever has it open."""
    findings = [*_locks(tools), *_database(tools)]
    yield from findings or [HERE.ok("held", "no lock is held for long")]


def _locks(tools: Toolbox) -> Iterator[Finding]:
    for name in LOCKS:
        for holder in holders(tools.config.folder / name):
            says = f"process {holder.pid} ({holder.name}) has held {name} for up to {age(holder.lives)}"
            mend = f"No run lasts so long: if it hangs, end it with `kill {holder.pid}`"
            yield HERE.warning("held", f"{says}, and every run waits for it in vain", mend)


def _database(tools: Toolbox) -> Iterator[Finding]:
    path = tools.config.database_path
    found = {holder for part in DATABASE for holder in holders(path.with_name(f"{path.name}{part}"))}
    for holder in sorted(found, key=lambda each: each.pid):
        says = f"process {holder.pid} ({holder.name}), which has run for {age(holder.lives)}, has {path.name} open"
        yield HERE.warning("database", f"{says} and locked", "Close it there: a run may not be able to write")


def holders(path: Path) -> tuple[Holder, ...]:
    """The processes, other than this one, that have locked a file and have lived for long."""
    with suppress(OSError, ValueError, IndexError):
        file = path.stat()
        place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
        rows = [line.split() for line in (PROC / "locks").read_text(encoding="ascii").splitlines()]
        pids = {int(row[PROCESS]) for row in rows if row[1] != "->" and row[INODE] == place}
        found = map(_holder, sorted(pids - {os.getpid()}))
        return tuple(holder for holder in found if holder.lives > LONG)
    return ()


def _holder(pid: int) -> Holder:
    name, _, rest = (PROC / str(pid) / "stat").read_text(encoding="utf-8").partition("(")[2].rpartition(")")
    boot_seconds = float((PROC / "uptime").read_text(encoding="ascii").split()[0])
    started_seconds = int(rest.split()[STARTED_AT]) / os.sysconf("SC_CLK_TCK")
    return Holder(pid, name, timedelta(seconds=boot_seconds - started_seconds))

"""The database: whether it opens, is whole, and is of this version."""

from collections.abc import Iterator
from pathlib import Path

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.errors import Trouble
from smartcharge.store import SCHEMA_VERSION, is_lasting, open_store
from smartcharge.store.border import DAMAGED
from smartcharge.toolbox import Toolbox

HERE = Area("database")
NOWHERE = Path("/dev/null/no-database")
"""No file can be here, so that the memory of this place is empty."""


def refusal(tools: Toolbox) -> Trouble | None:
    """Why the memory cannot be looked at, if so; the tools then go on with an empty one."""
    try:
        is_lasting(tools.peek)
    except Trouble as trouble:
        tools.peek = open_store(NOWHERE, read_only=True)
        return trouble
    return None


def examine(tools: Toolbox) -> Iterator[Finding]:
    """It has opened; nothing is written to it."""
    path = tools.config.database_path
    if not path.exists():
        yield HERE.warning("file", f"{path} does not exist yet", "The first `smartcharge tick` makes it")
        return
    (row,) = tools.peek.execute("PRAGMA quick_check(1)").fetchall()
    if row[0] == "ok":
        yield HERE.ok("whole", f"{path} is whole ({path.stat().st_size / 1e6:,.1f} MB)")
    else:
        yield HERE.error("whole", f"{path} {DAMAGED[0]}", DAMAGED[1])
    if tools.peek.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        says = "another program keeps it in write-ahead mode, in which every run costs more"
        yield HERE.warning("mode", says, "Close that program; the next run that writes sets the mode right")
    if is_lasting(tools.peek):
        yield HERE.ok("schema", f"version {SCHEMA_VERSION}, as this program keeps it")
    else:
        yield HERE.ok("schema", "an older version, which the next run that writes brings up to date")

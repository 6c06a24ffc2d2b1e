"""Noise: trouble is told once when it begins and once when it is over, never in between.

An episode is one kind of trouble in one command. What the owner must mend is told at once; what may
pass is told at the fifth failure running, or at once when a release is due.
"""

from datetime import timedelta

from smartcharge.errors import ConfigurationRefused, DatabaseRefused, SignInRefused, Trouble
from smartcharge.store import episodes, journal, transaction
from smartcharge.toolbox import Toolbox

PATIENCE = 5
WAITING = "waiting"


def failed(tools: Toolbox, command: str, kind: str, trouble: Trouble, *, urgent: bool = False) -> None:
    """Count a failed attempt, and tell the owner where it is time; the run's exit code remembers it."""
    tools.exit_codes.append(trouble.exit_code)
    tools.detail(f"{command}: {trouble}")
    if tools.dry_run:
        return
    with transaction(tools.db):
        episode = episodes.count_failure(tools.db, command, kind, tools.now)
        at_once = urgent or isinstance(trouble, (ConfigurationRefused, DatabaseRefused, SignInRefused))
        due = episode.told_at is None and (at_once or episode.count >= PATIENCE)
        if due:
            episodes.mark_told(tools.db, command, kind, tools.now)
    if due:
        tools.warn(f"smartcharge {command}: {trouble}{_tally(episode.count)}")


def went_well(tools: Toolbox, command: str, kind: str) -> None:
    """A real success ends an episode; it is told where its beginning was."""
    if tools.dry_run or not episodes.is_open(tools.peek, command, kind):
        return
    with transaction(tools.db):
        episode = episodes.end(tools.db, command, kind)
    if episode and episode.told_at:
        tools.warn(f"smartcharge {command}: {kind} is well again after {_span(tools.now - episode.since)}.")


def waiting(tools: Toolbox, command: str, line: str) -> None:
    """An outside power has the battery: told once when that begins; it is nobody's failure."""
    tools.detail(f"{command}: {line}")
    if episodes.is_open(tools.peek, command, WAITING):
        return
    with transaction(tools.db):
        episodes.count_failure(tools.db, command, WAITING, tools.now)
        episodes.mark_told(tools.db, command, WAITING, tools.now)
        journal.append(tools.db, at=tools.now, command=command, outcome=WAITING, detail=line)
    tools.warn(f"smartcharge {command}: {line}.")


def waited(tools: Toolbox, command: str) -> None:
    """The outside power has let go: told once."""
    if not episodes.is_open(tools.peek, command, WAITING):
        return
    with transaction(tools.db):
        episodes.end(tools.db, command, WAITING)
        journal.append(tools.db, at=tools.now, command=command, outcome="waited")
    tools.warn(f"smartcharge {command}: the battery is free again.")


def _tally(count: int) -> str:
    return f" ({count} times running; it is tried again every minute or so.)" if count > 1 else ""


def _span(elapsed: timedelta) -> str:
    minutes = max(round(elapsed.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004  # two hours

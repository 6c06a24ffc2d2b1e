"""Until when there will be nothing to do: worked out ahead with the rules themselves, and kept for `smartcharge.quiet`.

It is kept with a supplier's answer, in the same transaction; any other change of the database, the configuration or
the program makes it void. While there is trouble nothing is foreseen: then every minute counts.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from smartcharge.act import invites, plan_due, reconcile, reset, shadow
from smartcharge.files import write_private
from smartcharge.places import file_mark
from smartcharge.quiet import AT_ONCE, COMMANDS, change_count, make_note, note_path, put_together
from smartcharge.store import episodes, fetches, services, situation
from smartcharge.store.times import to_text
from smartcharge.toolbox import Toolbox

STEP = timedelta(minutes=1)
"""Cron's. No rule depends on a run that comes between two others which both find nothing to do."""
STEPS = 15
"""The supplier is never asked less often than so many minutes, and then it is looked ahead again."""
WORK: dict[str, Callable[[Toolbox], bool]] = {
    "fetch-dispatches": plan_due.is_due,
    "reconcile": lambda tools: (
        reconcile.has_work(tools) or shadow.has_work(tools) or situation.clock_is_doubtful(tools.peek, tools.now)
    ),
    "midnight-reset": reset.has_work,
    "send-invites": lambda tools: invites.has_work(tools, tools.peek),
}


def basis(tools: Toolbox) -> str | None:
    """What the next transaction may foresee things from, to be asked before it begins; None: from nothing.

    Its commit counts the database's changes on by one. Should another run's come first, what is foreseen is void.
    """
    try:
        return f"{change_count(str(tools.config.database_path)) + 1} {_noted(tools)}"
    except (OSError, ValueError):
        return None  # a folder that may not be written, or a name that is no text, costs the short way, no more


def renew(tools: Toolbox, based_on: str | None) -> None:
    """Look ahead, inside the transaction that keeps an answer. based_on: as `basis` gave it before."""
    if based_on is None or _is_in_trouble(tools):
        return
    until = quiet_until(tools)
    moments = (to_text(moment) if (moment := until[command]) else AT_ONCE for command in COMMANDS)
    fetches.foresee(tools.db, put_together(to_text(tools.now), moments, based_on))


def quiet_until(tools: Toolbox) -> dict[str, datetime | None]:
    """The last minute, of those ahead without a gap, in which a command has nothing to do; None: it has at once."""
    until: dict[str, datetime | None] = dict.fromkeys(COMMANDS)
    idle = set(COMMANDS)
    for step in range(STEPS + 1):
        later = tools.foreseen(tools.now + step * STEP)
        idle -= _busy(later)
        until |= dict.fromkeys(idle, later.now)
    return until


def _busy(tools: Toolbox) -> set[str]:
    busy = {command for command, has_work in WORK.items() if has_work(tools)}
    if tools.exit_codes:
        return set(COMMANDS)
    return {*busy, "tick"} if busy or tools.config.alerts.healthchecks_url else busy


def _is_in_trouble(tools: Toolbox) -> bool:
    return bool(episodes.open_episodes(tools.db)) or services.any_troubled(tools.db)


def _noted(tools: Toolbox) -> str:
    """What the runs of this installation depend on, written beside its configuration when it changes."""
    config = tools.config
    feed = config.gcal.feed_path if config.gcal else None
    marks = (*config.marks, file_mark(str(feed))) if feed else config.marks
    note = make_note(str(config.database_path), marks, os.environ)
    path, content = Path(note_path(str(config.path))), note.encode()
    if not path.exists() or path.read_bytes() != content:
        write_private(path, content)
    return note

"""The calendar as a file for subscription, for people whose calendars refuse invites."""

import sqlite3
from datetime import timedelta
from pathlib import Path

from smartcharge import episodes
from smartcharge.act.invite_post import COMMAND
from smartcharge.errors import ConfigurationRefused
from smartcharge.files import write_private
from smartcharge.store import invites, transaction
from smartcharge.toolbox import Toolbox

FEED = "feed"
SHOWN = timedelta(days=14)
READABLE = 0o644
"""A web server reads it as somebody else; it holds times and kilowatt hours, no secret."""


def is_stale(tools: Toolbox, db: sqlite3.Connection) -> bool:
    """Whether the file does not show what the calendar should."""
    path = _path(tools)
    if path is None:
        return False
    newest, written = invites.feed_state(db)
    return newest != "0" and (written != _mark(newest, path) or not _is_there(path))


def write(tools: Toolbox) -> None:
    """Write the file as a whole: whoever reads it sees the old one or the new one."""
    path = _path(tools)
    if path is None:
        return
    newest, _ = invites.feed_state(tools.db)
    content = tools.invite_writer.feed(invites.latest(tools.db, tools.now - SHOWN))
    try:
        write_private(path, content)
        path.chmod(READABLE)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        right = "Give a file in a folder that exists and that this user may write to."
        refused = ConfigurationRefused(problem, place=str(tools.config.path), key="gcal.feed_path", right=right)
        episodes.failed(tools, COMMAND, FEED, refused)
        return
    with transaction(tools.db):
        invites.mark_feed(tools.db, _mark(newest, path))
    episodes.went_well(tools, COMMAND, FEED)


def _path(tools: Toolbox) -> Path | None:
    return tools.config.gcal.feed_path if tools.config.gcal else None


def _mark(newest: str, path: Path) -> str:
    return f"{newest} {path}"


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False

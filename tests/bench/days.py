"""Whole days of the pretend street, as cron lives through them: what `disk.py` and `naive_day.py` play."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from smartcharge.act.schedule import FOUR, ONE
from smartcharge.quiet import is_quiet
from smartcharge.world.player import Outcome, Run
from smartcharge.world.story import Story
from smartcharge.world.story_file import load_story, stories

DAYS = {
    "idle": "idle",
    "a window of ninety minutes": "day-of-ninety-minutes",
    "forty revisions": "day-of-forty-revisions",
    "outages": "day-of-outages",
}
"""The stories by what the tables call them: 1,440 minutes each."""
LINES = {"tick": ONE, "four": FOUR}
"""What stands in the crontab: one line, or four."""


def day(name: str) -> Story:
    """A story that lasts a whole day."""
    return load_story(stories()[name])


def machine() -> str:
    """What was measured on."""
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{platform.platform()}, {platform.machine()}, {python}"


def as_cron_does(folder: Path, run: Run, lines: Sequence[str] = ONE) -> Run:
    """Run what the crontab names in place of a story's `tick`, and pass idle minutes over as the console script does.

    folder: where the configuration lies. run: runs a command in full.
    """

    def in_full_or_not(arguments: list[str], at: datetime) -> Outcome:
        if is_quiet(["--config", f"{folder}/config.yaml", *arguments], os.environ, at):
            return Outcome(0)
        return run(arguments, at)

    def minute(arguments: list[str], at: datetime) -> Outcome:
        commands = [[line] for line in lines] if arguments == ["tick"] else [arguments]
        ended = [in_full_or_not(command, at) for command in commands]
        said = ("".join(each.stdout for each in ended), "".join(each.stderr for each in ended))
        return Outcome(max(each.exit_code for each in ended), *said)

    return minute

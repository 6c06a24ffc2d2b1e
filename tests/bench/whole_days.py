"""Whole days of the simulator, as cron lives through them: what `disk.py` and `naive_day.py` play."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from smartcharge.commands.crontab import SEPARATE_COMMANDS, TICK_COMMAND
from smartcharge.idle import can_skip
from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_file import load_scenario, scenario_files
from smartcharge.simulator.scenario_runner import CommandResult, CommandRunner

WHOLE_DAYS = {
    "idle": "idle",
    "a window of ninety minutes": "day-of-ninety-minutes",
    "forty revisions": "day-of-forty-revisions",
    "outages": "day-of-outages",
}
"""The scenarios by what the tables call them: 1,440 minutes each."""
CRONTAB_LINES = {"tick": TICK_COMMAND, "four": SEPARATE_COMMANDS}
"""What stands in the crontab: one line, or four."""


def load_whole_day(name: str) -> Scenario:
    """A scenario that lasts a whole day."""
    return load_scenario(scenario_files()[name])


def describe_machine() -> str:
    """What was measured on."""
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    return f"{platform.platform()}, {platform.machine()}, {python}"


def cron_runner(folder: Path, run: CommandRunner, lines: Sequence[str] = TICK_COMMAND) -> CommandRunner:
    """Run what the crontab names in place of a scenario's `tick`, and skip idle minutes as the program does.

    folder: where the configuration lies. run: runs a command in full.
    """

    def in_full_or_not(arguments: list[str], at: datetime) -> CommandResult:
        if can_skip(["--config", f"{folder}/config.yaml", *arguments], os.environ, at):
            return CommandResult(0)
        return run(arguments, at)

    def minute(arguments: list[str], at: datetime) -> CommandResult:
        commands = [[line] for line in lines] if arguments == ["tick"] else [arguments]
        ended = [in_full_or_not(command, at) for command in commands]
        said = ("".join(each.stdout for each in ended), "".join(each.stderr for each in ended))
        return CommandResult(max(each.exit_code for each in ended), *said)

    return minute

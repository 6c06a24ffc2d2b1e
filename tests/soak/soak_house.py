"""The house of a soak: a configuration drawn at random, an owner who can correct it, and the real commands."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random

import click

from smartcharge.app import App
from smartcharge.commands.pause import pause_command, resume_command
from smartcharge.commands.tick import (
    fetch_dispatches_command,
    midnight_reset_command,
    reconcile_command,
    send_invites_command,
    tick_command,
)
from smartcharge.config.load import TESLA_TOKEN_FILE, load_config
from smartcharge.console import Output

SOAK_COMMANDS: dict[str, click.Command] = {
    "fetch-dispatches": fetch_dispatches_command,
    "reconcile": reconcile_command,
    "midnight-reset": midnight_reset_command,
    "send-invites": send_invites_command,
    "tick": tick_command,
    "pause": pause_command,
    "resume": resume_command,
}
ONE_LINE = ("tick",)
FOUR_LINES = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites")
CONFIG_TEMPLATE = """\
eon_next: {{email: you@example.com, password: "{key}", import_account: A-1234ABCD}}
myenergi: {{hub_serial: 12345678, api_key: "{key}"}}
tesla: {{account_email: you@example.com}}
database: {{path: smartcharge.db}}
gcal: {{smtp_user: you@example.com, smtp_pass: "{key}", invite_to: family@example.com,
       invite_when: {invite_when}, feed_path: {feed_path}}}
alerts: {{email: {alerts}}}
control: {{restore: {restore}, resting_mode: {resting_mode}, extension: {extension},
          max_hours_per_day: {most_hours}, cheap_period: {cheap_period}}}
"""
DEFAULT_OPTIONS = {
    "restore": "resting",
    "resting_mode": "autonomous",
    "extension": "true",
    "most_hours": "null",
    "cheap_period": '["00:00", "06:00"]',
    "invite_when": "charging",
    "feed_path": '""',
    "alerts": '""',
}
OTHER_OPTIONS = {
    "restore": ("previous",),
    "resting_mode": ("self_consumption",),
    "extension": ("false",),
    "most_hours": ("1.5", "4"),
    "cheap_period": ('["23:45", "05:15"]', '["19:50", "05:30"]', '["01:00", "05:00"]', '["02:30", "04:10"]'),
    "invite_when": ("planned",),
    "feed_path": ("feed.ics",),
    "alerts": ("you@example.com",),
}
"""Cheap periods also begin within a half hour, and in the hours that the clocks skip and repeat."""


class SoakApp(App):
    """An app that never waits for the lock: in this process its holder would wait for us."""

    def exclusive_lock(self, *, wait_seconds: float = 0.0) -> AbstractContextManager[None]:
        return super().exclusive_lock(wait_seconds=0.0)


class SoakOutput(Output):
    """Keeps what a run prints, in its context."""

    context: "SoakContext"

    def say(self, line: str) -> None:
        self.context.said.append(line)

    def warn(self, line: str) -> None:
        if line not in self.context.warned:
            self.context.warned.append(line)


class SoakHouse:
    """A folder with a configuration and a database; crontab: the lines that cron runs every minute."""

    def __init__(self, folder: Path, chance: Random) -> None:
        self.folder = folder
        self.crontab = chance.choice((ONE_LINE, ONE_LINE, FOUR_LINES))
        self._settings = dict(DEFAULT_OPTIONS)
        if chance.random() < 0.6:  # else a house as most are
            for name, values in OTHER_OPTIONS.items():
                if chance.random() < 0.35:
                    self._settings[name] = chance.choice(values)
        self.change_key("abcdefghijklmnop")

    @property
    def named(self) -> tuple[str, str]:
        """The option that names the configuration."""
        return "--config", str(self.folder / "config.yaml")

    def change_key(self, key: str) -> None:
        """Write other passwords into the configuration, and load it."""
        path = self.folder / "config.yaml"
        path.write_text(CONFIG_TEMPLATE.format(key=key, **self._settings), encoding="utf-8")
        path.chmod(0o600)
        self.config = load_config(path, {})

    def sign_in_to_tesla(self, key: str) -> None:
        """Leave another token file."""
        (self.folder / TESLA_TOKEN_FILE).write_text(key, encoding="utf-8")

    def __str__(self) -> str:
        """Say what is not as in most houses."""
        odd = [f"{name} {value}" for name, value in self._settings.items() if value != DEFAULT_OPTIONS[name]]
        return ", ".join(["four lines" if self.crontab == FOUR_LINES else "one line", *odd])


@dataclass
class SoakContext:
    """One invocation of a command, in place of `Session`; said, warned: its words.

    services: what stands in for the adapters.
    """

    house: SoakHouse
    now: datetime
    services: dict[str, object]
    said: list[str] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def open_app(self, *, dry_run: bool = False, read_only: bool = False) -> App:
        """Lay out the tools of a run."""
        app = SoakApp(self.house.config, self.now, dry_run=dry_run, read_only=read_only)
        app.out = SoakOutput(self.house.config.path, self.now, dry_run=dry_run)
        app.out.context = self
        app.__dict__.update(self.services)
        return app

    def run(self, command: str, *arguments: str) -> int:
        """Run a command line to its end; the exit code."""
        code: int = SOAK_COMMANDS[command].main(list(arguments), prog_name=command, obj=self, standalone_mode=False)
        return code

"""`smartcharge crontab`: the lines that run this installation every minute."""

import getpass
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import click
from msgspec import Struct

from smartcharge.app import App
from smartcharge.cli_context import CliContext

SEPARATE_COMMANDS = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites")
TICK_COMMAND = ("tick",)


class Installation(Struct, frozen=True):
    """How this program is started on this computer.

    program: the words of the command line, the first an absolute path. config: the configuration file, absolute.
    folders: where it writes. user: who runs it.
    """

    program: tuple[str, ...]
    config: Path
    folders: tuple[Path, ...]
    user: str

    def line(self, *command: str) -> tuple[str, ...]:
        """Return the words that run one command from any folder and with any PATH."""
        return (*self.program, "--config", str(self.config), *command)


def detect_installation(app: App) -> Installation:
    """Return how this run was started, with absolute paths."""
    config, gcal = app.config, app.config.gcal
    feed = (gcal.feed_path.parent,) if gcal and gcal.feed_path else ()
    folders = dict.fromkeys((config.folder, config.auth_folder, config.path.parent, *feed))
    return Installation(_program_words(), config.path, tuple(folders), getpass.getuser())


def _program_words() -> tuple[str, ...]:
    started = Path(sys.argv[0])
    if started.name != "__main__.py" and os.access(started, os.X_OK):
        return (str(started.absolute()),)
    return (sys.executable, "-m", "smartcharge")


def crontab_lines(here: Installation, commands: Sequence[str]) -> Iterator[str]:
    """Yield the lines for `crontab -e`. A % is escaped, because cron takes it for the end of the line."""
    yield f"# smartcharge: run `crontab -e` as {here.user} and paste these lines. Cron mails the output to MAILTO."
    for command in commands:
        yield f"* * * * * {shlex.join(here.line(command))}".replace("%", r"\%")


def systemd_unit_lines(here: Installation) -> Iterator[str]:
    """Yield a service that runs one tick and a timer that starts it every minute, one file after the other."""
    yield "# /etc/systemd/system/smartcharge.service"
    yield from ("[Unit]", "Description=smartcharge: one run", "Wants=network-online.target")
    yield from ("After=network-online.target time-sync.target", "", "[Service]", "Type=oneshot")
    yield f"User={here.user}"
    yield f"ExecStart={' '.join(map(_quote_unit_word, here.line('tick')))}"
    yield "# Exit codes 3, 6 and 75 need no action: the next run tries again."
    yield from ("SuccessExitStatus=3 6 75", "TimeoutStartSec=60", "NoNewPrivileges=yes", "PrivateTmp=yes")
    yield from ("ProtectSystem=strict", f"ReadWritePaths={' '.join(map(_quote_unit_word, map(str, here.folders)))}", "")
    yield "# /etc/systemd/system/smartcharge.timer"
    yield from ("[Unit]", "Description=smartcharge: every minute", "", "[Timer]", "OnCalendar=*-*-* *:*:00")
    yield from ("AccuracySec=1s", "", "[Install]", "WantedBy=timers.target", "")
    yield "# Then run: sudo systemctl daemon-reload && sudo systemctl enable --now smartcharge.timer"
    yield "# Output of the runs: journalctl -u smartcharge.service"


def _quote_unit_word(word: str) -> str:
    """Quote a word of a command line for systemd: % and $ are special there, and blanks need quotes."""
    plain = word.replace("\\", "\\\\").replace("%", "%%").replace("$", "$$").replace('"', '\\"')
    return f'"{plain}"' if plain != word or " " in word or "'" in word else word


@click.command("crontab")
@click.option("--tick", "as_tick", is_flag=True, help="Print one line instead of four: lighter on a small computer.")
@click.option("--systemd", "as_units", is_flag=True, help="Print a systemd service and its timer instead.")
@click.pass_obj
def crontab_command(session: CliContext, *, as_tick: bool, as_units: bool) -> None:
    """Print the crontab lines for this installation."""
    with closing(session.open_app(read_only=True)) as app:
        here = detect_installation(app)
    lines = (
        systemd_unit_lines(here) if as_units else crontab_lines(here, TICK_COMMAND if as_tick else SEPARATE_COMMANDS)
    )
    for line in lines:
        click.echo(line)

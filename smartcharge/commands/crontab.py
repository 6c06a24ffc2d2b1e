"""`smartcharge crontab`: the lines that let this installation run every minute."""

import getpass
import os
import sys
from contextlib import closing
from pathlib import Path

import click

from smartcharge.act import schedule
from smartcharge.session import Session
from smartcharge.toolbox import Toolbox


@click.command("crontab")
@click.option("--tick", "as_tick", is_flag=True, help="One line instead of four: lighter on a small machine.")
@click.option("--systemd", "as_units", is_flag=True, help="A systemd service and its timer instead.")
@click.pass_obj
def command(session: Session, *, as_tick: bool, as_units: bool) -> None:
    """Print the crontab lines of this installation."""
    with closing(session.toolbox(looking=True)) as tools:
        here = installation(tools)
    lines = schedule.systemd(here) if as_units else schedule.crontab(here, schedule.ONE if as_tick else schedule.FOUR)
    for line in lines:
        click.echo(line)


def installation(tools: Toolbox) -> schedule.Installation:
    """How this very run was started, with absolute paths."""
    config, gcal = tools.config, tools.config.gcal
    feed = (gcal.feed_path.parent,) if gcal and gcal.feed_path else ()
    folders = dict.fromkeys((config.folder, config.auth_folder, config.path.parent, *feed))
    return schedule.Installation(_program(), config.path, tuple(folders), getpass.getuser())


def _program() -> tuple[str, ...]:
    started = Path(sys.argv[0])
    if started.name != "__main__.py" and os.access(started, os.X_OK):
        return (str(started.absolute()),)
    return (sys.executable, "-m", "smartcharge")

"""`smartcharge crontab`: the lines that let this installation run every minute."""

from contextlib import closing

import click

from smartcharge.act import schedule
from smartcharge.session import Session


@click.command("crontab")
@click.option("--tick", "as_tick", is_flag=True, help="One line instead of four: lighter on a small machine.")
@click.option("--systemd", "as_units", is_flag=True, help="A systemd service and its timer instead.")
@click.pass_obj
def command(session: Session, *, as_tick: bool, as_units: bool) -> None:
    """Print the crontab lines of this installation."""
    with closing(session.toolbox(looking=True)) as tools:
        here = schedule.installation(tools)
    lines = schedule.systemd(here) if as_units else schedule.crontab(here, schedule.ONE if as_tick else schedule.FOUR)
    for line in lines:
        click.echo(line)

"""`smartcharge fetch-dispatches`: the supplier's plan into the memory."""

from functools import partial

import click

from smartcharge.act import plan
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("fetch-dispatches")
@click.option("--now", "at_once", is_flag=True, help="Ask even if no answer is due.")
@_options.dry_run
@_options.at
@click.pass_obj
def command(session: Session, *, at_once: bool, dry_run: bool, at: str | None) -> int:
    """Ask Kraken for the plan, if an answer is due."""
    return _options.act(session, partial(plan.run, at_once=at_once), dry_run=dry_run, at=at)

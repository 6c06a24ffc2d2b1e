"""`smartcharge tick`: everything a minute asks for, in one process."""

import click

from smartcharge.act import tick
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("tick")
@_options.dry_run
@_options.at
@click.pass_obj
def command(session: Session, *, dry_run: bool, at: str | None) -> int:
    """Do all four of the above in one run."""
    return _options.act(session, tick.run, dry_run=dry_run, at=at)

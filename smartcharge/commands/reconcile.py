"""`smartcharge reconcile`: enough, on its own, to bring the battery back."""

import click

from smartcharge.act import reconcile
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("reconcile")
@_options.dry_run
@_options.at
@click.pass_obj
def command(session: Session, *, dry_run: bool, at: str | None) -> int:
    """Bring the Powerwall to the stance the policy wants."""
    return _options.act(session, reconcile.run, dry_run=dry_run, at=at)

"""`smartcharge midnight-reset`: may run every minute, acts once per cheap period."""

import click

from smartcharge.act import reset
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("midnight-reset")
@_options.dry_run
@_options.at
@click.pass_obj
def command(session: Session, *, dry_run: bool, at: str | None) -> int:
    """Assert the resting stance, once per cheap period."""
    return _options.act(session, reset.run, dry_run=dry_run, at=at)

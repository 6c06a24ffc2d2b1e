"""`smartcharge send-invites`: the outbox, posted."""

import click

from smartcharge.act import invites
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("send-invites")
@_options.dry_run
@_options.at
@click.pass_obj
def command(session: Session, *, dry_run: bool, at: str | None) -> int:
    """Post the calendar invites that wait in the outbox."""
    return _options.act(session, invites.run, dry_run=dry_run, at=at)

"""`smartcharge status`: one screen for the householder, one object for programs; never writes, needs no network."""

import json
from contextlib import closing
from datetime import datetime

import click

from smartcharge.act import overview
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, times in UTC.")
@_options.at
@click.pass_obj
def command(session: Session, *, as_json: bool, at: str | None) -> int:
    """Show what the battery is doing, until when, and why."""
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        facts = overview.gather(tools)
        if as_json:
            click.echo(json.dumps(facts.as_json(), default=_iso))
        else:
            for line in facts.lines():
                click.echo(line)
    return 0


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)

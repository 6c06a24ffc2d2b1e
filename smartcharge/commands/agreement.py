"""`smartcharge agreement`: what came of running in another controller's shadow."""

import json
from contextlib import closing

import click

from smartcharge.act.show import agreement
from smartcharge.commands import _options
from smartcharge.session import Session


@click.command("agreement")
@click.option("--since", metavar="TIME", help="From this time on; everything unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@_options.at
@click.pass_obj
def command(session: Session, *, since: str | None, as_json: bool, at: str | None) -> None:
    """Say how often another controller did what this program would have done."""
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        found = agreement.gather(tools, _options.moment(since, tools, past=True) if since else None)
        if as_json:
            click.echo(json.dumps(agreement.as_json(found)))
        else:
            for line in agreement.as_text(found, tools):
                click.echo(line)

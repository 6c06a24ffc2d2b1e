"""`smartcharge agreement`: what came of running in another controller's shadow."""

import json
from contextlib import closing

import click

from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_time
from smartcharge.jobs.shadow import load_shadow_agreement, shadow_agreement_json, shadow_agreement_lines


@click.command("agreement")
@click.option("--since", metavar="TIME", help="From this time on; everything unless given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@at_option
@click.pass_obj
def agreement_command(session: CliContext, *, since: str | None, as_json: bool, at: str | None) -> None:
    """Compare with another controller."""
    with closing(session.open_app(read_only=True)) as app:
        app.now = parse_time(at, app) if at else app.now
        found = load_shadow_agreement(app, parse_time(since, app, past=True) if since else None)
        if as_json:
            click.echo(json.dumps(shadow_agreement_json(found)))
        else:
            for line in shadow_agreement_lines(found, app):
                click.echo(line)

"""`smartcharge doctor`: looks at everything that can be wrong, changes nothing, and says how to mend it."""

import json
from contextlib import closing

import click

from smartcharge.act.doctor import configuration, examination
from smartcharge.act.doctor.findings import Finding, Tell, exit_code, summary
from smartcharge.errors import ConfigurationRefused
from smartcharge.session import Session


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Only what needs no network.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.pass_obj
def command(session: Session, *, offline: bool, as_json: bool) -> int:
    """Check everything that can be wrong, and say how to mend it."""
    found: list[Finding] = []

    def tell(finding: Finding) -> None:
        found.append(finding)
        if not as_json:
            click.echo(finding.line)

    _examine(session, tell, offline=offline)
    if as_json:
        click.echo(json.dumps(summary(found)))
    return exit_code(found)


def _examine(session: Session, tell: Tell, *, offline: bool) -> None:
    try:
        tools = session.toolbox(looking=True)
    except ConfigurationRefused as refused:
        tell(configuration.refusal(refused))
        return
    with closing(tools):
        examination.examine(tools, tell, offline=offline)

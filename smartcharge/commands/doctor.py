"""`smartcharge doctor`: everything that can be wrong in a house, each with its mend; it changes nothing there."""

import json
from contextlib import closing
from pathlib import Path

import click

from smartcharge.act.doctor import configuration, examination
from smartcharge.act.doctor.findings import Finding, Tell, exit_code, summary
from smartcharge.act.show import export
from smartcharge.errors import ConfigurationRefused
from smartcharge.session import Session


@click.command("doctor")
@click.option("--offline", is_flag=True, help="Only what needs no network.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--bundle", metavar="FILE", help="Write down all that helps to find a fault, without secrets; offline.")
@click.pass_obj
def command(session: Session, *, offline: bool, as_json: bool, bundle: str | None) -> int:
    """Check everything that can be wrong, and say how to mend it."""
    found: list[Finding] = []
    if bundle is not None:
        _write(session, Path(bundle), found)
        return exit_code(found)

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


def _write(session: Session, file: Path, found: list[Finding]) -> None:
    from smartcharge.act.doctor.bundle import FIRST_WORDS, bare_bundle, bundle

    try:
        tools = session.toolbox(looking=True)
    except ConfigurationRefused as refused:
        found.append(configuration.refusal(refused))
        text = bare_bundle(session.now, refused)
    else:
        with closing(tools):
            text = bundle(tools, found)
    export.export(file, text, first_words=FIRST_WORDS, mode=export.PRIVATE)
    click.echo(f"Written to {file}; read it before you give it to anybody.")

"""`smartcharge metrics`: what is remembered, for Prometheus; never writes to the house, needs no network."""

from contextlib import closing
from pathlib import Path

import click

from smartcharge.act.show import metrics, overview
from smartcharge.act.show.export import READABLE, export
from smartcharge.act.show.exposition import exposition
from smartcharge.errors import DatabaseRefused, Trouble
from smartcharge.session import Session
from smartcharge.store import inspection
from smartcharge.toolbox import Toolbox


@click.command("metrics")
@click.option("--output", metavar="FILE", help="Write to a file of node_exporter's textfile collector, as a whole.")
@click.pass_obj
def command(session: Session, *, output: str | None) -> int:
    """Tell Prometheus what is remembered."""
    with closing(session.toolbox(looking=True)) as tools:
        try:
            text, code = _remembered(tools)
        except Trouble:
            _tell(exposition(metrics.presence(None)), output)
            raise
    _tell(text, output)
    return code


def _remembered(tools: Toolbox) -> tuple[str, int]:
    """The metrics, and the exit code; without a database there is nothing to tell but that."""
    about = overview.gather(tools)
    if about.missing:
        return exposition(metrics.presence(None)), DatabaseRefused.exit_code
    return exposition(metrics.families(about, inspection.schema_version(tools.peek))), 0


def _tell(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text, nl=False)
    else:
        export(Path(output), text, first_words=metrics.FIRST_WORDS, mode=READABLE)

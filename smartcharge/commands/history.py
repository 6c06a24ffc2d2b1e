"""`smartcharge history`: the journal and the dispatches, for people, programs and spreadsheets."""

import csv
import io
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta

import click

from smartcharge.act.show.chronicle import COLUMNS, Noted, as_line, as_row, gather
from smartcharge.act.show.layout import folded
from smartcharge.act.show.overview import RUNS
from smartcharge.act.words import when
from smartcharge.commands import _options
from smartcharge.session import Session
from smartcharge.toolbox import Toolbox

A_DAY = timedelta(days=1)
MOST_LINES = 4
"""Of one entry on a terminal; --json and --csv tell it whole."""


@click.command("history")
@click.option(
    "--since", metavar="TIME", help="From this time on, 22:00 being the last such; else a day."
)
@click.option("--until", metavar="TIME", help="Up to this time; now unless given.")
@click.option("--command", "commands", type=click.Choice(RUNS), multiple=True, help="Of this command only; repeatable.")
@click.option("--json", "for_programs", is_flag=True, help="One JSON array.")
@click.option("--csv", "for_spreadsheets", is_flag=True, help="Comma-separated, with a heading.")
@_options.at
@click.pass_obj
def command(  # one for each option
    session: Session,
    *,
    since: str | None,
    until: str | None,
    commands: tuple[str, ...],
    for_programs: bool,
    for_spreadsheets: bool,
    at: str | None,
) -> int:
    """Show the journal and the dispatches."""
    if for_programs and for_spreadsheets:
        raise click.UsageError("--json and --csv exclude each other")
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        start, end = _span(tools, since, until)
        found = gather(tools, start, end, commands)
        if for_programs:
            click.echo(json.dumps([as_row(each) for each in found], ensure_ascii=False))
        elif for_spreadsheets:
            click.echo(_csv(found), nl=False)
        elif found:
            click.echo("\n".join(_lines(found, tools)))
        else:
            click.echo(_nothing(tools, start, end, commands))
    return 0


def _span(tools: Toolbox, since: str | None, until: str | None) -> tuple[datetime, datetime]:
    end = _options.moment(until, tools, past=True) if until else tools.now
    start = _options.moment(since, tools, past=True) if since else end - A_DAY
    if start >= end:
        first, last = (when(moment, tools.now, tools.policy.cheap_period.zone) for moment in (start, end))
        raise click.UsageError(f"--since must lie before --until, and {first} does not lie before {last}")
    return start, end


def _csv(found: Sequence[Noted]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows(map(as_row, found))
    return text.getvalue()


def _lines(found: Sequence[Noted], tools: Toolbox) -> Iterator[str]:
    """On a terminal folded to its width; else one line for each entry."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    for each in found:
        yield from folded(*as_line(each, tools.now, tools.policy.cheap_period.zone), width, most_lines=MOST_LINES)


def _nothing(tools: Toolbox, since: datetime, until: datetime, commands: Sequence[str]) -> str:
    first, last = (when(moment, tools.now, tools.policy.cheap_period.zone) for moment in (since, until))
    whose = f" by {' or '.join(commands)}" if commands else ""
    return f"Nothing was written down{whose} from {first} to {last}; `--since` looks further back."

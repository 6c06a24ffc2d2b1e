"""`smartcharge status`: one screen for the householder, one object for programs; never writes, needs no network."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial

import click

from smartcharge.act.show import overview, screen
from smartcharge.act.show.layout import LABEL, Row, Tone, folded
from smartcharge.act.show.needs import needs
from smartcharge.act.show.overview_json import as_json
from smartcharge.commands import _options
from smartcharge.errors import Trouble
from smartcharge.session import Session

STYLES: dict[Tone, Callable[[str], str]] = {
    Tone.PLAIN: str,
    Tone.HOLDING: partial(click.style, fg="green", bold=True),
    Tone.AT_REST: partial(click.style, bold=True),
    Tone.DOUBT: partial(click.style, fg="yellow"),
    Tone.WRONG: partial(click.style, fg="red", bold=True),
    Tone.FAINT: partial(click.style, dim=True),
}


@click.command("status")
@click.option("--json", "for_programs", is_flag=True, help="One JSON object, times in UTC.")
@_options.at
@click.pass_obj
def command(session: Session, *, for_programs: bool, at: str | None) -> int:
    """Show what the battery is doing, until when, and why."""
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        try:
            about = overview.gather(tools)
        except Trouble as trouble:
            if not for_programs:
                _show(*screen.blind(tools, trouble))
            raise
        wrong = needs(about)
        if for_programs:
            click.echo(json.dumps(as_json(about, wrong), default=_iso))
        else:
            _show(*screen.rows(about, wrong))
    return 0


def _show(*rows: Row) -> None:
    """On a terminal folded to its width, and coloured unless it or its owner does not want that; else as it is."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    coloured = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    for row in rows:
        for number, line in enumerate(folded(f"{row.label:<{LABEL}}", row.text, width, most_lines=row.most_lines)):
            click.echo(_styled(line, row, is_first=not number) if coloured else line)


def _styled(line: str, row: Row, *, is_first: bool) -> str:
    """The words in their colour, their label as it is."""
    label, words = (line[:LABEL], line[LABEL:]) if is_first else ("", line)
    return f"{label}{STYLES[row.tone](words)}"


def _iso(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)

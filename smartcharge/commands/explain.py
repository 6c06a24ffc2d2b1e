"""`smartcharge explain`: the rule that decided, its facts, what would have changed it, and what comes next."""

import json
import shutil
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import datetime, timedelta

import click

from smartcharge.act.show import explain, explain_text
from smartcharge.act.show.explain import Explanation
from smartcharge.act.words import when
from smartcharge.commands import _options
from smartcharge.session import Session
from smartcharge.store.times import to_text
from smartcharge.toolbox import Toolbox

REST_OF_THE_MINUTE = timedelta(seconds=59)


@click.command("explain")
@click.argument("time", required=False, help="Local: 13:30 is the last such minute; or a date and time.")
@click.option("--json", "for_programs", is_flag=True, help="One JSON object, times in UTC; null for nothing.")
@_options.at
@click.pass_obj
def command(session: Session, *, time: str | None, for_programs: bool, at: str | None) -> int:
    """Say why the battery stands as it stands, or stood at a TIME."""
    if time and at:
        raise click.UsageError("TIME and --at mean the same: give one of them")
    with closing(session.toolbox(looking=True)) as tools:
        text = time or at
        asked = _past(text, tools) if text else tools.now
        told = explain.of_past(tools, asked) if text else explain.of_now(tools)
        if for_programs:
            click.echo(json.dumps(told and explain_text.as_json(told), default=_spelt))
        else:
            click.echo("\n".join(_lines(told, asked, tools)))
    return 0


def _lines(told: Explanation | None, asked: datetime, tools: Toolbox) -> Iterable[str]:
    """On a terminal folded to its width; else as they are."""
    if told is None:
        zone = tools.policy.cheap_period.zone
        return [f"By {when(asked, tools.now, zone)} nothing had been decided that is still in the journal."]
    return explain_text.lines(told, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def _past(text: str, tools: Toolbox) -> datetime:
    """The end of the minute that is meant; one ahead is a usage error."""
    found = _options.moment(text, tools, past=True)
    if found > tools.now:
        raise click.UsageError(f"{text} lies ahead: without a time, `smartcharge explain` says what comes next")
    return found + REST_OF_THE_MINUTE if found.second == 0 else found


def _spelt(value: object) -> str:
    return to_text(value) if isinstance(value, datetime) else str(value)

"""`smartcharge replay`: a past day decided again, and what other numbers would have made of it."""

import shutil
import sys
from contextlib import closing
from datetime import date

import click

from smartcharge.act.show import replay, replay_text
from smartcharge.act.show.supposing import SECTION, supposed
from smartcharge.commands import _options
from smartcharge.core.slots import local_day
from smartcharge.session import Session
from smartcharge.toolbox import Toolbox


@click.command("replay")
@click.argument("day", help="2026-11-22, today or yesterday.")
@click.option("--set", "settings", metavar="KEY=VALUE", multiple=True, help="Try another number, e.g. extension=false.")
@_options.at
@click.pass_obj
def command(session: Session, *, day: str, settings: tuple[str, ...], at: str | None) -> int:
    """Decide a past day again, also with other numbers."""
    given = dict(_pair(each) for each in settings)
    with closing(session.toolbox(looking=True)) as tools:
        tools.now = _options.moment(at, tools) if at else tools.now
        try:
            amend = supposed(tools, given) if given else None
        except ValueError as odd:
            raise click.UsageError(f"--set {odd}") from None
        told = replay.replay(tools, _day(day, tools), amend)
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        setting = ", ".join(f"{SECTION}{key.removeprefix(SECTION)}={text}" for key, text in given.items())
        click.echo("\n".join(replay_text.lines(told, setting, width)))
    return 0


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise click.UsageError(f"--set {text}: write it as extension=false")
    return key.strip(), value.strip()


def _day(text: str, tools: Toolbox) -> date:
    """A local day that has begun; one that lies ahead is a usage error."""
    day = _options.day(text, tools)
    if day > local_day(tools.now, tools.policy.cheap_period.zone):
        raise click.UsageError(f"{text} has not begun")
    return day

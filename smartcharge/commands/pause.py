"""`smartcharge pause`: the owner's hand."""

import click

from smartcharge.act import reconcile
from smartcharge.act.words import when
from smartcharge.commands import _options
from smartcharge.session import Session
from smartcharge.store import battery, journal, owner, transaction
from smartcharge.toolbox import Toolbox


@click.command("pause")
@click.option("--until", metavar="TIME", help="Go on by itself at this time; without it, only `resume` ends the pause.")
@click.pass_obj
def command(session: Session, *, until: str | None) -> int:
    """Begin nothing new; an open hold is released first."""

    def run(tools: Toolbox) -> None:
        end = _options.moment(until, tools, ahead=True) if until else None
        if end is not None and end <= tools.now:
            raise click.UsageError(f"--until {until} has passed")
        with tools.alone():
            until_when = f"until {when(end, tools.now, tools.policy.cheap_period.zone)}" if end else "until resumed"
            with transaction(tools.db):
                owner.pause(tools.db, tools.now, end)
                journal.append(tools.db, at=tools.now, command="pause", outcome="paused", detail=until_when)
            reconcile.settle(tools)
        tools.say(f"paused {until_when}; `smartcharge resume` ends it")
        if battery.memory(tools.db).owned:
            tools.warn("the Powerwall is not back at rest yet: every tick goes on trying; `smartcharge status` tells")

    return _options.act(session, run, typed=True)

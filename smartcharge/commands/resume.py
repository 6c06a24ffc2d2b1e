"""`smartcharge resume`: the owner's hand is taken off."""

import click

from smartcharge.commands import _options
from smartcharge.session import Session
from smartcharge.store import journal, owner, situation, transaction
from smartcharge.toolbox import Toolbox


@click.command("resume")
@click.pass_obj
def command(session: Session) -> int:
    """End a pause, or a stand-down."""

    def run(tools: Toolbox) -> None:
        with tools.alone():
            seen = situation.load(tools.db, tools.now, tools.policy)
            stopped = seen.paused or seen.stood_down_until is not None
            with transaction(tools.db):
                owner.resume(tools.db)
                if stopped:
                    journal.append(tools.db, at=tools.now, command="resume", outcome="resumed")
        tools.say("resumed" if stopped else "nothing was paused")

    return _options.act(session, run, typed=True)

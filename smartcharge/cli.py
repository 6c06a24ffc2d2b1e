"""The command line: a table of commands that are imported when they run."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from smartcharge import __version__, log
from smartcharge.clock import read_clock
from smartcharge.guard import attempt
from smartcharge.session import Session

COMMANDS = {
    "fetch-dispatches": "Ask Kraken for the plan, if an answer is due.",
    "reconcile": "Bring the Powerwall to the stance the policy wants.",
    "midnight-reset": "Assert the resting stance, once per cheap period.",
    "send-invites": "Post the calendar invites that wait in the outbox.",
    "tick": "Do all four of the above in one run.",
    "status": "Show what the battery is doing, until when, and why.",
    "history": "Show the journal and the dispatches.",
    "explain": "Say why the battery stands as it stands, or stood at a TIME.",
    "replay": "Decide a past day again, also with other numbers.",
    "metrics": "Tell Prometheus what is remembered.",
    "report": "Show what a day or a month saved, as text or as a page.",
    "agreement": "Say how often another controller did what this program would have done.",
    "pause": "Begin nothing new; an open hold is released first.",
    "resume": "End a pause, or a stand-down.",
    "doctor": "Check everything that can be wrong, and say how to mend it.",
    "crontab": "Print the crontab lines of this installation.",
    "init": "Ask what is needed, and write the configuration.",
    "login": "Sign in to Kraken or Tesla.",
    "demo": "Play a whole day against a pretend street.",
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command's module only when that command runs; --help imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Name the commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"smartcharge.commands.{cmd_name.replace('-', '_')}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; that a pipe's reader has left, as `head` does, is no failure of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as odd:
            return log.lose(odd)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the table's names where a word is to be completed, and import no command for that."""
        named = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the table itself."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="PATH", type=click.Path(), help="The configuration file.")
@click.option("-v", "--verbose", is_flag=True, help="Show details, never secrets.")
@click.version_option(__version__, prog_name="smartcharge")
@click.pass_context
def group(ctx: click.Context, config: str | None, *, verbose: bool) -> None:
    """Fill the Powerwall while the supplier charges the car at the cheap rate, and always bring it back."""
    ctx.obj = Session(config, verbose, now=ctx.obj())


def main(arguments: Sequence[str], clock: Callable[[], datetime] = read_clock) -> int:
    """Run one command; returns its exit code. clock: replaced by whoever plays a simulated day."""
    codes = [0]
    return attempt(lambda: codes.append(_invoke(arguments, clock))) or codes[-1]


def _invoke(arguments: Sequence[str], clock: Callable[[], datetime]) -> int:
    try:
        code = group.main(list(arguments), prog_name="smartcharge", standalone_mode=False, obj=clock)
    except click.ClickException as refused:
        refused.show(sys.stderr)
        return refused.exit_code
    except click.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else 0

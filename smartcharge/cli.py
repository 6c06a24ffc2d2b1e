"""The command line: a table of commands that are imported when they run."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module

import click
from click.shell_completion import CompletionItem

from smartcharge import __version__
from smartcharge.cli_context import CliContext
from smartcharge.clock import utc_now
from smartcharge.console import on_stdout_error, run_guarded

COMMAND_SUMMARIES = {
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
MODULES = {
    **dict.fromkeys(("fetch-dispatches", "reconcile", "midnight-reset", "send-invites"), "tick"),
    "resume": "pause",
}
"""Where a command lives whose module has another name."""
EXIT_INTERRUPTED = 130


class LazyCommandGroup(click.Group):
    """Imports a command's module only when that command runs; --help imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Name the commands in the order of the table."""
        return list(COMMAND_SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMAND_SUMMARIES:
            return None
        module = import_module(f"smartcharge.commands.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; that a pipe's reader has left, as `head` does, is no failure of it."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as odd:
            return on_stdout_error(odd)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the table's names where a word is to be completed, and import no command for that."""
        named = [
            CompletionItem(name, help=text) for name, text in COMMAND_SUMMARIES.items() if name.startswith(incomplete)
        ]
        return [*named, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the table itself."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMAND_SUMMARIES.items()))


@click.group(cls=LazyCommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="PATH", type=click.Path(), help="The configuration file.")
@click.option("-v", "--verbose", is_flag=True, help="Show details, never secrets.")
@click.version_option(__version__, prog_name="smartcharge")
@click.pass_context
def cli_group(ctx: click.Context, config: str | None, *, verbose: bool) -> None:
    """Fill the Powerwall while the supplier charges the car at the cheap rate, and always bring it back."""
    ctx.obj = CliContext(config, verbose, now=ctx.obj())


def run_cli(arguments: Sequence[str], clock: Callable[[], datetime] = utc_now) -> int:
    """Run one command; returns its exit code. clock: replaced by whoever plays a simulated day."""
    codes = [0]
    return run_guarded(lambda: codes.append(_invoke_click(arguments, clock))) or codes[-1]


def _invoke_click(arguments: Sequence[str], clock: Callable[[], datetime]) -> int:
    try:
        code = cli_group.main(list(arguments), prog_name="smartcharge", standalone_mode=False, obj=clock)
    except click.ClickException as refused:
        refused.show(sys.stderr)
        return refused.exit_code
    except click.Abort:
        return EXIT_INTERRUPTED
    return code if isinstance(code, int) else 0

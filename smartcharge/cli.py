"""The command line: a table of commands that are imported when they run."""

import os
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
    "fetch-dispatches": "Fetch the supplier's charging schedule, if it is time.",
    "reconcile": "Set the Powerwall to what it should be doing now.",
    "midnight-reset": "Return the Powerwall to normal once a night.",
    "send-invites": "Send the calendar invites that are waiting.",
    "tick": "Run the four commands that cron needs, one after the other.",
    "status": "Show what the Powerwall is doing, until when, and why.",
    "history": "Show what happened: the journal and the slots.",
    "explain": "Explain what the Powerwall is doing now, or did at a TIME.",
    "replay": "Re-run a past day, optionally with different settings.",
    "metrics": "Print Prometheus metrics.",
    "report": "Show what a day or a month saved, as text or as a page.",
    "agreement": "Compare with another controller.",
    "pause": "Pause: the Powerwall returns to normal first.",
    "resume": "End a pause, or take over again after you set the Powerwall.",
    "doctor": "Check the set-up and tell you what needs fixing, and how.",
    "crontab": "Print the crontab lines for this installation.",
    "init": "Ask a few questions and write the configuration.",
    "login": "Sign in to your supplier or to Tesla.",
    "demo": "Play a whole day in a simulated house.",
}
COMPLETION_VARIABLE = "_SMARTCHARGE_COMPLETE"
"""The variable by which click's scripts ask for the words that may follow."""
MODULES = {
    **dict.fromkeys(("fetch-dispatches", "reconcile", "midnight-reset", "send-invites"), "tick"),
    "resume": "pause",
}
"""The modules of the commands that have no module of their own name."""
EXIT_INTERRUPTED = 130


class LazyCommandGroup(click.Group):
    """Import a command's module only when that command runs; --help imports none."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the command names in the order of the table."""
        return list(COMMAND_SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command."""
        if cmd_name not in COMMAND_SUMMARIES:
            return None
        module = import_module(f"smartcharge.commands.{MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. A closed pipe, as with `| head`, is not an error."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as odd:
            return on_stdout_error(odd)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete command names from the table, without importing any command."""
        matching = [
            CompletionItem(name, help=text) for name, text in COMMAND_SUMMARIES.items() if name.startswith(incomplete)
        ]
        return [*matching, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMAND_SUMMARIES.items()))


@click.group(cls=LazyCommandGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", metavar="PATH", type=click.Path(), help="Use this configuration file.")
@click.option("-v", "--verbose", is_flag=True, help="Show more details, but never secrets.")
@click.version_option(__version__, prog_name="smartcharge")
@click.pass_context
def cli_group(ctx: click.Context, config: str | None, *, verbose: bool) -> None:
    """Charge the Powerwall from the grid while your car charges at the off-peak rate, then return it to normal."""
    ctx.obj = CliContext(config, verbose, now=ctx.obj())


def run_cli(arguments: Sequence[str], clock: Callable[[], datetime] = utc_now) -> int:
    """Run one command and return its exit code. clock: gives the time of the run; a simulated day has its own."""
    if COMPLETION_VARIABLE in os.environ:  # a shell asks for words; click prints them and exits
        return _invoke_click(arguments, clock)
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

"""`smartcharge login kraken`, `smartcharge login tesla`: the sign-ins that only an owner can make."""

import click

from smartcharge.commands import _login_kraken, _login_tesla
from smartcharge.session import Session


@click.group("login")
def command() -> None:
    """Sign in to Kraken or Tesla."""


@command.command("kraken")
@click.option("--browser", is_flag=True, help="Sign in to E.ON with a browser, on this or any other device.")
@click.option("--refresh-token-stdin", "from_stdin", is_flag=True, help="Read a refresh token from standard input.")
@click.pass_obj
def kraken(session: Session, *, browser: bool, from_stdin: bool) -> None:
    """Sign in to the supplier: with what is configured, else with a browser."""
    if browser and from_stdin:
        raise click.UsageError("--browser and --refresh-token-stdin are two ways; take one")
    _login_kraken.run(session, browser=browser, from_stdin=from_stdin)


@command.command("tesla")
@click.pass_obj
def tesla(session: Session) -> None:
    """Sign in to Tesla with a refresh token and an access token, pasted or from standard input (a line each).

    Make them on any computer with a browser: `python -m pypowerwall authtoken`.
    """
    _login_tesla.run(session)

"""`smartcharge login kraken`, `smartcharge login tesla`: tokens from a prompt or from standard input."""

import sys
from collections.abc import Callable
from contextlib import closing

import click

from smartcharge import wiring
from smartcharge.act.conversation import TESLA
from smartcharge.act.plan import KRAKEN
from smartcharge.act.words import stance as in_words
from smartcharge.core.stance import Stance
from smartcharge.errors import ConfigurationRefused, SignInRefused
from smartcharge.session import Session
from smartcharge.store import services, transaction
from smartcharge.toolbox import Toolbox

MOST_CHARACTERS = 16_384


@click.group("login")
def command() -> None:
    """Sign in to Kraken or Tesla."""


@command.command("kraken")
@click.option("--refresh-token-stdin", "from_stdin", is_flag=True, help="Read a refresh token from standard input.")
@click.pass_obj
def kraken(session: Session, *, from_stdin: bool) -> None:
    """Sign in to the supplier: with the configured e-mail and password, or with a refresh token."""

    def run(tools: Toolbox) -> None:
        from smartcharge.adapters.tariff_kraken import login_with_refresh_token

        if not from_stdin and wiring.kraken_account(tools.config).credentials:
            tools.tariff.check_in(tools.now)
            said = "Signed in to Kraken with the configured credentials."
        else:
            token = _one_line() if from_stdin else click.prompt("Refresh token (not shown)", hide_input=True)
            tools.prepare_to_ask()
            said = login_with_refresh_token(wiring.kraken_account(tools.config), token, tools.now)
        _forgive(tools, KRAKEN)
        tools.say(said)

    _with_tools(session, run)


@command.command("tesla")
@click.pass_obj
def tesla(session: Session) -> None:
    """Sign in to Tesla with a refresh token and an access token, pasted or from standard input (a line each).

    Make them on any computer with a browser: `python -m pypowerwall authtoken`.
    """

    def run(tools: Toolbox) -> None:
        from smartcharge.adapters._powerwall_tokens import explain_paste, write_tokens

        settings = tools.config.tesla
        if settings is None or settings.account_email is None:
            raise ConfigurationRefused(
                "is missing", place=str(tools.config.path), key="tesla.account_email", right="Give your Tesla address."
            )
        refresh, access = _two_lines()
        if wrong := explain_paste(refresh):
            raise SignInRefused(wrong, hint="Paste the refresh token first, then the access token", service="Tesla")
        tools.config.auth_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tools.alone():
            write_tokens(tools.config.auth_folder, settings.account_email, refresh_token=refresh, access_token=access)
            _forgive(tools, TESLA)
            with tools.battery as powerwall:
                reading = powerwall.read()
        now = in_words(Stance(reading.mode or "unknown", round(reading.reserve_pct or 0)))
        tools.say(f"Signed in to Tesla; the tokens are kept in {tools.config.auth_folder}. The Powerwall is in {now}.")

    _with_tools(session, run)


def _with_tools(session: Session, run: Callable[[Toolbox], None]) -> None:
    with closing(session.toolbox()) as tools:
        run(tools)


def _forgive(tools: Toolbox, service: str) -> None:
    """A new sign-in ends a remembered refusal at once."""
    with transaction(tools.db):
        services.succeeded(tools.db, service, tools.now)


def _one_line() -> str:
    return sys.stdin.readline(MOST_CHARACTERS)


def _two_lines() -> tuple[str, str]:
    """Refresh and access token: hidden prompts on a terminal, else two lines; the second may be missing."""
    if sys.stdin.isatty():
        refresh = click.prompt("Refresh token (not shown)", hide_input=True)
        access = click.prompt("Access token (not shown; empty where you have none)", hide_input=True, default="")
        return refresh.strip(), access.strip()
    return _one_line().strip(), _one_line().strip()

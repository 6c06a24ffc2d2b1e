"""`smartcharge login kraken`, `smartcharge login tesla`: tokens from a prompt or from standard input."""

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from smartcharge import budget, wiring
from smartcharge.act.conversation import TESLA
from smartcharge.act.plan_due import KRAKEN
from smartcharge.act.words import stance as in_words
from smartcharge.core.stance import Stance
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable
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
            token = _one_line() if from_stdin else _prompt("Refresh token (not shown)")
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
        from smartcharge.adapters._powerwall_tokens import adopt_tokens, explain_paste, write_tokens

        settings = tools.config.tesla
        if settings is None or settings.account_email is None:
            raise ConfigurationRefused(
                "is missing", place=str(tools.config.path), key="tesla.account_email", right="Give your Tesla address."
            )
        refresh, access = _two_lines()
        if wrong := explain_paste(refresh):
            raise SignInRefused(wrong, hint="Paste the refresh token first, then the access token", service="Tesla")
        if refresh == access:
            raise SignInRefused("the same token was given twice", hint="Paste both of them", service="Tesla")
        folder = tools.config.auth_folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tools.alone(), TemporaryDirectory(dir=folder, prefix=".login-") as aside:
            # Proven aside first: a wrong paste must not replace a sign-in that works.
            write_tokens(Path(aside), settings.account_email, refresh_token=refresh, access_token=access)
            with tools.battery_signed_in_from(Path(aside)) as powerwall:
                reading = powerwall.read()
            adopt_tokens(Path(aside), folder, settings.account_email)
            _forgive(tools, TESLA)
        now = in_words(Stance(reading.mode or "unknown", round(reading.reserve_pct or 0)))
        tools.say(f"Signed in to Tesla; the tokens are kept in {tools.config.auth_folder}. The Powerwall is in {now}.")

    _with_tools(session, run)


def _with_tools(session: Session, run: Callable[[Toolbox], None]) -> None:
    with closing(session.toolbox()) as tools:
        try:
            with budget.share(budget.COMMAND_SECONDS):
                run(tools)
        except budget.OutOfTime:
            raise Unreachable("the service took too long to answer; nothing was changed") from None


def _forgive(tools: Toolbox, service: str) -> None:
    """A new sign-in ends a remembered refusal at once."""
    with transaction(tools.db):
        services.succeeded(tools.db, service, tools.now)


def _one_line() -> str:
    return sys.stdin.readline(MOST_CHARACTERS)


def _two_lines() -> tuple[str, str]:
    """Refresh and access token: hidden prompts on a terminal, else two lines; the second may be missing."""
    if sys.stdin.isatty():
        return _prompt("Refresh token (not shown)"), _prompt("Access token (not shown; empty where you have none)")
    return _one_line().strip(), _one_line().strip()


def _prompt(words: str) -> str:
    """Ask on the terminal, without showing the answer."""
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to ask on: use --refresh-token-stdin")
    answer: str = click.prompt(words, hide_input=True, default="", show_default=False)
    return answer.strip()

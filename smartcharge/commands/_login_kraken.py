"""The sign-in to the supplier: as configured, with a browser, or with a refresh token from elsewhere."""

from typing import TYPE_CHECKING

import click

from smartcharge import wiring
from smartcharge.act.plan_due import KRAKEN
from smartcharge.commands import _asking
from smartcharge.commands._visit import Visit, forgive, say_what_is_next
from smartcharge.errors import ConfigurationRefused
from smartcharge.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from smartcharge.adapters.tariff_kraken import KrakenAccount

BROWSER = "eon-next"
"""The supplier whose customers sign in with a browser."""
WANTED = {
    "octopus": ("eon_next.api_key", "Make a key in your Octopus account (Developer settings) and put it there."),
    "edf": ("eon_next.password", "Give eon_next.email and eon_next.password."),
}
"""What signs in to the other suppliers."""
OPEN = "Open this address in a browser, on any device, and sign in to E.ON there:"
BRING_BACK = (
    "Then copy the whole address of the page where you end up (it begins with https://www.eonnext.com/?code=) and\n"
    "paste it here within a few minutes."
)
IF_IT_IS_RIGHT = "If the password is right, sign in with a browser now; Ctrl-C leaves everything as it is."


def run(session: Session, *, browser: bool, from_stdin: bool) -> None:
    """Sign in on the way that was asked for, else on the one that the configuration has the means for."""
    visit = Visit(session)
    account = wiring.kraken_account(visit.config)
    if browser and account.supplier != BROWSER:
        raise click.UsageError(f"--browser is the sign-in of E.ON Next, and eon_next.supplier is {account.supplier}")
    if from_stdin:
        _with_refresh_token(visit)
    elif account.credentials and not browser:
        _as_configured(visit, account)
    elif account.supplier == BROWSER:
        _with_browser(visit, account)
    else:
        key, right = WANTED[account.supplier]
        raise ConfigurationRefused("is missing", place=str(visit.config.path), key=key, right=right)


def _as_configured(visit: Visit, account: "KrakenAccount") -> None:
    from smartcharge.adapters.tariff_kraken import PasswordRefused, login_as_configured

    try:
        _sign_in(visit, login_as_configured)
    except PasswordRefused as refused:
        if not _asking.has_terminal():
            raise
        click.echo(f"smartcharge: {refused}\n{IF_IT_IS_RIGHT}\n", err=True)
        _with_browser(visit, account)


def _with_browser(visit: Visit, account: "KrakenAccount") -> None:
    from smartcharge.adapters.tariff_kraken import begin_in_browser, login_by_browser

    attempt = begin_in_browser(account)
    click.echo(f"{OPEN}\n\n{attempt.address}\n\n{BRING_BACK}")
    pasted = _asking.hidden("Address")
    _sign_in(visit, lambda account, now: login_by_browser(account, attempt, pasted, now))


def _with_refresh_token(visit: Visit) -> None:
    from smartcharge.adapters.tariff_kraken import login_with_refresh_token

    pasted = _asking.hidden("Refresh token")
    _sign_in(visit, lambda account, now: login_with_refresh_token(account, pasted, now))


def _sign_in(visit: Visit, login: "Callable[[KrakenAccount, datetime], str]") -> None:
    with visit.run() as tools:
        said = login(wiring.kraken_account(tools.config), tools.now)
        forgive(tools, KRAKEN)
        tools.say(said)
        say_what_is_next(tools)

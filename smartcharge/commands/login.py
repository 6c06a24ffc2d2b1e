"""`smartcharge login kraken` and `smartcharge login tesla`: the sign-ins that only the owner can make."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta

import click

from smartcharge.app import App, make_kraken_account, tesla_sign_in_fingerprint
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import has_terminal, prompt_hidden, prompt_text
from smartcharge.deadline import COMMAND_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.errors import ConfigurationError, LockBusyError, SignInRefusedError, UnreachableError
from smartcharge.formatting import powerwall_is
from smartcharge.jobs.polling import KRAKEN_SERVICE_KEY, TESLA_SERVICE_KEY
from smartcharge.policy.battery import BatterySettings
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.auth import PasswordRefused
from smartcharge.providers.kraken.login import (
    login_as_configured,
    login_by_browser,
    login_with_refresh_token,
    start_browser_sign_in,
)
from smartcharge.providers.tesla.login import (
    CloudSignIn,
    FleetSignIn,
    TeslaSignIn,
    TeslaSite,
    find_access_token_mistake,
    find_refresh_token_mistake,
    format_sites,
    read_fleet_application,
    verify_sign_in,
)
from smartcharge.store.database import transaction
from smartcharge.store.services import record_service_success


class LoginSession:
    """One sign-in by the owner: from the start of the command to its end, with separate runs in between."""

    def __init__(self, session: CliContext) -> None:
        self._session = session
        self._started_at = time.monotonic()
        self.config = session.open_app(read_only=True).config

    @property
    def now(self) -> datetime:
        """The present instant (UTC), however long the owner takes to answer."""
        return self._session.now + timedelta(seconds=time.monotonic() - self._started_at)

    @contextmanager
    def run(self) -> Iterator[App]:
        """Give an app that may use the network, with the time limit of a whole run from now on."""
        with closing(self._session._replace(now=self.now).open_app()) as app:
            app.prepare_network()
            try:
                with time_limit(COMMAND_LIMIT_SECONDS):
                    yield app
            except DeadlineExceeded:
                raise UnreachableError("the service took too long to answer") from None
            except LockBusyError:
                app.warn("Another run is at work. Nothing was changed. To fix: try again in a minute.")
                raise


def clear_refusal(app: App, service: str) -> None:
    """Forget a recorded refusal, because there is a new sign-in."""
    with transaction(app.db):
        record_service_success(app.db, service, app.now)


def print_next_step(app: App) -> None:
    """Name the next step: the other sign-in if it is missing, else the doctor."""
    account, tesla = make_kraken_account(app.config), app.config.tesla
    if account.credentials is None and not account.token_file.exists():
        app.say("Next: `smartcharge login kraken`.")
    elif tesla and tesla_sign_in_fingerprint(app.config) == "absent":
        app.say("Next: `smartcharge login tesla`.")
    else:
        app.say("Next: `smartcharge doctor`, which checks everything else.")


BROWSER_SUPPLIER = "eon-next"
"""The supplier whose customers sign in with a browser."""
REQUIRED_CREDENTIALS = {
    "octopus": ("eon_next.api_key", "Make a key in your Octopus account (Developer settings) and set it."),
    "edf": ("eon_next.password", "Set eon_next.email and eon_next.password."),
}
"""What the sign-in to the other suppliers needs."""
OPEN_ADDRESS_TEXT = "Open this address in a browser on any device, and sign in to E.ON Next:"
PASTE_ADDRESS_TEXT = (
    "Then copy the whole address of the page that opens after the sign-in and paste it here within a few\n"
    "minutes. It begins with https://www.eonnext.com/?code="
)
TRY_BROWSER_TEXT = (
    "If the password is right, sign in with a browser now. Press Ctrl-C to stop; nothing is changed then."
)


def login_to_kraken(session: CliContext, *, browser: bool, from_stdin: bool) -> None:
    """Sign in the way the owner asked for, else the way the configuration allows."""
    login_session = LoginSession(session)
    account = make_kraken_account(login_session.config)
    if browser and account.supplier != BROWSER_SUPPLIER:
        raise click.UsageError(f"--browser works only with E.ON Next, but eon_next.supplier is {account.supplier}")
    if from_stdin:
        _sign_in_with_refresh_token(login_session)
    elif account.credentials and not browser:
        _sign_in_as_configured(login_session, account)
    elif account.supplier == BROWSER_SUPPLIER:
        _sign_in_with_browser(login_session, account)
    else:
        key, right = REQUIRED_CREDENTIALS[account.supplier]
        raise ConfigurationError("is missing", place=str(login_session.config.path), key=key, right=right)


def _sign_in_as_configured(login_session: LoginSession, account: KrakenAccount) -> None:
    try:
        _run_kraken_sign_in(login_session, login_as_configured)
    except PasswordRefused as refused:
        if not has_terminal():
            raise
        click.echo(f"smartcharge: {refused}\n{TRY_BROWSER_TEXT}\n", err=True)
        _sign_in_with_browser(login_session, account)


def _sign_in_with_browser(login_session: LoginSession, account: KrakenAccount) -> None:
    browser_sign_in = start_browser_sign_in(account)
    click.echo(f"{OPEN_ADDRESS_TEXT}\n\n{browser_sign_in.address}\n\n{PASTE_ADDRESS_TEXT}")
    pasted = prompt_hidden("Address")
    _run_kraken_sign_in(login_session, lambda account, now: login_by_browser(account, browser_sign_in, pasted, now))


def _sign_in_with_refresh_token(login_session: LoginSession) -> None:
    pasted = prompt_hidden("Refresh token")
    _run_kraken_sign_in(login_session, lambda account, now: login_with_refresh_token(account, pasted, now))


def _run_kraken_sign_in(login_session: LoginSession, login: Callable[[KrakenAccount, datetime], str]) -> None:
    with login_session.run() as app:
        message = login(make_kraken_account(app.config), app.now)
        clear_refusal(app, KRAKEN_SERVICE_KEY)
        app.say(message)
        print_next_step(app)


GET_TOKENS_TEXT = (
    "Tesla's sign-in needs a browser. On a computer with a browser (Linux or macOS), in any virtual environment, run:\n"
    "  pip install pypowerwall && python -m pypowerwall authtoken\n"
    "Sign in there. Then paste here what it prints: the refresh token first, then the access token.\n"
)
NEW_TOKENS_FIX = "Make new tokens with `python -m pypowerwall authtoken` and run `smartcharge login tesla` again"
TOKEN_ORDER_FIX = "Run `smartcharge login tesla` again. It asks for the refresh token first, then for the access token"  # noqa: S105


def login_to_tesla(session: CliContext) -> None:
    """Sign in to the configured backend and read the Powerwall once to prove that it works."""
    login_session = LoginSession(session)
    tesla = login_session.config.tesla
    if tesla is None:
        right = "Set it to the email address of your Tesla account"
        raise ConfigurationError(
            "is missing", place=str(login_session.config.path), key="tesla.account_email", right=right
        )
    result_text = "The gateway accepts the key"
    if tesla.backend != "v1r":
        result_text = "Signed in to Tesla. The sign-in is stored"
        sign_in = (
            _prompt_fleet_sign_in(login_session)
            if tesla.backend == "fleetapi"
            else _prompt_cloud_sign_in(login_session)
        )
        _select_site(login_session, sign_in, _verify_tesla_sign_in(login_session, sign_in))
    with login_session.run() as app, app.exclusive_lock():
        with app.battery as powerwall:
            reading = powerwall.read()
        clear_refusal(app, TESLA_SERVICE_KEY)
        now = powerwall_is(BatterySettings(reading.mode or "unknown", round(reading.reserve_pct or 0)))
        app.say(f"{result_text} in {app.config.tesla_credentials_file}. The Powerwall is {now}.")
        print_next_step(app)


def _prompt_cloud_sign_in(login_session: LoginSession) -> TeslaSignIn:
    email = login_session.config.tesla.account_email if login_session.config.tesla else None
    if email is None:
        raise ConfigurationError("is missing", place=str(login_session.config.path), key="tesla.account_email")
    if has_terminal():
        click.echo(GET_TOKENS_TEXT)
    return CloudSignIn(email, *_prompt_tokens(login_session, prompt_hidden("Refresh token")))


def _prompt_fleet_sign_in(login_session: LoginSession) -> TeslaSignIn:
    """Ask for what the Fleet API needs: the tokens, and the client id if its file does not have one."""
    folder = login_session.config.auth_folder
    application = read_fleet_application(folder)
    client_id = str(application.get("CLIENT_ID") or "") or prompt_text("Client ID of your application at Tesla").strip()
    if not client_id:
        message = f"there is no Fleet API application in {folder}"
        fix = f"Run `python -m pypowerwall setup -fleetapi -authpath {folder}`, then `smartcharge login tesla`"
        raise SignInRefusedError(message, fix=fix, service=TESLA_SERVICE_KEY)
    has_refresh_token = bool(application.get("refresh_token"))
    refresh = prompt_hidden(f"Refresh token{' (leave empty to keep the stored one)' if has_refresh_token else ''}")
    return FleetSignIn(
        application,
        client_id,
        None if has_refresh_token and not refresh.strip() else _prompt_tokens(login_session, refresh),
    )


def _prompt_tokens(login_session: LoginSession, refresh: str) -> tuple[str, str]:
    """Ask for both tokens; each is checked at once."""
    _raise_if_wrong(find_refresh_token_mistake(refresh, login_session.now))
    access = prompt_hidden("Access token (leave empty if you have none)")
    _raise_if_wrong(find_access_token_mistake(access, login_session.now))
    if refresh.strip() == access.strip():
        _raise_if_wrong("both tokens are the same")
    return refresh.strip(), access.strip()


def _raise_if_wrong(problem: str | None) -> None:
    if problem:
        raise SignInRefusedError(problem, fix=TOKEN_ORDER_FIX, service=TESLA_SERVICE_KEY)


def _verify_tesla_sign_in(login_session: LoginSession, sign_in: TeslaSignIn) -> tuple[TeslaSite, ...]:
    with login_session.run() as app, app.exclusive_lock():
        configured = app.config.tesla.energy_site_id if app.config.tesla else None
        place = str(app.config.path)
        sites = verify_sign_in(sign_in, app.config.auth_folder, site_id=configured, place=place, now=app.now)
        clear_refusal(app, TESLA_SERVICE_KEY)
        for what in sign_in.completed:
            app.say(f"{app.config.tesla_credentials_file}: {what}.")
    return sites


def _select_site(login_session: LoginSession, sign_in: TeslaSignIn, sites: tuple[TeslaSite, ...]) -> None:
    """Choose one of several Powerwalls and store the choice with the sign-in; tesla.energy_site_id takes precedence."""
    folder = login_session.config.auth_folder
    selected = sign_in.get_selected_site(folder)
    if login_session.config.tesla and login_session.config.tesla.energy_site_id:
        return
    number = sites[0][0] if len(sites) == 1 else _prompt_site(login_session, sites, selected)
    if number == selected or (len(sites) == 1 and selected is None):
        return
    with login_session.run() as app, app.exclusive_lock():
        sign_in.select_site(folder, number)
        app.say(f"Site {number} is stored with the sign-in. A value of tesla.energy_site_id takes precedence over it.")


def _prompt_site(login_session: LoginSession, sites: tuple[TeslaSite, ...], selected: int | None) -> int:
    for place, (number, name) in enumerate(sites, 1):
        click.echo(f"  {place}  {name} ({number}){', the present one' if number == selected else ''}")
    answer = prompt_text("Which one do you want to use? Enter its number in this list").strip()
    choices = {str(place): number for place, (number, _) in enumerate(sites, 1)} | {str(n): n for n, _ in sites}
    if answer == "" and selected in choices.values():
        return selected or 0
    if answer not in choices:
        raise ConfigurationError(
            "is not set, and no site was chosen. The sign-in is stored",
            place=str(login_session.config.path),
            key="tesla.energy_site_id",
            right=f"Set it to one of {format_sites(sites)}, or run `smartcharge login tesla` again",
        )
    return choices[answer]


@click.group("login")
def login_command() -> None:
    """Sign in to your supplier or to Tesla."""


@login_command.command("kraken")
@click.option("--browser", is_flag=True, help="Sign in to E.ON Next with a browser, on any device.")
@click.option("--refresh-token-stdin", "from_stdin", is_flag=True, help="Read a refresh token from standard input.")
@click.pass_obj
def login_kraken_command(session: CliContext, *, browser: bool, from_stdin: bool) -> None:
    """Sign in to your supplier with the configured password, or else with a browser."""
    if browser and from_stdin:
        raise click.UsageError("Give either --browser or --refresh-token-stdin, not both")
    login_to_kraken(session, browser=browser, from_stdin=from_stdin)


@login_command.command("tesla")
@click.pass_obj
def login_tesla_command(session: CliContext) -> None:
    """Sign in to Tesla with a refresh token and an access token, pasted or from standard input (one on each line).

    Make them on any computer with a browser: `python -m pypowerwall authtoken`.
    """
    login_to_tesla(session)

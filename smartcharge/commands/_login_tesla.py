"""The sign-in to Tesla: tokens for its cloud or its Fleet API, or a look at the key of the house's own gateway."""

from typing import TYPE_CHECKING

import click

from smartcharge.act.access import TESLA
from smartcharge.act.words import stance as in_words
from smartcharge.commands import _asking
from smartcharge.commands._visit import Visit, forgive, say_what_is_next
from smartcharge.core.stance import Stance
from smartcharge.errors import ConfigurationRefused, SignInRefused
from smartcharge.session import Session

if TYPE_CHECKING:
    from smartcharge.adapters.login_tesla import Site, TeslaSignIn

HOW_TO_GET_TOKENS = (
    "Tesla gives tokens to a browser. On a computer that has one (Linux or macOS), in any virtual environment:\n"
    "  pip install pypowerwall && python -m pypowerwall authtoken\n"
    "Sign in there, and paste here what it prints: the refresh token first, then the access token.\n"
)
NEW_TOKENS = "Make new tokens with `python -m pypowerwall authtoken`, and run `smartcharge login tesla` again"
ONE_BY_ONE = "Run `smartcharge login tesla` again: it asks for the refresh token first, then for the access token"


def run(session: Session) -> None:
    """Sign in on the configured way to the Powerwall, and read it once as proof."""
    visit = Visit(session)
    tesla = visit.config.tesla
    if tesla is None:
        right = "Give your Tesla address."
        raise ConfigurationRefused("is missing", place=str(visit.config.path), key="tesla.account_email", right=right)
    did = "the gateway takes the key"
    if tesla.backend != "v1r":
        did = "signed in to Tesla; the sign-in is kept"
        sign_in = _from_fleet_file(visit) if tesla.backend == "fleetapi" else _from_pasted_tokens(visit)
        _name_site(visit, sign_in, _proven(visit, sign_in))
    with visit.run() as tools, tools.alone():
        with tools.battery as powerwall:
            reading = powerwall.read()
        forgive(tools, TESLA)
        now = in_words(Stance(reading.mode or "unknown", round(reading.reserve_pct or 0)))
        tools.say(f"{did[0].upper()}{did[1:]} in {tools.config.tesla_sign_in}. The Powerwall is in {now}.")
        say_what_is_next(tools)


def _from_pasted_tokens(visit: Visit) -> "TeslaSignIn":
    from smartcharge.adapters.login_tesla import CloudSignIn

    email = visit.config.tesla.account_email if visit.config.tesla else None
    if email is None:
        raise ConfigurationRefused("is missing", place=str(visit.config.path), key="tesla.account_email")
    if _asking.has_terminal():
        click.echo(HOW_TO_GET_TOKENS)
    return CloudSignIn(email, *_tokens(visit, _asking.hidden("Refresh token")))


def _from_fleet_file(visit: Visit) -> "TeslaSignIn":
    """The application's file, with its own tokens or new ones; without one its id is asked for, too."""
    from smartcharge.adapters.login_tesla import FleetSignIn, fleet_application

    folder = visit.config.auth_folder
    found = fleet_application(folder)
    client_id = str(found.get("CLIENT_ID") or "") or _asking.shown("Client id of your application at Tesla").strip()
    if not client_id:
        told = f"there is no application for Tesla's Fleet API in {folder}"
        hint = f"Run `python -m pypowerwall setup -fleetapi -authpath {folder}`, then `smartcharge login tesla`"
        raise SignInRefused(told, hint=hint, service=TESLA)
    keeps = bool(found.get("refresh_token"))
    refresh = _asking.hidden(f"Refresh token{', empty to keep the one on file' if keeps else ''}")
    return FleetSignIn(found, client_id, None if keeps and not refresh.strip() else _tokens(visit, refresh))


def _tokens(visit: Visit, refresh: str) -> tuple[str, str]:
    """Both tokens, each named at once where it is something else."""
    from smartcharge.adapters.login_tesla import explain_access_token, explain_refresh_token

    _refuse(explain_refresh_token(refresh, visit.now))
    access = _asking.hidden("Access token, empty where you have none")
    _refuse(explain_access_token(access, visit.now))
    if refresh.strip() == access.strip():
        _refuse("the same token was given twice")
    return refresh.strip(), access.strip()


def _refuse(wrong: str | None) -> None:
    if wrong:
        raise SignInRefused(wrong, hint=ONE_BY_ONE, service=TESLA)


def _proven(visit: Visit, sign_in: "TeslaSignIn") -> "tuple[Site, ...]":
    from smartcharge.adapters.login_tesla import prove

    with visit.run() as tools, tools.alone():
        configured = tools.config.tesla.energy_site_id if tools.config.tesla else None
        place = str(tools.config.path)
        sites = prove(sign_in, tools.config.auth_folder, site_id=configured, place=place, now=tools.now)
        forgive(tools, TESLA)
        for what in sign_in.completed:
            tools.say(f"{tools.config.tesla_sign_in}: {what}.")
    return sites


def _name_site(visit: Visit, sign_in: "TeslaSignIn", sites: "tuple[Site, ...]") -> None:
    """Which of several Powerwalls is meant: as configured, else as it is chosen, and kept where the library looks.

    The configuration is its owner's own; what it says wins.
    """
    folder = visit.config.auth_folder
    named = sign_in.named_site(folder)
    if visit.config.tesla and visit.config.tesla.energy_site_id:
        return
    number = sites[0][0] if len(sites) == 1 else _chosen(visit, sites, named)
    if number == named or (len(sites) == 1 and named is None):
        return
    with visit.run() as tools, tools.alone():
        sign_in.name_site(folder, number)
        tools.say(f'The site {number} is kept with the sign-in; `energy_site_id: "{number}"` under tesla would win.')


def _chosen(visit: Visit, sites: "tuple[Site, ...]", named: int | None) -> int:
    from smartcharge.adapters.login_tesla import sites_told

    click.echo(f"This Tesla account has {len(sites)} Powerwalls:")
    for place, (number, name) in enumerate(sites, 1):
        click.echo(f"  {place}  {name} ({number}){', as until now' if number == named else ''}")
    answer = _asking.shown("Which one is it? Its number in this list").strip()
    meant = {str(place): number for place, (number, _) in enumerate(sites, 1)} | {str(n): n for n, _ in sites}
    if answer == "" and named in meant.values():
        return named or 0
    if answer not in meant:
        raise ConfigurationRefused(
            "is not set, and none was chosen; the sign-in is kept",
            place=str(visit.config.path),
            key="tesla.energy_site_id",
            right=f"It should be one of {sites_told(sites)}, or run `smartcharge login tesla` again.",
        )
    return meant[answer]

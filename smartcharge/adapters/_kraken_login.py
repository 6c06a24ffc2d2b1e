"""A sign-in of the owner's own hand: had once, kept, and proven on the configured account."""

from collections.abc import Mapping
from datetime import datetime

from smartcharge.adapters._kraken_account import SERVICE, KrakenAccount
from smartcharge.adapters._kraken_browser import Attempt
from smartcharge.adapters._kraken_graphql import Answer, TokenRefused, ask
from smartcharge.adapters._kraken_pastes import code_in, refresh_token_in
from smartcharge.adapters._kraken_queries import VIEWER, own_accounts
from smartcharge.adapters._kraken_signin import SignIn
from smartcharge.adapters._kraken_wire import Wire
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable


def login_as_configured(account: KrakenAccount, now: datetime) -> str:
    """Sign in with e-mail and password, or with the API key; gives a sentence for people.

    An older sign-in is kept where this one is refused. Raises `PasswordRefused` where E.ON takes no password,
    `SignInRefused` for every other refusal, `ConfigurationRefused` where the account is another person's,
    `Throttled`, `Unreachable`.
    """
    with Wire(now) as wire:
        return _proven(account, wire, SignIn(account, wire).begin())


def login_with_refresh_token(account: KrakenAccount, text: str, now: datetime) -> str:
    """Sign in with a refresh token from elsewhere; raises as `login_as_configured` does, for a wrong paste too."""
    token = refresh_token_in(text, now)
    with Wire(now) as wire:
        return _proven(account, wire, SignIn(account, wire).adopt(token))


def login_by_browser(account: KrakenAccount, attempt: Attempt, text: str, now: datetime) -> str:
    """Sign in with what the owner brought back from the browser; raises as `login_with_refresh_token` does."""
    code = code_in(text, attempt.state, now)
    with Wire(now) as wire:
        return _proven(account, wire, SignIn(account, wire).adopt_code(code, attempt.verifier))


def _proven(account: KrakenAccount, wire: Wire, authorization: str) -> str:
    try:
        answer = ask(wire, account.address, own_accounts(), authorization)
    except TokenRefused as refused:
        message = f"the sign-in worked, but {refused.message}"
        raise SignInRefused(message, hint="Sign in once more", service=SERVICE) from None
    numbers = _numbers(answer)
    if account.number.strip().upper() not in numbers:
        raise ConfigurationRefused(
            f"is not among the {len(numbers)} account(s) of this sign-in, which is kept",
            place=account.place,
            key="eon_next.import_account",
            right="Mend the number, or sign in as the person whose account it is.",
        )
    return f"Signed in to Kraken; the sign-in is kept in {account.token_file}."


def _numbers(answer: Answer) -> frozenset[str]:
    viewer = answer.data.get(VIEWER)
    accounts = viewer.get("accounts") if isinstance(viewer, Mapping) else None
    if answer.faults or not isinstance(accounts, list):
        why = f"signed in, but Kraken did not say for which account ({answer.codes})"
        raise Unreachable(why, hint="The sign-in is kept; `smartcharge doctor` tries it", service=SERVICE)
    found = (each.get("number") for each in accounts if isinstance(each, Mapping))
    return frozenset(number.upper() for number in found if isinstance(number, str))

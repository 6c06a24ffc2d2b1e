"""A pasted refresh token: recognised, exchanged once, kept, and proven on the configured account."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from smartcharge.adapters._kraken_account import SERVICE, KrakenAccount
from smartcharge.adapters._kraken_graphql import Answer, TokenRefused, ask
from smartcharge.adapters._kraken_queries import VIEWER, own_accounts
from smartcharge.adapters._kraken_signin import SignIn
from smartcharge.adapters._kraken_wire import Wire
from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable

COMMANDS: Final = r"(\$|#|sudo|curl|wget|echo|export|cat|python3?|smartcharge)\s"
WRONG_PASTES: Final[tuple[tuple[str, str], ...]] = (
    (r"", "nothing was pasted"),
    (rf"{COMMANDS}.*", "that is a command, not a refresh token"),
    (r"((bearer|jwt)\s+)?eyJ[\w-]+\..*", "that is an ID or access token (a JWT), which is over within the hour"),
    (r"https?://.*", "that is the address of a page, not a refresh token"),
    (r"[{\[].*", 'that is a whole answer: only the value after "refresh_token" is wanted'),
    (r"[^@\s]+@[^@\s]+\.\w+", "that is an e-mail address"),
    (r".*\s.*", "that has blanks or line breaks inside: a refresh token is one word"),
    (r".{0,15}", "that is too short for a refresh token"),
    (r".{4097,}", "that is too long for a refresh token"),
    (r".*[^\x21-\x7e].*", "that has letters inside which no refresh token has"),
)
"""What people paste instead, by its look; the first that fits names it."""


def login_with_refresh_token(account: KrakenAccount, text: str, now: datetime) -> str:
    """Sign in with a refresh token from elsewhere; gives a sentence for people.

    An older sign-in is kept where the new token is refused. Raises `SignInRefused` where the text is no refresh
    token or is refused, `ConfigurationRefused` where it is another person's, `Throttled`, `Unreachable`.
    """
    token = refresh_token_in(text)
    with Wire(now) as wire:
        authorization = SignIn(account, wire).adopt(token)
        try:
            answer = ask(wire, account.address, own_accounts(), authorization)
        except TokenRefused as refused:
            message = f"the sign-in worked, but {refused.message}"
            raise SignInRefused(
                message, hint="Sign in once more, and paste the newest token", service=SERVICE
            ) from None
    numbers = _numbers(answer)
    if account.number.strip().upper() not in numbers:
        raise ConfigurationRefused(
            f"is not among the {len(numbers)} account(s) of this sign-in, which is kept",
            place=account.place,
            key="eon_next.import_account",
            right="Mend the number, or sign in as the person whose account it is.",
        )
    return f"Signed in to Kraken; the sign-in is kept in {account.token_file}"


def refresh_token_in(text: str) -> str:
    """The token in a pasted text, without blanks and quotes around it; raises `SignInRefused` naming a wrong paste."""
    pasted = text.strip().strip("\"'").strip()
    for look, what in WRONG_PASTES:
        if re.fullmatch(look, pasted, re.IGNORECASE | re.DOTALL):
            raise SignInRefused(what, hint="Paste the refresh token alone", service=SERVICE)
    return pasted


def _numbers(answer: Answer) -> frozenset[str]:
    viewer = answer.data.get(VIEWER)
    accounts = viewer.get("accounts") if isinstance(viewer, Mapping) else None
    if answer.faults or not isinstance(accounts, list):
        why = f"signed in, but Kraken did not say for which account ({answer.codes})"
        raise Unreachable(why, hint="The sign-in is kept; `smartcharge doctor` tries it", service=SERVICE)
    found = (each.get("number") for each in accounts if isinstance(each, Mapping))
    return frozenset(number.upper() for number in found if isinstance(number, str))

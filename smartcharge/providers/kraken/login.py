"""Signing in by the owner: obtain a sign-in, store it, and check it against the configured account."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qsl, urlencode

from smartcharge.errors import ConfigurationError, SignInRefusedError, UnreachableError
from smartcharge.providers.http import HttpClient
from smartcharge.providers.jwt import decode_jwt_claims, has_token_expired
from smartcharge.providers.kraken.account import (
    EON_AUTH_AUDIENCE,
    EON_AUTH_REDIRECT_URL,
    EON_AUTH_SCOPE,
    KRAKEN_SERVICE,
    KrakenAccount,
)
from smartcharge.providers.kraken.auth import KrakenAuth
from smartcharge.providers.kraken.graphql import (
    VIEWER_FIELD,
    GraphqlResponse,
    KrakenTokenRefused,
    own_accounts_query,
    run_query,
)

OAUTH_STATE_BYTES, PKCE_VERIFIER_BYTES = 24, 48


@dataclass(frozen=True, slots=True)
class BrowserSignIn:
    """One attempt. address: to be opened in a browser; state, verifier: known to this attempt alone."""

    address: str = field(repr=False)
    state: str = field(repr=False)
    verifier: str = field(repr=False)


def start_browser_sign_in(account: KrakenAccount) -> BrowserSignIn:
    """Make up a new attempt; nothing is sent."""
    state, verifier = secrets.token_urlsafe(OAUTH_STATE_BYTES), secrets.token_urlsafe(PKCE_VERIFIER_BYTES)
    digest = hashlib.sha256(verifier.encode()).digest()
    asked = {
        "response_type": "code",
        "client_id": account.client_id,
        "redirect_uri": EON_AUTH_REDIRECT_URL,
        "scope": EON_AUTH_SCOPE,
        "audience": EON_AUTH_AUDIENCE,
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return BrowserSignIn(f"{account.authorize_url}?{urlencode(asked)}", state, verifier)


COMMAND_PATTERN: Final = r"(\$|#|sudo|curl|wget|echo|export|cat|pip3?|python3?|(\S*/)?smartcharge)\s"
PasteRules = tuple[tuple[str, str], ...]
"""What something is, by its look; the first that fits names it."""
FIRST_PASTE_RULES: Final[PasteRules] = (
    (r"", "nothing was pasted"),
    (rf"{COMMAND_PATTERN}.*", "that is a command: run it, and paste what it gives"),
)
COMMON_PASTE_RULES: Final[PasteRules] = (
    (r"(EU|NA|CN)_[0-9a-f]{40,}", "that is a Tesla token; it belongs to `smartcharge login tesla`"),
    (r"sk_live_\w+", "that is an API key; it belongs into the configuration, as eon_next.api_key"),
    (r"[{\[].*", 'that is a whole answer: only the value after "refresh_token" is wanted'),
    (r"[^@\s]+@[^@\s]+\.\w+", "that is an e-mail address"),
    (r".*\s.*", "that has blanks or line breaks inside, and is one word where it is right"),
    (r".{0,15}", "that is too short, so a part of it is missing"),
    (r".{4097,}", "that is too long to be right"),
    (r".*[^\x21-\x7e].*", "that has letters inside which are never in one"),
)
JWT_PATTERN: Final = r"((bearer|jwt)\s+)?(eyJ[\w-]+\..*)"
URL_PATTERN: Final = r"https?://.*|www\..*|(.*[?&])?(code|error|state)=.*"
OAUTH_ERROR_PATTERN: Final = r"[a-z_]{3,40}"

PASTE_REFRESH_TOKEN_FIX: Final = "Paste the refresh token alone"  # noqa: S105
PASTE_CODE_FIX: Final = (
    "Run `smartcharge login kraken --browser` again, sign in at the new address, and paste the one where you end up"
)


def parse_pasted_refresh_token(text: str, now: datetime) -> str:
    """The token in a pasted text, without blanks and quotes around it; `SignInRefusedError` names a wrong paste."""
    pasted = _strip_quotes(text)
    what = _describe_paste(pasted, FIRST_PASTE_RULES) or _describe_jwt(pasted, now)
    if what is None and _matches_pattern(URL_PATTERN, pasted):
        error = _parse_query_fields(pasted).get("error")
        what = _describe_oauth_error(error) if error else "that is the address of a page, not a refresh token"
    if what := what or _describe_paste(pasted, COMMON_PASTE_RULES):
        raise SignInRefusedError(what, fix=PASTE_REFRESH_TOKEN_FIX, service=KRAKEN_SERVICE)
    return pasted


def parse_pasted_code(text: str, state: str, now: datetime) -> str:
    """The code in a pasted address, or the code itself, which PKCE alone ties to this attempt.

    state: of this attempt; an address must bring it back. Raises `SignInRefusedError` naming a wrong paste.
    """
    pasted = _strip_quotes(text)
    what = _describe_paste(pasted, FIRST_PASTE_RULES) or _describe_jwt(pasted, now)
    if what is None and _matches_pattern(URL_PATTERN, pasted):
        fields = _parse_query_fields(pasted)
        what = _find_callback_problem(fields, state)
        pasted = fields.get("code", "")
    elif what is None and pasted.startswith("v1."):
        what = "that is a refresh token; it belongs to `smartcharge login kraken --refresh-token-stdin`"
    if what := what or _describe_paste(pasted, COMMON_PASTE_RULES):
        raise SignInRefusedError(what, fix=PASTE_CODE_FIX, service=KRAKEN_SERVICE)
    return pasted


def _find_callback_problem(fields: Mapping[str, str], state: str) -> str | None:
    """What is wrong with the address where the browser ended up, if anything."""
    if "error" in fields:
        return _describe_oauth_error(fields["error"])
    if "code_challenge" in fields:
        return "that is the address to open; wanted is the one where you end up after signing in there"
    if "code" not in fields:
        return "that address holds no code, so the sign-in there is not complete"
    if not compare_digest(fields.get("state", "").encode(), state.encode()):
        return "that address is of another attempt (its state differs)"
    return None


def _describe_oauth_error(error: str) -> str:
    named = error if re.fullmatch(OAUTH_ERROR_PATTERN, error) else "an error without a name"
    return f"that address says that the sign-in was broken off or denied ({named})"


def _parse_query_fields(address: str) -> Mapping[str, str]:
    """The fields of an address, or of what was copied of one."""
    _, mark, query = address.partition("?")
    return dict(parse_qsl(query.partition("#")[0] if mark else address.lstrip("#"), keep_blank_values=True))


def _describe_jwt(pasted: str, now: datetime) -> str | None:
    """What a JWT is, by what it tells of itself; None for anything else."""
    found = re.fullmatch(JWT_PATTERN, pasted, re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    told = decode_jwt_claims(found[3])
    if "tesla" in f"{told.get('iss')} {told.get('aud')}".lower():
        return "that is a Tesla token (a JWT); it belongs to `smartcharge login tesla`"
    if has_token_expired(told.get("exp"), now):
        return "that is an ID or access token (a JWT) which has expired, and no refresh token"
    return "that is an ID or access token (a JWT), which is over within the hour"


def _describe_paste(pasted: str, looks: PasteRules) -> str | None:
    return next((what for look, what in looks if _matches_pattern(look, pasted)), None)


def _matches_pattern(look: str, pasted: str) -> bool:
    return re.fullmatch(look, pasted, re.IGNORECASE | re.DOTALL) is not None


def _strip_quotes(text: str) -> str:
    """Without what copying leaves around it."""
    return text.strip().strip("\"'<>").strip()


def login_as_configured(account: KrakenAccount, now: datetime) -> str:
    """Sign in with e-mail and password, or with the API key; gives a sentence for people.

    An older sign-in is kept where this one is refused. Raises `PasswordRefused` where E.ON takes no password,
    `SignInRefusedError` for every other refusal, `ConfigurationError` where the account is another person's,
    `ThrottledError`, `UnreachableError`.
    """
    with HttpClient(now, KRAKEN_SERVICE) as wire:
        return _verify_account(account, wire, KrakenAuth(account, wire).begin())


def login_with_refresh_token(account: KrakenAccount, text: str, now: datetime) -> str:
    """Sign in with a refresh token from elsewhere; raises as `login_as_configured` does, for a wrong paste too."""
    token = parse_pasted_refresh_token(text, now)
    with HttpClient(now, KRAKEN_SERVICE) as wire:
        return _verify_account(account, wire, KrakenAuth(account, wire).adopt(token))


def login_by_browser(account: KrakenAccount, attempt: BrowserSignIn, text: str, now: datetime) -> str:
    """Sign in with what the owner brought back from the browser; raises as `login_with_refresh_token` does."""
    code = parse_pasted_code(text, attempt.state, now)
    with HttpClient(now, KRAKEN_SERVICE) as wire:
        return _verify_account(account, wire, KrakenAuth(account, wire).sign_in_with_code(code, attempt.verifier))


def _verify_account(account: KrakenAccount, wire: HttpClient, authorization: str) -> str:
    try:
        answer = run_query(wire, account.address, own_accounts_query(), authorization)
    except KrakenTokenRefused as refused:
        message = f"the sign-in worked, but {refused.message}"
        raise SignInRefusedError(message, fix="Sign in once more", service=KRAKEN_SERVICE) from None
    numbers = _account_numbers(answer)
    if account.number.strip().upper() not in numbers:
        raise ConfigurationError(
            f"is not among the {len(numbers)} account(s) of this sign-in, which is kept",
            place=account.place,
            key="eon_next.import_account",
            right="Correct the number, or sign in as the person whose account it is.",
        )
    return f"Signed in to {account.label}. The sign-in is kept in {account.token_file}."


def _account_numbers(answer: GraphqlResponse) -> frozenset[str]:
    viewer = answer.data.get(VIEWER_FIELD)
    accounts = viewer.get("accounts") if isinstance(viewer, Mapping) else None
    if answer.faults or not isinstance(accounts, list):
        why = f"signed in, but the supplier did not say for which account ({answer.codes})"
        raise UnreachableError(why, fix="The sign-in is kept; `smartcharge doctor` tries it", service=KRAKEN_SERVICE)
    found = (each.get("number") for each in accounts if isinstance(each, Mapping))
    return frozenset(number.upper() for number in found if isinstance(number, str))

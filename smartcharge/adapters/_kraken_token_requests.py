"""The ways to a token: Kraken's own mutation, and E.ON's sign-in, whose codes and refresh tokens are good for one use.

No text of an answer is ever repeated; it may quote what was sent.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from smartcharge.adapters._kraken_account import AUTH_REDIRECT, SERVICE, KrakenAccount
from smartcharge.adapters._kraken_claims import as_object, claims, instant
from smartcharge.adapters._kraken_graphql import FORBIDDEN, Answer, answer_in
from smartcharge.adapters._kraken_queries import SIGNED_IN, sign_in
from smartcharge.adapters._kraken_tokens import LONGEST_LIFE, MARGIN, Stored
from smartcharge.errors import SignInRefused, Trouble, Unreachable

if TYPE_CHECKING:
    from smartcharge.adapters._kraken_wire import Wire

SIGN_IN_AGAIN: Final = "Run `smartcharge login kraken`"
MEND: Final = "Mend eon_next.email, password or api_key, or run `smartcharge login kraken`"
ASSUMED_LIFE: Final = timedelta(minutes=50)
LONGEST_REFRESH_LIFE: Final = timedelta(days=400)
OK: Final = 200

NOT_LET_IN: Final = "KT-CT-1138"
TEMPORARY: Final = frozenset({None, "KT-CT-1147", "INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE"})
"""Kraken names every refusal; what has no code is a fault of its own. All else is final: asking on locks accounts."""
MEANINGS: Final = {
    NOT_LET_IN: "wrong e-mail address or password",
    "KT-CT-1134": "the stored sign-in has expired",
    "KT-CT-1135": "the stored sign-in is not valid",
    "KT-CT-1139": "wrong API key or password",
    "KT-CT-1146": "the password has expired, set a new one with your supplier",
    "KT-CT-1148": "your account wants a second factor",
    "KT-CT-1160": "a captcha is wanted, which only a browser can answer",
}
MOVED: Final = "wrong password, or your account has moved to the new E.ON sign-in: run `smartcharge login kraken`"
SPENT_TOKEN: Final = (
    "E.ON's sign-in has expired, was ended, or its token was already used (invalid_grant)",
    SIGN_IN_AGAIN,
)
SPENT_CODE: Final = (
    "E.ON's sign-in does not take this code: it is good once, and for some minutes only (invalid_grant)",
    "Run `smartcharge login kraken --browser` again, and paste without delay",
)
CLIENT_REFUSED: Final = frozenset(
    {"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_request"}
)


class PasswordRefused(SignInRefused):
    """E.ON takes neither address nor password: they are wrong, or the account has moved to the new sign-in."""


def log_in(wire: "Wire", account: KrakenAccount, credentials: Mapping[str, str], kept: Stored) -> Stored:
    """Ask Kraken for a token of its own; what `kept` remembers beside the tokens is carried on.

    Raises `SignInRefused`, `Throttled` (HTTP 403 too: that is the network's edge, not the password), `Unreachable`.
    """
    question = sign_in(credentials)
    reply = wire.post_json(account.address, question.body)
    if reply.status == FORBIDDEN:
        raise reply.blocked()
    answer = answer_in(reply, question)
    given = answer.data.get(SIGNED_IN)
    token = _word(given.get("token")) if isinstance(given, Mapping) else None
    if answer.faults or token is None or not isinstance(given, Mapping):
        raise _refused(answer, account)
    return replace(
        kept,
        kind="kraken",
        owner=account.owner,
        token=token,
        until=_end(given.get("payload"), token, wire.now),
        refresh_token=_word(given.get("refreshToken")) or credentials.get("refreshToken"),
        refresh_until=instant(given.get("refreshExpiresIn"), wire.now, LONGEST_REFRESH_LIFE),
    )


def exchange(wire: "Wire", account: KrakenAccount, kept: Stored) -> Stored:
    """Exchange E.ON's refresh token for an ID token and the next refresh token; token None where none was given.

    Raises `SignInRefused`, `Throttled`, `Unreachable`. Source: RFC 6749, section 6.
    """
    given = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token or ""}
    return _exchanged(wire, account, given, kept, SPENT_TOKEN)


def exchange_code(wire: "Wire", account: KrakenAccount, code: str, verifier: str, begun: Stored) -> Stored:
    """Exchange the code that a browser brought back for tokens; raises as `exchange` does.

    Source: RFC 6749, section 4.1.3, and RFC 7636, section 4.5.
    """
    given = {"grant_type": "authorization_code", "code": code, "code_verifier": verifier}
    fresh = _exchanged(wire, account, {**given, "redirect_uri": AUTH_REDIRECT}, begun, SPENT_CODE)
    if fresh.refresh_token is None:
        told = "E.ON's sign-in gave no refresh token, without which it would end within the hour"
        raise Unreachable(told, hint="Try again; if it stays so, please report it", service=SERVICE)
    return fresh


def _exchanged(
    wire: "Wire", account: KrakenAccount, given: Mapping[str, str], before: Stored, spent: tuple[str, str]
) -> Stored:
    reply = wire.post_form(account.exchange_address, {**given, "client_id": account.client_id})
    reply.refuse_if_unwell()
    if reply.body is None:
        raise reply.blocked() if reply.status == FORBIDDEN else reply.nonsense()
    if reply.status != OK:
        raise _exchange_refused(reply.body.get("error"), reply.status, spent)
    token = _word(reply.body.get("id_token"))
    return replace(
        before,
        token=token,
        until=_end(None, token, wire.now) if token else None,
        refresh_token=_word(reply.body.get("refresh_token")) or before.refresh_token,
    )


def _refused(answer: Answer, account: KrakenAccount) -> Trouble:
    codes = {fault.code for fault in answer.faults}
    if codes <= TEMPORARY:
        return Unreachable(f"Kraken could not sign us in ({answer.codes})", service=SERVICE)
    if NOT_LET_IN in codes and account.supplier == "eon-next":
        return PasswordRefused(f"Kraken refused the sign-in ({NOT_LET_IN}): {MOVED}", service=SERVICE)
    meaning = next((text for code, text in MEANINGS.items() if code in codes), "it does not say why")
    return SignInRefused(f"Kraken refused the sign-in ({answer.codes}): {meaning}", hint=MEND, service=SERVICE)


def _exchange_refused(error: object, status: int, spent: tuple[str, str]) -> Trouble:
    if error == "invalid_grant":
        told, hint = spent
        return SignInRefused(told, hint=hint, service=SERVICE)
    if isinstance(error, str) and error in CLIENT_REFUSED:
        return SignInRefused(
            f"E.ON's sign-in does not know this program any more ({error})",
            hint="Set eon_next.auth_client_id and auth_url to what its web page uses now",
            service=SERVICE,
        )
    return Unreachable(f"E.ON's sign-in could not give a token (HTTP {status})", service=SERVICE)


def _word(value: object) -> str | None:
    """A token fit for a header: one printable word."""
    return value if isinstance(value, str) and re.fullmatch(r"[\x21-\x7e]{1,8192}", value) else None


def _end(payload: object, token: str, now: datetime) -> datetime:
    """When a token ends: as its payload says, else as the token itself says, else soon enough."""
    for told in (as_object(payload), claims(token)):
        end = instant(told.get("exp"), now, LONGEST_LIFE)
        if end is not None and end - now > MARGIN:
            return end
    return now + ASSUMED_LIFE

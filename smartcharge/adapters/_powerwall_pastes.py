"""What owners paste for a Tesla token, and what they paste instead."""

import re
from datetime import datetime
from typing import Final

from smartcharge.adapters._powerwall_keeping import claims

AUTHTOKEN: Final = "`python -m pypowerwall authtoken`"
MISTAKES: Final = {
    r"": "nothing was pasted",
    r"https?:.*[?&]error=([a-z_]{3,40})\b.*": "that address says that the sign-in was broken off or denied",
    r"https?:.*|\S+\.\w+/\S*[?&]code=.*": "that is the address of a page, not a token",
    r"\{.*": "that is the content of a file; paste only the token in it",
    r"v1\.\S*|[0-9a-f]{64}|sk_live_\w+": "that is a token of your supplier's; it belongs to `smartcharge login kraken`",
    r"(\S*/)?(python[0-9.]*|pypowerwall|smartcharge|pip3?|sudo|curl|cat|echo)\s.*": (
        "that is a command; run it, then paste what it prints"
    ),
    r"[^\n]+\n.*": "that is more than one line; paste one token at a time",
    r"\S+\s.*": "that is a sentence or more than one token; paste one token at a time",
    r".*[^A-Za-z0-9._~+/=-].*": "that holds signs that no token has, such as quotation marks",
    r".{1,19}": "that is too short for a token",
}
"""By its form; the first that fits names it."""
MAKER_ELSEWHERE: Final = re.compile(r"kraken|octopus|eonnext|edf", re.IGNORECASE)


def explain_refresh_token(text: str, now: datetime) -> str | None:
    """What was pasted in place of a refresh token, as one clause; None where it may well be one."""
    pasted = text.strip()
    if found := _mistake(pasted):
        return found
    if _is_access_token(pasted):
        over = " (which has expired)" if _is_over(pasted, now) else ""
        return f"that is the access token{over}; the refresh token is the other one"
    return "that refresh token has expired; make new ones" if _is_over(pasted, now) else None


def explain_access_token(text: str, now: datetime) -> str | None:
    """What was pasted in place of an access token, as one clause; None where it may well be one, or none is given."""
    pasted = text.strip()
    if not pasted:
        return None
    if found := _mistake(pasted):
        return found
    if re.match(r"(EU|NA|CN)_", pasted) or "/oauth2/v3/token" in str(claims(pasted).get("aud", "")):
        return "that is a refresh token; the access token is the other one"
    return f"that access token has expired; make new ones with {AUTHTOKEN}" if _is_over(pasted, now) else None


def _mistake(pasted: str) -> str | None:
    """What it is by its form, or by the maker that it names."""
    told = claims(pasted)
    if MAKER_ELSEWHERE.search(f"{told.get('iss')} {told.get('aud')}"):
        return "that is a token of your supplier's; it belongs to `smartcharge login kraken`"
    return next((meaning for form, meaning in MISTAKES.items() if re.fullmatch(form, pasted, re.DOTALL)), None)


def _is_access_token(token: str) -> bool:
    """Whether it is a JWT made for Tesla's services; a refresh token names the token endpoint, or is none."""
    audience = str(claims(token).get("aud", ""))
    return bool(audience) and "/oauth2/v3/token" not in audience


def _is_over(token: str, now: datetime) -> bool:
    end = claims(token).get("exp")
    return isinstance(end, int | float) and not isinstance(end, bool) and end <= now.timestamp()

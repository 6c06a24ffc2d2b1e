"""What owners paste: a refresh token, or the address where a browser ended up; and what they paste instead."""

import re
from collections.abc import Mapping
from datetime import datetime
from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qsl

from smartcharge.adapters._kraken_account import SERVICE
from smartcharge.adapters._kraken_claims import claims, has_passed
from smartcharge.errors import SignInRefused

COMMANDS: Final = r"(\$|#|sudo|curl|wget|echo|export|cat|pip3?|python3?|(\S*/)?smartcharge)\s"
Looks = tuple[tuple[str, str], ...]
"""What something is, by its look; the first that fits names it."""
AT_ONCE: Final[Looks] = (
    (r"", "nothing was pasted"),
    (rf"{COMMANDS}.*", "that is a command: run it, and paste what it gives"),
)
EVERYWHERE: Final[Looks] = (
    (r"(EU|NA|CN)_[0-9a-f]{40,}", "that is a Tesla token; it belongs to `smartcharge login tesla`"),
    (r"sk_live_\w+", "that is an API key; it belongs into the configuration, as eon_next.api_key"),
    (r"[{\[].*", 'that is a whole answer: only the value after "refresh_token" is wanted'),
    (r"[^@\s]+@[^@\s]+\.\w+", "that is an e-mail address"),
    (r".*\s.*", "that has blanks or line breaks inside, and is one word where it is right"),
    (r".{0,15}", "that is too short, so a part of it is missing"),
    (r".{4097,}", "that is too long to be right"),
    (r".*[^\x21-\x7e].*", "that has letters inside which are never in one"),
)
A_JWT: Final = r"((bearer|jwt)\s+)?(eyJ[\w-]+\..*)"
AN_ADDRESS: Final = r"https?://.*|www\..*|(.*[?&])?(code|error|state)=.*"
PAGE_ERROR: Final = r"[a-z_]{3,40}"

REFRESH_HINT: Final = "Paste the refresh token alone"
CODE_HINT: Final = (
    "Run `smartcharge login kraken --browser` again, sign in at the new address, and paste the one where you end up"
)


def refresh_token_in(text: str, now: datetime) -> str:
    """The token in a pasted text, without blanks and quotes around it; raises `SignInRefused` naming a wrong paste."""
    pasted = _bare(text)
    what = _look(pasted, AT_ONCE) or _jwt(pasted, now)
    if what is None and _is(AN_ADDRESS, pasted):
        error = _fields(pasted).get("error")
        what = _page_error(error) if error else "that is the address of a page, not a refresh token"
    if what := what or _look(pasted, EVERYWHERE):
        raise SignInRefused(what, hint=REFRESH_HINT, service=SERVICE)
    return pasted


def code_in(text: str, state: str, now: datetime) -> str:
    """The code in a pasted address, or the code itself, which PKCE alone ties to this attempt.

    state: of this attempt; an address must bring it back. Raises `SignInRefused` naming a wrong paste.
    """
    pasted = _bare(text)
    what = _look(pasted, AT_ONCE) or _jwt(pasted, now)
    if what is None and _is(AN_ADDRESS, pasted):
        fields = _fields(pasted)
        what = _fault(fields, state)
        pasted = fields.get("code", "")
    elif what is None and pasted.startswith("v1."):
        what = "that is a refresh token; it belongs to `smartcharge login kraken --refresh-token-stdin`"
    if what := what or _look(pasted, EVERYWHERE):
        raise SignInRefused(what, hint=CODE_HINT, service=SERVICE)
    return pasted


def _fault(fields: Mapping[str, str], state: str) -> str | None:
    """What is wrong with the address where the browser ended up, if anything."""
    if "error" in fields:
        return _page_error(fields["error"])
    if "code_challenge" in fields:
        return "that is the address to open; wanted is the one where you end up after signing in there"
    if "code" not in fields:
        return "that address holds no code, so the sign-in there is not complete"
    if not compare_digest(fields.get("state", "").encode(), state.encode()):
        return "that address is of another attempt (its state differs)"
    return None


def _page_error(error: str) -> str:
    named = error if re.fullmatch(PAGE_ERROR, error) else "an error without a name"
    return f"that address says that the sign-in was broken off or denied ({named})"


def _fields(address: str) -> Mapping[str, str]:
    """The fields of an address, or of what was copied of one."""
    _, mark, query = address.partition("?")
    return dict(parse_qsl(query.partition("#")[0] if mark else address.lstrip("#"), keep_blank_values=True))


def _jwt(pasted: str, now: datetime) -> str | None:
    """What a JWT is, by what it tells of itself; None for anything else."""
    found = re.fullmatch(A_JWT, pasted, re.IGNORECASE | re.DOTALL)
    if found is None:
        return None
    told = claims(found[3])
    if "tesla" in f"{told.get('iss')} {told.get('aud')}".lower():
        return "that is a Tesla token (a JWT); it belongs to `smartcharge login tesla`"
    if has_passed(told.get("exp"), now):
        return "that is an ID or access token (a JWT) which has expired, and no refresh token"
    return "that is an ID or access token (a JWT), which is over within the hour"


def _look(pasted: str, looks: Looks) -> str | None:
    return next((what for look, what in looks if _is(look, pasted)), None)


def _is(look: str, pasted: str) -> bool:
    return re.fullmatch(look, pasted, re.IGNORECASE | re.DOTALL) is not None


def _bare(text: str) -> str:
    """Without what copying leaves around it."""
    return text.strip().strip("\"'<>").strip()

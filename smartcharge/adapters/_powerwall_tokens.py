"""The file that holds the Tesla sign-in, `.pypowerwall.auth`, kept fit for a library that handles it carelessly.

pypowerwall rewrites it in place, readable by the group, and answers a missing or broken one by asking on
the terminal and opening a browser. So it is checked before each conversation, and looked after when the
conversation is over. The caller holds the lock from before `check` until after `keep_good`.
"""

import base64
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from smartcharge.errors import ConfigurationRefused, SignInRefused, Unreachable
from smartcharge.files import make_private, write_private

AUTH_FILE = ".pypowerwall.auth"
GOOD_FILE = ".pypowerwall.auth.good"
SERVICE = "tesla"
SIGN_IN = "Run `smartcharge login tesla`."
SSO_URL = "https://auth.tesla.com/"
LEAST_FREE_BYTES = 64 * 1024
LASTS_SECONDS = 600
"""An access token that is good for this long outlives any conversation, so that none is renewed in it."""
ACCESS_LIFE_SECONDS = 28_800
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a bearer token is made of (RFC 6750, 2.1)."""
MISTAKES = {
    r"": "nothing was pasted",
    r"\{.*": "that is the content of a file; paste only the refresh token in it",
    r"[^\n]+\n.*": "that is more than one line; paste only the refresh token",
    r"https?:.*": "that is the address of a page, not a token",
    r"\S+\s.*": "that is a command or a sentence; run the command, then paste the token that it prints",
    r".*[^A-Za-z0-9._~+/=-].*": "that holds signs that no token has, such as quotation marks",
    r".{1,19}": "that is too short for a token",
}
"""What gets pasted in place of a token, by its form; the first that fits."""
NEVER = 0
"""As `expires_at` the library takes it for "not known": it then waits for Tesla to say so."""


def check(folder: Path, email: str, now: datetime | None = None) -> None:
    """Make sure that the library will find a usable sign-in for this address, and can keep a renewed one.

    A file that was broken in mid-write is replaced by its last good copy. Raises `SignInRefused` where the
    owner must sign in, `ConfigurationRefused` where the file may not be written, `Unreachable` where the
    disk is full: a renewed token that cannot be stored is lost, and with it the sign-in. now (UTC): where the
    access token lasts beyond it, none will be renewed, and a full disk keeps no battery from coming back.
    """
    path = folder / AUTH_FILE
    if not path.exists():
        raise SignInRefused(f"there is no Tesla sign-in in {folder}", hint=SIGN_IN, service=SERVICE)
    _require_writable(path)
    with _storing(folder):
        if _accounts(path) is None and not _restore(folder, email):
            raise SignInRefused(f"{path} is damaged", hint=SIGN_IN, service=SERVICE)
    accounts = _accounts(path) or {}
    if email not in accounts:
        raise SignInRefused(
            f"{path} holds {len(accounts)} other sign-in(s) and none for {email}",
            hint=f"Set tesla.account_email to the address you signed in with, or: {SIGN_IN}",
            service=SERVICE,
        )
    if not _is_signed_in(accounts[email]):
        raise SignInRefused(f"{path} holds no tokens for {email}", hint=SIGN_IN, service=SERVICE)
    if now is None or not _lasts(accounts[email], now):
        _require_room(folder)


def keep_good(folder: Path, email: str, held: object = None) -> None:
    """After a conversation: make the file private, and keep a copy of it where it is good.

    held: the tokens the library has in memory. Where its file is broken they are written, being newer than
    any copy; without them the last good copy is put back. Raises `Unreachable` where the disk refuses.
    """
    with _storing(folder):
        if _accounts(folder / AUTH_FILE) is None:
            _mend(folder, email, {"url": SSO_URL, "sso": held})
        _copy_if_good(folder, email)


def write_tokens(folder: Path, email: str, *, refresh_token: str, access_token: str = "") -> None:
    """Store a new sign-in; those of other addresses in the same file stay.

    An access token that came from a browser's sign-in belongs to it: Tesla is said to refuse one that was
    made from the refresh token alone (https://github.com/jasonacox/pypowerwall, pypowerwall/cloud/AUTH.md).
    Raises `Unreachable` where the disk refuses.
    """
    sso = {
        "token_type": "Bearer",
        "access_token": access_token,
        "refresh_token": refresh_token,
        "expires_at": NEVER,
        "expires_in": ACCESS_LIFE_SECONDS,
    }
    with _storing(folder):
        _write(folder, email, {"url": SSO_URL, "sso": sso})
        _copy_if_good(folder, email)


def adopt_tokens(proven: Path, folder: Path, email: str) -> None:
    """Take over a sign-in that was proven in another folder; those of other addresses stay."""
    entry = (_accounts(proven / AUTH_FILE) or {}).get(email)
    if not isinstance(entry, dict):
        raise SignInRefused("the new sign-in was lost while it was proven", hint=SIGN_IN, service=SERVICE)
    with _storing(folder):
        _write(folder, email, entry)
        _copy_if_good(folder, email)


def explain_paste(text: str) -> str | None:
    """What was pasted in place of a refresh token, as one clause; None where it may well be one."""
    pasted = text.strip()
    if found := next((meaning for form, meaning in MISTAKES.items() if re.fullmatch(form, pasted, re.DOTALL)), None):
        return found
    if _is_access_token(pasted):
        return "that is the access token; the refresh token is the other one"
    return None


def tokens_fingerprint(folder: Path, email: str) -> str:
    """A word that changes when the sign-in on file changes, and tells nothing of it."""
    path = folder / AUTH_FILE
    found = path.stat() if path.exists() else None
    state = f"{found.st_mtime_ns} {found.st_size}" if found else "absent"
    return hashlib.sha256(f"{email} {state}".encode()).hexdigest()[:16]


@contextmanager
def _storing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        told = f"the Tesla sign-in could not be stored in {folder} ({refused.strerror})"
        raise Unreachable(told, service=SERVICE) from refused


def _require_room(folder: Path) -> None:
    """Prove that the disk takes a file of this size, by writing the good copy anew: it takes a renewed one then."""
    full = Unreachable(f"the disk that holds {folder} is full", hint="Free some space.", service=SERVICE)
    if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
        raise full
    try:
        write_private(folder / GOOD_FILE, (folder / AUTH_FILE).read_bytes())
    except OSError:
        raise full from None


def _require_writable(path: Path) -> None:
    for place in (path.parent, path):
        if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
            raise ConfigurationRefused(
                "may not be written by this user, so that a renewed Tesla token would be lost",
                place=str(place),
                right=f"Make it belong to the user that runs smartcharge (chown), with mode {_mode_for(place)}.",
            )


def _mode_for(place: Path) -> str:
    return "0700" if place.is_dir() else "0600"


def _accounts(path: Path) -> dict[str, object] | None:
    """The file's entries by e-mail address; None where it is missing, empty or damaged."""
    try:
        read = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and read else None


def _is_signed_in(entry: object) -> bool:
    """Whether an entry holds tokens in the form that the library reads without stumbling."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("url", SSO_URL), str):
        return False
    sso = entry.get("sso")
    if not isinstance(sso, Mapping) or not isinstance(sso.get("expires_at"), int | float):
        return False
    tokens = [each for each in (sso.get("access_token"), sso.get("refresh_token")) if each]
    return bool(tokens) and all(isinstance(each, str) and TOKEN.fullmatch(each) for each in tokens)


def _lasts(entry: object, now: datetime) -> bool:
    """Whether an entry's access token is good for a while; where its end is not known, it is not."""
    sso = entry.get("sso") if isinstance(entry, Mapping) else None
    if not isinstance(sso, Mapping) or not sso.get("access_token"):
        return False
    ends = (sso.get("expires_at"), _claims(str(sso["access_token"])).get("exp", sso.get("expires_at")))
    return all(isinstance(end, int | float) and end - now.timestamp() > LASTS_SECONDS for end in ends)


def _is_access_token(token: str) -> bool:
    """Whether it is a JWT made for Tesla's services; a refresh token names the token endpoint, or is none."""
    audience = str(_claims(token).get("aud", ""))
    return bool(audience) and "/oauth2/v3/token" not in audience


def _claims(token: str) -> Mapping[str, object]:
    """What a JWT claims; nothing where it is none."""
    _, _, rest = token.partition(".")
    part = rest.partition(".")[0]
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _mend(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    try:
        if _is_signed_in(entry):
            _write(folder, email, entry)
        else:
            _restore(folder, email)
    except OSError:
        if _accounts(folder / GOOD_FILE) is not None:  # a rename needs no room on the disk
            (folder / GOOD_FILE).replace(folder / AUTH_FILE)
        raise


def _copy_if_good(folder: Path, email: str) -> None:
    path, good = folder / AUTH_FILE, folder / GOOD_FILE
    accounts = _accounts(path) or {}
    if not _is_signed_in(accounts.get(email)):
        return
    make_private(path)
    content = path.read_bytes()
    if not good.exists() or good.read_bytes() != content:
        write_private(good, content)


def _restore(folder: Path, email: str) -> bool:
    """Put the last good copy back, if there is one for this address; returns whether there was."""
    good = folder / GOOD_FILE
    accounts = _accounts(good)
    if accounts is None or not _is_signed_in(accounts.get(email)):
        return False
    write_private(folder / AUTH_FILE, good.read_bytes())
    return True


def _write(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    path = folder / AUTH_FILE
    others = _accounts(path) or _accounts(folder / GOOD_FILE) or {}
    write_private(path, json.dumps({**others, email: entry}).encode())

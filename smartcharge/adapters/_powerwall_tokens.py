"""The file that holds the Tesla sign-in, `.pypowerwall.auth`, kept fit for a library that handles it carelessly.

pypowerwall rewrites it in place, readable by the group, and answers a missing or broken one by asking on
the terminal and opening a browser. So it is checked before each conversation, and looked after when the
conversation is over. The caller holds the lock from before `check` until after `keep_good`.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from smartcharge.adapters._powerwall_keeping import (
    SERVICE,
    claims,
    content,
    copy_good,
    is_token,
    lasts,
    require_room,
    require_writable,
    storing,
)
from smartcharge.errors import SignInRefused
from smartcharge.files import write_private

AUTH_FILE = ".pypowerwall.auth"
GOOD_FILE = ".pypowerwall.auth.good"
SIGN_IN = "Run `smartcharge login tesla`."
SSO_URL = "https://auth.tesla.com/"
ACCESS_LIFE_SECONDS = 28_800
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
    require_writable(path)
    with storing(folder):
        if content(path) is None and not _restore(folder, email):
            raise SignInRefused(f"{path} is damaged", hint=SIGN_IN, service=SERVICE)
    accounts = content(path) or {}
    if email not in accounts:
        raise SignInRefused(
            f"{path} holds {len(accounts)} other sign-in(s) and none for {email}",
            hint=f"Set tesla.account_email to the address you signed in with, or: {SIGN_IN}",
            service=SERVICE,
        )
    if not _is_signed_in(accounts[email]):
        raise SignInRefused(f"{path} holds no tokens for {email}", hint=SIGN_IN, service=SERVICE)
    if now is None or not _lasts(accounts[email], now):
        require_room(folder / AUTH_FILE)


def keep_good(folder: Path, email: str, held: object = None) -> None:
    """After a conversation: make the file private, and keep a copy of it where it is good.

    held: the tokens the library has in memory. Where its file is broken they are written, being newer than
    any copy; without them the last good copy is put back. Raises `Unreachable` where the disk refuses.
    """
    with storing(folder):
        if content(folder / AUTH_FILE) is None:
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
    with storing(folder):
        _write(folder, email, {"url": SSO_URL, "sso": sso})
        _copy_if_good(folder, email)


def adopt_tokens(proven: Path, folder: Path, email: str) -> None:
    """Take over a sign-in that was proven in another folder; those of other addresses stay."""
    entry = (content(proven / AUTH_FILE) or {}).get(email)
    if not isinstance(entry, dict):
        raise SignInRefused("the new sign-in was lost while it was proven", hint=SIGN_IN, service=SERVICE)
    with storing(folder):
        _write(folder, email, entry)
        _copy_if_good(folder, email)


def tokens_fingerprint(folder: Path, email: str) -> str:
    """A word that changes when the sign-in on file changes, and tells nothing of it."""
    path = folder / AUTH_FILE
    found = path.stat() if path.exists() else None
    state = f"{found.st_mtime_ns} {found.st_size}" if found else "absent"
    return hashlib.sha256(f"{email} {state}".encode()).hexdigest()[:16]


def _is_signed_in(entry: object) -> bool:
    """Whether an entry holds tokens in the form that the library reads without stumbling."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("url", SSO_URL), str):
        return False
    sso = entry.get("sso")
    if not isinstance(sso, Mapping) or not isinstance(sso.get("expires_at"), int | float):
        return False
    tokens = [each for each in (sso.get("access_token"), sso.get("refresh_token")) if each]
    return bool(tokens) and all(is_token(each) for each in tokens)


def _lasts(entry: object, now: datetime) -> bool:
    """Whether an entry's access token is good for a while; where its end is not known, it is not."""
    sso = entry.get("sso") if isinstance(entry, Mapping) else None
    if not isinstance(sso, Mapping) or not sso.get("access_token"):
        return False
    ends = (sso.get("expires_at"), claims(str(sso["access_token"])).get("exp", sso.get("expires_at")))
    return all(lasts(end, now) for end in ends)


def _mend(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    try:
        if _is_signed_in(entry):
            _write(folder, email, entry)
        else:
            _restore(folder, email)
    except OSError:
        if content(folder / GOOD_FILE) is not None:  # a rename needs no room on the disk
            (folder / GOOD_FILE).replace(folder / AUTH_FILE)
        raise


def _copy_if_good(folder: Path, email: str) -> None:
    path = folder / AUTH_FILE
    if _is_signed_in((content(path) or {}).get(email)):
        copy_good(path)


def _restore(folder: Path, email: str) -> bool:
    """Put the last good copy back, if there is one for this address; returns whether there was."""
    good = folder / GOOD_FILE
    accounts = content(good)
    if accounts is None or not _is_signed_in(accounts.get(email)):
        return False
    write_private(folder / AUTH_FILE, good.read_bytes())
    return True


def _write(folder: Path, email: str, entry: Mapping[str, object]) -> None:
    path = folder / AUTH_FILE
    others = content(path) or content(folder / GOOD_FILE) or {}
    write_private(path, json.dumps({**others, email: entry}).encode())

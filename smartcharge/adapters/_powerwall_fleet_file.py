"""The file that holds a sign-in for Tesla's Fleet API, `.pypowerwall.fleetapi`, kept fit for the library.

One file for the registered application and its tokens, written by `python -m pypowerwall setup -fleetapi`.
The library takes what it finds for granted, and rewrites the whole file in place when it renews a token. So it
is checked before each conversation and looked after when that is over; the caller holds the lock throughout.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from smartcharge.adapters._powerwall_keeping import (
    SERVICE,
    claims,
    content,
    copy_good,
    good_copy,
    is_token,
    lasts,
    require_room,
    require_writable,
    storing,
)
from smartcharge.errors import ConfigurationRefused, SignInRefused
from smartcharge.files import write_private

FLEET_FILE = ".pypowerwall.fleetapi"
EUROPE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
"""Tesla's server for the United Kingdom, Europe, the Middle East and Africa."""
BASE = re.compile(r"https://[^/\s]+(/[^/\s]+)*")
KEPT = (
    *("CLIENT_ID", "CLIENT_SECRET", "DOMAIN", "REDIRECT_URI", "AUDIENCE"),
    *("partner_token", "partner_account", "access_token", "refresh_token", "site_id"),
)
"""What the library reads from the file and writes there: its own names of the values."""


def fleet_sign_in(folder: Path) -> str:
    """How the owner signs in anew."""
    return f"Run `python -m pypowerwall setup -fleetapi -authpath {folder}`, then `smartcharge login tesla`."


def check_fleet(folder: Path, now: datetime | None = None) -> int | None:
    """Make sure that the library will find a usable sign-in, and can keep a renewed one.

    Returns the site that the file names, if any. Raises as the check of a cloud sign-in does, and
    `ConfigurationRefused` where the application or its server is missing. now (UTC): as there.
    """
    path = folder / FLEET_FILE
    if not path.exists():
        raise _refused(f"there is no sign-in for Tesla's Fleet API in {folder}", folder)
    require_writable(path)
    with storing(folder):
        if content(path) is None and not _restore(path):
            raise _refused(f"{path} is damaged", folder)
    found = content(path) or {}
    if not found.get("CLIENT_ID") or not isinstance(found["CLIENT_ID"], str):
        raise _misfit(path, "CLIENT_ID", "is missing, and without it no token can be renewed", "your application's id")
    if not BASE.fullmatch(str(found.get("AUDIENCE"))):
        raise _misfit(path, "AUDIENCE", "is not the address of a Fleet API server", f"for Europe {EUROPE}")
    if not _is_signed_in(found):
        raise _refused(f"{path} holds no tokens", folder)
    if now is None or not lasts(claims(str(found.get("access_token"))).get("exp"), now):
        require_room(path)
    return _site_in(path, found.get("site_id"))


def keep_fleet(folder: Path, held: Mapping[str, object]) -> None:
    """After a conversation: make the file private, and keep a copy of it where it is good.

    held: what the library has in memory. Where its file is broken that is written, being newer than any
    copy; else the last good copy is put back. Raises `Unreachable` where the disk refuses.
    """
    path = folder / FLEET_FILE
    with storing(folder):
        if content(path) is None:
            _mend(path, held)
        if _is_signed_in(content(path) or {}):
            copy_good(path)


def _is_signed_in(found: Mapping[str, object]) -> bool:
    """Whether there is a token to renew from, and one (empty at worst) that can stand in a header."""
    access = found.get("access_token")
    return is_token(found.get("refresh_token")) and (access == "" or is_token(access))


def _site_in(path: Path, found: object) -> int | None:
    """The number of the site, also where it was written as text: then the library alone would not know it again."""
    if found is None or found == "":
        return None
    if isinstance(found, bool) or not str(found).isdecimal():
        raise _misfit(path, "site_id", "is not the number of an energy site", "digits only")
    return int(str(found))


def _mend(path: Path, held: Mapping[str, object]) -> None:
    try:
        if _is_signed_in(held):
            write_private(path, json.dumps({key: held.get(key) for key in KEPT}, indent=4).encode())
        else:
            _restore(path)
    except OSError:
        if content(good_copy(path)) is not None:  # a rename needs no room on the disk
            good_copy(path).replace(path)
        raise


def _restore(path: Path) -> bool:
    """Put the last good copy back, if there is one; returns whether there was."""
    if not _is_signed_in(content(good_copy(path)) or {}):
        return False
    write_private(path, good_copy(path).read_bytes())
    return True


def _refused(problem: str, folder: Path) -> SignInRefused:
    return SignInRefused(problem, hint=fleet_sign_in(folder), service=SERVICE)


def _misfit(path: Path, key: str, problem: str, right: str) -> ConfigurationRefused:
    return ConfigurationRefused(problem, place=str(path), key=key, right=f"It should be {right}.")

"""Files in which the library keeps a Tesla sign-in, looked after around each conversation.

It rewrites them in place and without a lock, so a kill or a full disk in that moment would lose a sign-in.
"""

import base64
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from smartcharge.errors import ConfigurationRefused, Unreachable
from smartcharge.files import make_private, write_private

SERVICE = "tesla"
LEAST_FREE_BYTES = 64 * 1024
LASTS_SECONDS = 600
"""An access token that is good for this long outlives any conversation, so that none is renewed in it."""
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a bearer token is made of (RFC 6750, 2.1)."""


def good_copy(path: Path) -> Path:
    """Where the last good copy of a file is kept."""
    return path.with_name(f"{path.name}.good")


def content(path: Path) -> dict[str, object] | None:
    """What a file holds; None where it is missing, empty or damaged."""
    try:
        read = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) and read else None


@contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Put a refusal of the disk into words."""
    try:
        yield
    except OSError as refused:
        told = f"the Tesla sign-in could not be stored in {folder} ({refused.strerror})"
        raise Unreachable(told, service=SERVICE) from refused


def require_writable(path: Path) -> None:
    """Raise `ConfigurationRefused` unless a file and its folder may be read and written."""
    for place in (path.parent, path):
        if not os.access(place, os.R_OK | os.W_OK, effective_ids=True):
            mode = "0700" if place.is_dir() else "0600"
            raise ConfigurationRefused(
                "may not be written by this user, so that a renewed Tesla token would be lost",
                place=str(place),
                right=f"Make it belong to the user that runs smartcharge (chown), with mode {mode}.",
            )


def require_room(path: Path) -> None:
    """Prove that the disk takes a file of this size, by writing the good copy anew: it takes a renewed one then."""
    full = Unreachable(f"the disk that holds {path.parent} is full", hint="Free some space.", service=SERVICE)
    if shutil.disk_usage(path.parent).free < LEAST_FREE_BYTES:
        raise full
    try:
        write_private(good_copy(path), path.read_bytes())
    except OSError:
        raise full from None


def copy_good(path: Path) -> None:
    """Make a good file private, and keep a copy of it where that differs."""
    make_private(path)
    found, good = path.read_bytes(), good_copy(path)
    if not good.exists() or good.read_bytes() != found:
        write_private(good, found)


def is_token(found: object) -> bool:
    """Whether this can be sent as a bearer token."""
    return isinstance(found, str) and TOKEN.fullmatch(found) is not None


def claims(token: str) -> Mapping[str, object]:
    """What a JWT claims; nothing where it is none."""
    _, _, rest = token.partition(".")
    part = rest.partition(".")[0]
    try:
        claimed = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claimed if isinstance(claimed, dict) else {}


def lasts(ends: object, now: datetime) -> bool:
    """Whether what ends then (seconds since 1970) is good for a while."""
    return isinstance(ends, int | float) and ends - now.timestamp() > LASTS_SECONDS

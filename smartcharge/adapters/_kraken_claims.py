"""What a token tells of itself, unproven: enough to know its end and its maker, never to trust it."""

import base64
import contextlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta


def claims(token: str) -> Mapping[str, object]:
    """The claims of a JWT (RFC 7519); empty where it is none."""
    with contextlib.suppress(ValueError, IndexError):
        packed = token.split(".")[1]
        return as_object(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode())
    return {}


def as_object(value: object) -> Mapping[str, object]:
    """An object, or what a text holds as JSON; empty where it is neither."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if isinstance(value, dict) else {}


def instant(stamp: object, now: datetime, longest: timedelta) -> datetime | None:
    """A Unix timestamp as a believable end: after now and within the longest life; else None."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    with contextlib.suppress(ValueError, OverflowError, OSError):
        at = datetime.fromtimestamp(stamp, now.tzinfo)
        return at if now < at <= now + longest else None
    return None


def has_passed(stamp: object, now: datetime) -> bool:
    """Whether a Unix timestamp lies behind us; what is none does not."""
    return isinstance(stamp, int | float) and not isinstance(stamp, bool) and stamp <= now.timestamp()

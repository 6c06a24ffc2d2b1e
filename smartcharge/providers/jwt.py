"""Tokens as they are: what a JSON Web Token says of itself, and what can stand in a header. No signature is checked."""

import base64
import contextlib
import json
import re
from collections.abc import Mapping
from datetime import datetime

BEARER_TOKEN_PATTERN = re.compile(r"[A-Za-z0-9._~+/=-]+")
"""What a bearer token is made of (RFC 6750, 2.1)."""


def decode_jwt_claims(token: str) -> Mapping[str, object]:
    """The claims of a JWT (RFC 7519); empty where it is none."""
    with contextlib.suppress(ValueError, IndexError):
        packed = token.split(".")[1]
        return parse_json_object(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode())
    return {}


def parse_json_object(value: object) -> Mapping[str, object]:
    """An object, or the one that a text holds as JSON; empty where it is neither."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    return value if isinstance(value, dict) else {}


def has_token_expired(stamp: object, now: datetime) -> bool:
    """Whether a Unix timestamp lies in the past; what is no timestamp does not."""
    return isinstance(stamp, int | float) and not isinstance(stamp, bool) and stamp <= now.timestamp()


def is_bearer_token(value: object) -> bool:
    """Whether this can be sent as a bearer token."""
    return isinstance(value, str) and BEARER_TOKEN_PATTERN.fullmatch(value) is not None

"""Tokens that look real and open nothing: signed JWTs, and refresh tokens that rotate."""

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime

JWT_HEADER = {"alg": "HS256", "typ": "JWT"}


def sign_jwt(claims: dict[str, object], key: bytes) -> str:
    """Sign claims as a JWT (RFC 7519, HS256)."""
    text = f"{_base64url_json(JWT_HEADER)}.{_base64url_json(claims)}"
    return f"{text}.{_hs256_signature(text, key)}"


def verify_jwt(token: str, key: bytes) -> dict[str, object] | None:
    """Read a token's claims; None unless this key has signed it."""
    text, _, signature = token.rpartition(".")
    if not text or not hmac.compare_digest(signature, _hs256_signature(text, key)):
        return None
    packed = text.partition(".")[2]
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return claims


def _base64url_json(value: dict[str, object] | dict[str, str]) -> str:
    raw = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _hs256_signature(text: str, key: bytes) -> str:
    return base64.urlsafe_b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).rstrip(b"=").decode()


def is_token_expired(claims: dict[str, object], now: datetime) -> bool:
    """Whether a token's `exp` has passed."""
    return int(str(claims["exp"])) <= now.timestamp()


@dataclass(slots=True)
class RefreshTokenRotation:
    """Refresh tokens that are good for one use each.

    revokes_family: whether presenting a spent one ends its successors too, as Auth0 does
    (https://auth0.com/docs/secure/tokens/refresh-tokens/refresh-token-rotation). prefix: how they all begin.
    """

    revokes_family: bool
    prefix: str = ""
    _family_by_token: dict[str, str] = field(default_factory=dict)
    _valid_tokens: set[str] = field(default_factory=set)

    def issue(self, family: str | None = None) -> str:
        """Make a refresh token, in a family of its own unless one is named."""
        token = f"{self.prefix}{secrets.token_hex(32)}"
        self._family_by_token[token] = family or token
        self._valid_tokens.add(token)
        return token

    def redeem(self, token: str) -> str | None:
        """Exchange a token for its successor; None where it is unknown, spent or revoked."""
        if token in self._valid_tokens:
            self._valid_tokens.discard(token)
            return self.issue(self._family_by_token[token])
        if self.revokes_family and token in self._family_by_token:
            family = self._family_by_token[token]
            self._valid_tokens = {good for good in self._valid_tokens if self._family_by_token[good] != family}
        return None

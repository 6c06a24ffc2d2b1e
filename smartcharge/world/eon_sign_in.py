"""The supplier's new sign-in: authorisation code with PKCE, and refresh tokens good for one use.

Source of the protocol: https://auth0.com/docs/get-started/authentication-and-authorization-flow, RFC 7636.
"""

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from smartcharge.world.faults import Trouble
from smartcharge.world.tokens import Rotation, mint
from smartcharge.world.wire import Asked, Reply, html_reply, json_reply

HOST = "auth.eonnext.com"
CLIENT = "OrFeFacHUoXK2afczePYMLCRMXpwRxzW"
REDIRECT = "https://www.eonnext.com/"
AUDIENCE = "eonnext"
SCOPES = {"openid", "offline_access"}
CHALLENGE = r"[A-Za-z0-9_-]{43}"
ID_LIFE = timedelta(hours=1)
CODE_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code was given for."""

    challenge: str
    redirect: str
    until: datetime


class EonSignIn:
    """The supplier's sign-in pages and token endpoint, for one client with one address to end up at."""

    name = "kraken-auth"

    def __init__(self, id_key: bytes, trouble: Trouble) -> None:
        self._id_key = id_key
        self._trouble = trouble
        self._rotation = Rotation(revokes_family=True, prefix="v1.")
        self._codes: dict[str, Grant] = {}

    def issue_refresh_token(self) -> str:
        """A fresh refresh token, as an owner would copy it from elsewhere."""
        return self._rotation.issue()

    def operation(self, asked: Asked) -> str:
        """The grant asked for, or the page's name."""
        return str(asked.fields().get("grant_type", asked.path.rpartition("/")[2]))

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve /authorize, where every visitor is the owner and signs in, and /oauth/token."""
        if (asked.method, asked.path) == ("GET", "/authorize"):
            return self._authorize(dict(parse_qsl(asked.query)), now)
        if (asked.method, asked.path) != ("POST", "/oauth/token"):
            return json_reply({"error": "not_found"}, 404)
        fields = {name: str(value) for name, value in asked.fields().items()}
        if fields.get("client_id") != CLIENT:
            return json_reply({"error": "invalid_client"}, 401)
        if self._trouble.strikes(self.name, "invalid-grant"):
            return _invalid_grant()
        if fields.get("grant_type") == "refresh_token":
            refresh = self._rotation.spend(fields.get("refresh_token", ""))
        elif fields.get("grant_type") == "authorization_code" and self._redeems(fields, now):
            refresh = self._rotation.issue()
        else:
            refresh = None
        return self._tokens(refresh, now) if refresh else _invalid_grant()

    def _authorize(self, given: dict[str, str], now: datetime) -> Reply:
        """Send the signed-in owner back with a code, or with an error; who may not be sent there sees a page."""
        if given.get("client_id") != CLIENT or given.get("redirect_uri") != REDIRECT:
            return html_reply(403, "Callback URL mismatch")
        if error := _misfit(given):
            back = {"error": error, "state": given.get("state", "")}
        else:
            code = secrets.token_urlsafe(36)
            self._codes[code] = Grant(given["code_challenge"], given["redirect_uri"], now + CODE_LIFE)
            back = {"code": code, "state": given.get("state", "")}
        return Reply(302, headers=(("Location", f"{REDIRECT}?{urlencode(back)}"),))

    def _redeems(self, fields: dict[str, str], now: datetime) -> bool:
        """Whether a code is good, in time, and brought by whoever began; it is good no more afterwards."""
        grant = self._codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return grant is not None and (grant.challenge, grant.redirect, now < grant.until) == (
            challenge,
            fields.get("redirect_uri"),
            True,
        )

    def _tokens(self, refresh: str, now: datetime) -> Reply:
        claims: dict[str, object] = {
            "iss": f"https://{HOST}/",
            "sub": "auth0|pretend",
            "iat": int(now.timestamp()),
            "exp": int((now + ID_LIFE).timestamp()),
        }
        return json_reply(
            {
                "access_token": mint({**claims, "use": "auth0-access"}, self._id_key),
                "id_token": mint(claims, self._id_key),
                "refresh_token": refresh,
                "scope": "openid profile email offline_access",
                "expires_in": int(ID_LIFE.total_seconds()),
                "token_type": "Bearer",
            },
        )


def _misfit(given: dict[str, str]) -> str | None:
    """The error for what was asked wrongly (RFC 6749, section 4.1.2.1); without PKCE there is no code."""
    if given.get("response_type") != "code":
        return "unsupported_response_type"
    if not set(given.get("scope", "").split()) >= SCOPES:
        return "invalid_scope"
    is_proven = given.get("code_challenge_method") == "S256" and re.fullmatch(
        CHALLENGE, given.get("code_challenge", "")
    )
    return None if is_proven and given.get("audience") == AUDIENCE else "invalid_request"


def _invalid_grant() -> Reply:
    return json_reply({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, 403)

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

from smartcharge.simulator.faults import ActiveFaults
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, html_reply, json_reply
from smartcharge.simulator.tokens import RefreshTokenRotation, sign_jwt

EON_AUTH_HOST = "auth.eonnext.com"
EON_CLIENT_ID = "OrFeFacHUoXK2afczePYMLCRMXpwRxzW"
EON_REDIRECT_URI = "https://www.eonnext.com/"
EON_AUDIENCE = "eonnext"
REQUIRED_SCOPES = {"openid", "offline_access"}
PKCE_CHALLENGE_PATTERN = r"[A-Za-z0-9_-]{43}"
ID_TOKEN_LIFETIME = timedelta(hours=1)
AUTH_CODE_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class AuthCodeGrant:
    """What a code was given for."""

    challenge: str
    redirect: str
    until: datetime


class EonAuthServer:
    """The supplier's sign-in pages and token endpoint, for one client with one address to end up at."""

    name = "kraken-auth"

    def __init__(self, id_key: bytes, active_faults: ActiveFaults) -> None:
        self._id_key = id_key
        self._active_faults = active_faults
        self._rotation = RefreshTokenRotation(revokes_family=True, prefix="v1.")
        self._codes: dict[str, AuthCodeGrant] = {}

    def issue_refresh_token(self) -> str:
        """A fresh refresh token, as an owner would copy it from elsewhere."""
        return self._rotation.issue()

    def operation(self, request: HttpRequest) -> str:
        """The grant asked for, or the page's name."""
        return str(request.fields().get("grant_type", request.path.rpartition("/")[2]))

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve /authorize, where every visitor is the owner and signs in, and /oauth/token."""
        if (request.method, request.path) == ("GET", "/authorize"):
            return self._authorize(dict(parse_qsl(request.query)), now)
        if (request.method, request.path) != ("POST", "/oauth/token"):
            return json_reply({"error": "not_found"}, 404)
        fields = {name: str(value) for name, value in request.fields().items()}
        if fields.get("client_id") != EON_CLIENT_ID:
            return json_reply({"error": "invalid_client"}, 401)
        if self._active_faults.trigger(self.name, "invalid-grant"):
            return _invalid_grant_reply()
        if fields.get("grant_type") == "refresh_token":
            refresh = self._rotation.redeem(fields.get("refresh_token", ""))
        elif fields.get("grant_type") == "authorization_code" and self._redeems(fields, now):
            refresh = self._rotation.issue()
        else:
            refresh = None
        return self._tokens(refresh, now) if refresh else _invalid_grant_reply()

    def _authorize(self, given: dict[str, str], now: datetime) -> HttpReply:
        """Send the signed-in owner back with a code, or with an error; who may not be sent there sees a page."""
        if given.get("client_id") != EON_CLIENT_ID or given.get("redirect_uri") != EON_REDIRECT_URI:
            return html_reply(403, "Callback URL mismatch")
        if error := _authorize_error(given):
            back = {"error": error, "state": given.get("state", "")}
        else:
            code = secrets.token_urlsafe(36)
            self._codes[code] = AuthCodeGrant(given["code_challenge"], given["redirect_uri"], now + AUTH_CODE_LIFETIME)
            back = {"code": code, "state": given.get("state", "")}
        return HttpReply(302, headers=(("Location", f"{EON_REDIRECT_URI}?{urlencode(back)}"),))

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

    def _tokens(self, refresh: str, now: datetime) -> HttpReply:
        claims: dict[str, object] = {
            "iss": f"https://{EON_AUTH_HOST}/",
            "sub": "auth0|pretend",
            "iat": int(now.timestamp()),
            "exp": int((now + ID_TOKEN_LIFETIME).timestamp()),
        }
        return json_reply(
            {
                "access_token": sign_jwt({**claims, "use": "auth0-access"}, self._id_key),
                "id_token": sign_jwt(claims, self._id_key),
                "refresh_token": refresh,
                "scope": "openid profile email offline_access",
                "expires_in": int(ID_TOKEN_LIFETIME.total_seconds()),
                "token_type": "Bearer",
            },
        )


def _authorize_error(given: dict[str, str]) -> str | None:
    """The error for what was asked wrongly (RFC 6749, section 4.1.2.1); without PKCE there is no code."""
    if given.get("response_type") != "code":
        return "unsupported_response_type"
    if not set(given.get("scope", "").split()) >= REQUIRED_SCOPES:
        return "invalid_scope"
    is_proven = given.get("code_challenge_method") == "S256" and re.fullmatch(
        PKCE_CHALLENGE_PATTERN, given.get("code_challenge", "")
    )
    return None if is_proven and given.get("audience") == EON_AUDIENCE else "invalid_request"


def _invalid_grant_reply() -> HttpReply:
    return json_reply({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, 403)

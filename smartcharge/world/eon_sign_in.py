"""The supplier's new sign-in: authorisation code with PKCE, and refresh tokens good for one use.

Source of the protocol: https://auth0.com/docs/get-started/authentication-and-authorization-flow, RFC 7636.
"""

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

from smartcharge.world.faults import Trouble
from smartcharge.world.tokens import Rotation, mint
from smartcharge.world.wire import Asked, Reply, json_reply

HOST = "auth.eonnext.com"
ID_LIFE = timedelta(hours=1)


class EonSignIn:
    """The supplier's sign-in pages and token endpoint."""

    name = "kraken-auth"

    def __init__(self, id_key: bytes, trouble: Trouble) -> None:
        self._id_key = id_key
        self._trouble = trouble
        self._rotation = Rotation(revokes_family=True)
        self._challenges: dict[str, str] = {}

    def issue_refresh_token(self) -> str:
        """A fresh refresh token, as an owner would copy it from elsewhere."""
        return self._rotation.issue()

    def sign_in(self, authorize_url: str) -> str:
        """Play the owner in his browser: the address he lands on after signing in at `authorize_url`."""
        asked = dict(parse_qsl(urlsplit(authorize_url).query))
        code = secrets.token_urlsafe(24)
        self._challenges[code] = asked["code_challenge"]
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked.get('state', '')})}"

    def operation(self, asked: Asked) -> str:
        """The grant asked for, or the page's name."""
        return str(asked.fields().get("grant_type", asked.path.rpartition("/")[2]))

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve /authorize and /oauth/token."""
        if (asked.method, asked.path) == ("GET", "/authorize"):
            return Reply(302, headers=(("Location", self.sign_in(f"https://{HOST}/authorize?{asked.query}")),))
        if (asked.method, asked.path) != ("POST", "/oauth/token"):
            return json_reply({"error": "not_found"}, 404)
        fields = {name: str(value) for name, value in asked.fields().items()}
        if self._trouble.strikes(self.name, "invalid-grant"):
            return _invalid_grant()
        if fields.get("grant_type") == "refresh_token":
            refresh = self._rotation.spend(fields.get("refresh_token", ""))
        elif fields.get("grant_type") == "authorization_code" and self._has_verifier(fields):
            refresh = self._rotation.issue()
        else:
            refresh = None
        return self._tokens(refresh, now) if refresh else _invalid_grant()

    def _has_verifier(self, fields: dict[str, str]) -> bool:
        challenge = self._challenges.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        return challenge == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

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


def _invalid_grant() -> Reply:
    return json_reply({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}, 403)

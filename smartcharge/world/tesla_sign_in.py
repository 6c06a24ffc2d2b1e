"""Tesla's token endpoint: access tokens for eight hours, refresh tokens good for one use."""

import secrets
from datetime import datetime, timedelta

from smartcharge.world.faults import Trouble
from smartcharge.world.tokens import Rotation, claims_of, is_over, mint
from smartcharge.world.wire import Asked, Reply, json_reply

HOST = "auth.tesla.com"
ACCESS_LIFE = timedelta(hours=8)


class TeslaSignIn:
    """The sign-in of the Tesla account."""

    name = "tesla-auth"

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self._rotation = Rotation(revokes_family=False)
        self._key = secrets.token_bytes(32)

    def issue(self, now: datetime) -> dict[str, object]:
        """A first pair of tokens, as the owner's browser sign-in yields them."""
        return self._pair(self._rotation.issue(), now)

    def refusal(self, authorization: str, now: datetime) -> str | None:
        """Why this Authorization header is refused; None where it is good."""
        claims = claims_of(authorization.removeprefix("Bearer "), self._key)
        if claims is None:
            return "invalid bearer token"
        return "token expired (401)" if is_over(claims, now) else None

    def operation(self, asked: Asked) -> str:
        """The grant asked for, or the page's name."""
        return str(asked.fields().get("grant_type", asked.path.rpartition("/")[2]))

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve `/oauth2/v3/token`."""
        fields = asked.fields()
        if (asked.method, asked.path) != ("POST", "/oauth2/v3/token"):
            return json_reply({"error": "not_found"}, 404)
        spent = fields.get("grant_type") != "refresh_token" or self._trouble.strikes(self.name, "login-required")
        successor = None if spent else self._rotation.spend(str(fields.get("refresh_token", "")))
        if successor is None:
            told = {"error": "login_required", "error_description": "The refresh_token is invalid"}
            return json_reply(told, 401)
        return json_reply(self._pair(successor, now))

    def _pair(self, refresh: str, now: datetime) -> dict[str, object]:
        claims: dict[str, object] = {
            "iss": "https://auth.tesla.com/oauth2/v3",
            "aud": ["https://owner-api.teslamotors.com/", "https://auth.tesla.com/oauth2/v3/userinfo"],
            "iat": int(now.timestamp()),
            "exp": int((now + ACCESS_LIFE).timestamp()),
            "jti": secrets.token_hex(8),
        }
        return {
            "access_token": mint(claims, self._key),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
        }

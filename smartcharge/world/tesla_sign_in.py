"""Tesla's token endpoint: access tokens for eight hours, refresh tokens good for one use."""

import secrets
from datetime import datetime, timedelta

from smartcharge.world.faults import Trouble
from smartcharge.world.house import House
from smartcharge.world.tokens import Rotation, claims_of, is_over, mint
from smartcharge.world.wire import Asked, Reply, json_reply

HOST = "auth.tesla.com"
ACCESS_LIFE = timedelta(hours=8)
OWNER_AUDIENCE = "https://owner-api.teslamotors.com/"
FLEET_AUDIENCE = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
OWNER_CLIENT = "ownerapi"


class TeslaSignIn:
    """The sign-in of the Tesla account."""

    name = "tesla-auth"

    def __init__(self, house: House, trouble: Trouble) -> None:
        self._trouble = trouble
        self._audiences = {OWNER_CLIENT: OWNER_AUDIENCE, house.fleet_client_id: FLEET_AUDIENCE}
        self._rotations = {client: Rotation(revokes_family=False, prefix="EU_") for client in self._audiences}
        self._key = secrets.token_bytes(32)

    def issue(self, now: datetime, client: str = OWNER_CLIENT) -> dict[str, object]:
        """A first pair of tokens, as the owner's browser sign-in yields them for an application."""
        return self._pair(client, self._rotations[client].issue(), now)

    def refusal(self, authorization: str, now: datetime, audience: str = OWNER_AUDIENCE) -> str | None:
        """Why this Authorization header is refused where it was sent; None where it is good."""
        claims = claims_of(authorization.removeprefix("Bearer "), self._key)
        if claims is None or audience not in str(claims["aud"]):
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
        client = str(fields.get("client_id"))
        if client not in self._rotations:
            return json_reply({"error": "invalid_client"}, 401)
        spent = fields.get("grant_type") != "refresh_token" or self._trouble.strikes(self.name, "login-required")
        successor = None if spent else self._rotations[client].spend(str(fields.get("refresh_token", "")))
        if successor is None:
            told = {"error": "login_required", "error_description": "The refresh_token is invalid"}
            return json_reply(told, 401)
        return json_reply(self._pair(client, successor, now))

    def _pair(self, client: str, refresh: str, now: datetime) -> dict[str, object]:
        claims: dict[str, object] = {
            "iss": "https://auth.tesla.com/oauth2/v3",
            "aud": [self._audiences[client], "https://auth.tesla.com/oauth2/v3/userinfo"],
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

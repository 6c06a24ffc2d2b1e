"""Kraken's own error codes, in the envelope it puts them in.

Source: https://developer.octopus.energy/graphql/guides/basics/#errors and the field reference beside it.
"""

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from graphql import GraphQLError

from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.tokens import is_token_expired, sign_jwt, verify_jwt

KRAKEN_ERROR_MESSAGES: dict[str, tuple[str, str]] = {
    "KT-CT-1111": ("Unauthorized.", "AUTHORIZATION"),
    "KT-CT-1112": ("'Authorization' header not provided.", "AUTHORIZATION"),
    "KT-CT-1113": ("Disabled GraphQL field requested.", "SERVICE_AVAILABILITY"),
    "KT-CT-1120": ("The Kraken Token has expired.", "APPLICATION"),
    "KT-CT-1124": ("Signature of the JWT has expired.", "APPLICATION"),
    "KT-CT-1134": ("The refresh token has expired.", "VALIDATION"),
    "KT-CT-1135": ("The refresh token is invalid.", "VALIDATION"),
    "KT-CT-1137": ("Please provide only one set of credentials.", "VALIDATION"),
    "KT-CT-1138": ("Invalid data.", "VALIDATION"),
    "KT-CT-1139": ("Authentication failed.", "VALIDATION"),
    "KT-CT-1143": ("The Authorization header value is not a valid credential.", "AUTHORIZATION"),
    "KT-CT-1199": ("Too many requests.", "AUTHORIZATION"),
    "KT-CT-4301": ("Unable to find device for given account.", "NOT_FOUND"),
    "KT-CT-4340": ("Unable to fetch planned dispatches.", "APPLICATION"),
    "KT-CT-4341": ("Unable to fetch completed dispatches.", "APPLICATION"),
}


def make_kraken_error(code: str) -> GraphQLError:
    """The error a resolver raises: its field becomes null, and the envelope names the code."""
    message, kind = KRAKEN_ERROR_MESSAGES.get(code, ("Something went wrong.", "APPLICATION"))
    return GraphQLError(
        message,
        extensions={
            "errorType": kind,
            "errorCode": code,
            "errorDescription": message,
            "errorClass": kind,
            "validationErrors": [],
        },
    )


ACCESS_TOKEN_LIFETIME = timedelta(minutes=60)
REFRESH_TOKEN_LIFETIME = timedelta(days=7)
MAX_FLEX_CALLS_PER_MINUTE = 5
TOKEN_ISSUER = "https://api.eonnext-kraken.energy/v1/graphql/"  # noqa: S105


@dataclass(frozen=True, slots=True)
class SimulatedDevice:
    """One registration at the supplier; the field values are the supplier's own words."""

    device_id: str
    name: str = "Zappi"
    device_type: str = "ELECTRIC_VEHICLES"
    provider: str = "MYENERGI_V2"
    current: str = "LIVE"
    suspended: bool | None = False
    state: str = "SMART_CONTROL_CAPABLE"
    kind: str = "SmartFlexChargePoint"

    def as_graphql(self) -> dict[str, object]:
        """The device as the resolvers hand it on."""
        status_kind = f"{self.kind}Status" if self.kind != "SmartFlexDevice" else "SmartFlexDeviceStatus"
        return {
            "__typename": self.kind,
            "id": self.device_id,
            "name": self.name,
            "deviceType": self.device_type,
            "provider": self.provider,
            "integrationDeviceId": None,
            "propertyId": "1000001",
            "make": "MYENERGI",
            "model": "Zappi",
            "status": {
                "__typename": status_kind,
                "current": self.current,
                "isSuspended": self.suspended,
                "currentState": self.state,
            },
        }


DispatchItem = dict[str, object]


@dataclass(slots=True)
class SimulatedAccount:
    """The customer's file: may be changed at any time by a test or a scenario.

    plans: what is planned, by device id, as items of `flexPlannedDispatches`; None is a null answer.
    completed: items of `completedDispatches`, newest first.
    sign_ins: how often email and password (or an API key) were presented, rightly or not.
    """

    house: SimulatedHouse
    id_key: bytes
    devices: tuple[SimulatedDevice, ...] = ()
    plans: dict[str, list[DispatchItem | None] | None] = field(default_factory=dict)
    completed: list[DispatchItem] = field(default_factory=list)
    sign_ins: int = 0
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _refresh: dict[str, datetime] = field(default_factory=dict)
    _flex_calls: deque[datetime] = field(default_factory=deque)

    def sign_in(self, credentials: dict[str, str], now: datetime) -> dict[str, object]:
        """`obtainKrakenToken`: exactly one set of credentials, right ones, gives a token for an hour."""
        credential_names = {name for name, value in credentials.items() if value is not None}
        if credential_names == {"refreshToken"}:
            self._check_refresh(credentials["refreshToken"], now)
        elif credential_names == {"email", "password"}:
            self.sign_ins += 1
            if (credentials["email"], credentials["password"]) != (self.house.kraken_email, self.house.kraken_password):
                raise make_kraken_error("KT-CT-1138")
        elif credential_names == {"APIKey"}:
            self.sign_ins += 1
            if credentials["APIKey"] != self.house.kraken_api_key:
                raise make_kraken_error("KT-CT-1139")
        else:
            raise make_kraken_error("KT-CT-1137")
        return self._tokens(now)

    def _check_refresh(self, token: str, now: datetime) -> None:
        if token not in self._refresh:
            raise make_kraken_error("KT-CT-1135")
        if self._refresh[token] <= now:
            raise make_kraken_error("KT-CT-1134")

    def _tokens(self, now: datetime) -> dict[str, object]:
        issued_s = int(now.timestamp())
        expires_s = int((now + ACCESS_TOKEN_LIFETIME).timestamp())
        payload: dict[str, object] = {
            "sub": "kraken|account-user:1000001",
            "gty": "EMAIL-AND-PASSWORD",
            "tokenUse": "access",
            "iss": TOKEN_ISSUER,
            "iat": issued_s,
            "exp": expires_s,
            "origIat": issued_s,
        }
        refresh = secrets.token_hex(32)
        self._refresh[refresh] = now + REFRESH_TOKEN_LIFETIME
        return {
            "token": sign_jwt(payload, self._key),
            "payload": payload,
            "refreshToken": refresh,
            "refreshExpiresIn": int((now + REFRESH_TOKEN_LIFETIME).timestamp()),
        }

    def forget_refresh_tokens(self) -> None:
        """Make every refresh token given out so far invalid."""
        self._refresh.clear()

    def check_signed_in(self, authorization: str, now: datetime) -> None:
        """Accept `JWT x`, `Bearer x` or the bare token; raise Kraken's error for anything else."""
        if not authorization:
            raise make_kraken_error("KT-CT-1112")
        token = authorization.rpartition(" ")[2]
        claims = verify_jwt(token, self._key) or verify_jwt(token, self.id_key)
        if claims is None or claims.get("use") == "auth0-access":
            raise make_kraken_error("KT-CT-1143")
        if is_token_expired(claims, now):
            raise make_kraken_error("KT-CT-1124")

    def check_account(self, number: str) -> None:
        """Raise Kraken's error unless the account is the customer's."""
        if number != self.house.account_number:
            raise make_kraken_error("KT-CT-1111")

    def check_device(self, device_id: str) -> None:
        """Raise Kraken's error unless the device is registered."""
        if device_id not in {device.device_id for device in self.devices}:
            raise make_kraken_error("KT-CT-4301")

    def count_flex_call(self, now: datetime) -> None:
        """Allow five `flexPlannedDispatches` fields a minute and user, aliases counted singly."""
        while self._flex_calls and self._flex_calls[0] <= now - timedelta(minutes=1):
            self._flex_calls.popleft()
        if len(self._flex_calls) >= MAX_FLEX_CALLS_PER_MINUTE:
            raise make_kraken_error("KT-CT-1199")
        self._flex_calls.append(now)

"""What Kraken knows: tokens it has issued, the customer's devices, plans and history."""

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartcharge.world.house import House
from smartcharge.world.kraken_errors import kraken_error
from smartcharge.world.tokens import claims_of, is_over, mint

ACCESS_LIFE = timedelta(minutes=60)
REFRESH_LIFE = timedelta(days=7)
FLEX_CALLS_A_MINUTE = 5
ISSUER = "https://api.eonnext-kraken.energy/v1/graphql/"


@dataclass(frozen=True, slots=True)
class Device:
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


Dispatch = dict[str, object]


@dataclass(slots=True)
class KrakenAccount:
    """The customer's file: may be changed at any time by a test or a story.

    plans: what is planned, by device id, as items of `flexPlannedDispatches`; None is a null answer.
    completed: items of `completedDispatches`, newest first.
    sign_ins: how often email and password (or an API key) were presented, rightly or not.
    """

    house: House
    id_key: bytes
    devices: tuple[Device, ...] = ()
    plans: dict[str, list[Dispatch | None] | None] = field(default_factory=dict)
    completed: list[Dispatch] = field(default_factory=list)
    sign_ins: int = 0
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _refresh: dict[str, datetime] = field(default_factory=dict)
    _flex_calls: deque[datetime] = field(default_factory=deque)

    def sign_in(self, given: dict[str, str], now: datetime) -> dict[str, object]:
        """`obtainKrakenToken`: exactly one set of credentials, right ones, gives a token for an hour."""
        offered = {name for name, value in given.items() if value is not None}
        if offered == {"refreshToken"}:
            self._check_refresh(given["refreshToken"], now)
        elif offered == {"email", "password"}:
            self.sign_ins += 1
            if (given["email"], given["password"]) != (self.house.kraken_email, self.house.kraken_password):
                raise kraken_error("KT-CT-1138")
        elif offered == {"APIKey"}:
            self.sign_ins += 1
            if given["APIKey"] != self.house.kraken_api_key:
                raise kraken_error("KT-CT-1139")
        else:
            raise kraken_error("KT-CT-1137")
        return self._tokens(now)

    def _check_refresh(self, token: str, now: datetime) -> None:
        if token not in self._refresh:
            raise kraken_error("KT-CT-1135")
        if self._refresh[token] <= now:
            raise kraken_error("KT-CT-1134")

    def _tokens(self, now: datetime) -> dict[str, object]:
        issued_s = int(now.timestamp())
        expires_s = int((now + ACCESS_LIFE).timestamp())
        payload: dict[str, object] = {
            "sub": "kraken|account-user:1000001",
            "gty": "EMAIL-AND-PASSWORD",
            "tokenUse": "access",
            "iss": ISSUER,
            "iat": issued_s,
            "exp": expires_s,
            "origIat": issued_s,
        }
        refresh = secrets.token_hex(32)
        self._refresh[refresh] = now + REFRESH_LIFE
        return {
            "token": mint(payload, self._key),
            "payload": payload,
            "refreshToken": refresh,
            "refreshExpiresIn": int((now + REFRESH_LIFE).timestamp()),
        }

    def forget_refresh_tokens(self) -> None:
        """Make every refresh token given out so far invalid."""
        self._refresh.clear()

    def check_signed_in(self, authorization: str, now: datetime) -> None:
        """Accept `JWT x`, `Bearer x` or the bare token; raise Kraken's error for anything else."""
        if not authorization:
            raise kraken_error("KT-CT-1112")
        token = authorization.rpartition(" ")[2]
        claims = claims_of(token, self._key) or claims_of(token, self.id_key)
        if claims is None or claims.get("use") == "auth0-access":
            raise kraken_error("KT-CT-1143")
        if is_over(claims, now):
            raise kraken_error("KT-CT-1124")

    def check_account(self, number: str) -> None:
        """Raise Kraken's error unless the account is the customer's."""
        if number != self.house.account_number:
            raise kraken_error("KT-CT-1111")

    def check_device(self, device_id: str) -> None:
        """Raise Kraken's error unless the device is registered."""
        if device_id not in {device.device_id for device in self.devices}:
            raise kraken_error("KT-CT-4301")

    def count_flex_call(self, now: datetime) -> None:
        """Allow five `flexPlannedDispatches` fields a minute and user, aliases counted singly."""
        while self._flex_calls and self._flex_calls[0] <= now - timedelta(minutes=1):
            self._flex_calls.popleft()
        if len(self._flex_calls) >= FLEX_CALLS_A_MINUTE:
            raise kraken_error("KT-CT-1199")
        self._flex_calls.append(now)

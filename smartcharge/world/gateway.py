"""The Powerwall 3's own gateway on the house's network, as the signed half of its interface (`/tedapi/v1r`) has it.

Every request is signed with a key that the owner has registered and proven by a switch; settings lie in one file
that is replaced as a whole; a backup event ends by itself. Messages by their numbers, as pypowerwall's
`tedapi_combined.proto` and `tedapi.proto` name them.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from smartcharge.world.faults import Trouble
from smartcharge.world.gateway_file import config_blob, taken
from smartcharge.world.house import House
from smartcharge.world.powerwall import CAPACITY_KWH, Powerwall
from smartcharge.world.protobuf import NotProtobufError, decoded, encoded, text, whole, within
from smartcharge.world.signatures import is_signed
from smartcharge.world.tesla import LATE_S
from smartcharge.world.wire import Asked, Reply, json_reply

DIN = "1707000-11-J--TG0000000000G3"
TOKEN = "pretend-gateway-token"  # noqa: S105 - opens nothing outside this street
BYTES = ("Content-Type", "application/octet-stream")
ENERGY_DEVICE = 7
UNKNOWN_KEY, INVALID_SIGNATURE, WRONG_PERSONALIZATION = 3, 5, 12
TEG, FILESTORE, QUERY = 5, 15, 16
READ, READ_ANSWER, UPDATE, UPDATE_ANSWER = 1, 2, 5, 6
SCHEDULE, CANCEL, EVENTS = 45, 47, 49
"""Questions; each answer has the number after it."""
NOT_SUPPORTED = encoded((4, encoded((1, encoded((1, encoded((1, 12), (2, "unimplemented"))))))))
SIGNED_S = 12
"""How long the library lets a signature live, from the second after its making: so it tells the client's clock."""
NAMES = {SCHEDULE: "schedule", CANCEL: "cancel", EVENTS: "events"}


@dataclass(frozen=True, slots=True)
class Signed:
    """A signed message: its content, and the second from which on it is worth nothing."""

    content: bytes
    expires_s: int


class Gateway:
    """One gateway with its battery.

    registered: what it knows of the owner's key.  skew_pct: by how much it shows a reserve too high.
    """

    name = "tesla"

    def __init__(self, house: House, powerwall: Powerwall, trouble: Trouble) -> None:
        self.registered = b""
        self.skew_pct = 0.0
        self._house = house
        self._powerwall = powerwall
        self._trouble = trouble

    def operation(self, asked: Asked) -> str:
        """What is asked: login, din, config, write, status, schedule, cancel or events."""
        if not asked.path.startswith("/tedapi/v1r"):
            return asked.path.rpartition("/")[2].replace("Basic", "login")
        try:
            envelope = decoded(text(decoded(asked.body), 10))
            if TEG in envelope:
                return NAMES.get(min(within(envelope, TEG), default=0), "unknown")
            if FILESTORE in envelope:
                return "write" if UPDATE in within(envelope, FILESTORE) else "config"
        except NotProtobufError:
            return "unreadable"
        return "status" if QUERY in envelope else "unknown"

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve one request."""
        self._powerwall.settle(now)
        match asked.method, asked.path:
            case "POST", "/api/login/Basic":
                return self._login(asked)
            case "GET", "/tedapi/din":
                known = asked.headers.get("authorization") == f"Bearer {TOKEN}"
                return Reply(200, DIN.encode()) if known else Reply(403)
            case "POST", "/tedapi/v1r":
                return self._signed(asked, now)
        return Reply(404)

    def _login(self, asked: Asked) -> Reply:
        given = asked.fields()
        if (given.get("username"), given.get("password")) != ("customer", self._house.gateway_password[-5:]):
            return json_reply({"code": 401, "error": "bad credentials"}, 401)
        return json_reply({"token": TOKEN})

    def _signed(self, asked: Asked, now: datetime) -> Reply:
        try:
            signed = self._proven(decoded(asked.body))
            if isinstance(signed, int):
                return _bytes(encoded((12, encoded((1, signed)))))
            if self._trouble.strikes(self.name, "key-pending"):
                return _bytes(encoded((10, "v1r: client authorization not verified")))
            return _bytes(encoded((10, self._carried_out(signed, now))))
        except (NotProtobufError, ValueError):
            return Reply(400)

    def _proven(self, routable: dict[int, list[int | bytes]]) -> Signed | int:
        """The message that was signed, or the number of what is wrong with it."""
        content, signature_data = text(routable, 10), within(routable, 13)
        public_key, rsa = text(within(signature_data, 1), 1), within(signature_data, 7)
        if not public_key or public_key not in self.registered or self._trouble.strikes(self.name, "key-unknown"):
            return UNKNOWN_KEY
        if whole(within(routable, 6), 1) != ENERGY_DEVICE or not text(routable, 51):
            return WRONG_PERSONALIZATION
        expires_s = whole(rsa, 1)
        parts = ((0, b"\7"), (1, b"\7"), (2, DIN.encode()), (4, expires_s.to_bytes(4, "big")))
        named = b"".join(bytes([tag, len(value)]) + value for tag, value in parts)
        if not is_signed(named + b"\xff" + content, text(rsa, 2), public_key):
            return INVALID_SIGNATURE
        return Signed(content, expires_s)

    def _carried_out(self, signed: Signed, now: datetime) -> bytes:
        envelope = decoded(signed.content)
        if text(within(envelope, 3), 1).decode() != DIN:
            return NOT_SUPPORTED
        if FILESTORE in envelope:
            return self._file(within(envelope, FILESTORE), now)
        if QUERY in envelope:
            return encoded((QUERY, encoded((2, encoded((1, 1), (2, json.dumps(self._status())))))))
        return self._event(within(envelope, TEG), signed, now)

    def _file(self, asked: dict[int, list[int | bytes]], now: datetime) -> bytes:
        blob = config_blob(self._powerwall, DIN, self.skew_pct, self._missing())
        seal = hashlib.sha256(blob).digest()
        if READ in asked:
            answer = encoded((1, encoded((1, "config.json"), (100, blob))), (2, seal))
            return encoded((FILESTORE, encoded((READ_ANSWER, answer))))
        update = within(asked, UPDATE)
        changes = taken(blob, text(within(update, 2), 100))
        if text(update, 3) != seal or changes is None or self._trouble.strikes(self.name, "error-body"):
            return NOT_SUPPORTED
        for kind, value in changes:
            self._powerwall.command(kind, value, now, self._late_s(kind))
        return encoded((FILESTORE, encoded((UPDATE_ANSWER, encoded((2, seal))))))

    def _event(self, teg: dict[int, list[int | bytes]], signed: Signed, now: datetime) -> bytes:
        asked = min(teg, default=0)
        if asked not in NAMES or self._trouble.strikes(self.name, "no-leases"):
            return NOT_SUPPORTED
        ignores = self._trouble.strikes(self.name, "ignores-writes", "lease") is not None
        if asked == SCHEDULE and not ignores:
            times = within(teg, SCHEDULE, 1)
            late_s = signed.expires_s - SIGNED_S - whole(within(times, 1), 1)
            begun_s = int(now.timestamp()) - late_s
            self._powerwall.lease(datetime.fromtimestamp(begun_s + whole(times, 2), now.tzinfo), now)
        elif asked == CANCEL and not ignores and self._powerwall.leased_until:
            self._powerwall.lease(None, now)
        return encoded((TEG, encoded((asked + 1, self._events(now) if asked == EVENTS else b""))))

    def _events(self, now: datetime) -> bytes:
        events: list[tuple[int, bytes]] = []
        if until := self._powerwall.leased_until:
            events.append((1, encoded((1, _spell(int(now.timestamp()), int(until.timestamp()))))))
        if self._trouble.strikes(self.name, "storm"):
            at_s = int(now.timestamp())
            events.append((2, encoded((1, "storm-1"), (2, "Storm Watch"), (3, _spell(at_s - 600, at_s + 7200)))))
        return encoded(*events)

    def _status(self) -> dict[str, object]:
        off_grid = self._trouble.strikes(self.name, "off-grid") is not None
        full_wh = CAPACITY_KWH * 1000
        connected = "ISLAND_GridConnected_Disconnected" if off_grid else "ISLAND_GridConnected_Connected"
        return {
            "control": {
                "systemStatus": {
                    "nominalFullPackEnergyWh": full_wh,
                    "nominalEnergyRemainingWh": full_wh * (self._powerwall.soe_pct * 0.95 + 5) / 100,
                },
                "alerts": {"active": [] if off_grid else ["SystemConnectedToGrid"]},
                "meterAggregates": [{"location": "BATTERY", "realPowerW": self._powerwall.battery_w}],
            },
            "esCan": {"bus": {"ISLANDER": {"ISLAND_GridConnection": {"ISLAND_GridConnected": connected}}}},
        }

    def _missing(self) -> tuple[str, ...]:
        kinds = ("no-mode-field", "no-reserve-field")
        return tuple(kind for kind in kinds if self._trouble.strikes(self.name, kind))

    def _late_s(self, kind: str) -> float:
        if self._trouble.strikes(self.name, "ignores-writes", kind):
            return 1e9
        late = self._trouble.strikes(self.name, "late", kind)
        return (LATE_S if late.amount is None else late.amount) if late else 0.0


def _spell(starts_s: int, ends_s: int) -> bytes:
    return encoded((1, encoded((1, starts_s))), (2, ends_s - starts_s), (3, (1 << 64) - 1))


def _bytes(content: bytes) -> Reply:
    return Reply(200, content, (BYTES,))

"""Protocol buffers on the wire, as much of them as a gateway speaks; strict, and without a schema.

A message is its fields by number, each with its values in order. Source: https://protobuf.dev/programming-guides/encoding/.
"""

import hashlib
import hmac
import json
import ssl
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import trustme

from smartcharge.simulator.faults import ActiveFaults
from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, json_reply
from smartcharge.simulator.powerwall import CAPACITY_KWH, SettingValue, SimulatedPowerwall
from smartcharge.simulator.tesla_cloud import DEFAULT_DELAY_S

FieldValue = int | bytes
ProtobufMessage = dict[int, list[FieldValue]]
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
FIXED_WIDTHS = {FIXED64: 8, FIXED32: 4}
MAX_VARINT_BYTES = 10


class ProtobufDecodeError(ValueError):
    """These bytes are no message."""


def decode_message(raw: bytes) -> ProtobufMessage:
    """Read a message; texts, bytes and messages within it stay bytes. Raises `NotProtobufError`."""
    fields: ProtobufMessage = {}
    place = 0
    while place < len(raw):
        key, place = _read_varint(raw, place)
        number, kind = key >> 3, key & 7
        if number == 0 or kind not in {VARINT, FIXED64, LENGTH, FIXED32}:
            raise ProtobufDecodeError(f"field {number} of kind {kind}")
        value, place = _read_value(raw, place, kind)
        fields.setdefault(number, []).append(value)
    return fields


def encode_message(*fields: tuple[int, FieldValue | str]) -> bytes:
    """Write a message: whole numbers as varints, everything else with its length."""
    return b"".join(_encode_field(number, value) for number, value in fields)


def nested_message(message: ProtobufMessage, *numbers: int) -> ProtobufMessage:
    """The message that lies in a field of a field; an empty one where there is none."""
    for number in numbers:
        message = decode_message(bytes_field(message, number))
    return message


def bytes_field(message: ProtobufMessage, number: int) -> bytes:
    """The last value of a field, as bytes; none where it is missing."""
    found = message.get(number, [b""])[-1]
    if isinstance(found, int):
        raise ProtobufDecodeError(f"field {number} is a number")
    return found


def int_field(message: ProtobufMessage, number: int) -> int:
    """The last value of a field, as a number; 0 where it is missing, as protocol buffers have it."""
    found = message.get(number, [0])[-1]
    if isinstance(found, bytes):
        raise ProtobufDecodeError(f"field {number} is no number")
    return found


def _read_value(raw: bytes, place: int, kind: int) -> tuple[FieldValue, int]:
    if kind == VARINT:
        return _read_varint(raw, place)
    width, place = (FIXED_WIDTHS[kind], place) if kind in FIXED_WIDTHS else _read_varint(raw, place)
    found = raw[place : place + width]
    if len(found) < width:
        raise ProtobufDecodeError("cut off")
    return (int.from_bytes(found, "little") if kind in FIXED_WIDTHS else found), place + width


def _read_varint(raw: bytes, place: int) -> tuple[int, int]:
    value = 0
    for count, byte in enumerate(raw[place : place + MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:  # noqa: PLR2004 - the bit that says there is more
            return value, place + count + 1
    raise ProtobufDecodeError("a number that does not end")


def _encode_field(number: int, value: FieldValue | str) -> bytes:
    if isinstance(value, int):
        return bytes(_encode_varint(number << 3 | VARINT)) + bytes(_encode_varint(value))
    raw = value.encode() if isinstance(value, str) else value
    return bytes(_encode_varint(number << 3 | LENGTH)) + bytes(_encode_varint(len(raw))) + raw


def _encode_varint(value: int) -> Iterator[int]:
    while value > 0x7F:  # noqa: PLR2004 - seven bits a byte
        yield value & 0x7F | 0x80
        value >>= 7
    yield value


SHA512_DIGEST_INFO = bytes.fromhex("3051300d060960864801650304020305000440")
"""How the digest of SHA-512 is named in a signature (RFC 8017, 9.2, note 1)."""
ASN1_INTEGER = 2


def create_owner_key(path: Path) -> bytes:
    """Write a new private key, as `python -m pypowerwall register` does; returns what a gateway registers of it."""
    owner = trustme.CA().issue_cert("owner.example", key_type=trustme.KeyType.RSA)
    owner.private_key_pem.write_to_path(str(path))
    path.chmod(0o600)
    return ssl.PEM_cert_to_DER_cert(owner.cert_chain_pems[0].bytes().decode())


def is_signature_valid(content: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether the holder of the private half of this key (DER, PKCS #1) has signed."""
    modulus, exponent = _rsa_numbers(public_key)
    length = (modulus.bit_length() + 7) // 8
    found = pow(int.from_bytes(signature, "big"), exponent, modulus).to_bytes(length, "big")
    digest = SHA512_DIGEST_INFO + hashlib.sha512(content).digest()
    wanted = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
    return hmac.compare_digest(found, wanted)


def _rsa_numbers(public_key: bytes) -> tuple[int, int]:
    """Modulus and exponent: a sequence of two integers."""
    _, rest, _ = _read_asn1_element(public_key)
    _, modulus, rest = _read_asn1_element(rest)
    kind, exponent, _ = _read_asn1_element(rest)
    if kind != ASN1_INTEGER:
        raise ValueError("not an RSA public key")
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _read_asn1_element(raw: bytes) -> tuple[int, bytes, bytes]:
    """The kind of the first element, what it holds, and what comes after it."""
    length, place = raw[1], 2
    if length & 0x80:
        place += length & 0x7F
        length = int.from_bytes(raw[2:place], "big")
    return raw[0], raw[place : place + length], raw[place + length :]


GATEWAY_MODES = ("autonomous", "backup", "self_consumption")
RESERVE_OFFSET_PCT, RESERVE_SCALE = 5, 0.95
"""The file counts the reserve from the bottom of the battery, of which the app never speaks."""


def encode_gateway_config(powerwall: SimulatedPowerwall, din: str, skew_pct: float, missing: tuple[str, ...]) -> bytes:
    """Write the file as it stands. missing: names of the faults that leave something out."""
    site: dict[str, object] = {
        "site_name": "Home",
        "timezone": "Europe/London",
        "backup_reserve_percent": (powerwall.reserve_pct + skew_pct) * RESERVE_SCALE + RESERVE_OFFSET_PCT,
        "disallow_charge_from_grid_with_solar_installed": not powerwall.grid_charging,
        "battery_commission_date": "2025-03-01",
    }
    config: dict[str, object] = {"vin": din, "default_real_mode": powerwall.mode, "site_info": site, "meters": []}
    if "no-mode-field" in missing:
        del config["default_real_mode"]
    if "no-reserve-field" in missing:
        del site["backup_reserve_percent"]
    return json.dumps(config, sort_keys=True).encode()


def changed_settings(before: bytes, after: bytes) -> list[tuple[str, SettingValue]] | None:
    """What a client changed in the file; None where it changed what it may not, or made nonsense of it."""
    old, new = json.loads(before), json.loads(after)
    if not isinstance(new, dict) or _read_only_part(old) != _read_only_part(new):
        return None
    changes: list[tuple[str, SettingValue]] = []
    mode, raw_pct = new.get("default_real_mode"), new["site_info"].get("backup_reserve_percent")
    if mode not in GATEWAY_MODES or not isinstance(raw_pct, int | float) or not RESERVE_OFFSET_PCT <= raw_pct <= 100:  # noqa: PLR2004
        return None
    if mode != old.get("default_real_mode"):
        changes.append(("mode", mode))
    if raw_pct != old["site_info"].get("backup_reserve_percent"):
        changes.append(("reserve", round((raw_pct - RESERVE_OFFSET_PCT) / RESERVE_SCALE)))
    return changes


def _read_only_part(config: dict[str, Any]) -> dict[str, Any]:
    """The file without what may be changed."""
    rest = deepcopy(config)
    rest.pop("default_real_mode", None)
    rest.get("site_info", {}).pop("backup_reserve_percent", None)
    return rest


GATEWAY_DIN = "1707000-11-J--TG0000000000G3"
GATEWAY_TOKEN = "pretend-gateway-token"  # noqa: S105 - opens nothing outside the simulator
BINARY_HEADER = ("Content-Type", "application/octet-stream")
ENERGY_DEVICE = 7
UNKNOWN_KEY, INVALID_SIGNATURE, WRONG_PERSONALIZATION = 3, 5, 12
TEG, FILESTORE, QUERY = 5, 15, 16
FILE_READ, FILE_READ_REPLY, FILE_UPDATE, FILE_UPDATE_REPLY = 1, 2, 5, 6
SCHEDULE_EVENT, CANCEL_EVENT, LIST_EVENTS = 45, 47, 49
"""Questions; each answer has the number after it."""
NOT_SUPPORTED_REPLY = encode_message(
    (4, encode_message((1, encode_message((1, encode_message((1, 12), (2, "unimplemented")))))))
)
SIGNATURE_LIFETIME_S = 12
"""How long the library lets a signature live, from the second after its making: so it tells the client's clock."""
EVENT_OPERATION_NAMES = {SCHEDULE_EVENT: "schedule", CANCEL_EVENT: "cancel", LIST_EVENTS: "events"}


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """A signed message: its content, and the second from which on it is worth nothing."""

    content: bytes
    expires_s: int


class TeslaGateway:
    """One gateway with its battery.

    registered: what it knows of the owner's key.  skew_pct: by how much it shows a reserve too high.
    """

    name = "tesla"

    def __init__(self, house: SimulatedHouse, powerwall: SimulatedPowerwall, active_faults: ActiveFaults) -> None:
        self.registered = b""
        self.skew_pct = 0.0
        self._house = house
        self._powerwall = powerwall
        self._active_faults = active_faults

    def operation(self, request: HttpRequest) -> str:
        """What is asked: login, din, config, write, status, schedule, cancel or events."""
        if not request.path.startswith("/tedapi/v1r"):
            return request.path.rpartition("/")[2].replace("Basic", "login")
        try:
            envelope = decode_message(bytes_field(decode_message(request.body), 10))
            if TEG in envelope:
                return EVENT_OPERATION_NAMES.get(min(nested_message(envelope, TEG), default=0), "unknown")
            if FILESTORE in envelope:
                return "write" if FILE_UPDATE in nested_message(envelope, FILESTORE) else "config"
        except ProtobufDecodeError:
            return "unreadable"
        return "status" if QUERY in envelope else "unknown"

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve one request."""
        self._powerwall.settle(now)
        match request.method, request.path:
            case "POST", "/api/login/Basic":
                return self._login(request)
            case "GET", "/tedapi/din":
                known = request.headers.get("authorization") == f"Bearer {GATEWAY_TOKEN}"
                return HttpReply(200, GATEWAY_DIN.encode()) if known else HttpReply(403)
            case "POST", "/tedapi/v1r":
                return self._handle_signed(request, now)
        return HttpReply(404)

    def _login(self, request: HttpRequest) -> HttpReply:
        given = request.fields()
        if (given.get("username"), given.get("password")) != ("customer", self._house.gateway_password[-5:]):
            return json_reply({"code": 401, "error": "bad credentials"}, 401)
        return json_reply({"token": GATEWAY_TOKEN})

    def _handle_signed(self, request: HttpRequest, now: datetime) -> HttpReply:
        try:
            message = self._verify_message(decode_message(request.body))
            if isinstance(message, int):
                return _binary_reply(encode_message((12, encode_message((1, message)))))
            if self._active_faults.trigger(self.name, "key-pending"):
                return _binary_reply(encode_message((10, "v1r: client authorization not verified")))
            return _binary_reply(encode_message((10, self._execute_message(message, now))))
        except (ProtobufDecodeError, ValueError):
            return HttpReply(400)

    def _verify_message(self, routable: dict[int, list[int | bytes]]) -> SignedMessage | int:
        """The message that was signed, or the number of what is wrong with it."""
        content, signature_data = bytes_field(routable, 10), nested_message(routable, 13)
        public_key, rsa = bytes_field(nested_message(signature_data, 1), 1), nested_message(signature_data, 7)
        if not public_key or public_key not in self.registered or self._active_faults.trigger(self.name, "key-unknown"):
            return UNKNOWN_KEY
        if int_field(nested_message(routable, 6), 1) != ENERGY_DEVICE or not bytes_field(routable, 51):
            return WRONG_PERSONALIZATION
        expires_s = int_field(rsa, 1)
        parts = ((0, b"\7"), (1, b"\7"), (2, GATEWAY_DIN.encode()), (4, expires_s.to_bytes(4, "big")))
        named = b"".join(bytes([tag, len(value)]) + value for tag, value in parts)
        if not is_signature_valid(named + b"\xff" + content, bytes_field(rsa, 2), public_key):
            return INVALID_SIGNATURE
        return SignedMessage(content, expires_s)

    def _execute_message(self, message: SignedMessage, now: datetime) -> bytes:
        envelope = decode_message(message.content)
        if bytes_field(nested_message(envelope, 3), 1).decode() != GATEWAY_DIN:
            return NOT_SUPPORTED_REPLY
        if FILESTORE in envelope:
            return self._file(nested_message(envelope, FILESTORE), now)
        if QUERY in envelope:
            return encode_message((QUERY, encode_message((2, encode_message((1, 1), (2, json.dumps(self._status())))))))
        return self._event(nested_message(envelope, TEG), message, now)

    def _file(self, request: dict[int, list[int | bytes]], now: datetime) -> bytes:
        blob = encode_gateway_config(self._powerwall, GATEWAY_DIN, self.skew_pct, self._missing())
        seal = hashlib.sha256(blob).digest()
        if FILE_READ in request:
            answer = encode_message((1, encode_message((1, "config.json"), (100, blob))), (2, seal))
            return encode_message((FILESTORE, encode_message((FILE_READ_REPLY, answer))))
        update = nested_message(request, FILE_UPDATE)
        changes = changed_settings(blob, bytes_field(nested_message(update, 2), 100))
        if bytes_field(update, 3) != seal or changes is None or self._active_faults.trigger(self.name, "error-body"):
            return NOT_SUPPORTED_REPLY
        for kind, value in changes:
            self._powerwall.command(kind, value, now, self._delay_s(kind))
        return encode_message((FILESTORE, encode_message((FILE_UPDATE_REPLY, encode_message((2, seal))))))

    def _event(self, teg: dict[int, list[int | bytes]], message: SignedMessage, now: datetime) -> bytes:
        request = min(teg, default=0)
        if request not in EVENT_OPERATION_NAMES or self._active_faults.trigger(self.name, "no-timed-holds"):
            return NOT_SUPPORTED_REPLY
        ignores = self._active_faults.trigger(self.name, "ignores-writes", "timed-hold") is not None
        if request == SCHEDULE_EVENT and not ignores:
            times = nested_message(teg, SCHEDULE_EVENT, 1)
            signing_delay_s = message.expires_s - SIGNATURE_LIFETIME_S - int_field(nested_message(times, 1), 1)
            begun_s = int(now.timestamp()) - signing_delay_s
            self._powerwall.start_timed_hold(datetime.fromtimestamp(begun_s + int_field(times, 2), now.tzinfo), now)
        elif request == CANCEL_EVENT and not ignores and self._powerwall.timed_hold_until:
            self._powerwall.start_timed_hold(None, now)
        return encode_message(
            (TEG, encode_message((request + 1, self._events(now) if request == LIST_EVENTS else b"")))
        )

    def _events(self, now: datetime) -> bytes:
        events: list[tuple[int, bytes]] = []
        if until := self._powerwall.timed_hold_until:
            events.append((1, encode_message((1, _encode_event_span(int(now.timestamp()), int(until.timestamp()))))))
        if self._active_faults.trigger(self.name, "storm"):
            at_s = int(now.timestamp())
            events.append(
                (
                    2,
                    encode_message(
                        (1, "storm-1"), (2, "Storm Watch"), (3, _encode_event_span(at_s - 600, at_s + 7200))
                    ),
                )
            )
        return encode_message(*events)

    def _status(self) -> dict[str, object]:
        off_grid = self._active_faults.trigger(self.name, "off-grid") is not None
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
        return tuple(kind for kind in kinds if self._active_faults.trigger(self.name, kind))

    def _delay_s(self, kind: str) -> float:
        if self._active_faults.trigger(self.name, "ignores-writes", kind):
            return 1e9
        late = self._active_faults.trigger(self.name, "late", kind)
        return (DEFAULT_DELAY_S if late.amount is None else late.amount) if late else 0.0


def _encode_event_span(starts_s: int, ends_s: int) -> bytes:
    return encode_message((1, encode_message((1, starts_s))), (2, ends_s - starts_s), (3, (1 << 64) - 1))


def _binary_reply(content: bytes) -> HttpReply:
    return HttpReply(200, content, (BINARY_HEADER,))

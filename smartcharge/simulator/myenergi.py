"""HTTP Digest as the charger's cloud speaks it: MD5, qop auth (RFC 7616)."""

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartcharge.simulator.faults import ActiveFaults
from smartcharge.simulator.house import SimulatedHouse
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, json_reply

DIGEST_REALM = "MyEnergi Telemetry"
DIGEST_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class DigestAuth:
    """Lets in who proves to know the password; each host hands out a nonce of its own."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password
        self._nonces: dict[str, str] = {}

    def is_authorised(self, request: HttpRequest) -> bool:
        """Whether the request carries a valid response to this host's challenge."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        credentials = {name: quoted or bare for name, quoted, bare in DIGEST_FIELD.findall(text)}
        if scheme.lower() != "digest" or credentials.get("nonce") != self._nonces.get(request.host):
            return False
        target = f"{request.path}?{request.query}" if request.query else request.path
        secret = _md5_hex(f"{self._user}:{DIGEST_REALM}:{self._password}")
        parts = (
            secret,
            credentials["nonce"],
            credentials.get("nc"),
            credentials.get("cnonce"),
            "auth",
            _md5_hex(f"{request.method}:{target}"),
        )
        expected = _md5_hex(":".join(map(str, parts)))
        return (credentials.get("username"), credentials.get("response")) == (self._user, expected)

    def challenge(self, host: str) -> HttpReply:
        """Answer 401 with the host's nonce."""
        nonce = self._nonces.setdefault(host, secrets.token_hex(16))
        text = f'Digest realm="{DIGEST_REALM}", qop="auth", nonce="{nonce}", opaque="{secrets.token_hex(8)}", algorithm="MD5"'  # noqa: E501
        return HttpReply(401, headers=(("WWW-Authenticate", text),))


def _md5_hex(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


IDLE_GRID_W = 480

STA_BY_PILOT_STATE = {"A": 1, "B1": 1, "B2": 1, "C1": 1, "C2": 3, "F": 0}
"""`sta` for a pilot state, as a healthy charger shows it: 1 paused, 3 diverting, 0 starting."""

ZSH_BY_PILOT_STATE = {"A": 1, "B1": 5, "B2": 9, "C1": 3, "C2": 12, "F": 21}
"""`zsh` for a pilot state: 1 disconnected, 5 waiting, 9 delayed by the car, 12 charging, 21 fault."""

CONSTANT_FIELDS: dict[str, object] = {
    "pwm": 5300,
    "lck": 16,
    "vol": 2412,
    "frq": 50.01,
    "pha": 1,
    "pri": 1,
    "cmt": 254,
    "bsm": 0,
    "bst": 0,
    "bss": 0,
    "mgl": 50,
    "fwv": "3562S5.782",
}
"""What a record says whatever the car does."""


@dataclass(slots=True)
class SimulatedZappi:
    """A charger; may be changed at any time by a test or a scenario.

    watts: power into the car.  pst: control pilot state (IEC 61851 letter and offer).
    lag_s: age of its stamps at the cloud.  silent_since: it has sent nothing since then; None while it sends.
    changes: raw record keys replaced.  without: raw record keys left out.
    """

    serial: int
    watts: int = 0
    pst: str = "A"
    lag_s: float = 3
    silent_since: datetime | None = None
    session_kwh: float = 0.0
    changes: dict[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    def advance(self, elapsed: timedelta) -> None:
        """Let time pass: energy goes into the car, and a car that leaves takes its session along."""
        self.session_kwh = 0.0 if self.pst == "A" else self.session_kwh + self.watts * elapsed.total_seconds() / 3.6e6

    def record(self, now: datetime, extra_age_s: float = 0.0) -> dict[str, object]:
        """The charger's entry in `/cgi-jstatus-Z`; stamps in UTC."""
        stamp = (self.silent_since or now) - timedelta(seconds=self.lag_s + extra_age_s)
        record_fields: dict[str, object] = {
            "deviceClass": "ZAPPI",
            "sno": self.serial,
            "dat": f"{stamp:%d-%m-%Y}",
            "tim": f"{stamp:%H:%M:%S}",
            "dst": 0,
            "tz": 0,
            "ectt1": "Internal Load",
            "ectp1": self.watts,
            "ectt2": "Grid",
            "ectp2": self.watts + IDLE_GRID_W,
            "ectt3": "None",
            "ectp3": 0,
            "ectt4": "None",
            "ectt5": "None",
            "ectt6": "None",
            "div": self.watts,
            "gen": 0,
            "grd": self.watts + IDLE_GRID_W,
            "pst": self.pst,
            "sta": STA_BY_PILOT_STATE.get(self.pst, 1),
            "zsh": ZSH_BY_PILOT_STATE.get(self.pst, 1),
            "zmo": 1,
            "che": round(self.session_kwh, 2),
        }
        return {
            key: value
            for key, value in (CONSTANT_FIELDS | record_fields | self.changes).items()
            if key not in self.without
        }


DIRECTOR_HOST = "director.myenergi.net"
MYENERGI_HOSTS = (DIRECTOR_HOST, "s18.myenergi.net", "s99.myenergi.net")
ASN_HEADER = "X_MYENERGI-asn"
STALE_AGE_S = 900.0

WRITE_PATHS = (
    "/cgi-zappi-mode-",
    "/cgi-set-min-green-",
    "/cgi-zappi-phase-setting-",
    "/cgi-set-priority-",
    "/cgi-jlock-",
)
"""Paths that change the charger, plain GETs all of them. Source: https://github.com/twonk/MyEnergi-App-Api"""


class MyenergiServer:
    """Both hosts. `asn` is the active server; a move is told by every answer's header.

    zappis: the chargers of the account.  writes: paths that would have changed one; ought to stay empty.
    """

    name = "myenergi"

    def __init__(self, house: SimulatedHouse, active_faults: ActiveFaults) -> None:
        self.asn = "s18.myenergi.net"
        self.zappis = [SimulatedZappi(house.zappi_serial)]
        self.writes: list[str] = []
        self._house = house
        self._active_faults = active_faults
        self._digest_auth = DigestAuth(house.hub_serial, house.hub_key)

    def operation(self, request: HttpRequest) -> str:
        """The CGI's name, `director` in front where the director is asked."""
        return ("director " if request.host == DIRECTOR_HOST else "") + request.path.lstrip("/")

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Serve one GET behind Digest; every answer names the active server."""
        return self.signed(
            self._serve_authorised(request, now)
            if self._digest_auth.is_authorised(request)
            else self._digest_auth.challenge(request.host)
        )

    def signed(self, reply: HttpReply) -> HttpReply:
        """Add the header that names the active server."""
        if self._active_faults.trigger(self.name, "no-asn"):
            return reply
        return HttpReply(reply.status, reply.body, (*reply.headers, (ASN_HEADER, self.asn)), reply.delivery)

    def _serve_authorised(self, request: HttpRequest, now: datetime) -> HttpReply:
        path = request.path
        if path.startswith(WRITE_PATHS) or (path.startswith("/cgi-boost-time-") and path.count("-") > 3):  # noqa: PLR2004
            self.writes.append(path)
            return json_reply({"status": 0, "statustext": ""})
        if self._active_faults.trigger(self.name, "status-object", path):
            return json_reply({"status": -26, "statustext": ""})
        if path == "/cgi-get-app-key-":
            names = [{"key": f"Z{each.serial}", "val": f"Zappi {place}"} for place, each in enumerate(self.zappis, 1)]
            return json_reply({f"H{self._house.hub_serial}": [{"key": "siteName", "val": "Home"}, *names]})
        if path.startswith("/cgi-boost-time-Z"):
            return json_reply({"boost_times": []})
        if path.startswith("/cgi-jstatus-"):
            return json_reply(self._status(path.removeprefix("/cgi-jstatus-"), now))
        return json_reply({"status": -14, "statustext": ""})

    def _status(self, kind: str, now: datetime) -> object:
        if kind == "*":
            trailer = {"asn": self.asn, "fwv": "3402S5.782", "vhub": 1}
            return [{"eddi": []}, {"zappi": self._records(now, "")}, {"harvi": []}, {"libbi": []}, trailer]
        if kind.startswith("Z"):
            return {"zappi": self._records(now, kind[1:])}
        return {{"E": "eddi", "H": "harvi", "L": "libbi"}.get(kind[:1], "status"): []}

    def _records(self, now: datetime, serial: str) -> list[dict[str, object]]:
        if self._active_faults.trigger(self.name, "no-zappi"):
            return []
        stale = self._active_faults.trigger(self.name, "stale")
        age_s = (STALE_AGE_S if stale.amount is None else stale.amount) if stale else 0.0
        return [each.record(now, age_s) for each in self.zappis if serial in ("", str(each.serial))]

"""The charger maker's cloud: a director that names the active server, and the server behind it."""

from datetime import datetime

from smartcharge.world.digest import DigestGuard
from smartcharge.world.faults import Trouble
from smartcharge.world.house import House
from smartcharge.world.wire import Asked, Reply, json_reply
from smartcharge.world.zappi import Zappi

DIRECTOR = "director.myenergi.net"
HOSTS = (DIRECTOR, "s18.myenergi.net", "s99.myenergi.net")
ASN = "X_MYENERGI-asn"
STALE_S = 900.0

WRITES = (
    "/cgi-zappi-mode-",
    "/cgi-set-min-green-",
    "/cgi-zappi-phase-setting-",
    "/cgi-set-priority-",
    "/cgi-jlock-",
)
"""Paths that change the charger, plain GETs all of them. Source: https://github.com/twonk/MyEnergi-App-Api"""


class Myenergi:
    """Both hosts. `asn` is the active server; a move is told by every answer's header.

    zappis: the chargers of the account.  writes: paths that would have changed one; ought to stay empty.
    """

    name = "myenergi"

    def __init__(self, house: House, trouble: Trouble) -> None:
        self.asn = "s18.myenergi.net"
        self.zappis = [Zappi(house.zappi_serial)]
        self.writes: list[str] = []
        self._house = house
        self._trouble = trouble
        self._guard = DigestGuard(house.hub_serial, house.hub_key)

    def operation(self, asked: Asked) -> str:
        """The CGI's name, `director` in front where the director is asked."""
        return ("director " if asked.host == DIRECTOR else "") + asked.path.lstrip("/")

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Serve one GET behind Digest; every answer names the active server."""
        return self.signed(self._inside(asked, now) if self._guard.admits(asked) else self._guard.challenge(asked.host))

    def signed(self, reply: Reply) -> Reply:
        """Add the header that names the active server."""
        if self._trouble.strikes(self.name, "no-asn"):
            return reply
        return Reply(reply.status, reply.body, (*reply.headers, (ASN, self.asn)), reply.manner)

    def _inside(self, asked: Asked, now: datetime) -> Reply:
        path = asked.path
        if path.startswith(WRITES) or (path.startswith("/cgi-boost-time-") and path.count("-") > 3):  # noqa: PLR2004
            self.writes.append(path)
            return json_reply({"status": 0, "statustext": ""})
        if self._trouble.strikes(self.name, "status-object", path):
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
        if self._trouble.strikes(self.name, "no-zappi"):
            return []
        stale = self._trouble.strikes(self.name, "stale")
        age_s = (STALE_S if stale.amount is None else stale.amount) if stale else 0.0
        return [each.record(now, age_s) for each in self.zappis if serial in ("", str(each.serial))]

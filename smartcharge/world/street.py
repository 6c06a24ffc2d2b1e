"""The street itself: every pretend vendor behind one door, on loopback, in one background thread.

Clients are the unmodified vendor libraries; what leads them here is `Street.environment`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_bytes
from types import TracebackType
from typing import Protocol, Self, Unpack

from smartcharge.world import eon_sign_in, fleet, gateway, kraken, myenergi, tesla, tesla_sign_in
from smartcharge.world.faults import ANY_WIRE, Details, Trouble, fault, spoilt
from smartcharge.world.front import Answer, FrontDoor
from smartcharge.world.house import HOUSE, House
from smartcharge.world.kraken_account import Device, KrakenAccount
from smartcharge.world.loopback import LOOPBACK, Loopback, trusted_context
from smartcharge.world.post import PostOffice
from smartcharge.world.powerwall import Powerwall
from smartcharge.world.signatures import make_key
from smartcharge.world.stage import furnish, set_scene
from smartcharge.world.story import Story
from smartcharge.world.visits import Mail, Request
from smartcharge.world.ways_to_tesla import GATEWAY_KEY, write_cloud_file, write_fleet_file
from smartcharge.world.wire import Asked, Manner, Reply

FIRST_MOMENT = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)

UNSET = (
    *("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "https_proxy"),
    *("SSL_CERT_DIR", "CURL_CA_BUNDLE"),
)


class Vendor(Protocol):
    """One pretend service behind the front door."""

    name: str

    def operation(self, asked: Asked) -> str:
        """Say in the service's own words what is asked."""

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Carry a request out at a moment of the street's time."""


class Street:
    """The outside world; a context manager that serves between entering and leaving.

    environment, unset: variables a client needs, and those it must not have.
    requests, mails, refused: who came; what was posted; hosts asked for that are not in this street.
    """

    def __init__(self, folder: Path, *, story: Story | None = None, house: House = HOUSE) -> None:
        self.house = house
        self.trouble = Trouble()
        self.requests: list[Request] = []
        id_key = token_bytes(32)
        self.account = KrakenAccount(house, id_key, (Device(house.device_id),))
        self.kraken = kraken.Kraken(self.account, self.trouble)
        self.kraken_auth = eon_sign_in.EonSignIn(id_key, self.trouble)
        self.myenergi = myenergi.Myenergi(house, self.trouble)
        self.tesla_auth = tesla_sign_in.TeslaSignIn(house, self.trouble)
        self.tesla = tesla.TeslaCloud(house, self.tesla_auth, self.trouble)
        self.fleet = fleet.FleetApi(self.tesla, self.tesla_auth)
        self.gateway = gateway.Gateway(house, self.tesla.sites[0].powerwall, self.trouble)
        self.post = PostOffice(house, self.trouble, lambda: self.now, self._note_mail)
        self.now = story.starts_at if story else FIRST_MOMENT
        self._story = story
        self._home = self.tesla.sites[0]
        if story:
            furnish(story, self.myenergi, self.tesla)
        self._lock = threading.RLock()
        self._ca_file = folder / "ca.pem"
        answers = self._answers()
        tls = trusted_context(tuple(answers), self._ca_file)
        self.door = FrontDoor(tls, answers)
        self._loopback = Loopback(self.door, self.post, tls)

    def _answers(self) -> dict[str, Answer]:
        homes: dict[str, Vendor] = dict.fromkeys(kraken.HOSTS, self.kraken)
        homes |= dict.fromkeys(myenergi.HOSTS, self.myenergi)
        homes |= dict.fromkeys(fleet.HOSTS, self.fleet)
        homes[self.house.gateway_host] = self.gateway
        homes |= {eon_sign_in.HOST: self.kraken_auth, tesla.HOST: self.tesla, tesla_sign_in.HOST: self.tesla_auth}
        return {host: self._answering(vendor) for host, vendor in homes.items()}

    def _answering(self, vendor: Vendor) -> Answer:
        def answer(asked: Asked) -> Reply:
            with self._lock:
                operation = vendor.operation(asked)
                reply = self._reply(vendor, asked, f"{asked.method} {asked.path} {operation}")
                status = 0 if reply.manner in (Manner.HANG, Manner.DROP) else reply.status
                self.requests.append(
                    Request(self.now, vendor.name, asked.method, asked.path, operation, status, asked.host)
                )
                return reply

        return answer

    def _reply(self, vendor: Vendor, asked: Asked, about: str) -> Reply:
        struck = self.trouble.strikes(vendor.name, ANY_WIRE, about)
        if struck is None:
            return vendor.answer(asked, self.now)
        carried_out = struck.after or struck.kind == "drip"
        reply = spoilt(struck, vendor.answer(asked, self.now) if carried_out else None)
        return self.myenergi.signed(reply) if vendor is self.myenergi else reply

    def _note_mail(self, verb: str, whom: str, status: int) -> None:
        self.requests.append(Request(self.now, "mail", "SMTP", whom, verb, status))

    # -- opening and closing ------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start serving."""
        self._loopback.start()
        self.set_time(self.now)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut every conversation and stop."""
        self._loopback.stop()

    # -- what a client needs --------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead requests, httpx and smtplib into this street."""
        proxy = f"http://{LOOPBACK}:{self._loopback.proxy_port}"
        return {
            "HTTPS_PROXY": proxy,
            "SSL_CERT_FILE": str(self._ca_file),
            "REQUESTS_CA_BUNDLE": str(self._ca_file),
        }

    @property
    def unset(self) -> tuple[str, ...]:
        """Variables that would lead a client astray."""
        return UNSET

    @property
    def smtp_host(self) -> str:
        """The post office's name."""
        return "localhost"

    @property
    def smtp_port(self) -> int:
        """The post office's port."""
        return self._loopback.smtp_port

    def sign_in_to_tesla(self, folder: Path, backend: str) -> Path:
        """Leave in a folder what the owner's sign-in leaves there for one way to the battery; returns the file."""
        if backend == "v1r":
            return self.write_gateway_key(folder)
        return self.write_fleet_tokens(folder) if backend == "fleetapi" else self.write_tesla_tokens(folder)

    def write_tesla_tokens(self, folder: Path, email: str | None = None) -> Path:
        """Write `.pypowerwall.auth`, 0600, and return its path."""
        return write_cloud_file(folder, email or self.house.tesla_email, self.tesla_auth.issue(self.now))

    def write_fleet_tokens(self, folder: Path, host: str = fleet.EUROPE) -> Path:
        """Write `.pypowerwall.fleetapi` for a server of the Fleet API, 0600, and return its path."""
        tokens = self.tesla_auth.issue(self.now, self.house.fleet_client_id)
        return write_fleet_file(folder, self.house, tokens, host)

    def write_gateway_key(self, folder: Path) -> Path:
        """Make a private key that the gateway knows and has seen proven, and return its path."""
        self.gateway.registered = make_key(folder / GATEWAY_KEY)
        return folder / GATEWAY_KEY

    # -- time, troubles and what came of it ---------------------------------------------------------

    def set_time(self, moment: datetime) -> None:
        """Let the street's time be this; energy flows for what has passed, and the story sets its scene."""
        with self._lock:
            elapsed = moment - self.now
            self.now = moment
            car_w = sum(each.watts for each in self.myenergi.zappis if each.silent_since is None)
            for zappi in self.myenergi.zappis:
                zappi.advance(elapsed)
            for site in self.tesla.sites:
                site.powerwall.advance(moment, elapsed, car_w if site is self._home else 0)
            if self._story:
                set_scene(self._story, moment, self.account, self.myenergi, self.trouble)

    @contextmanager
    def fault(self, service: str, kind: str, **details: Unpack[Details]) -> Iterator[None]:
        """Switch a fault on for a while; UnknownFaultError where there is no such one."""
        named = fault(service, kind, **details)
        self.trouble.switch_on(named)
        try:
            yield
        finally:
            self.trouble.switch_off(named)

    @property
    def powerwall(self) -> Powerwall:
        """The house's own battery."""
        return self._home.powerwall

    @property
    def mails(self) -> list[Mail]:
        """Mails accepted so far."""
        return self.post.mails

    @property
    def refused(self) -> list[str]:
        """Hosts asked for that are not in this street."""
        return self.door.refused

    @property
    def writes_to_zappi(self) -> list[str]:
        """Paths asked for that would have changed a charger."""
        return self.myenergi.writes

    def count(self, service: str, fits: Callable[[Request], bool] = lambda _request: True) -> int:
        """How many requests a service has had, of those that fit."""
        return sum(request.service == service and fits(request) for request in self.requests)

"""Sets the simulator's scene for a moment of a scenario."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from secrets import token_bytes
from types import TracebackType
from typing import Protocol, Self, Unpack

from smartcharge.simulator.eon_auth import EON_AUTH_HOST, EonAuthServer
from smartcharge.simulator.faults import ANY_HTTP_FAULT, ActiveFaults, FaultOptions, make_fault, make_faulty_reply
from smartcharge.simulator.house import DEFAULT_HOUSE, SimulatedHouse
from smartcharge.simulator.http_messages import Delivery, HttpReply, HttpRequest
from smartcharge.simulator.kraken import KRAKEN_HOSTS, KrakenServer
from smartcharge.simulator.kraken_account import DispatchItem, SimulatedAccount, SimulatedDevice
from smartcharge.simulator.myenergi import MYENERGI_HOSTS, MyenergiServer, SimulatedZappi
from smartcharge.simulator.powerwall import SimulatedPowerwall
from smartcharge.simulator.scenario import CarState, Scenario
from smartcharge.simulator.servers import (
    LOOPBACK_ADDRESS,
    MailServer,
    ProxyServer,
    ReceivedMail,
    ReceivedRequest,
    RequestHandler,
    ServerThread,
    create_tls_context,
)
from smartcharge.simulator.tesla_backends import GATEWAY_KEY_FILE, write_cloud_token_file, write_fleet_token_file
from smartcharge.simulator.tesla_cloud import (
    FLEET_HOST_EUROPE,
    FLEET_HOSTS,
    OWNER_API_HOST,
    TESLA_AUTH_HOST,
    TeslaAuthServer,
    TeslaFleetApi,
    TeslaOwnerApi,
    commanded_value,
)
from smartcharge.simulator.tesla_gateway import TeslaGateway, create_owner_key


def apply_initial_state(scenario: Scenario, myenergi: MyenergiServer, tesla: TeslaOwnerApi) -> None:
    """Put up what stands from the scenario's start: chargers, battery, further sites."""
    if scenario.cars:
        myenergi.zappis = [SimulatedZappi(serial) for serial in scenario.cars]
    start = scenario.powerwall
    battery = tesla.sites[0].powerwall
    battery.mode, battery.reserve_pct, battery.soe_pct = start.mode, start.reserve_pct, start.soe_pct
    battery.delay_s, battery.visible_after_reads = start.delay_s, start.visible_after_reads
    battery.has_rate_plan = start.has_rate_plan
    tesla.has_solar = start.solar
    if start.second_site:
        tesla.add_site()


def apply_scenario_state(
    scenario: Scenario,
    moment: datetime,
    account: SimulatedAccount,
    myenergi: MyenergiServer,
    active_faults: ActiveFaults,
) -> None:
    """Let everything be as the scenario has it at a moment."""
    if (devices := scenario.devices.at(moment)) is not None:
        account.devices = devices
    account.plans = _plans_by_device(scenario, moment, account.devices)
    account.completed = list(scenario.completed.at(moment) or ())
    for zappi in myenergi.zappis:
        timeline = scenario.cars.get(zappi.serial)
        if timeline and (car := timeline.at(moment)):
            _apply_car_state(zappi, car, timeline.since(moment))
    active_faults.set_scenario_faults(
        period.fault for period in scenario.fault_periods if period.starts_at <= moment < period.ends_at
    )


def _plans_by_device(
    scenario: Scenario, moment: datetime, devices: tuple[SimulatedDevice, ...]
) -> dict[str, list[DispatchItem | None] | None]:
    plans: dict[str, list[DispatchItem | None] | None] = {device.device_id: [] for device in devices}
    for planned in scenario.plan.at(moment) or ():
        listed = plans.setdefault(planned.device_id, [])
        if listed is not None:
            listed.append(planned.item)
    return plans


def _apply_car_state(zappi: SimulatedZappi, car: CarState, since: datetime | None) -> None:
    zappi.silent_since = since if car.silent else None
    if not car.silent:
        zappi.watts, zappi.pst = car.watts, car.pst
        zappi.changes, zappi.without = dict(car.changes), car.without


DEFAULT_START = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)

UNSET_VARIABLES = (
    *("NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy", "https_proxy"),
    *("SSL_CERT_DIR", "CURL_CA_BUNDLE"),
)


class SimulatedHost(Protocol):
    """One pretend service behind the proxy."""

    name: str

    def operation(self, request: HttpRequest) -> str:
        """Say in the service's own words what is asked."""

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Carry a request out at a moment of the simulator's time."""


class Simulator:
    """The outside world; a context manager that serves between entering and leaving.

    environment, unset: variables a client needs, and those it must not have.
    requests, mails, refused: who came; what was posted; hosts asked for that are not in this simulator.
    config_file: the configuration written for this simulator, None until `write_simulator_config` has written one.
    """

    def __init__(
        self, folder: Path, *, scenario: Scenario | None = None, house: SimulatedHouse = DEFAULT_HOUSE
    ) -> None:
        self.house = house
        self.active_faults = ActiveFaults()
        self.requests: list[ReceivedRequest] = []
        self.config_file: Path | None = None
        id_key = token_bytes(32)
        self.account = SimulatedAccount(house, id_key, (SimulatedDevice(house.device_id),))
        self.kraken = KrakenServer(self.account, self.active_faults)
        self.kraken_auth = EonAuthServer(id_key, self.active_faults)
        self.myenergi = MyenergiServer(house, self.active_faults)
        self.tesla_auth = TeslaAuthServer(house, self.active_faults)
        self.tesla = TeslaOwnerApi(house, self.tesla_auth, self.active_faults)
        self.fleet = TeslaFleetApi(self.tesla, self.tesla_auth)
        self.gateway = TeslaGateway(house, self.tesla.sites[0].powerwall, self.active_faults)
        self.post = MailServer(house, self.active_faults, lambda: self.now, self._note_mail)
        self.now = scenario.starts_at if scenario else DEFAULT_START
        self._scenario = scenario
        self._main_site = self.tesla.sites[0]
        if scenario:
            apply_initial_state(scenario, self.myenergi, self.tesla)
        self._lock = threading.RLock()
        self._ca_file = folder / "ca.pem"
        answers = self._answers()
        tls = create_tls_context(tuple(answers), self._ca_file)
        self.proxy_server = ProxyServer(tls, answers)
        self._loopback = ServerThread(self.proxy_server, self.post, tls)

    def _answers(self) -> dict[str, RequestHandler]:
        services: dict[str, SimulatedHost] = dict.fromkeys(KRAKEN_HOSTS, self.kraken)
        services |= dict.fromkeys(MYENERGI_HOSTS, self.myenergi)
        services |= dict.fromkeys(FLEET_HOSTS, self.fleet)
        services[self.house.gateway_host] = self.gateway
        services |= {EON_AUTH_HOST: self.kraken_auth, OWNER_API_HOST: self.tesla, TESLA_AUTH_HOST: self.tesla_auth}
        return {host: self._make_handler(service) for host, service in services.items()}

    def _make_handler(self, service: SimulatedHost) -> RequestHandler:
        def answer(request: HttpRequest) -> HttpReply:
            with self._lock:
                operation = service.operation(request)
                reply = self._reply(service, request, f"{request.method} {request.path} {operation}")
                status = 0 if reply.delivery in (Delivery.HANG, Delivery.DROP) else reply.status
                self.requests.append(
                    ReceivedRequest(
                        self.now,
                        service.name,
                        request.method,
                        request.path,
                        operation,
                        status,
                        request.host,
                        commanded_value(request),
                    )
                )
                date = format_datetime(self.now.astimezone(UTC), usegmt=True)
                return replace(reply, headers=(*reply.headers, ("Date", date)))

        return answer

    def _reply(self, service: SimulatedHost, request: HttpRequest, description: str) -> HttpReply:
        triggered_fault = self.active_faults.trigger(service.name, ANY_HTTP_FAULT, description)
        if triggered_fault is None:
            return service.answer(request, self.now)
        carried_out = triggered_fault.after or triggered_fault.kind == "drip"
        reply = make_faulty_reply(triggered_fault, service.answer(request, self.now) if carried_out else None)
        return self.myenergi.signed(reply) if service is self.myenergi else reply

    def _note_mail(self, verb: str, whom: str, status: int) -> None:
        self.requests.append(ReceivedRequest(self.now, "mail", "SMTP", whom, verb, status))

    # -- opening and closing ------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Start serving."""
        self._loopback.start()
        self.set_time(self.now)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut every session and stop."""
        self._loopback.stop()

    # -- what a client needs --------------------------------------------------------------------

    @property
    def environment(self) -> dict[str, str]:
        """Variables that lead requests, httpx and smtplib into this simulator."""
        proxy = f"http://{LOOPBACK_ADDRESS}:{self._loopback.proxy_port}"
        return {
            "HTTPS_PROXY": proxy,
            "SSL_CERT_FILE": str(self._ca_file),
            "REQUESTS_CA_BUNDLE": str(self._ca_file),
        }

    @property
    def unset(self) -> tuple[str, ...]:
        """Variables that would lead a client astray."""
        return UNSET_VARIABLES

    @property
    def smtp_host(self) -> str:
        """The mail server's name."""
        return "localhost"

    @property
    def smtp_port(self) -> int:
        """The mail server's port."""
        return self._loopback.smtp_port

    def sign_in_to_tesla(self, folder: Path, backend: str) -> Path:
        """Leave in a folder what the owner's sign-in leaves there for one way to the battery; returns the file."""
        if backend == "v1r":
            return self.write_gateway_key(folder)
        return self.write_fleet_tokens(folder) if backend == "fleetapi" else self.write_tesla_tokens(folder)

    def write_tesla_tokens(self, folder: Path, email: str | None = None) -> Path:
        """Write `.pypowerwall.auth`, 0600, and return its path."""
        return write_cloud_token_file(folder, email or self.house.tesla_email, self.tesla_auth.issue(self.now))

    def write_fleet_tokens(self, folder: Path, host: str = FLEET_HOST_EUROPE) -> Path:
        """Write `.pypowerwall.fleetapi` for a server of the Fleet API, 0600, and return its path."""
        tokens = self.tesla_auth.issue(self.now, self.house.fleet_client_id)
        return write_fleet_token_file(folder, self.house, tokens, host)

    def write_gateway_key(self, folder: Path) -> Path:
        """Make a private key that the gateway knows and has seen proven, and return its path."""
        self.gateway.registered = create_owner_key(folder / GATEWAY_KEY_FILE)
        return folder / GATEWAY_KEY_FILE

    # -- time, troubles and what came of it ---------------------------------------------------------

    def set_time(self, moment: datetime) -> None:
        """Let the simulator's time be this; energy flows for what has passed, and the scenario sets its scene."""
        with self._lock:
            elapsed = moment - self.now
            self.now = moment
            car_w = sum(each.watts for each in self.myenergi.zappis if each.silent_since is None)
            for zappi in self.myenergi.zappis:
                zappi.advance(elapsed)
            for site in self.tesla.sites:
                site.powerwall.advance(moment, elapsed, car_w if site is self._main_site else 0)
            if self._scenario:
                apply_scenario_state(self._scenario, moment, self.account, self.myenergi, self.active_faults)

    @contextmanager
    def fault(self, service: str, kind: str, **details: Unpack[FaultOptions]) -> Iterator[None]:
        """Switch a fault on for a while; UnknownFaultError where there is no such one."""
        named = make_fault(service, kind, **details)
        self.active_faults.switch_on(named)
        try:
            yield
        finally:
            self.active_faults.switch_off(named)

    @property
    def powerwall(self) -> SimulatedPowerwall:
        """The house's own battery."""
        return self._main_site.powerwall

    @property
    def mails(self) -> list[ReceivedMail]:
        """Mails accepted so far."""
        return self.post.mails

    @property
    def refused(self) -> list[str]:
        """Hosts asked for that are not in this simulator."""
        return self.proxy_server.refused

    @property
    def writes_to_zappi(self) -> list[str]:
        """Paths asked for that would have changed a charger."""
        return self.myenergi.writes

    def count(self, service: str, fits: Callable[[ReceivedRequest], bool] = lambda _request: True) -> int:
        """How many requests a service has had, of those that fit."""
        return sum(request.service == service and fits(request) for request in self.requests)

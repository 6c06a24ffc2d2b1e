"""A pretend Kraken for the tests of its adapter: it answers from memory, and remembers what it was asked."""

import base64
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import responses
from requests import PreparedRequest

from smartcharge.policy.model import SupplierPlan
from smartcharge.providers.http import HttpClient
from smartcharge.providers.kraken import KrakenTariff
from smartcharge.providers.kraken.account import KrakenAccount
from smartcharge.providers.kraken.auth import KrakenAuth

NOW = datetime(2026, 7, 8, 12, 0, tzinfo=UTC)
GRAPHQL_URL = "https://api.eonnext-kraken.energy/v1/graphql/"
GRAPHQL_URLS = (GRAPHQL_URL, "https://api.octopus.energy/v1/graphql/", "https://api.edfgb-kraken.energy/v1/graphql/")
TOKEN_URL = "https://auth.eonnext.com/oauth/token"
ACCOUNT_NUMBER, EMAIL, PASSWORD = "A-5EC2E7AC", "secret.owner@example.com", "secret-passw0rd"
SECRETS = (ACCOUNT_NUMBER, EMAIL, PASSWORD)

CannedResponse = tuple[int, Mapping[str, str], str]
CannedAnswer = object
"""An answer laid ready: a `Sent`, or an exception."""


@dataclass(frozen=True)
class GraphqlRequest:
    """One GraphQL request."""

    query: str
    variables: Mapping[str, object]
    authorization: str | None
    user_agent: str


def authorization_header(account: KrakenAccount, now: datetime = NOW) -> str:
    """Have a token as a run would, and ask for nothing else; gives the header."""
    with HttpClient(now, "Kraken") as wire:
        return KrakenAuth(account, wire).authorization()


def make_jwt(lifetime: timedelta = timedelta(minutes=60), now: datetime = NOW, **claims: object) -> str:
    """A token that looks like one."""
    body = {"exp": int((now + lifetime).timestamp()), **claims}
    packed = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJub25lIn0.{packed}.c2lnbmF0dXJl"


def make_response(status: int = 200, body: object = None, **headers: str) -> CannedResponse:
    """An answer; a text is sent as it is, everything else as JSON."""
    text = body if isinstance(body, str) else json.dumps(body)
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, text


def graphql_error(
    code: str | None, *path: object, message: str = "Something about A-5EC2E7AC went wrong"
) -> dict[str, object]:
    """One error in Kraken's envelope."""
    extensions = {"errorType": "APPLICATION", "errorCode": code} if code else {}
    return {"message": message, "path": list(path) or None, "extensions": extensions}


def error_response(code: str | None, *path: object, status: int = 200) -> CannedResponse:
    """An answer that is nothing but an error."""
    return make_response(status, {"data": None, "errors": [graphql_error(code, *path)]})


def registered_car(
    device_id: str, current: str = "LIVE", state: str = "SMART_CONTROL_CAPABLE", **more: object
) -> dict[str, object]:
    """A registered car."""
    status = {"current": current, "isSuspended": more.pop("suspended", False), "currentState": state}
    return {"id": device_id, "deviceType": "ELECTRIC_VEHICLES", "status": status, **more}


def planned_dispatch(start: str, end: str, energy: object = "-4.6", kind: str = "SMART") -> dict[str, object]:
    """One planned dispatch of 8 July; times such as 12:30 are UTC, longer ones stand as they are."""
    return {"start": _full_time(start), "end": _full_time(end), "type": kind, "energyAddedKwh": energy}


def older_dispatch(
    start: str, end: str, source: str | None = "smart-charge", location: str | None = None
) -> dict[str, object]:
    """One dispatch of the older query."""
    return {
        "start": _full_time(start),
        "end": _full_time(end),
        "delta": "-3.37",
        "meta": {"source": source, "location": location},
    }


def _full_time(time: str) -> str:
    return f"2026-07-08T{time}:00+00:00" if len(time) == len("12:30") else time


@dataclass
class FakeKraken:
    """The supplier, its plans per device, and answers laid ready that come first."""

    devices: object = field(default_factory=lambda: [registered_car("ev-a")])
    plans: dict[str, object] = field(default_factory=lambda: {"ev-a": [planned_dispatch("12:30", "14:00")]})
    completed: object = field(default_factory=list)
    old_planned: object = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)
    flex_is_unknown: bool = False
    next_answers: deque[CannedAnswer] = field(default_factory=deque)
    next_logins: deque[CannedAnswer] = field(default_factory=deque)
    next_exchanges: deque[CannedAnswer] = field(default_factory=deque)
    asked: list[GraphqlRequest] = field(default_factory=list)
    logins: list[Mapping[str, str]] = field(default_factory=list)
    exchanges: list[Mapping[str, str]] = field(default_factory=list)
    on_question: Callable[[], None] = lambda: None
    accounts: list[str] = field(default_factory=lambda: [ACCOUNT_NUMBER])

    def serve(self, mock: responses.RequestsMock) -> None:
        """Answer at every address."""
        for host in GRAPHQL_URLS:
            mock.add_callback(responses.POST, host, self._graphql)
        mock.add_callback(responses.POST, TOKEN_URL, self._exchange)

    def _graphql(self, request: PreparedRequest) -> CannedResponse:
        body = json.loads(request.body or b"")
        if "obtainKrakenToken" in body["query"]:
            self.logins.append(body["variables"]["input"])
            return _next_canned(self.next_logins) or self._login()
        agent = request.headers["User-Agent"]
        self.asked.append(GraphqlRequest(body["query"], body["variables"], request.headers.get("Authorization"), agent))
        self.on_question()
        return _next_canned(self.next_answers) or self._answer(body["query"], body["variables"])

    def _login(self) -> CannedResponse:
        n = len(self.logins)
        given = {
            "token": make_jwt(n=n),
            "payload": {"exp": int((NOW + timedelta(minutes=60)).timestamp())},
            "refreshToken": f"kraken-refresh-{n}",
            "refreshExpiresIn": int((NOW + timedelta(days=7)).timestamp()),
        }
        return make_response(200, {"data": {"obtainKrakenToken": given}})

    def _exchange(self, request: PreparedRequest) -> CannedResponse:
        text = request.body.decode() if isinstance(request.body, bytes) else str(request.body)
        self.exchanges.append(dict(parse_qsl(text)))
        n = len(self.exchanges)
        body = {"id_token": make_jwt(id=n), "access_token": "opaque", "refresh_token": f"auth0-refresh-{n}"}
        return _next_canned(self.next_exchanges) or make_response(200, body)

    def _answer(self, query: str, variables: Mapping[str, object]) -> CannedResponse:
        if self.flex_is_unknown and "flexPlannedDispatches" in query:
            message = "Cannot query field 'flexPlannedDispatches' on type 'Query'. Did you mean 'plannedDispatches'?"
            return make_response(400, {"errors": [{"message": message, "locations": [{"line": 1, "column": 9}]}]})
        parts: dict[str, object] = {}
        if "devices(" in query:
            parts["devices"] = self.devices
        for name, device in variables.items():
            if name != "account":
                parts[name] = self.plans.get(str(device))
        if " plannedDispatches(" in query:
            parts["plannedDispatches"] = self.old_planned
        if "completedDispatches(" in query:
            parts["completedDispatches"] = self.completed
        if "viewer" in query:
            parts["viewer"] = {"accounts": [{"number": number} for number in self.accounts]}
        triggered_fault = {name: code for name in parts if (code := self.faults.get(str(variables.get(name, name))))}
        data = {
            name: None if name in triggered_fault else value for name, value in parts.items() if value is not OMITTED
        }
        errors = [graphql_error(code, name) for name, code in triggered_fault.items()]
        return make_response(200, {"data": data, **({"errors": errors} if errors else {})})


OMITTED = object()
"""A part that is left out of the answer."""


def _next_canned(answers: deque[CannedAnswer]) -> CannedResponse | None:
    if not answers:
        return None
    answer = answers.popleft()
    if isinstance(answer, BaseException):
        raise answer
    assert isinstance(answer, tuple)
    return answer


@dataclass
class KrakenInstallation:
    """One installation: its token file, its account, and the supplier it talks to."""

    kraken: FakeKraken
    folder: Path
    account: KrakenAccount

    @property
    def token_file(self) -> Path:
        """Where the sign-in is kept."""
        return self.account.token_file

    def kept(self) -> dict[str, str | None]:
        """What the token file holds."""
        found: dict[str, str | None] = json.loads(self.token_file.read_text())
        return found

    def keep(self, **changes: object) -> None:
        """Put a sign-in into the token file; by default a good one of Kraken's own."""
        sign_in: dict[str, object] = {
            "kind": "kraken",
            "supplier": "eon-next",
            "owner": EMAIL,
            "token": "kept-token",
            "until": "2026-07-08T12:40:00Z",
            "refresh_token": "kept-refresh",
            "refresh_until": "2026-07-14T12:00:00Z",
        }
        self.token_file.write_text(json.dumps(sign_in | changes))

    def plan(self, *devices: str, now: datetime = NOW) -> SupplierPlan:
        """Ask for the plan."""
        return KrakenTariff(self.account).plan(devices, now)

    def planned(self, items: object) -> SupplierPlan:
        """Ask for the plan of the one known car, where the supplier gives these items."""
        self.kraken.plans["ev-a"] = items
        return self.plan("ev-a")

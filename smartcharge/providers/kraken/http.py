"""One run's connections to Kraken: bounded in time and size, never redirected, never on plain trust."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

from smartcharge import __version__
from smartcharge.errors import ThrottledError, UnreachableError
from smartcharge.providers.kraken.account import KRAKEN_SERVICE

if TYPE_CHECKING:
    from requests import PreparedRequest, Response


HTTP_TIMEOUT_SECONDS: Final = (5.0, 10.0)
"""To connect, and for each read; the run's share is the caller's."""
MAX_RESPONSE_BYTES: Final = 2 * 1024 * 1024
READ_CHUNK_BYTES: Final = 16 * 1024
MAX_RETRY_AFTER: Final = timedelta(hours=1)
HTTP_TOO_MANY_REQUESTS, HTTP_REDIRECTS, HTTP_SERVER_ERROR = 429, range(300, 400), 500


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer. body: its JSON object, None where it is none; shape: what it was instead, for people."""

    host: str
    status: int
    body: Mapping[str, object] | None
    shape: str = "an object"
    retry_after: timedelta | None = None

    def raise_for_status(self) -> None:
        """Raise `Throttled` for HTTP 429, `Unreachable` for 5xx and redirections."""
        if self.status == HTTP_TOO_MANY_REQUESTS:
            raise self.throttled("asks for patience (HTTP 429)")
        if self.status >= HTTP_SERVER_ERROR or self.status in HTTP_REDIRECTS:
            raise self.nonsense()

    def nonsense(self) -> UnreachableError:
        """The error for an answer that is none."""
        return UnreachableError(
            f"the answer of {self.host} was {self.shape} (HTTP {self.status})", service=KRAKEN_SERVICE
        )

    def blocked_error(self) -> ThrottledError:
        """The error for a page of the network's edge: it is passing, and asking more makes it worse."""
        return self.throttled("turned us away at its gate (HTTP 403)")

    def throttled(self, how: str) -> ThrottledError:
        """The error for an answer that wants us to wait; `how` continues the host's name."""
        return ThrottledError(f"{self.host} {how}", retry_after=self.retry_after, service=KRAKEN_SERVICE)


class HttpClient:
    """A context with one session.

    now: the run's instant (UTC), from which waits are counted. count: called for every request.
    """

    def __init__(self, now: datetime, count: Callable[[], None] = lambda: None) -> None:
        self.now = now
        self._count = count

    def __enter__(self) -> Self:
        """Open; nothing is sent yet."""
        import requests

        self._session = requests.Session()
        self._session.headers.update(
            {"User-Agent": f"smartcharge/{__version__}", "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        return self

    def __exit__(self, *_: object) -> None:
        """Close every connection."""
        self._session.close()

    def post_json(self, url: str, content: Mapping[str, object], authorization: str | None = None) -> HttpResponse:
        """Send an object, with the given Authorization header and no other; raises `Unreachable`."""
        headers = {"Content-Type": "application/json"}
        return self._post(url, json.dumps(content).encode(), headers, authorization)

    def post_form(self, url: str, fields: Mapping[str, str]) -> HttpResponse:
        """Send a form; raises `Unreachable`."""
        return self._post(url, fields, {}, None)

    def _post(
        self, url: str, content: bytes | Mapping[str, str], headers: Mapping[str, str], authorization: str | None
    ) -> HttpResponse:
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        host = urlsplit(url).hostname or "the address"
        self._count()
        try:
            with self._session.post(
                url,
                data=content,
                headers=headers,
                auth=_authorization_header(authorization),
                timeout=HTTP_TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
                verify=ca_bundle(),
            ) as response:
                return self._read(host, response)
        except (RequestException, HTTPError, OSError, ValueError) as error:  # the last for chunks of odd lengths
            reason = type(error).__name__  # texts of these may quote headers and proxies' passwords
        raise UnreachableError(f"{host} could not be reached ({reason})", service=KRAKEN_SERVICE)

    def _read(self, host: str, response: "Response") -> HttpResponse:
        """Read the body as it comes: packed ones were not asked for, and unpacked they could fill the memory."""
        wait = parse_retry_after(response.headers.get("Retry-After"), self.now)
        if response.headers.get("Content-Encoding", "identity").lower() not in {"", "identity"}:
            return HttpResponse(host, response.status_code, None, "packed", wait)
        raw = bytearray()
        for chunk in response.raw.stream(READ_CHUNK_BYTES, decode_content=False):
            raw += chunk
            if len(raw) > MAX_RESPONSE_BYTES:
                return HttpResponse(host, response.status_code, None, "over 2 MiB long", wait)
        body, shape = parse_json_body(bytes(raw))
        return HttpResponse(host, response.status_code, body, shape, wait)


def _authorization_header(authorization: str | None) -> "Callable[[PreparedRequest], PreparedRequest]":
    """A signature of our own, without which the library would use what ~/.netrc says."""

    def sign(request: "PreparedRequest") -> "PreparedRequest":
        if authorization:
            request.headers["Authorization"] = authorization
        return request

    return sign


def ca_bundle() -> str | bool:
    """The owner's certificate authorities, where named; the library itself ignores SSL_CERT_FILE."""
    named = (os.environ.get(name) for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"))
    return next(filter(None, named), True)


def parse_json_body(raw: bytes) -> tuple[Mapping[str, object] | None, str]:
    """Read a body as a JSON object; else None and what it was."""
    if not raw.strip():
        return None, "empty"
    with contextlib.suppress(ValueError, RecursionError):  # not raised on: their values hold the body
        value: object = json.loads(raw)
        if isinstance(value, dict):
            return value, "an object"
        return None, {list: "a list", type(None): "null"}.get(type(value), "a bare value")
    return None, "not JSON"


def parse_retry_after(retry_after: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header, in seconds or as a date (RFC 9110, 10.2.3); at most an hour, None if unclear."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(float(text), MAX_RETRY_AFTER.total_seconds()))
    with contextlib.suppress(ValueError, OverflowError):
        until = parsedate_to_datetime(text)
        until = until if until.tzinfo else until.replace(tzinfo=UTC)
        return max(timedelta(0), min(until - now, MAX_RETRY_AFTER))
    return None


DEVICES_FIELD: Final = "devices"
FLEX_PLANNED_FIELD: Final = "flexPlannedDispatches"
COMPLETED_FIELD: Final = "completedDispatches"
LEGACY_PLANNED_FIELD: Final = "plannedDispatches"
OBTAIN_TOKEN_FIELD: Final = "obtainKrakenToken"  # noqa: S105
VIEWER_FIELD: Final = "viewer"

_DEVICES_SELECTION = (
    f"{DEVICES_FIELD}(accountNumber: $account) {{ id deviceType status {{ current isSuspended currentState }} }}"
)
_LEGACY_DISPATCH_FIELDS = "start end delta meta { source location }"
_COMPLETED_SELECTION = f"{COMPLETED_FIELD}(accountNumber: $account) {{ {_LEGACY_DISPATCH_FIELDS} }}"
_LEGACY_PLANNED_SELECTION = f"{LEGACY_PLANNED_FIELD}(accountNumber: $account) {{ {_LEGACY_DISPATCH_FIELDS} }}"


@dataclass(frozen=True, slots=True)
class GraphqlQuery:
    """A GraphQL document and its variables, which may be secret."""

    text: str
    variables: Mapping[str, object]

    @property
    def body(self) -> Mapping[str, object]:
        """What is posted."""
        return {"query": self.text, "variables": self.variables}


def device_alias(position: int) -> str:
    """The name under which the answer holds the plan of the n-th device asked about."""
    return f"d{position}"


def full_plan_query(account: str, devices: Sequence[str]) -> GraphqlQuery:
    """The devices, the plan of each that is known, and what was completed."""
    names = "".join(f", ${device_alias(n)}: String!" for n in range(len(devices)))
    text = f"query Plan($account: String!{names}) {{ {_DEVICES_SELECTION} {_plan_selections(len(devices))} {_COMPLETED_SELECTION} }}"  # noqa: E501
    return GraphqlQuery(text, {"account": account, **_device_variables(devices)})


def devices_query(account: str) -> GraphqlQuery:
    """The devices, and nothing else."""
    return GraphqlQuery(f"query Devices($account: String!) {{ {_DEVICES_SELECTION} }}", {"account": account})


def device_plans_query(devices: Sequence[str]) -> GraphqlQuery:
    """The plan of each device, and nothing else; at least one device."""
    names = ", ".join(f"${device_alias(n)}: String!" for n in range(len(devices)))
    return GraphqlQuery(f"query Plans({names}) {{ {_plan_selections(len(devices))} }}", _device_variables(devices))


def legacy_plan_query(account: str) -> GraphqlQuery:
    """The same from the query that came before, which tells no devices apart."""
    return GraphqlQuery(
        f"query OldPlan($account: String!) {{ {_DEVICES_SELECTION} {_LEGACY_PLANNED_SELECTION} {_COMPLETED_SELECTION} }}",  # noqa: E501
        {"account": account},
    )


def sign_in_mutation(credentials: Mapping[str, str]) -> GraphqlQuery:
    """A token for an address and password, an API key, or a refresh token."""
    fields = "token payload refreshToken refreshExpiresIn"
    text = f"mutation SignIn($input: ObtainJSONWebTokenInput!) {{ {OBTAIN_TOKEN_FIELD}(input: $input) {{ {fields} }} }}"
    return GraphqlQuery(text, {"input": dict(credentials)})


def own_accounts_query() -> GraphqlQuery:
    """The account numbers of whoever is signed in."""
    return GraphqlQuery(f"query OwnAccounts {{ {VIEWER_FIELD} {{ accounts {{ number }} }} }}", {})


def _plan_selections(count: int) -> str:
    fields = "start end type energyAddedKwh"
    return " ".join(
        f"{device_alias(n)}: {FLEX_PLANNED_FIELD}(deviceId: ${device_alias(n)}) {{ {fields} }}" for n in range(count)
    )


def _device_variables(devices: Sequence[str]) -> dict[str, object]:
    return {device_alias(n): device for n, device in enumerate(devices)}


MAX_LIST_ITEMS: Final = 500
MAX_GRAPHQL_ERRORS: Final = 50
HTTP_UNAUTHORISED, HTTP_FORBIDDEN = 401, 403

THROTTLED_CODE: Final = "KT-CT-1199"
QUERY_DISABLED_CODE: Final = "KT-CT-1113"
UNKNOWN_DEVICE_CODE: Final = "KT-CT-4301"
WRONG_ACCOUNT_CODE: Final = "KT-CT-1145"
TOKEN_REFUSED_CODES: Final = frozenset(
    {f"KT-CT-{n}" for n in (1112, 1120, 1124, 1125, 1126, 1127, 1139, 1141, 1142, 1143, 1144)} | {"UNAUTHENTICATED"}
)
UNAUTHORISED_CODES: Final = frozenset({f"KT-CT-{n}" for n in (1111, 1128, 1129, 1130, 1131, 1132)})
"""Codes that speak of the token where no part is answered, and of that part alone where others are."""

_ERROR_CODE_PATTERN = re.compile(r"[A-Z]{2}(-[A-Z]{2})?-\d{3,5}|[A-Z_]{3,40}")
_QUOTED_NAME_PATTERN = re.compile(r"['\"`](\w+)['\"`]")


class KrakenTokenRefused(UnreachableError):  # noqa: N818
    """Kraken does not take the token; a new one may help, once."""


@dataclass(frozen=True, slots=True)
class GraphqlError:
    """One error of an answer. part: the field it strikes, None where it does not say."""

    code: str | None
    part: str | None
    disables_flex: bool = False


@dataclass(frozen=True, slots=True)
class GraphqlResponse:
    """What came back: a value per part, and the errors."""

    data: Mapping[str, object]
    faults: tuple[GraphqlError, ...] = ()

    @property
    def has_no_data(self) -> bool:
        """Whether no part has a value."""
        return all(value is None for value in self.data.values())

    @property
    def codes(self) -> str:
        """The error codes, for people."""
        return ", ".join(dict.fromkeys(fault.code or "no code" for fault in self.faults)) or "no error"

    @property
    def is_flex_unavailable(self) -> bool:
        """Whether the plan per device is unknown to this supplier, or disabled."""
        return any(fault.disables_flex for fault in self.faults)

    def error_for(self, part: str) -> GraphqlError | None:
        """The error that strikes a part; one that names no part strikes all that are null or empty."""
        named = next((fault for fault in self.faults if fault.part == part), None)
        if named is not None or self.data.get(part):
            return named
        return next((fault for fault in self.faults if fault.part is None), None)

    def get_list(self, part: str) -> list[object] | str:
        """A part's list, or why there is none: an error, null, a missing field. Raises `Unreachable` beyond 500."""
        fault, value = self.error_for(part), self.data.get(part)
        if fault is not None:
            return fault.code or "an error without a code"
        if isinstance(value, list):
            if len(value) > MAX_LIST_ITEMS:
                raise UnreachableError(
                    f"Kraken's answer holds more than {MAX_LIST_ITEMS} items", service=KRAKEN_SERVICE
                )
            return value
        if part not in self.data:
            return "missing in the answer"
        return "null" if value is None else "not a list"


def run_query(wire: HttpClient, url: str, question: GraphqlQuery, authorization: str) -> GraphqlResponse:
    """Ask a question; raises `TokenRefused`, `Throttled`, or `Unreachable` where there is no answer."""
    reply = wire.post_json(url, question.body, authorization)
    answer = parse_graphql_response(reply, question)
    codes = {fault.code for fault in answer.faults}
    is_wrong_account = answer.has_no_data and bool(codes & UNAUTHORISED_CODES)
    if is_wrong_account or codes & TOKEN_REFUSED_CODES or reply.status in {HTTP_UNAUTHORISED, HTTP_FORBIDDEN}:
        fix = "If it stays so, check eon_next.import_account" if is_wrong_account else None
        raise KrakenTokenRefused(f"Kraken does not take the token ({answer.codes})", fix=fix, service=KRAKEN_SERVICE)
    return answer


def parse_graphql_response(reply: HttpResponse, question: GraphqlQuery) -> GraphqlResponse:
    """Read a reply; raises `Throttled`, or `Unreachable` where it is no GraphQL answer."""
    reply.raise_for_status()
    if reply.body is None:
        raise _error_without_body(reply)
    data, errors = reply.body.get("data"), reply.body.get("errors")
    if not isinstance(data, Mapping) and not errors and reply.status not in {HTTP_UNAUTHORISED, HTTP_FORBIDDEN}:
        raise UnreachableError(
            f"the answer of {reply.host} holds no data (HTTP {reply.status})", service=KRAKEN_SERVICE
        )
    answer = GraphqlResponse(data if isinstance(data, Mapping) else {}, _parse_errors(errors, question))
    if any(fault.code == THROTTLED_CODE for fault in answer.faults):
        raise reply.throttled(f"asks for patience ({THROTTLED_CODE})")
    return answer


def _error_without_body(reply: HttpResponse) -> UnreachableError:
    """A 403 that is no answer of Kraken's comes from the network's edge; a 401 may be about the token."""
    if reply.status == HTTP_FORBIDDEN:
        return reply.blocked_error()
    if reply.status == HTTP_UNAUTHORISED:
        return KrakenTokenRefused("Kraken does not take the token (HTTP 401)", service=KRAKEN_SERVICE)
    return reply.nonsense()


def _parse_errors(errors: object, question: GraphqlQuery) -> tuple[GraphqlError, ...]:
    if not errors:
        return ()
    items = errors if isinstance(errors, list) else [errors]
    return tuple(_parse_error(item, question) for item in items[:MAX_GRAPHQL_ERRORS])


def _parse_error(item: object, question: GraphqlQuery) -> GraphqlError:
    if not isinstance(item, Mapping):
        return GraphqlError(None, None)
    extensions, path = item.get("extensions"), item.get("path")
    code = _error_code(extensions) if isinstance(extensions, Mapping) else None
    part = path[0] if isinstance(path, list) and path and isinstance(path[0], str) else None
    return GraphqlError(code, part, _disables_flex(item, code, part, question.text))


def _disables_flex(item: Mapping[object, object], code: str | None, part: str | None, asked: str) -> bool:
    """Whether the plan per device is disabled, or unknown to the schema: that has no code, only the text names it."""
    if part is not None:
        return code == QUERY_DISABLED_CODE and f"{part}: {FLEX_PLANNED_FIELD}" in asked
    named = _QUOTED_NAME_PATTERN.search(str(item.get("message"))[:1000])
    return FLEX_PLANNED_FIELD in asked and (
        code == QUERY_DISABLED_CODE or (named is not None and named[1] == FLEX_PLANNED_FIELD)
    )


def _error_code(extensions: Mapping[object, object]) -> str | None:
    for name in ("errorCode", "code"):
        value = extensions.get(name)
        if isinstance(value, str) and _ERROR_CODE_PATTERN.fullmatch(value):
            return value
    return None

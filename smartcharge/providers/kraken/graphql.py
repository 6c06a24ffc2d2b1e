"""The GraphQL questions for a supplier on Kraken, and its answers with their errors."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from smartcharge.errors import UnreachableError
from smartcharge.providers.http import HttpClient, HttpResponse
from smartcharge.providers.kraken.account import KRAKEN_SERVICE

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
    selections = f"{_DEVICES_SELECTION} {_plan_selections(len(devices))} {_COMPLETED_SELECTION}"
    text = f"query Plan($account: String!{names}) {{ {selections} }}"
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
    selections = f"{_DEVICES_SELECTION} {_LEGACY_PLANNED_SELECTION} {_COMPLETED_SELECTION}"
    return GraphqlQuery(f"query OldPlan($account: String!) {{ {selections} }}", {"account": account})


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
    """The supplier does not accept the token; a new one may help, once."""


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
        """A part's list, or why there is none: an error, null, a missing field. `UnreachableError` beyond 500."""
        fault, value = self.error_for(part), self.data.get(part)
        if fault is not None:
            return fault.code or "an error without a code"
        if isinstance(value, list):
            if len(value) > MAX_LIST_ITEMS:
                raise UnreachableError(
                    f"the supplier's answer holds more than {MAX_LIST_ITEMS} items", service=KRAKEN_SERVICE
                )
            return value
        if part not in self.data:
            return "missing in the answer"
        return "null" if value is None else "not a list"


def run_query(wire: HttpClient, url: str, question: GraphqlQuery, authorization: str) -> GraphqlResponse:
    """Ask a question; raises `KrakenTokenRefused`, `ThrottledError`, or `UnreachableError` where there is no answer."""
    reply = wire.post_json(url, question.body, authorization)
    answer = parse_graphql_response(reply, question)
    codes = {fault.code for fault in answer.faults}
    is_wrong_account = answer.has_no_data and bool(codes & UNAUTHORISED_CODES)
    if is_wrong_account or codes & TOKEN_REFUSED_CODES or reply.status in {HTTP_UNAUTHORISED, HTTP_FORBIDDEN}:
        fix = "If it stays so, check eon_next.import_account" if is_wrong_account else None
        raise KrakenTokenRefused(
            f"the supplier does not accept the token ({answer.codes})", fix=fix, service=KRAKEN_SERVICE
        )
    return answer


def parse_graphql_response(reply: HttpResponse, question: GraphqlQuery) -> GraphqlResponse:
    """Read a reply; raises `ThrottledError`, or `UnreachableError` where it is no GraphQL answer."""
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
        raise reply.throttled(f"asks us to wait ({THROTTLED_CODE})")
    return answer


def _error_without_body(reply: HttpResponse) -> UnreachableError:
    """A 403 that is no answer of the supplier's comes from the network's edge; a 401 may be about the token."""
    if reply.status == HTTP_FORBIDDEN:
        return reply.blocked_error()
    if reply.status == HTTP_UNAUTHORISED:
        return KrakenTokenRefused("the supplier does not accept the token (HTTP 401)", service=KRAKEN_SERVICE)
    return reply.unusable_error()


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

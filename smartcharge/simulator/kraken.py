"""The schema with its resolvers, and queries parsed and validated once per text."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLResolveInfo,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from smartcharge.simulator.faults import KRAKEN_CODE_PATTERN, ActiveFaults
from smartcharge.simulator.http_messages import HttpReply, HttpRequest, json_reply
from smartcharge.simulator.kraken_account import DispatchItem, SimulatedAccount, make_kraken_error

FLEX_PLANNED_FIELD = "flexPlannedDispatches"


@dataclass(frozen=True, slots=True)
class QueryContext:
    """What one execution may know."""

    account: SimulatedAccount
    active_faults: ActiveFaults
    authorization: str
    now: datetime

    def check(self, field: str, device: str = "") -> None:
        """Raise what is switched on for a field, then what its credentials deserve."""
        if fault := self.active_faults.trigger("kraken", KRAKEN_CODE_PATTERN, field, device):
            raise make_kraken_error(fault.kind)
        if field != "obtainKrakenToken":
            self.account.check_signed_in(self.authorization, self.now)


ResolveInfo = GraphQLResolveInfo


def _resolve_sign_in(_root: object, info: ResolveInfo, **given: dict[str, str]) -> dict[str, object]:
    call: QueryContext = info.context
    call.check("obtainKrakenToken")
    return call.account.sign_in(given["input"], call.now)


def _resolve_viewer(_root: object, info: ResolveInfo) -> dict[str, object]:
    call: QueryContext = info.context
    call.check("viewer")
    return {"accounts": [{"__typename": "AccountType", "number": call.account.house.account_number}]}


def _resolve_devices(_root: object, info: ResolveInfo, **given: str) -> list[dict[str, object]]:
    call: QueryContext = info.context
    call.check("devices")
    call.account.check_account(given["accountNumber"])
    wanted = given.get("deviceId")
    return [each.as_graphql() for each in call.account.devices if wanted in (None, each.device_id)]


def _resolve_flex_planned(_root: object, info: ResolveInfo, **given: str) -> list[DispatchItem | None] | None:
    call: QueryContext = info.context
    device_id = given["deviceId"]
    call.check(FLEX_PLANNED_FIELD, device_id)
    call.account.check_device(device_id)
    call.account.count_flex_call(call.now)
    if fault := call.active_faults.trigger("kraken", "plan-null|plan-empty", FLEX_PLANNED_FIELD, device_id):
        return None if fault.kind == "plan-null" else []
    return call.account.plans.get(device_id, [])


def _resolve_planned(_root: object, info: ResolveInfo, **given: str) -> list[DispatchItem]:
    call: QueryContext = info.context
    call.check("plannedDispatches")
    call.account.check_account(given["accountNumber"])
    items = [item for plan in call.account.plans.values() for item in plan or () if item]
    return [
        {
            "start": item["start"],
            "end": item["end"],
            "delta": item.get("energyAddedKwh"),
            "meta": {"source": "bump-charge" if item.get("type") == "BOOST" else "smart-charge", "location": None},
        }
        for item in items
    ]


def _resolve_completed(_root: object, info: ResolveInfo, **given: str) -> list[DispatchItem]:
    call: QueryContext = info.context
    call.check("completedDispatches")
    call.account.check_account(given["accountNumber"])
    return call.account.completed


def _resolve_registered_device(_root: object, info: ResolveInfo, **given: str) -> dict[str, object] | None:
    call: QueryContext = info.context
    call.check("registeredKrakenflexDevice")
    call.account.check_account(given["accountNumber"])
    for each in call.account.devices:
        return {"krakenflexDeviceId": each.device_id, "provider": each.provider, "chargePointMake": "MYENERGI"}
    return None


RESOLVERS = {
    "viewer": _resolve_viewer,
    "devices": _resolve_devices,
    FLEX_PLANNED_FIELD: _resolve_flex_planned,
    "plannedDispatches": _resolve_planned,
    "completedDispatches": _resolve_completed,
    "registeredKrakenflexDevice": _resolve_registered_device,
}


@lru_cache(maxsize=1)
def load_schema() -> GraphQLSchema:
    """The SDL beside this module, with resolvers attached."""
    built = build_schema((files("smartcharge.simulator") / "kraken.graphql").read_text("utf-8"))
    query, mutation = built.query_type, built.mutation_type
    if query is None or mutation is None:  # the SDL beside this module has both
        raise TypeError("kraken.graphql lacks its Query or its Mutation")
    for name, resolver in RESOLVERS.items():
        query.fields[name].resolve = resolver
    mutation.fields["obtainKrakenToken"].resolve = _resolve_sign_in
    return built


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """A query's text after parsing and validation: its document, or why it is refused."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...]
    root_fields: tuple[tuple[str, str], ...]
    """(name in the answer, field) of the first operation's selections, fragments included."""

    @property
    def operation(self) -> str:
        """The root fields asked for, each once, in their order."""
        return "+".join(dict.fromkeys(field for _, field in self.root_fields))


@lru_cache(maxsize=512)
def parse_query(text: str) -> ParsedQuery:
    """Parse and validate a query; the same text is worked through once."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return ParsedQuery(None, (error,), ())
    return ParsedQuery(document, tuple(validate(load_schema(), document)), _root_fields(document))


def _root_fields(document: DocumentNode) -> tuple[tuple[str, str], ...]:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            return tuple(_selected_fields(definition.selection_set, fragments))
    return ()


def _selected_fields(
    selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for node in selected.selections:
        if isinstance(node, FieldNode):
            found.append(((node.alias or node.name).value, node.name.value))
        elif isinstance(node, InlineFragmentNode):
            found += _selected_fields(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
            found += _selected_fields(fragments[node.name.value].selection_set, fragments)
    return found


def execute_query(
    prepared: ParsedQuery, call: QueryContext, variables: Mapping[str, object], operation: str | None
) -> ExecutionResult:
    """Execute a prepared document for one caller."""
    if prepared.document is None:
        return ExecutionResult(None, list(prepared.errors))
    return execute_sync(
        load_schema(),
        prepared.document,
        context_value=call,
        variable_values=dict(variables),
        operation_name=operation,
    )


KRAKEN_HOSTS = ("api.eonnext-kraken.energy", "api.octopus.energy", "api.edfgb-kraken.energy")
GRAPHQL_PATH = "/v1/graphql/"


class KrakenServer:
    """The supplier's API."""

    name = "kraken"

    def __init__(self, account: SimulatedAccount, active_faults: ActiveFaults) -> None:
        self.account = account
        self._active_faults = active_faults

    def operation(self, request: HttpRequest) -> str:
        """The root fields of the query."""
        return parse_query(str(request.fields().get("query", ""))).operation

    def answer(self, request: HttpRequest, now: datetime) -> HttpReply:
        """Execute one POST; HTTP 400 where the query does not fit the schema, else 200."""
        if (request.method, request.path) != ("POST", GRAPHQL_PATH):
            return json_reply({"detail": "Not found."}, 404)
        fields = request.fields()
        prepared = parse_query(str(fields.get("query", "")))
        if prepared.errors:
            return json_reply({"errors": [error.formatted for error in prepared.errors]}, 400)
        if FLEX_PLANNED_FIELD in prepared.operation and self._active_faults.trigger(self.name, "flex-removed"):
            return json_reply(
                {"errors": [{"message": f"Cannot query field '{FLEX_PLANNED_FIELD}' on type 'Query'."}]}, 400
            )
        variables = fields.get("variables")
        operation = fields.get("operationName")
        call = QueryContext(self.account, self._active_faults, request.headers.get("authorization", ""), now)
        result = execute_query(
            prepared,
            call,
            variables if isinstance(variables, Mapping) else {},
            operation if isinstance(operation, str) else None,
        )
        body: dict[str, object] = {"data": self._drop_missing_plan(result.data, prepared.root_fields)}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return json_reply(body)

    def _drop_missing_plan(
        self, data: dict[str, object] | None, root_fields: tuple[tuple[str, str], ...]
    ) -> dict[str, object] | None:
        gone = {alias for alias, field in root_fields if field == FLEX_PLANNED_FIELD}
        if data is None or not gone or not self._active_faults.trigger(self.name, "plan-missing"):
            return data
        return {alias: value for alias, value in data.items() if alias not in gone}

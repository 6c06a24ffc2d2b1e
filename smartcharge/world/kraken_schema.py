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

from smartcharge.world.faults import KT_CODE, Trouble
from smartcharge.world.kraken_account import Dispatch, KrakenAccount
from smartcharge.world.kraken_errors import kraken_error

FLEX = "flexPlannedDispatches"


@dataclass(frozen=True, slots=True)
class Call:
    """What one execution may know."""

    account: KrakenAccount
    trouble: Trouble
    authorization: str
    now: datetime

    def check(self, field: str, device: str = "") -> None:
        """Raise what is switched on for a field, then what its credentials deserve."""
        if fault := self.trouble.strikes("kraken", KT_CODE, field, device):
            raise kraken_error(fault.kind)
        if field != "obtainKrakenToken":
            self.account.check_signed_in(self.authorization, self.now)


Info = GraphQLResolveInfo


def _sign_in(_root: object, info: Info, **given: dict[str, str]) -> dict[str, object]:
    call: Call = info.context
    call.check("obtainKrakenToken")
    return call.account.sign_in(given["input"], call.now)


def _viewer(_root: object, info: Info) -> dict[str, object]:
    call: Call = info.context
    call.check("viewer")
    return {"accounts": [{"__typename": "AccountType", "number": call.account.house.account_number}]}


def _devices(_root: object, info: Info, **given: str) -> list[dict[str, object]]:
    call: Call = info.context
    call.check("devices")
    call.account.check_account(given["accountNumber"])
    wanted = given.get("deviceId")
    return [each.as_graphql() for each in call.account.devices if wanted in (None, each.device_id)]


def _flex_planned(_root: object, info: Info, **given: str) -> list[Dispatch | None] | None:
    call: Call = info.context
    device_id = given["deviceId"]
    call.check(FLEX, device_id)
    call.account.check_device(device_id)
    call.account.count_flex_call(call.now)
    if fault := call.trouble.strikes("kraken", "plan-null|plan-empty", FLEX, device_id):
        return None if fault.kind == "plan-null" else []
    return call.account.plans.get(device_id, [])


def _planned(_root: object, info: Info, **given: str) -> list[Dispatch]:
    call: Call = info.context
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


def _completed(_root: object, info: Info, **given: str) -> list[Dispatch]:
    call: Call = info.context
    call.check("completedDispatches")
    call.account.check_account(given["accountNumber"])
    return call.account.completed


def _registered(_root: object, info: Info, **given: str) -> dict[str, object] | None:
    call: Call = info.context
    call.check("registeredKrakenflexDevice")
    call.account.check_account(given["accountNumber"])
    for each in call.account.devices:
        return {"krakenflexDeviceId": each.device_id, "provider": each.provider, "chargePointMake": "MYENERGI"}
    return None


RESOLVERS = {
    "viewer": _viewer,
    "devices": _devices,
    FLEX: _flex_planned,
    "plannedDispatches": _planned,
    "completedDispatches": _completed,
    "registeredKrakenflexDevice": _registered,
}


@lru_cache(maxsize=1)
def schema() -> GraphQLSchema:
    """The SDL beside this module, with resolvers attached."""
    built = build_schema((files("smartcharge.world") / "kraken.graphql").read_text("utf-8"))
    query, mutation = built.query_type, built.mutation_type
    if query is None or mutation is None:  # the SDL beside this module has both
        raise TypeError("kraken.graphql lacks its Query or its Mutation")
    for name, resolver in RESOLVERS.items():
        query.fields[name].resolve = resolver
    mutation.fields["obtainKrakenToken"].resolve = _sign_in
    return built


@dataclass(frozen=True, slots=True)
class Prepared:
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
def prepare(text: str) -> Prepared:
    """Parse and validate a query; the same text is worked through once."""
    try:
        document = parse(text)
    except GraphQLError as error:
        return Prepared(None, (error,), ())
    return Prepared(document, tuple(validate(schema(), document)), _root_fields(document))


def _root_fields(document: DocumentNode) -> tuple[tuple[str, str], ...]:
    fragments = {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            return tuple(_selected(definition.selection_set, fragments))
    return ()


def _selected(selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for node in selected.selections:
        if isinstance(node, FieldNode):
            found.append(((node.alias or node.name).value, node.name.value))
        elif isinstance(node, InlineFragmentNode):
            found += _selected(node.selection_set, fragments)
        elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
            found += _selected(fragments[node.name.value].selection_set, fragments)
    return found


def run(prepared: Prepared, call: Call, variables: Mapping[str, object], operation: str | None) -> ExecutionResult:
    """Execute a prepared document for one caller."""
    if prepared.document is None:
        return ExecutionResult(None, list(prepared.errors))
    return execute_sync(
        schema(),
        prepared.document,
        context_value=call,
        variable_values=dict(variables),
        operation_name=operation,
    )

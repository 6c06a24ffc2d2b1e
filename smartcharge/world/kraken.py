"""Kraken's GraphQL endpoint: every query parsed, validated and executed, errors in Kraken's envelope."""

from collections.abc import Mapping
from datetime import datetime

from smartcharge.world.faults import Trouble
from smartcharge.world.kraken_account import KrakenAccount
from smartcharge.world.kraken_schema import FLEX, Call, prepare, run
from smartcharge.world.wire import Asked, Reply, json_reply

HOSTS = ("api.eonnext-kraken.energy", "api.octopus.energy", "api.edfgb-kraken.energy")
PATH = "/v1/graphql/"


class Kraken:
    """The supplier's API."""

    name = "kraken"

    def __init__(self, account: KrakenAccount, trouble: Trouble) -> None:
        self.account = account
        self._trouble = trouble

    def operation(self, asked: Asked) -> str:
        """The root fields of the query."""
        return prepare(str(asked.fields().get("query", ""))).operation

    def answer(self, asked: Asked, now: datetime) -> Reply:
        """Execute one POST; HTTP 400 where the query does not fit the schema, else 200."""
        if (asked.method, asked.path) != ("POST", PATH):
            return json_reply({"detail": "Not found."}, 404)
        fields = asked.fields()
        prepared = prepare(str(fields.get("query", "")))
        if prepared.errors:
            return json_reply({"errors": [error.formatted for error in prepared.errors]}, 400)
        if FLEX in prepared.operation and self._trouble.strikes(self.name, "flex-removed"):
            return json_reply({"errors": [{"message": f"Cannot query field '{FLEX}' on type 'Query'."}]}, 400)
        variables = fields.get("variables")
        operation = fields.get("operationName")
        call = Call(self.account, self._trouble, asked.headers.get("authorization", ""), now)
        result = run(
            prepared,
            call,
            variables if isinstance(variables, Mapping) else {},
            operation if isinstance(operation, str) else None,
        )
        body: dict[str, object] = {"data": self._without_missing(result.data, prepared.root_fields)}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return json_reply(body)

    def _without_missing(
        self, data: dict[str, object] | None, root_fields: tuple[tuple[str, str], ...]
    ) -> dict[str, object] | None:
        gone = {alias for alias, field in root_fields if field == FLEX}
        if data is None or not gone or not self._trouble.strikes(self.name, "plan-missing"):
            return data
        return {alias: value for alias, value in data.items() if alias not in gone}

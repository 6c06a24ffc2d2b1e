"""Kraken's GraphQL answers: what each part holds, and what its error codes mean.

Only codes are looked at, never error types or texts: an expired token is of type APPLICATION, a wrong
password VALIDATION, throttling AUTHORIZATION. Texts are never repeated, they may quote what we sent.
Source: https://developer.edfgb-kraken.energy/graphql/reference/error-codes/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from smartcharge.adapters._kraken_account import SERVICE
from smartcharge.adapters._kraken_queries import FLEX, Question
from smartcharge.adapters._kraken_wire import Reply, Wire
from smartcharge.errors import Unreachable

MOST_ITEMS: Final = 500
MOST_FAULTS: Final = 50
UNAUTHORISED, FORBIDDEN = 401, 403

THROTTLED: Final = "KT-CT-1199"
DISABLED: Final = "KT-CT-1113"
NO_SUCH_DEVICE: Final = "KT-CT-4301"
NOT_THIS_ACCOUNT: Final = "KT-CT-1145"
TOKEN_REFUSED: Final = frozenset(
    {f"KT-CT-{n}" for n in (1112, 1120, 1124, 1125, 1126, 1127, 1139, 1141, 1142, 1143, 1144)} | {"UNAUTHENTICATED"}
)
REFUSED_AS_A_WHOLE: Final = frozenset({f"KT-CT-{n}" for n in (1111, 1128, 1129, 1130, 1131, 1132)})
"""Codes that speak of the token where no part is answered, and of that part alone where others are."""

_CODE = re.compile(r"[A-Z]{2}(-[A-Z]{2})?-\d{3,5}|[A-Z_]{3,40}")
_QUOTED = re.compile(r"['\"`](\w+)['\"`]")


class TokenRefused(Unreachable):
    """Kraken does not take the token; a new one may help, once."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an answer. part: the field it strikes, None where it does not say."""

    code: str | None
    part: str | None
    disables_flex: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a value per part, and the errors."""

    data: Mapping[str, object]
    faults: tuple[Fault, ...] = ()

    @property
    def is_bare(self) -> bool:
        """Whether no part has a value."""
        return all(value is None for value in self.data.values())

    @property
    def codes(self) -> str:
        """The error codes, for people."""
        return ", ".join(dict.fromkeys(fault.code or "no code" for fault in self.faults)) or "no error"

    @property
    def flex_is_gone(self) -> bool:
        """Whether the plan per device is unknown to this supplier, or disabled."""
        return any(fault.disables_flex for fault in self.faults)

    def fault_of(self, part: str) -> Fault | None:
        """The error that strikes a part; one that names no part strikes all that are null or empty."""
        named = next((fault for fault in self.faults if fault.part == part), None)
        if named is not None or self.data.get(part):
            return named
        return next((fault for fault in self.faults if fault.part is None), None)

    def list_of(self, part: str) -> list[object] | str:
        """A part's list, or why there is none: an error, null, a missing field. Raises `Unreachable` beyond 500."""
        fault, value = self.fault_of(part), self.data.get(part)
        if fault is not None:
            return fault.code or "an error without a code"
        if isinstance(value, list):
            if len(value) > MOST_ITEMS:
                raise Unreachable(f"Kraken's answer holds more than {MOST_ITEMS} items", service=SERVICE)
            return value
        if part not in self.data:
            return "missing in the answer"
        return "null" if value is None else "not a list"


def ask(wire: Wire, url: str, question: Question, authorization: str) -> Answer:
    """Ask a question; raises `TokenRefused`, `Throttled`, or `Unreachable` where there is no answer."""
    reply = wire.post_json(url, question.body, authorization)
    answer = answer_in(reply, question)
    codes = {fault.code for fault in answer.faults}
    is_no_owner = answer.is_bare and bool(codes & REFUSED_AS_A_WHOLE)
    if is_no_owner or codes & TOKEN_REFUSED or reply.status in {UNAUTHORISED, FORBIDDEN}:
        hint = "If it stays so, check eon_next.import_account" if is_no_owner else None
        raise TokenRefused(f"Kraken does not take the token ({answer.codes})", hint=hint, service=SERVICE)
    return answer


def answer_in(reply: Reply, question: Question) -> Answer:
    """Read a reply; raises `Throttled`, or `Unreachable` where it is no GraphQL answer."""
    reply.refuse_if_unwell()
    if reply.body is None:
        raise _without_object(reply)
    data, errors = reply.body.get("data"), reply.body.get("errors")
    if not isinstance(data, Mapping) and not errors and reply.status not in {UNAUTHORISED, FORBIDDEN}:
        raise Unreachable(f"the answer of {reply.host} holds no data (HTTP {reply.status})", service=SERVICE)
    answer = Answer(data if isinstance(data, Mapping) else {}, _faults(errors, question))
    if any(fault.code == THROTTLED for fault in answer.faults):
        raise reply.throttled(f"asks for patience ({THROTTLED})")
    return answer


def _without_object(reply: Reply) -> Unreachable:
    """A 403 that is no answer of Kraken's comes from the network's edge; a 401 may be about the token."""
    if reply.status == FORBIDDEN:
        return reply.blocked()
    if reply.status == UNAUTHORISED:
        return TokenRefused("Kraken does not take the token (HTTP 401)", service=SERVICE)
    return reply.nonsense()


def _faults(errors: object, question: Question) -> tuple[Fault, ...]:
    if not errors:
        return ()
    items = errors if isinstance(errors, list) else [errors]
    return tuple(_fault(item, question) for item in items[:MOST_FAULTS])


def _fault(item: object, question: Question) -> Fault:
    if not isinstance(item, Mapping):
        return Fault(None, None)
    extensions, path = item.get("extensions"), item.get("path")
    code = _code(extensions) if isinstance(extensions, Mapping) else None
    part = path[0] if isinstance(path, list) and path and isinstance(path[0], str) else None
    return Fault(code, part, _disables_flex(item, code, part, question.text))


def _disables_flex(item: Mapping[object, object], code: str | None, part: str | None, asked: str) -> bool:
    """Whether the plan per device is disabled, or unknown to the schema: that has no code, only the text names it."""
    if part is not None:
        return code == DISABLED and f"{part}: {FLEX}" in asked
    named = _QUOTED.search(str(item.get("message"))[:1000])
    return FLEX in asked and (code == DISABLED or (named is not None and named[1] == FLEX))


def _code(extensions: Mapping[object, object]) -> str | None:
    for name in ("errorCode", "code"):
        value = extensions.get(name)
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return None

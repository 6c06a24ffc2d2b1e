"""What can go wrong in the street, by service and by name, and which of it is switched on now.

A fault is named as a story names it: `kraken http-503`, `tesla ignores-writes`, `mail auth-535`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypedDict, Unpack

from smartcharge.world.wire import JSON, Manner, Reply, html_reply

HUGE_BYTES = 8_000_000
RETRY_AFTER_S = 120


class UnknownFaultError(ValueError):
    """No fault has this name; the message tells the nearest one that exists."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    only: holds for requests whose method, path or operation contains this; empty for all. Of Tesla's own faults it
        names the setting that is written (mode, reserve), or the site that is gone or forgotten.
    device: holds for this Kraken device only; empty for all.
    times: goes away after so many requests; None stays.
    after: the request is carried out first, then its answer is spoilt.
    amount: the fault's figure (seconds of Retry-After, of lateness, of age; milliseconds); None for its default.
    """

    service: str
    kind: str
    only: str = ""
    device: str = ""
    times: int | None = None
    after: bool = False
    amount: float | None = None


class Details(TypedDict, total=False):
    """The optional parts of a fault, as a story or a test names them."""

    only: str
    device: str
    times: int | None
    after: bool
    amount: float | None


def _page(status: int, title: str) -> Callable[[Fault], Reply]:
    return lambda _fault: html_reply(status, title)


def _too_many(fault: Fault) -> Reply:
    seconds = RETRY_AFTER_S if fault.amount is None else int(fault.amount)
    return html_reply(429, "Too Many Requests", ("Retry-After", str(seconds)))


def _body(body: bytes) -> Callable[[Fault], Reply]:
    return lambda _fault: Reply(200, body, (JSON,))


WIRE: dict[str, Callable[[Fault], Reply]] = {
    "http-401": _page(401, "Unauthorized"),
    "http-403": _page(403, "Request blocked"),
    "http-429": _too_many,
    "http-500": _page(500, "Internal Server Error"),
    "http-502": _page(502, "Bad Gateway"),
    "http-503": _page(503, "Service Unavailable"),
    "html": _page(200, "Please sign in to this network"),
    "null": _body(b"null"),
    "list": _body(b"[]"),
    "empty": _body(b""),
    "huge": lambda _fault: Reply(200, b'{"data":"' + b"x" * HUGE_BYTES + b'"}', (JSON,)),
    "hang": lambda _fault: Reply(0, manner=Manner.HANG),
    "drop": lambda _fault: Reply(0, manner=Manner.DROP),
    "drip": lambda _fault: Reply(0, manner=Manner.DRIP),
}
"""Faults any HTTPS service can have. A drip keeps the true answer and only slows it."""

ANY_WIRE = "|".join(WIRE)

OWN: dict[str, frozenset[str]] = {
    "kraken": frozenset({"plan-null", "plan-missing", "plan-empty", "flex-removed"}),
    "kraken-auth": frozenset({"invalid-grant"}),
    "myenergi": frozenset({"status-object", "no-zappi", "stale", "no-asn"}),
    "tesla": frozenset(
        {
            "ignores-writes",
            "drops-mode",
            "late",
            "error-body",
            "response-null",
            "no-reserve-field",
            "no-mode-field",
            "no-rate-plan",
            "clamps-reserve",
            "site-gone",
            "site-forgotten",
            "storm",
            "grid-services",
            "off-grid",
            "key-unknown",
            "key-pending",
            "no-leases",
        },
    ),
    "tesla-auth": frozenset({"login-required"}),
    "mail": frozenset(
        {
            "auth-535",
            "auth-454",
            "greeting-421",
            "no-starttls",
            "rcpt-450",
            "rcpt-550",
            "data-550",
            "cut-after-dot",
        },
    ),
}
"""Faults that only one service has; Kraken knows besides any code of the form KT-CT-1234."""

KT_CODE = r"KT-CT-\d{4}"

KT_FIELD = {
    "KT-CT-1134": "obtainKrakenToken",
    "KT-CT-1135": "obtainKrakenToken",
    "KT-CT-1138": "obtainKrakenToken",
    "KT-CT-1139": "obtainKrakenToken",
    "KT-CT-4341": "completedDispatches",
}
"""Which root field a code strikes unless `only` names one; every other code strikes `flexPlannedDispatches`."""


def fault(service: str, kind: str, **details: Unpack[Details]) -> Fault:
    """Name a fault; UnknownFaultError where there is no such one."""
    known = OWN.get(service)
    if known is None:
        raise UnknownFaultError(f"no service {service!r}; there are {', '.join(sorted(OWN))}")
    if service == "kraken" and re.fullmatch(KT_CODE, kind):
        details.setdefault("only", KT_FIELD.get(kind, "flexPlannedDispatches"))
        return Fault(service, kind, **details)
    names = known if service == "mail" else known | WIRE.keys()
    if kind in names:
        return Fault(service, kind, **details)
    near = get_close_matches(kind, names, n=1)
    raise UnknownFaultError(f"{service} has no fault {kind!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


class Trouble:
    """The faults switched on at this moment: some by hand, some by the story."""

    def __init__(self) -> None:
        self._by_hand: tuple[Fault, ...] = ()
        self._by_story: tuple[Fault, ...] = ()
        self._seen: Counter[Fault] = Counter()

    def switch_on(self, trouble: Fault) -> None:
        """Add a fault by hand."""
        self._seen[trouble] = 0
        self._by_hand = (*self._by_hand, trouble)

    def switch_off(self, trouble: Fault) -> None:
        """Take a fault by hand away again."""
        self._by_hand = tuple(each for each in self._by_hand if each != trouble)

    def follow(self, faults: Iterable[Fault]) -> None:
        """Let these, and no others, be the story's faults of the moment."""
        self._by_story = tuple(faults)

    def strikes(self, service: str, kinds: str, about: str = "", device: str = "") -> Fault | None:
        """Find the first active fault that fits, and count it as used once.

        kinds: a regular expression for its name.  about: method, path and operation of the request.
        """
        for each in (*self._by_hand, *self._by_story):
            if each.service != service or not re.fullmatch(kinds, each.kind) or each.only not in about:
                continue
            if (each.device and each.device != device) or self._is_spent(each):
                continue
            self._seen[each] += 1
            return each
        return None

    def _is_spent(self, each: Fault) -> bool:
        return each.times is not None and self._seen[each] >= each.times


def spoilt(trouble: Fault, true_reply: Reply | None) -> Reply:
    """Make what the client gets instead of the true answer."""
    reply = WIRE[trouble.kind](trouble)
    if reply.manner is Manner.DRIP and true_reply is not None:
        return replace(true_reply, manner=Manner.DRIP)
    return reply

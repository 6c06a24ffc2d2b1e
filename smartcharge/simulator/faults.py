"""What can go wrong in the simulator, by service and by name, and which of it is switched on now.

A fault is named as a scenario names it: `kraken http-503`, `tesla ignores-writes`, `mail auth-535`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypedDict, Unpack

from smartcharge.simulator.http_messages import JSON_HEADER, Delivery, HttpReply, html_reply

HUGE_MB = 8.0
BYTES_PER_MB = 1_000_000
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
    amount: the fault's figure (seconds of Retry-After, of lateness, of age; milliseconds; megabytes of a huge body);
        None for its default.
    """

    service: str
    kind: str
    only: str = ""
    device: str = ""
    times: int | None = None
    after: bool = False
    amount: float | None = None


class FaultOptions(TypedDict, total=False):
    """The optional parts of a fault, as a scenario or a test names them."""

    only: str
    device: str
    times: int | None
    after: bool
    amount: float | None


def _html_fault(status: int, title: str) -> Callable[[Fault], HttpReply]:
    return lambda _fault: html_reply(status, title)


def _rate_limited_reply(fault: Fault) -> HttpReply:
    seconds = RETRY_AFTER_S if fault.amount is None else int(fault.amount)
    return html_reply(429, "Too Many Requests", ("Retry-After", str(seconds)))


def _huge_reply(fault: Fault) -> HttpReply:
    padding = int((HUGE_MB if fault.amount is None else fault.amount) * BYTES_PER_MB)
    return HttpReply(200, b'{"data":"', (JSON_HEADER,), padding_bytes=padding)


def _body_fault(body: bytes) -> Callable[[Fault], HttpReply]:
    return lambda _fault: HttpReply(200, body, (JSON_HEADER,))


HTTP_FAULTS: dict[str, Callable[[Fault], HttpReply]] = {
    "http-401": _html_fault(401, "Unauthorized"),
    "http-403": _html_fault(403, "Request blocked"),
    "http-429": _rate_limited_reply,
    "http-500": _html_fault(500, "Internal Server Error"),
    "http-502": _html_fault(502, "Bad Gateway"),
    "http-503": _html_fault(503, "Service Unavailable"),
    "html": _html_fault(200, "Please sign in to this network"),
    "null": _body_fault(b"null"),
    "list": _body_fault(b"[]"),
    "empty": _body_fault(b""),
    "huge": _huge_reply,
    "hang": lambda _fault: HttpReply(0, delivery=Delivery.HANG),
    "drop": lambda _fault: HttpReply(0, delivery=Delivery.DROP),
    "drip": lambda _fault: HttpReply(0, delivery=Delivery.DRIP),
}
"""Faults any HTTPS service can have. A drip keeps the true answer and only slows it."""

ANY_HTTP_FAULT = "|".join(HTTP_FAULTS)

SERVICE_FAULTS: dict[str, frozenset[str]] = {
    "kraken": frozenset({"plan-null", "plan-missing", "plan-empty", "flex-removed"}),
    "kraken-auth": frozenset({"invalid-grant"}),
    "myenergi": frozenset({"status-object", "no-zappi", "stale", "no-asn"}),
    "tesla": frozenset(
        {
            "ignores-writes",
            "ignores-autonomous-from-backup",
            "refuses-backup-mode",
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
            "sites-reversed",
            "storm",
            "grid-services",
            "off-grid",
            "key-unknown",
            "key-pending",
            "no-timed-holds",
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

KRAKEN_CODE_PATTERN = r"KT-CT-\d{4}"

FIELD_BY_KRAKEN_CODE = {
    "KT-CT-1134": "obtainKrakenToken",
    "KT-CT-1135": "obtainKrakenToken",
    "KT-CT-1138": "obtainKrakenToken",
    "KT-CT-1139": "obtainKrakenToken",
    "KT-CT-4341": "completedDispatches",
}
"""Which root field a code strikes unless `only` names one; every other code strikes `flexPlannedDispatches`."""


def make_fault(service: str, kind: str, **details: Unpack[FaultOptions]) -> Fault:
    """Name a fault; UnknownFaultError where there is no such one."""
    known = SERVICE_FAULTS.get(service)
    if known is None:
        raise UnknownFaultError(f"no service {service!r}; there are {', '.join(sorted(SERVICE_FAULTS))}")
    if service == "kraken" and re.fullmatch(KRAKEN_CODE_PATTERN, kind):
        details.setdefault("only", FIELD_BY_KRAKEN_CODE.get(kind, "flexPlannedDispatches"))
        return Fault(service, kind, **details)
    names = known if service == "mail" else known | HTTP_FAULTS.keys()
    if kind in names:
        return Fault(service, kind, **details)
    near = get_close_matches(kind, names, n=1)
    raise UnknownFaultError(f"{service} has no fault {kind!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


class ActiveFaults:
    """The faults switched on at this moment: some by hand, some by the scenario."""

    def __init__(self) -> None:
        self._manual_faults: tuple[Fault, ...] = ()
        self._scenario_faults: tuple[Fault, ...] = ()
        self._use_counts: Counter[Fault] = Counter()

    def switch_on(self, fault: Fault) -> None:
        """Add a fault by hand."""
        self._use_counts[fault] = 0
        self._manual_faults = (*self._manual_faults, fault)

    def switch_off(self, fault: Fault) -> None:
        """Take a fault by hand away again."""
        self._manual_faults = tuple(each for each in self._manual_faults if each != fault)

    def set_scenario_faults(self, faults: Iterable[Fault]) -> None:
        """Let these, and no others, be the scenario's faults of the moment."""
        self._scenario_faults = tuple(faults)

    def trigger(self, service: str, kinds: str, about: str = "", device: str = "") -> Fault | None:
        """Find the first active fault that fits, and count it as used once.

        kinds: a regular expression for its name.  about: method, path and operation of the request.
        """
        for each in (*self._manual_faults, *self._scenario_faults):
            if each.service != service or not re.fullmatch(kinds, each.kind) or each.only not in about:
                continue
            if (each.device and each.device != device) or self._is_used_up(each):
                continue
            self._use_counts[each] += 1
            return each
        return None

    def _is_used_up(self, each: Fault) -> bool:
        return each.times is not None and self._use_counts[each] >= each.times


def make_faulty_reply(fault: Fault, true_reply: HttpReply | None) -> HttpReply:
    """Make what the client gets instead of the true answer."""
    reply = HTTP_FAULTS[fault.kind](fault)
    if reply.delivery is Delivery.DRIP and true_reply is not None:
        return replace(true_reply, delivery=Delivery.DRIP)
    return reply

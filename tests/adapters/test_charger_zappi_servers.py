"""How patient the hub's adapter is, and with which servers it talks at all."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hub_case import HOSTS, S18, S99, Scripted, charger, refusal
from share_case import Share

from smartcharge import budget
from smartcharge.adapters.charger_zappi import ZappiCharger
from smartcharge.core.model import ChargerState
from smartcharge.errors import Throttled, Trouble, Unreachable
from smartcharge.world.street import Street
from smartcharge.world.wire import Asked, Manner, Reply

pytestmark = pytest.mark.usefixtures("charging")

# -- patience ---------------------------------------------------------------------------------------


def test_too_many_questions_are_throttled_for_as_long_as_is_asked(street: Street) -> None:
    with street.fault("myenergi", "http-429", amount=30):
        trouble = refusal(street)

    assert isinstance(trouble, Throttled)
    assert trouble.retry_after == timedelta(seconds=30)


def test_a_throttle_of_a_gateway_is_one_too(street: Street) -> None:
    with street.fault("myenergi", "no-asn"), street.fault("myenergi", "http-429"):
        assert isinstance(refusal(street, host=S18), Throttled)


WAITS = {
    "seconds": ("90", timedelta(seconds=90)),
    "a date": ("Wed, 09 Dec 2026 12:05:00 GMT", timedelta(minutes=5)),
    "a date that has passed": ("Wed, 09 Dec 2026 11:00:00 GMT", timedelta(0)),
    "words": ("soon", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("told", "wait"), WAITS.values(), ids=WAITS)
def test_a_wait_is_told_in_seconds_or_as_a_date(
    street: Street, scripted: Scripted, told: str, wait: timedelta | None
) -> None:
    scripted(Reply(429, b"", (("Retry-After", told),)))

    trouble = refusal(street)

    assert isinstance(trouble, Throttled)
    assert trouble.retry_after == wait


@pytest.mark.parametrize("kind", ["hang", "drip"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_patience_ends(street: Street, kind: str, host: str | None) -> None:
    with street.fault("myenergi", kind):
        assert type(refusal(street, host=host, patience_seconds=1.2)) is Unreachable


def test_a_name_look_up_that_hangs_is_not_waited_for(
    street: Street, monkeypatch: pytest.MonkeyPatch, look_ups_over: list[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")

    trouble = refusal(street, host=S18, patience_seconds=0.4)

    assert type(trouble) is Unreachable
    assert look_ups_over == []


@pytest.fixture
def look_ups_over(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The look-ups that ended, with a resolver that answers nobody for as long as the test lasts."""
    is_over, ended = threading.Event(), []

    def stuck(host: str, *_: object, **__: object) -> None:
        is_over.wait(timeout=60)
        ended.append(host)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    yield ended
    is_over.set()


def test_silence_after_the_challenge_is_no_refusal(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = street.myenergi.answer

    def silent_once_challenged(asked: Asked, now: datetime) -> Reply:
        return Reply(0, manner=Manner.HANG) if "authorization" in asked.headers else answer(asked, now)

    monkeypatch.setattr(street.myenergi, "answer", silent_once_challenged)

    assert type(refusal(street, host=S18, patience_seconds=0.6)) is Unreachable


def open_sockets() -> int:
    """How many sockets this process holds."""
    return sum(is_socket(each) for each in Path("/proc/self/fd").iterdir())


def is_socket(descriptor: Path) -> bool:
    """Whether a descriptor that was open a moment ago is a socket."""
    try:
        return str(descriptor.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("kind", ["hang", "drip"])
def test_the_alarm_passes_through_and_leaves_nothing_open(street: Street, share: Share, kind: str) -> None:
    zappi = charger(street, patience_seconds=share.ROOMY_SECONDS)
    zappi.read(street.now)
    settled = open_sockets()
    street.requests.clear()

    with (
        street.fault("myenergi", kind),
        pytest.raises(budget.OutOfTime),
        share.used_up_once(lambda: street.requests != []),
    ):
        zappi.read(street.now)

    assert comes_true(lambda: open_sockets() <= settled)


def comes_true(claim: Callable[[], bool]) -> bool:
    """Whether a claim holds before long: the other side notices a moment later, on a busy machine some more."""
    for _ in range(1200):
        if claim():
            return True
        time.sleep(0.05)
    return False


# -- which server -----------------------------------------------------------------------------------


def test_a_server_that_is_gone_is_looked_for_once_more(street: Street) -> None:
    zappi = charger(street, host="s77.myenergi.net")

    assert zappi.read(street.now).state is ChargerState.CHARGING
    assert (zappi.host, street.refused) == (S18, ["s77.myenergi.net"])


def test_a_server_that_cuts_off_is_looked_for_once_more(street: Street) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", "drop", times=1):
        assert zappi.read(street.now).state is ChargerState.CHARGING


def test_a_move_is_remembered(street: Street) -> None:
    zappi = charger(street, host=S18)
    street.myenergi.asn = S99

    zappi.read(street.now)

    assert zappi.host == S99


@pytest.mark.parametrize("kind", ["stale", "no-zappi", "http-503", "http-401", "status-object"])
def test_a_server_that_is_of_no_use_is_forgotten(street: Street, kind: str) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", kind), contextlib.suppress(Trouble):
        zappi.read(street.now)

    assert zappi.host is None


def test_a_server_that_used_up_the_time_is_forgotten(street: Street, share: Share) -> None:
    zappi = charger(street, host=S18, patience_seconds=share.ROOMY_SECONDS)

    with (
        street.fault("myenergi", "hang"),
        pytest.raises(budget.OutOfTime),
        share.used_up_once(lambda: street.requests != []),
    ):
        zappi.read(street.now)

    assert zappi.host is None


def test_a_throttling_server_is_not_forgotten(street: Street) -> None:
    zappi = charger(street, host=S18)

    with street.fault("myenergi", "http-429"), pytest.raises(Throttled):
        zappi.read(street.now)

    assert zappi.host == S18


STRANGERS = ("evil.example", "undefined", "myenergi.net.evil.example", "evilmyenergi.net", f"{S18}@evil.example")


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_asked(street: Street, name: str) -> None:
    street.myenergi.asn = name

    assert type(refusal(street)) is Unreachable
    assert street.refused == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_remembered(street: Street, name: str) -> None:
    zappi = charger(street, host=S18)
    street.myenergi.asn = name

    assert zappi.read(street.now).state is ChargerState.CHARGING
    assert zappi.host is None


@pytest.mark.parametrize("name", [*STRANGERS, "", "https://s18.myenergi.net", "s18.myenergi.net/x"])
def test_a_remembered_stranger_is_ignored(street: Street, name: str) -> None:
    assert charger(street, host=name).host is None


def test_a_port_may_be_named() -> None:
    zappi = ZappiCharger(hub_serial="12345678", api_key="key", threshold_w=500, host="s18.myenergi.net:8443")

    assert zappi.host == "s18.myenergi.net:8443"

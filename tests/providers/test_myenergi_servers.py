"""How patient the hub's adapter is, and with which servers it talks at all."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from controlled_time_limit import Share
from zappi_hub import ACTIVE_SERVER, HOSTS, MOVED_SERVER, SetHubReply, make_charger, read_error

from smartcharge.deadline import DeadlineExceeded
from smartcharge.errors import AppError, ThrottledError, UnreachableError
from smartcharge.policy.model import ChargerState
from smartcharge.providers.myenergi import ZappiCharger
from smartcharge.simulator.http_messages import Delivery, HttpReply, HttpRequest
from smartcharge.simulator.simulator import Simulator

pytestmark = pytest.mark.usefixtures("charging")

# -- patience ---------------------------------------------------------------------------------------


def test_too_many_questions_are_throttled_for_as_long_as_is_asked(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "http-429", amount=30):
        trouble = read_error(simulator)

    assert isinstance(trouble, ThrottledError)
    assert trouble.retry_after == timedelta(seconds=30)


def test_a_throttle_of_a_gateway_is_one_too(simulator: Simulator) -> None:
    with simulator.fault("myenergi", "no-asn"), simulator.fault("myenergi", "http-429"):
        assert isinstance(read_error(simulator, host=ACTIVE_SERVER), ThrottledError)


WAITS = {
    "seconds": ("90", timedelta(seconds=90)),
    "a date": ("Wed, 09 Dec 2026 12:05:00 GMT", timedelta(minutes=5)),
    "a date that has passed": ("Wed, 09 Dec 2026 11:00:00 GMT", timedelta(0)),
    "words": ("soon", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("told", "wait"), WAITS.values(), ids=WAITS)
def test_a_wait_is_told_in_seconds_or_as_a_date(
    simulator: Simulator, scripted: SetHubReply, told: str, wait: timedelta | None
) -> None:
    scripted(HttpReply(429, b"", (("Retry-After", told),)))

    trouble = read_error(simulator)

    assert isinstance(trouble, ThrottledError)
    assert trouble.retry_after == wait


@pytest.mark.parametrize("kind", ["hang", "drip"])
@pytest.mark.parametrize("host", HOSTS.values(), ids=HOSTS)
def test_patience_ends(simulator: Simulator, kind: str, host: str | None) -> None:
    with simulator.fault("myenergi", kind):
        assert type(read_error(simulator, host=host, timeout_seconds=1.2)) is UnreachableError


def test_a_name_look_up_that_hangs_is_not_waited_for(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, look_ups_over: list[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid:3128")

    trouble = read_error(simulator, host=ACTIVE_SERVER, timeout_seconds=0.4)

    assert type(trouble) is UnreachableError
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


def test_silence_after_the_challenge_is_no_refusal(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = simulator.myenergi.answer

    def silent_once_challenged(asked: HttpRequest, now: datetime) -> HttpReply:
        return HttpReply(0, delivery=Delivery.HANG) if "authorization" in asked.headers else answer(asked, now)

    monkeypatch.setattr(simulator.myenergi, "answer", silent_once_challenged)

    assert type(read_error(simulator, host=ACTIVE_SERVER, timeout_seconds=0.6)) is UnreachableError


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
def test_the_alarm_passes_through_and_leaves_nothing_open(simulator: Simulator, share: Share, kind: str) -> None:
    zappi = make_charger(simulator, timeout_seconds=share.ROOMY_SECONDS)
    zappi.read(simulator.now)
    settled = open_sockets()
    simulator.requests.clear()

    with (
        simulator.fault("myenergi", kind),
        pytest.raises(DeadlineExceeded),
        share.used_up_once(lambda: simulator.requests != []),
    ):
        zappi.read(simulator.now)

    assert comes_true(lambda: open_sockets() <= settled)


def comes_true(claim: Callable[[], bool]) -> bool:
    """Whether a claim holds before long: the other side notices a moment later, on a busy machine some more."""
    for _ in range(1200):
        if claim():
            return True
        time.sleep(0.05)
    return False


# -- which server -----------------------------------------------------------------------------------


def test_a_server_that_is_gone_is_looked_for_once_more(simulator: Simulator) -> None:
    zappi = make_charger(simulator, host="s77.myenergi.net")

    assert zappi.read(simulator.now).state is ChargerState.CHARGING
    assert (zappi.host, simulator.refused) == (ACTIVE_SERVER, ["s77.myenergi.net"])


def test_a_server_that_cuts_off_is_looked_for_once_more(simulator: Simulator) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)

    with simulator.fault("myenergi", "drop", times=1):
        assert zappi.read(simulator.now).state is ChargerState.CHARGING


def test_a_move_is_remembered(simulator: Simulator) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)
    simulator.myenergi.asn = MOVED_SERVER

    zappi.read(simulator.now)

    assert zappi.host == MOVED_SERVER


@pytest.mark.parametrize("kind", ["stale", "no-zappi", "http-503", "http-401", "status-object"])
def test_a_server_that_is_of_no_use_is_forgotten(simulator: Simulator, kind: str) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)

    with simulator.fault("myenergi", kind), contextlib.suppress(AppError):
        zappi.read(simulator.now)

    assert zappi.host is None


def test_a_server_that_used_up_the_time_is_forgotten(simulator: Simulator, share: Share) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER, timeout_seconds=share.ROOMY_SECONDS)

    with (
        simulator.fault("myenergi", "hang"),
        pytest.raises(DeadlineExceeded),
        share.used_up_once(lambda: simulator.requests != []),
    ):
        zappi.read(simulator.now)

    assert zappi.host is None


def test_a_throttling_server_is_not_forgotten(simulator: Simulator) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)

    with simulator.fault("myenergi", "http-429"), pytest.raises(ThrottledError):
        zappi.read(simulator.now)

    assert zappi.host == ACTIVE_SERVER


STRANGERS = (
    "evil.example",
    "undefined",
    "myenergi.net.evil.example",
    "evilmyenergi.net",
    f"{ACTIVE_SERVER}@evil.example",
)


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_asked(simulator: Simulator, name: str) -> None:
    simulator.myenergi.asn = name

    assert type(read_error(simulator)) is UnreachableError
    assert simulator.refused == []


@pytest.mark.parametrize("name", STRANGERS)
def test_a_stranger_is_never_remembered(simulator: Simulator, name: str) -> None:
    zappi = make_charger(simulator, host=ACTIVE_SERVER)
    simulator.myenergi.asn = name

    assert zappi.read(simulator.now).state is ChargerState.CHARGING
    assert zappi.host is None


@pytest.mark.parametrize("name", [*STRANGERS, "", "https://s18.myenergi.net", "s18.myenergi.net/x"])
def test_a_remembered_stranger_is_ignored(simulator: Simulator, name: str) -> None:
    assert make_charger(simulator, host=name).host is None


def test_a_port_may_be_named() -> None:
    zappi = ZappiCharger(hub_serial="12345678", api_key="key", threshold_w=500, host="s18.myenergi.net:8443")

    assert zappi.host == "s18.myenergi.net:8443"

"""No test reaches beyond this machine: whoever tries is refused, and the test fails even where nobody minds."""

import errno
import socket
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
"""How long an example takes says more of the machine than of us."""

LOOKUP_EVENTS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.gethostbyname_ex"}
SEND_EVENTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}

_unexpected_connections: list[str] = []
_is_guard_on = False


def _refuse_outside_hosts(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse hosts that are not this machine; the interpreter calls this before it looks up or connects."""
    if not _is_guard_on or event not in LOOKUP_EVENTS | SEND_EVENTS:
        return
    address = arguments[0] if event in LOOKUP_EVENTS else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if event in SEND_EVENTS and not isinstance(address, tuple):
        return  # a pipe's or a kernel's socket, or a connected one
    if not is_local_host(host):
        _unexpected_connections.append(f"{event} {host!r}")
        raise OSError(errno.ENETUNREACH, f"the network is off in tests: {host!r}")


def is_local_host(host: object) -> bool:
    """Whether a host, by name or by number, is this machine."""
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in {"", "localhost", socket.gethostname()}:
        return True
    try:
        return ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(scope="session", autouse=True)
def _network_guard() -> Iterator[None]:
    """Set the guard for the whole session; an audit hook cannot be taken out again, so it is told to rest."""
    global _is_guard_on  # noqa: PLW0603  # the hook outlives every fixture
    sys.addaudithook(_refuse_outside_hosts)
    _is_guard_on = True
    yield
    _is_guard_on = False


@pytest.fixture(autouse=True)
def strayed() -> Iterator[list[str]]:
    """What tried to leave this machine during the test; whoever expects it clears the list."""
    _unexpected_connections.clear()
    yield _unexpected_connections
    assert _unexpected_connections == [], "a test must not reach beyond this machine"

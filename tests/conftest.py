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

LOOK_UPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.gethostbyname_ex"}
SENDING = {"socket.connect", "socket.sendto", "socket.sendmsg"}

_strayed: list[str] = []
_on = False


def _guard(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse hosts that are not this machine; the interpreter calls this before it looks up or connects."""
    if not _on or event not in LOOK_UPS | SENDING:
        return
    address = arguments[0] if event in LOOK_UPS else arguments[1]
    host = address[0] if isinstance(address, tuple) else address
    if event in SENDING and not isinstance(address, tuple):
        return  # a pipe's or a kernel's socket, or a connected one
    if not is_here(host):
        _strayed.append(f"{event} {host!r}")
        raise OSError(errno.ENETUNREACH, f"the network is off in tests: {host!r}")


def is_here(host: object) -> bool:
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
    global _on  # noqa: PLW0603  # the hook outlives every fixture
    sys.addaudithook(_guard)
    _on = True
    yield
    _on = False


@pytest.fixture(autouse=True)
def strayed() -> Iterator[list[str]]:
    """What tried to leave this machine during the test; whoever expects it clears the list."""
    _strayed.clear()
    yield _strayed
    assert _strayed == [], "a test must not reach beyond this machine"

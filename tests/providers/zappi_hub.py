"""The house's hub for the tests of its adapter: a pretend one, asked through the real library."""

from collections.abc import Callable

import pytest

from smartcharge.errors import AppError
from smartcharge.providers.myenergi import ZappiCharger
from smartcharge.simulator.http_messages import HttpReply
from smartcharge.simulator.simulator import Simulator

ACTIVE_SERVER = "s18.myenergi.net"
MOVED_SERVER = "s99.myenergi.net"
HOSTS = {"a fresh start": None, "a remembered server": ACTIVE_SERVER}

SetHubReply = Callable[[HttpReply], None]
"""Lets the pretend cloud give one and the same answer to everything."""


def make_charger(
    simulator: Simulator,
    *,
    key: str | None = None,
    serial: str | None = None,
    pinned: str | None = None,
    host: str | None = None,
    timeout_seconds: float = 9.0,
) -> ZappiCharger:
    """The house's own charger."""
    return ZappiCharger(
        hub_serial=serial or simulator.house.hub_serial,
        api_key=key or simulator.house.hub_key,
        zappi_serial=pinned,
        threshold_w=500.0,
        host=host,
        timeout_seconds=timeout_seconds,
    )


def read_error(simulator: Simulator, **wishes: str | float | None) -> AppError:
    """What a reading raises."""
    with pytest.raises(AppError) as raised:
        make_charger(simulator, **wishes).read(simulator.now)  # type: ignore[arg-type]
    return raised.value

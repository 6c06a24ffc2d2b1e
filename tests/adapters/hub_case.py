"""The house's hub for the tests of its adapter: a pretend one, asked through the real library."""

from collections.abc import Callable

import pytest

from smartcharge.adapters.charger_zappi import ZappiCharger
from smartcharge.errors import Trouble
from smartcharge.world.street import Street
from smartcharge.world.wire import Reply

S18 = "s18.myenergi.net"
S99 = "s99.myenergi.net"
HOSTS = {"a fresh start": None, "a remembered server": S18}

Scripted = Callable[[Reply], None]
"""Lets the pretend cloud give one and the same answer to everything."""


def charger(
    street: Street,
    *,
    key: str | None = None,
    serial: str | None = None,
    pinned: str | None = None,
    host: str | None = None,
    patience_seconds: float = 9.0,
) -> ZappiCharger:
    """The house's own charger."""
    return ZappiCharger(
        hub_serial=serial or street.house.hub_serial,
        api_key=key or street.house.hub_key,
        zappi_serial=pinned,
        threshold_w=500.0,
        host=host,
        patience_seconds=patience_seconds,
    )


def refusal(street: Street, **wishes: str | float | None) -> Trouble:
    """What a reading raises."""
    with pytest.raises(Trouble) as raised:
        charger(street, **wishes).read(street.now)  # type: ignore[arg-type]
    return raised.value

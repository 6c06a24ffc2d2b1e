"""The pretend house's battery on each way to it, for what every one of its adapters must do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartcharge.errors import AppError
from smartcharge.providers.protocols import Battery
from smartcharge.providers.tesla import BatteryAddress, connect_battery
from smartcharge.simulator.simulator import Simulator

BACKENDS = ("cloud", "fleetapi", "v1r")


@dataclass
class BackendCase:
    """One way to the battery, with the owner signed in for it.

    settings, live: what the way's requests for them are called in the street. command: so its writes.
    """

    backend: str
    simulator: Simulator
    folder: Path

    @property
    def settings(self) -> str:
        return "config" if self.backend == "v1r" else "site_info"

    @property
    def live(self) -> str:
        return "status" if self.backend == "v1r" else "live_status"

    @property
    def command(self) -> str:
        return "write" if self.backend == "v1r" else "operation"

    def address(self, site: str | None = None) -> BatteryAddress:
        """How to reach the battery; site: which one it has to be."""
        house = self.simulator.house
        return BatteryAddress(
            backend=self.backend,
            site=site,
            auth_folder=self.folder,
            account_email=house.tesla_email,
            gateway_host=house.gateway_host,
            gateway_password=house.gateway_password,
            key_file=self.folder / "tedapi_rsa_private.pem",
        )

    def battery(self) -> Battery:
        """The battery's provider."""
        return connect_battery(self.address(), self.simulator.now)

    @property
    def written(self) -> list[str | int | bool]:
        """What was written to the battery."""
        return [write.value for write in self.simulator.powerwall.writes]

    def refusal(self, act: Callable[[Battery], object]) -> AppError:
        """How a conversation with one act fails."""
        with pytest.raises(AppError) as raised, self.battery() as powerwall:
            act(powerwall)
        return raised.value


def write_mode(powerwall: Battery) -> None:
    """One command."""
    powerwall.set_mode("backup")


def read_once(powerwall: Battery) -> None:
    """One reading."""
    powerwall.read()

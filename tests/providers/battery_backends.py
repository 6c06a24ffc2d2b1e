"""The pretend house's battery on each way to it, for what every one of its adapters must do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartcharge.errors import AppError
from smartcharge.providers.protocols import Battery
from smartcharge.providers.tesla.cloud import CloudBattery
from smartcharge.providers.tesla.fleet import FleetBattery
from smartcharge.providers.tesla.gateway import GatewayBattery
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

    def battery(self, timeout_seconds: int = 5) -> Battery:
        """The battery's adapter."""
        house = self.simulator.house
        if self.backend == "v1r":
            return GatewayBattery(
                host=house.gateway_host,
                password=house.gateway_password,
                key=self.folder / "tedapi_rsa_private.pem",
                now=self.simulator.now,
                timeout_seconds=timeout_seconds,
            )
        if self.backend == "fleetapi":
            return FleetBattery(site_id=str(house.site_id), folder=self.folder, timeout_seconds=timeout_seconds)
        return CloudBattery(
            email=house.tesla_email,
            site_id=str(house.site_id),
            auth_folder=self.folder,
            timeout_seconds=timeout_seconds,
        )

    @property
    def written(self) -> list[str | int | bool]:
        """What was written to the battery."""
        return [write.value for write in self.simulator.powerwall.writes]

    def refusal(self, act: Callable[[Battery], object], *, timeout_seconds: int = 5) -> AppError:
        """How a conversation with one act fails."""
        with pytest.raises(AppError) as raised, self.battery(timeout_seconds) as powerwall:
            act(powerwall)
        return raised.value


def write_mode(powerwall: Battery) -> None:
    """One command."""
    powerwall.set_mode("backup")


def read_once(powerwall: Battery) -> None:
    """One reading."""
    powerwall.read()

"""The pretend house's battery on each way to it, for what every one of its adapters must do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartcharge.adapters.battery_fleet import FleetBattery
from smartcharge.adapters.battery_powerwall import PowerwallBattery
from smartcharge.adapters.battery_v1r import GatewayBattery
from smartcharge.errors import Trouble
from smartcharge.ports import Battery
from smartcharge.world.street import Street

BACKENDS = ("cloud", "fleetapi", "v1r")


@dataclass
class Way:
    """One way to the battery, with the owner signed in for it.

    settings, live: what the way's requests for them are called in the street. command: so its writes.
    """

    backend: str
    street: Street
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
        house = self.street.house
        if self.backend == "v1r":
            return GatewayBattery(
                host=house.gateway_host,
                password=house.gateway_password,
                key=self.folder / "tedapi_rsa_private.pem",
                now=self.street.now,
                timeout_seconds=timeout_seconds,
            )
        if self.backend == "fleetapi":
            return FleetBattery(site_id=str(house.site_id), folder=self.folder, timeout_seconds=timeout_seconds)
        return PowerwallBattery(
            email=house.tesla_email,
            site_id=str(house.site_id),
            auth_folder=self.folder,
            timeout_seconds=timeout_seconds,
        )

    @property
    def written(self) -> list[str | int | bool]:
        """What was written to the battery."""
        return [write.value for write in self.street.powerwall.writes]

    def refusal(self, act: Callable[[Battery], object], *, timeout_seconds: int = 5) -> Trouble:
        """How a conversation with one act fails."""
        with pytest.raises(Trouble) as raised, self.battery(timeout_seconds) as powerwall:
            act(powerwall)
        return raised.value


def hold(powerwall: Battery) -> None:
    """One command."""
    powerwall.set_mode("backup")


def look(powerwall: Battery) -> None:
    """One reading."""
    powerwall.read()

"""A conversation with the pretend house's battery over the Fleet API."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from smartcharge.errors import AppError
from smartcharge.providers.tesla.fleet import FleetBattery
from smartcharge.simulator.simulator import Simulator


@dataclass
class FleetInstallation:
    """The pretend street and the folder with the library's file."""

    simulator: Simulator
    folder: Path

    def battery(self, *, site_id: str | None = None, timeout_seconds: int = 5) -> FleetBattery:
        """The battery; its site is named in the library's file, unless another is named here."""
        return FleetBattery(site_id=site_id, folder=self.folder, timeout_seconds=timeout_seconds, place="config.yaml")

    @property
    def asked(self) -> list[str]:
        """What Tesla was asked, in order."""
        return [request.operation for request in self.simulator.requests]

    @property
    def written(self) -> list[str | int | bool]:
        """What was written to the battery."""
        return [write.value for write in self.simulator.powerwall.writes]

    @property
    def file(self) -> Path:
        """The library's file."""
        return self.folder / ".pypowerwall.fleetapi"

    def stored(self) -> dict[str, Any]:
        """What the file holds."""
        found: dict[str, Any] = json.loads(self.file.read_text())
        return found

    def store(self, **changes: object) -> None:
        """Change values in the file."""
        self.file.write_text(json.dumps(self.stored() | changes))

    def refusal_to_read(self, *, site_id: str | None = None) -> AppError:
        """How a conversation with one reading fails."""
        with pytest.raises(AppError) as raised, self.battery(site_id=site_id) as powerwall:
            powerwall.read()
        return raised.value

    def refusal_of_mode(self, mode: str = "autonomous", *, timeout_seconds: int = 5) -> AppError:
        """How a conversation with one command fails."""
        with pytest.raises(AppError) as raised, self.battery(timeout_seconds=timeout_seconds) as powerwall:
            powerwall.set_mode(mode)
        return raised.value

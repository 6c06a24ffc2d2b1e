"""A conversation with the pretend house's battery, for the tests of its adapter."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from smartcharge.errors import AppError
from smartcharge.providers.tesla.cloud import CloudBattery
from smartcharge.simulator.simulator import Simulator


@dataclass
class CloudInstallation:
    """The pretend street and the folder with the library's files."""

    simulator: Simulator
    folder: Path

    def battery(
        self, *, named: bool = True, site_id: str | None = None, email: str | None = None, timeout_seconds: int = 5
    ) -> CloudBattery:
        """The battery, its site named in the configuration unless told otherwise."""
        return CloudBattery(
            email=email or self.simulator.house.tesla_email,
            site_id=site_id or (str(self.simulator.house.site_id) if named else None),
            auth_folder=self.folder,
            timeout_seconds=timeout_seconds,
            place="config.yaml",
        )

    @property
    def asked(self) -> list[str]:
        """What Tesla was asked, in order."""
        return [request.operation for request in self.simulator.requests]

    @property
    def written(self) -> list[str | int | bool]:
        """What was written to the battery."""
        return [write.value for write in self.simulator.powerwall.writes]

    @property
    def auth_file(self) -> Path:
        """The library's token file."""
        return self.folder / ".pypowerwall.auth"

    @property
    def site_file(self) -> Path:
        """The library's site file."""
        return self.folder / ".pypowerwall.site"

    def tokens(self, file: str = ".pypowerwall.auth") -> dict[str, str]:
        """The tokens in a token file."""
        found: dict[str, str] = json.loads((self.folder / file).read_text())[self.simulator.house.tesla_email]["sso"]
        return found

    def refusal_to_read(self, **wishes: bool | str | None) -> AppError:
        """How a conversation with one reading fails."""
        with pytest.raises(AppError) as raised, self.battery(**wishes) as powerwall:  # type: ignore[arg-type]
            powerwall.read()
        return raised.value

    def refusal_of_mode(self, mode: str = "autonomous", *, timeout_seconds: int = 5) -> AppError:
        """How a conversation with one command fails."""
        with pytest.raises(AppError) as raised, self.battery(timeout_seconds=timeout_seconds) as powerwall:
            powerwall.set_mode(mode)
        return raised.value

"""A house in the pretend street for the doctor to look at, and his findings by what they are about."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml
from simulation import Simulation

from smartcharge.simulator.scenario_runner import CommandResult
from smartcharge.simulator.simulator import Simulator


@dataclass(frozen=True)
class DoctorRun:
    """One visit of the doctor."""

    outcome: CommandResult
    checks: tuple[dict[str, str], ...]
    verdict: str

    @property
    def exit_code(self) -> int:
        return self.outcome.exit_code

    def about(self, area: str, check: str = "") -> list[dict[str, str]]:
        """The findings of an area, or of one check in it."""
        return [each for each in self.checks if each["area"] == area and check in ("", each["check"])]

    def verdicts(self, area: str, check: str = "") -> set[str]:
        """How these stand."""
        return {each["verdict"] for each in self.about(area, check)}

    def told(self, area: str, check: str = "") -> str:
        """What they say, mends included."""
        return "\n".join(f"{each['says']} | {each['mend']}" for each in self.about(area, check))

    @property
    def bad(self) -> set[tuple[str, str]]:
        """The areas where not all is as it should be, with how they stand."""
        return {(each["area"], each["verdict"]) for each in self.checks if each["verdict"] != "ok"}


@dataclass
class DoctorInstallation:
    """The house, with the street around it."""

    simulation: Simulation

    @property
    def simulator(self) -> Simulator:
        return self.simulation.simulator

    @property
    def folder(self) -> Path:
        return self.simulation.folder

    @property
    def now(self) -> datetime:
        return self.simulator.now

    def visit(self, *options: str, at: datetime | None = None) -> DoctorRun:
        """Let the doctor come, and read what he found as a program would."""
        outcome = self.simulation.runner(["doctor", "--json", *options], at or self.now)
        found = json.loads(outcome.stdout)
        return DoctorRun(outcome, tuple(found["checks"]), found["verdict"])

    def configure(self, section: str, **keys: object) -> None:
        """Change the configuration; None takes a key out."""
        path = self.folder / "config.yaml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        merged = {**settings.get(section, {}), **keys}
        settings[section] = {key: value for key, value in merged.items() if value is not None}
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def configure_mail(self, **keys: object) -> None:
        """Set up the house's mail account."""
        house, simulator = self.simulator.house, self.simulator
        account = {"smtp_user": house.mail_user, "smtp_pass": house.mail_password, "invite_to": house.invite_to}
        server = {"smtp_host": simulator.smtp_host, "smtp_port": simulator.smtp_port}
        self.configure("gcal", **{**account, **server, **keys})

    @property
    def secrets(self) -> set[str]:
        """What must never be shown."""
        house = self.simulator.house
        return {
            *(house.kraken_password, house.account_number, house.hub_serial, house.hub_key, house.mail_password),
            str(house.zappi_serial),
        }


def healthy_installation(simulation: Simulation) -> DoctorInstallation:
    """A house without a mail account, where everything is well and a run has just been."""
    path = simulation.folder / "config.yaml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump({key: value for key, value in settings.items() if key != "gcal"}), encoding="utf-8")
    assert simulation.run("12:00", "tick").exit_code == 0
    simulation.simulator.requests.clear()
    return DoctorInstallation(simulation)

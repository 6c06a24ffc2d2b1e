"""A pretend street with a house on it, for tests that run commands."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from smartcharge.simulator.scenario_runner import CommandResult, CommandRunner
from smartcharge.simulator.simulator import Simulator


@dataclass
class Simulation:
    """The street, the way to run a command there, and the folder of the house."""

    simulator: Simulator
    runner: CommandRunner
    folder: Path
    day: datetime

    def run(self, clock: str, *arguments: str) -> CommandResult:
        """Run a command line at a minute of the day (GMT)."""
        hours, minutes = clock.split(":")
        now = self.day.replace(hour=int(hours), minute=int(minutes))
        self.simulator.set_time(now)
        return self.runner(list(arguments), now)

    def plan(self, *spans: str) -> None:
        """Let the supplier plan SMART windows such as 13:00-14:30 (GMT)."""
        windows = (span.split("-") for span in spans)
        self.simulator.account.plans[self.simulator.house.device_id] = [
            {"start": self._moment(start), "end": self._moment(end), "type": "SMART", "energyAddedKwh": "-7.2"}
            for start, end in windows
        ]

    def drive(self, watts: int) -> None:
        """Let the car draw power, or none."""
        for zappi in self.simulator.myenergi.zappis:
            zappi.watts, zappi.pst = watts, "C2" if watts else "B2"

    def _moment(self, clock: str) -> str:
        return f"{self.day:%Y-%m-%d}T{clock}:00+00:00"

"""Processes measured side by side: processor time and memory of whole processes, in turns, as medians."""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LAUNCHER = str(Path(__file__).with_name("process_launcher.py"))


def prepare_nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True, slots=True)
class MeasuredCase:
    """A process to measure. prepare: not measured, before every run; exit_code: how it must end."""

    name: str
    arguments: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    prepare: Callable[[], None] = prepare_nothing
    exit_code: int = 0


@dataclass(slots=True)
class ProcessCost:
    """What the runs of a case took. cpu_ms: user and system time; peak_mib: resident memory."""

    cpu_ms: list[float] = field(default_factory=list)
    peak_mib: list[float] = field(default_factory=list)

    @property
    def median_ms(self) -> float:
        """The middle one of all runs."""
        return statistics.median(self.cpu_ms)

    @property
    def median_mib(self) -> float:
        """The middle one of all runs."""
        return statistics.median(self.peak_mib)


def measure_cases(cases: Sequence[MeasuredCase], rounds: int) -> dict[str, ProcessCost]:
    """Run every case once a round: what disturbs the machine meanwhile disturbs them all alike."""
    costs = {case.name: ProcessCost() for case in cases}
    with subprocess.Popen(
        [sys.executable, LAUNCHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as launcher:
        for number in range(rounds):
            for case in cases:
                case.prepare()
                measure_once(case, launcher, costs[case.name])
            print(f"\rround {number + 1} of {rounds}", end="", file=sys.stderr, flush=True)  # noqa: T201
        launcher.communicate()
    print(file=sys.stderr)  # noqa: T201
    return costs


def measure_once(case: MeasuredCase, launcher: "subprocess.Popen[str]", cost: ProcessCost) -> None:
    """Run a case to its end and add what it took; RuntimeError where it ends in another way than it should."""
    line = [sys.executable, *case.arguments]
    asked = {"line": line, "folder": str(case.folder), "environment": dict(case.environment)}
    if launcher.stdin is None or launcher.stdout is None:
        raise RuntimeError("the launcher has no pipes")
    launcher.stdin.write(f"{json.dumps(asked)}\n")
    launcher.stdin.flush()
    ended, cpu_ms, peak_mib = json.loads(launcher.stdout.readline())
    if ended != case.exit_code:
        raise RuntimeError(f"{case.name} ended with {ended}, not {case.exit_code}")
    cost.cpu_ms.append(cpu_ms)
    cost.peak_mib.append(peak_mib)

"""Plays a scenario through the real commands and the unmodified libraries, and collects what the tests look at."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from scenario_laws import MinuteMemory, load_minute_memory

from smartcharge.commands.demo import start_simulator
from smartcharge.idle import can_skip, database_change_count
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_runner import (
    CommandResult,
    CommandRunner,
    MinuteRecord,
    ScenarioResult,
    run_scenario,
)
from smartcharge.simulator.simulator import Simulator

SECRETS = (
    *(DEFAULT_HOUSE.kraken_password, DEFAULT_HOUSE.kraken_api_key, DEFAULT_HOUSE.account_number),
    *(DEFAULT_HOUSE.hub_key, DEFAULT_HOUSE.hub_serial, DEFAULT_HOUSE.mail_password),
)
TOKEN_PATTERN = re.compile(r"eyJ[\w-]{10,}|[0-9a-f]{40,}|digest|Bearer |JWT ", re.IGNORECASE)
"""JSON web tokens, refresh tokens, and the words that stand before one in a header."""
MAIL_DUMP_VARIABLE = "SMARTCHARGE_MAIL_DUMP"


@dataclass(frozen=True, slots=True)
class ScenarioRun:
    """What came of a scenario.

    words: everything any of its commands printed, each with the command line. memories: what the program remembered at
    the end of each minute. quiet: how many commands would have been skipped as idle. wrongly_skipped: those of them
    that did something all the same.
    """

    played: ScenarioResult
    words: tuple[tuple[str, str], ...]
    memories: tuple[MinuteMemory, ...]
    quiet: int = 0
    wrongly_skipped: tuple[str, ...] = ()


def play_scenario(scenario: Scenario, folder: Path, *, verbose: bool = False) -> ScenarioRun:
    """Play a scenario in this process."""
    with start_simulator(folder, scenario) as (simulation, run):
        runner = IdleCheckRunner(folder, simulation, run)
        scenario_run = play_scenario_in(scenario, simulation, runner, folder, verbose=verbose)
        return replace(scenario_run, quiet=runner.quiet, wrongly_skipped=tuple(runner.wrongly_skipped))


class IdleCheckRunner:
    """Runs every command in full, also where it would be skipped as idle, and checks whether skipping were right."""

    def __init__(self, folder: Path, simulation: Simulator, run: CommandRunner) -> None:
        self._config, self._database = folder / "config.yaml", folder / "smartcharge.db"
        self._simulation, self._run = simulation, run
        self.quiet = 0
        self.wrongly_skipped: list[str] = []

    def __call__(self, arguments: list[str], at: datetime) -> CommandResult:
        if not can_skip(["--config", str(self._config), *arguments], os.environ, at):
            return self._run(arguments, at)
        self.quiet += 1
        before = self._state()
        outcome = self._run(arguments, at)
        if outcome != CommandResult(0) or self._state() != before:
            self.wrongly_skipped.append(f"{at:%H:%M} {' '.join(arguments)}: {outcome}")
        return outcome

    def _state(self) -> tuple[int, int]:
        return database_change_count(str(self._database)), len(self._simulation.requests) + len(self._simulation.mails)


def play_scenario_in(
    scenario: Scenario, simulation: Simulator, run: CommandRunner, folder: Path, *, verbose: bool = False
) -> ScenarioRun:
    """Play a scenario in a simulator that serves already, with any way to run commands."""
    words: list[tuple[str, str]] = []
    memories: list[MinuteMemory] = []

    def run_and_record(arguments: list[str], at: datetime) -> CommandResult:
        outcome = run(["-v", *arguments] if verbose else arguments, at)
        words.append((f"{at:%H:%M} {' '.join(arguments)}", f"{outcome.stdout}\n{outcome.stderr}"))
        return outcome

    played = run_scenario(
        scenario, simulation, run_and_record, on_minute=lambda _: memories.append(load_minute_memory(folder))
    )
    run_and_record(["status"], played.minutes[-1].at)
    run_and_record(["history"], played.minutes[-1].at)
    _dump_mails(scenario, played)
    return ScenarioRun(played, tuple(words), tuple(memories))


def find_printed_secrets(words: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Name every command that printed a password, a key, a token or an account number."""
    for command, text in words:
        for secret in (each for each in SECRETS if each in text):
            yield f"`{command}` prints the secret {secret!r}"
        if token := TOKEN_PATTERN.search(text):
            yield f"`{command}` prints what looks like a token: {token[0]!r}"


def find_stored_secrets(folder: Path) -> Iterator[str]:
    """Name every secret of the configuration that has found its way into the database."""
    stored = b"".join(path.read_bytes() for path in sorted(folder.glob("smartcharge.db*")))
    yield from (f"the database holds the secret {secret!r}" for secret in SECRETS if secret.encode() in stored)


def find_tracebacks(words: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Name the commands that ended in a traceback, the first of them with its words."""
    ended = [(command, text) for command, text in words if "Traceback" in text]
    for place, (command, text) in enumerate(ended):
        yield f"`{command}` ends in a traceback" + ("" if place else f":\n{text}")


def minutes_with_output(played: ScenarioResult) -> list[MinuteRecord]:
    """The minutes in which anything was printed."""
    return [each for each in played.minutes if any(ran.outcome.stdout or ran.outcome.stderr for ran in each.ran)]


def _dump_mails(scenario: Scenario, played: ScenarioResult) -> None:
    """Leave the scenario's mails in a folder, for other calendar programs to read."""
    if folder := os.environ.get(MAIL_DUMP_VARIABLE):
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for number, mail in enumerate(played.mails, 1):
            (place / f"{scenario.name}-{number:02}.eml").write_bytes(mail.raw)

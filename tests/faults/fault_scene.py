"""A house in a street of its own, commands in children that may be killed, and what must be right afterwards."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_file import parse_scenario
from smartcharge.simulator.scenario_runner import CRON_DELAY, write_simulator_config
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_cloud import OWNER_CLIENT_ID

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
KILLED = -9
POLL_SECONDS = 0.005
LONGEST_SECONDS = 240.0
"""After which nobody waits for a run any more: those who keep one waiting here never let it go."""
TESLA_FILE, KRAKEN_FILE = ".pypowerwall.auth", ".kraken.json"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended: its exit code (negative: the signal), what it said, the points it passed.

    granted: the seconds of its outermost share of the time, None where it asked for none.
    """

    code: int
    said: str
    passed: tuple[str, ...] = ()
    granted: float | None = None


class ForkServer:
    """The warmed-up process; commands run in forks of it, several at once where several threads ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE)))}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "fork_server.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "the process did not warm up"

    def run(self, job: dict[str, Any], times: int = 1) -> list[RunResult]:
        """Run a job so many times at once, and wait for the last."""
        assert self._process.stdin is not None
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        reports = [folder / f"{n}.json" for n in range(times)]
        answer = folder / "answer"
        line = json.dumps({**job, "reports": [str(each) for each in reports], "answer": str(answer)}) + "\n"
        self._process.stdin.write(line)
        self._process.stdin.flush()
        polls = 0
        while not answer.exists():
            assert self._process.poll() is None, "the warmed-up process has died"
            assert polls * POLL_SECONDS < LONGEST_SECONDS, f"{job['arguments']} does not end"
            polls += 1
            time.sleep(POLL_SECONDS)
        ended = [_read_result(*each) for each in zip(json.loads(answer.read_text()), reports, strict=True)]
        shutil.rmtree(folder)
        return ended

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)


def _read_result(code: int, report: Path) -> RunResult:
    output, granted = report.with_suffix(".out"), report.with_suffix(".granted")
    return RunResult(
        code,
        output.read_text(encoding="utf-8") if output.exists() else "",
        tuple(json.loads(report.read_text())) if report.exists() else (),
        float(granted.read_text()) if granted.exists() else None,
    )


@dataclass
class FaultScene:
    """A house of a story's street. home: its folder. run: a command in a child, at a minute of the story's day."""

    scenario: Scenario
    simulator: Simulator
    home: Path
    fork_server: ForkServer
    _kept: dict[str, Any] = field(default_factory=dict)

    def at(self, clock: str) -> datetime:
        """A minute of the story's day (London in winter), as late as cron is; "+1 00:10" is the next day's."""
        day, _, minute = clock.rpartition(" ")
        hours, minutes = minute.split(":")
        start = self.scenario.starts_at.replace(hour=0, minute=0) + timedelta(days=int(day or 0))
        return start + timedelta(hours=int(hours), minutes=int(minutes)) + CRON_DELAY

    def run(self, clock: str, *command: str, kill_point: str | None = None, **special: Any) -> RunResult:  # noqa: ANN401
        """One command line; special: see `runs`."""
        return self.runs(clock, command or ("tick",), kill_point=kill_point, **special)[0]

    def runs(
        self,
        clock: str,
        command: Sequence[str] = ("tick",),
        *,
        times: int = 1,
        kill_point: str | None = None,
        true_clock: str | None = None,
        **faults: Any,  # noqa: ANN401  # values of several kinds
    ) -> list[RunResult]:
        """The same command line so many times at once.

        kill_point: the point at which the child is killed. true_clock: what the services' clocks say meanwhile. faults:
        file_bytes, beyond which no file may grow, as on a full disk; stalled, for whom looking up a name takes for
        ever, see `fork_server`; read_only, where the home folder's file system takes no writing; lock_errno, with which
        flock(2) fails.
        """
        at = self.at(clock)
        self.simulator.set_time(self.at(true_clock) if true_clock else at)
        job = {
            "environment": self.simulator.environment,
            "unset": self.simulator.unset,
            "arguments": ["--config", str(self.home / "config.yaml"), *command],
            "at": at.isoformat(),
            "deadly": kill_point,
            "file_bytes": faults.get("file_bytes"),
            "stalled": list(faults.get("stalled", ())),
            "read_only": str(self.home) if faults.get("read_only") else None,
            "lock_errno": faults.get("lock_errno"),
        }
        return self.fork_server.run(job, times)

    # -- going back to a moment --------------------------------------------------------------------

    def keep(self) -> None:
        """Remember house and street as they stand."""
        copy = self.home.with_name("kept")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.home, copy)
        self._kept = {name: deepcopy(_field_values(each)) for name, each in self._movable().items()}
        self._kept["now"] = self.simulator.now

    def go_back(self) -> None:
        """Let house and street be as they were remembered."""
        shutil.rmtree(self.home)
        shutil.copytree(self.home.with_name("kept"), self.home)
        for name, each in self._movable().items():
            for key, value in deepcopy(self._kept[name]).items():
                setattr(each, key, value)
        self.simulator.now = self._kept["now"]
        self.simulator.requests.clear()
        self.simulator.mails.clear()

    def _movable(self) -> dict[str, Any]:
        simulator = self.simulator
        return {
            "account": simulator.account,
            "tesla tokens": simulator.tesla_auth._rotations[OWNER_CLIENT_ID],  # noqa: SLF001  # what only the vendor knows
            "eon tokens": simulator.kraken_auth._rotation,  # noqa: SLF001
            "battery": simulator.powerwall,
        }

    # -- what stands ------------------------------------------------------------------------------

    @property
    def stance(self) -> str:
        """The battery's stance, such as backup/100."""
        mode, reserve_pct = self.simulator.powerwall.settings
        return f"{mode}/{reserve_pct}"

    def row(self, sql: str) -> Any:  # noqa: ANN401
        """The first row of a query, as a tuple; None where there is none."""
        with closing(sqlite3.connect(self.home / "smartcharge.db")) as db:
            return db.execute(sql).fetchone()

    def stored(self, name: str) -> Any:  # noqa: ANN401
        """What a token file holds."""
        return json.loads((self.home / name).read_text())

    def sign_in_to_tesla(self) -> None:
        """The owner signs in anew."""
        self.simulator.sign_in_to_tesla(self.home, self.scenario.backend)


def _field_values(each: Any) -> dict[str, Any]:  # noqa: ANN401
    return {one.name: getattr(each, one.name) for one in fields(each)}


@contextmanager
def make_scene(fork_server: ForkServer, text: str, folder: Path | None = None) -> Iterator[FaultScene]:
    """A house that has signed in to Tesla in the story's first minute."""
    scenario = parse_scenario(text)
    with TemporaryDirectory(dir=folder) as name, Simulator(Path(name), scenario=scenario) as simulation:
        home = Path(name) / "home"
        home.mkdir(mode=0o700)
        write_simulator_config(home, simulation, scenario)
        simulation.sign_in_to_tesla(home, scenario.backend)
        yield FaultScene(scenario, simulation, home, fork_server)


def is_refresh_token_valid(made: FaultScene) -> bool:
    """Whether the kept Tesla refresh token can still be spent, where there is one."""
    if made.scenario.backend != "cloud":
        return True
    sso = made.stored(TESLA_FILE)[made.simulator.house.tesla_email]["sso"]
    rotations = made.simulator.tesla_auth._rotations.values()  # noqa: SLF001
    return any(sso["refresh_token"] in rotation._valid_tokens for rotation in rotations)  # noqa: SLF001


def find_inconsistencies(made: FaultScene) -> list[str]:
    """Everything that a killed run must not leave behind once ticks have run on."""
    found = []
    if made.row("PRAGMA integrity_check") != ("ok",):
        found.append("the database is damaged")
    held = made.row("SELECT COUNT(*) FROM holds WHERE closed_at IS NULL")[0]
    battery = made.row("SELECT owns_mode + owns_reserve, in_doubt_since, confirmed_mode FROM battery")
    if held == 0 and battery is not None and battery[0]:
        found.append(f"nothing is held, yet the battery is remembered as {battery}")
    if held and battery != (2, None, "backup"):
        found.append(f"a hold is open, yet the battery is remembered as {battery}")
    if made.row("SELECT COUNT(*) FROM outbox WHERE state = 'inflight'")[0]:
        found.append("a mail is stuck on its way")
    names = sorted(path.name for path in made.home.iterdir())
    temporary = [name for name in names if name.endswith(".new") or name.startswith("tmp")]
    if len(temporary) > 1:
        found.append(f"files were left lying: {names}")
    for name in {TESLA_FILE, KRAKEN_FILE} & set(names):
        made.stored(name)  # raises where it is no JSON
        if (made.home / name).stat().st_mode & 0o077:
            found.append(f"{name} may be read by others")
    return found


HELD_SCENARIO = """
name: held
about: A car that charges, and has stopped when its half hour ends.
day: 2026-12-09
start: 11:00
minutes: 1000
plan: {11:00: [13:00-14:30]}
"""
CAR_THAT_STOPS = "{11:00: B2, 13:04: 7200, 13:20: B2}"
TESLA_TOKEN_LIFETIME = timedelta(hours=8)


@contextmanager
def make_held_scene(
    fork_server: ForkServer, ends: str, *, last: str = "13:04", car: str = CAR_THAT_STOPS, mail_port: int | None = None
) -> Iterator[FaultScene]:
    """A house in which ticks have run up to `last`: from 13:04 on the battery is held until 13:30.

    ends: when Tesla's access token does. car: what the Zappi sees of it; it stops at 13:20 unless told otherwise.
    mail_port: of another mail server than the street's.
    """
    config = f"config: {{gcal: {{smtp_port: {mail_port}}}}}\n" if mail_port else ""
    with make_scene(fork_server, f"{HELD_SCENARIO}car: {car}\n{config}") as made:
        now, made.simulator.now = made.simulator.now, made.at(ends) - TESLA_TOKEN_LIFETIME
        made.sign_in_to_tesla()
        made.simulator.now = now
        for minute in ("12:58", "13:00", "13:04", "13:28"):
            if minute <= last:
                made.run(minute)
        yield made

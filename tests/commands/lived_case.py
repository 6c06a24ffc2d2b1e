"""An afternoon as it was written down, for who looks at it afterwards: no street, no service, only the memory."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from smartcharge.cli import main
from smartcharge.config import load_config
from smartcharge.core.answers import ChargerReading, Device, Dispatch
from smartcharge.core.decide import decide
from smartcharge.core.dispatches import Changes
from smartcharge.core.model import ChargerState
from smartcharge.store import dispatches, fetches, holds, journal, open_store, readings, situation
from smartcharge.toolbox import Toolbox

SETTINGS = """
eon_next: {email: you@example.com, password: hunter2, import_account: A-1234ABCD}
myenergi: {hub_serial: "12345678", api_key: abcdef12}
tesla: {account_email: you@example.com}
gcal: {cheap_rate_pence: 6.0, standard_rate_pence: 26.0}
database: {path: smartcharge.db}
"""
CAR = "ev-a"


def at(clock: str) -> datetime:
    """A minute of 9 December 2026 (GMT), two seconds in, as cron is."""
    hours, minutes = clock.split(":")
    return datetime(2026, 12, 9, int(hours), int(minutes), 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended."""

    exit_code: int
    out: str
    err: str


Ask = Callable[..., Said]
"""Runs a command line at a minute of the day, and says what it printed."""


RUNS = ("13:02", "13:29", "13:59", "14:29")


def lived(folder: Path, until: str = "14:29") -> Path:
    """Write down a car that charges from 13:02 on, in a window that ends at 14:00, and on until the extra slot ends.

    until: the last run that took place. Gives the folder.
    """
    (folder / "config.yaml").write_text(SETTINGS, encoding="utf-8")
    (folder / "config.yaml").chmod(0o600)
    config = load_config(folder / "config.yaml", {})
    with closing(open_store(config.database_path)) as db:
        fetches.record_devices(db, [Device(CAR, watched=True)])
        start = at("13:00") - timedelta(seconds=2)
        window = Dispatch(start, start + timedelta(hours=1), 7.2)
        dispatches.apply(db, CAR, Changes(new=(window,)), at("12:40"))
        journal.append(db, at=at("12:40"), command="fetch-dispatches", outcome="changed", detail="planned: a window")
        for number, clock in enumerate(RUNS[: RUNS.index(until) + 1]):
            now = at(clock)
            fetches.record_answer(db, CAR, now, ok=True)
            seen = situation.load(db, now, Toolbox(config, now).policy)
            if number < 3:
                readings.record_charger(db, ChargerReading(ChargerState.CHARGING, now, 7200.0, "7,200 W, pilot C2"))
                readings.record_battery(db, now, 40.0 + 20 * number, 13.5)
                seen = replace(seen, charger=ChargerState.CHARGING)
            decision = decide(seen)
            holds.change(db, decision.hold, decision.because, now)
            journal.append(db, at=now, command="reconcile", because=decision.because, situation=seen, outcome="decided")
    return folder


def asking(folder: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """The way to ask this house."""

    def ask(clock: str, *arguments: str) -> Said:
        code = main(["--config", str(folder / "config.yaml"), *arguments], clock=lambda: at(clock))
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return ask

"""An afternoon as it was written down, for who looks at it afterwards: no street, no service, only the memory."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from smartcharge.app import App
from smartcharge.cli import run_cli
from smartcharge.config.load import load_config
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerReading, ChargerState, Dispatch, RegisteredDevice
from smartcharge.policy.plan import PlanChanges
from smartcharge.store.control import load_state, mark_hold_confirmed, set_hold
from smartcharge.store.database import open_store
from smartcharge.store.devices import record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal
from smartcharge.store.readings import record_battery_level, record_charger_reading

CONFIG_TEXT = """
eon_next: {email: you@example.com, password: hunter2, import_account: A-1234ABCD}
myenergi: {hub_serial: "12345678", api_key: abcdef12}
tesla: {account_email: you@example.com}
gcal: {cheap_rate_pence: 6.0, standard_rate_pence: 26.0}
database: {path: smartcharge.db}
"""
CAR_ID = "ev-a"


def at(clock: str) -> datetime:
    """A minute of 9 December 2026 (GMT), two seconds in, as cron is."""
    hours, minutes = clock.split(":")
    return datetime(2026, 12, 9, int(hours), int(minutes), 2, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """How a command ended."""

    exit_code: int
    out: str
    err: str


RunCommand = Callable[..., CommandOutput]
"""Runs a command line at a minute of the day, and says what it printed."""


RUN_TIMES = ("13:02", "13:29", "13:59", "14:29")


def record_afternoon(folder: Path, until: str = "14:29") -> Path:
    """Write down a car that charges from 13:02 on, in a window that ends at 14:00, and on until the extra slot ends.

    until: the last run that took place. Gives the folder.
    """
    (folder / "config.yaml").write_text(CONFIG_TEXT, encoding="utf-8")
    (folder / "config.yaml").chmod(0o600)
    config = load_config(folder / "config.yaml", {})
    with closing(open_store(config.database_path)) as db:
        record_devices(db, [RegisteredDevice(CAR_ID, watched=True)])
        start = at("13:00") - timedelta(seconds=2)
        window = Dispatch(start, start + timedelta(hours=1), 7.2)
        apply_plan_changes(db, CAR_ID, PlanChanges(new=(window,)), at("12:40"))
        append_journal(
            db, at=at("12:40"), command="fetch-dispatches", outcome=Event.CHANGED, detail="planned: a window"
        )
        for number, clock in enumerate(RUN_TIMES[: RUN_TIMES.index(until) + 1]):
            now = at(clock)
            record_plan_fetch(db, CAR_ID, now, ok=True)
            seen = load_state(db, now, App(config, now).policy)
            if number < 3:
                record_charger_reading(db, ChargerReading(ChargerState.CHARGING, now, 7200.0, "7,200 W, pilot C2"))
                record_battery_level(db, now, 40.0 + 20 * number, 13.5)
                seen = replace(seen, charger=ChargerState.CHARGING)
            decision = decide(seen)
            set_hold(db, decision.hold, decision.reason, now)
            append_journal(db, at=now, command="reconcile", reason=decision.reason, state=seen, outcome=Event.DECIDED)
            mark_hold_confirmed(db, now)
    return folder


def command_runner(folder: Path, capsys: pytest.CaptureFixture[str]) -> RunCommand:
    """The way to ask this house."""

    def ask(clock: str, *arguments: str) -> CommandOutput:
        code = run_cli(["--config", str(folder / "config.yaml"), *arguments], clock=lambda: at(clock))
        said = capsys.readouterr()
        return CommandOutput(code, said.out, said.err)

    return ask

"""Exit codes and silence of the acting commands, seen from outside."""

import subprocess
import sys
from datetime import datetime

import pytest
from simulation import Simulation

from smartcharge.app import App
from smartcharge.jobs import idle_forecast

OTHER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as refused:
    print(refused)
"""
ACTING = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites", "tick")


@pytest.mark.parametrize("command", ACTING)
def test_a_quiet_minute_prints_nothing_and_exits_0(simulation: Simulation, command: str) -> None:
    outcome = simulation.run("12:00", command)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ACTING)
def test_a_dry_run_changes_nothing_inside_or_outside(simulation: Simulation, command: str) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    simulation.run("13:01", "fetch-dispatches")
    before = {path: path.read_bytes() for path in simulation.folder.iterdir() if path.is_file()}

    outcome = simulation.run("13:05", command, "--dry-run")

    assert outcome.exit_code == 0
    assert {path: path.read_bytes() for path in simulation.folder.iterdir() if path.is_file()} == before
    assert simulation.simulator.powerwall.writes == []


def test_nobody_else_can_write_while_an_answer_is_kept(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle of the database file that is closed in mid-transaction would give up SQLite's lock, unseen."""
    simulation.run("12:00", "tick")
    heard: list[str] = []
    look_ahead = idle_forecast.idle_until

    def with_another_at_the_door(app: App) -> dict[str, datetime | None]:
        until = look_ahead(app)
        other = [sys.executable, "-c", OTHER, str(app.config.database_path)]
        heard.append(subprocess.run(other, capture_output=True, text=True, check=True).stdout.strip())
        return until

    monkeypatch.setattr(idle_forecast, "idle_until", with_another_at_the_door)

    assert simulation.run("12:03", "fetch-dispatches").exit_code == 0
    assert heard == ["database is locked"]


def test_the_four_commands_do_what_one_tick_does(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)

    codes = [simulation.run("13:05", command).exit_code for command in ACTING[:4]]

    assert codes == [0, 0, 0, 0]
    assert simulation.simulator.powerwall.mode == "backup"


def test_a_refused_sign_in_is_told_once_then_remembered_in_silence(simulation: Simulation) -> None:
    with simulation.simulator.fault("kraken", "KT-CT-1138", only="obtainKrakenToken"):
        first = simulation.run("12:00", "fetch-dispatches")
        asked = simulation.simulator.count("kraken")
        later = simulation.run("12:05", "fetch-dispatches")

    assert (first.exit_code, later.exit_code) == (5, 5)
    assert "wrong password, or your account has moved to the new E.ON sign-in" in first.stderr
    assert "smartcharge login kraken" in first.stderr
    assert (later.stdout, later.stderr) == ("", "")
    assert simulation.simulator.count("kraken") == asked


def test_a_changed_password_is_tried_again(simulation: Simulation) -> None:
    config = simulation.folder / "config.yaml"
    right = config.read_text()
    config.write_text(right.replace(simulation.simulator.house.kraken_password, "mistyped"))
    assert simulation.run("12:00", "fetch-dispatches").exit_code == 5

    config.write_text(right)

    assert simulation.run("12:05", "fetch-dispatches").exit_code == 0


def test_kraken_out_of_reach_is_told_at_the_fifth_attempt_and_when_it_is_over(simulation: Simulation) -> None:
    minutes = [f"12:{minute:02}" for minute in range(0, 40, 4)]
    with simulation.simulator.fault("kraken", "http-503"):
        outcomes = [simulation.run(clock, "fetch-dispatches") for clock in minutes]
    over = simulation.run("13:00", "fetch-dispatches")

    assert {outcome.exit_code for outcome in outcomes} <= {0, 3}
    assert sum(bool(outcome.stderr) for outcome in outcomes) == 1
    assert over.exit_code == 0
    assert "works again" in over.stderr


def test_a_configuration_error_names_file_key_and_mend(simulation: Simulation) -> None:
    config = simulation.folder / "config.yaml"
    config.write_text(config.read_text().replace("hub_serial", "hub_seriel"))

    outcome = simulation.run("12:00", "tick")

    assert outcome.exit_code == 4
    assert all(word in outcome.stderr for word in (str(config), "hub_seriel", "hub_serial"))
    assert "Traceback" not in outcome.stderr


def test_an_acting_command_goes_by_the_clock_alone(simulation: Simulation) -> None:
    assert simulation.run("12:00", "tick", "--at", "13:00").exit_code == 2

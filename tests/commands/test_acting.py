"""Exit codes and silence of the acting commands, seen from outside."""

import subprocess
import sys
from datetime import datetime

import pytest
from town_case import Town

from smartcharge.act import foresight
from smartcharge.toolbox import Toolbox

OTHER = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError as refused:
    print(refused)
"""
ACTING = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites", "tick")


@pytest.mark.parametrize("command", ACTING)
def test_a_quiet_minute_prints_nothing_and_exits_0(town: Town, command: str) -> None:
    outcome = town.run("12:00", command)

    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (0, "", "")


@pytest.mark.parametrize("command", ACTING)
def test_a_dry_run_changes_nothing_inside_or_outside(town: Town, command: str) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)
    town.run("13:01", "fetch-dispatches")
    before = {path: path.read_bytes() for path in town.folder.iterdir() if path.is_file()}

    outcome = town.run("13:05", command, "--dry-run")

    assert outcome.exit_code == 0
    assert {path: path.read_bytes() for path in town.folder.iterdir() if path.is_file()} == before
    assert town.street.powerwall.writes == []


def test_nobody_else_can_write_while_an_answer_is_kept(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handle of the database file that is closed in mid-transaction would give up SQLite's lock, unseen."""
    town.run("12:00", "tick")
    heard: list[str] = []
    look_ahead = foresight.quiet_until

    def with_another_at_the_door(tools: Toolbox) -> dict[str, datetime | None]:
        until = look_ahead(tools)
        other = [sys.executable, "-c", OTHER, str(tools.config.database_path)]
        heard.append(subprocess.run(other, capture_output=True, text=True, check=True).stdout.strip())
        return until

    monkeypatch.setattr(foresight, "quiet_until", with_another_at_the_door)

    assert town.run("12:03", "fetch-dispatches").exit_code == 0
    assert heard == ["database is locked"]


def test_the_four_commands_do_what_one_tick_does(town: Town) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)

    codes = [town.run("13:05", command).exit_code for command in ACTING[:4]]

    assert codes == [0, 0, 0, 0]
    assert town.street.powerwall.mode == "backup"


def test_a_refused_sign_in_is_told_once_then_remembered_in_silence(town: Town) -> None:
    with town.street.fault("kraken", "KT-CT-1138", only="obtainKrakenToken"):
        first = town.run("12:00", "fetch-dispatches")
        asked = town.street.count("kraken")
        later = town.run("12:05", "fetch-dispatches")

    assert (first.exit_code, later.exit_code) == (5, 5)
    assert "wrong password, or your account has moved to the new E.ON sign-in" in first.stderr
    assert "smartcharge login kraken" in first.stderr
    assert (later.stdout, later.stderr) == ("", "")
    assert town.street.count("kraken") == asked


def test_a_changed_password_is_tried_again(town: Town) -> None:
    config = town.folder / "config.yaml"
    right = config.read_text()
    config.write_text(right.replace(town.street.house.kraken_password, "mistyped"))
    assert town.run("12:00", "fetch-dispatches").exit_code == 5

    config.write_text(right)

    assert town.run("12:05", "fetch-dispatches").exit_code == 0


def test_kraken_out_of_reach_is_told_at_the_fifth_attempt_and_when_it_is_over(town: Town) -> None:
    minutes = [f"12:{minute:02}" for minute in range(0, 40, 4)]
    with town.street.fault("kraken", "http-503"):
        outcomes = [town.run(clock, "fetch-dispatches") for clock in minutes]
    over = town.run("13:00", "fetch-dispatches")

    assert {outcome.exit_code for outcome in outcomes} <= {0, 3}
    assert sum(bool(outcome.stderr) for outcome in outcomes) == 1
    assert over.exit_code == 0
    assert "well again" in over.stderr


def test_a_configuration_error_names_file_key_and_mend(town: Town) -> None:
    config = town.folder / "config.yaml"
    config.write_text(config.read_text().replace("hub_serial", "hub_seriel"))

    outcome = town.run("12:00", "tick")

    assert outcome.exit_code == 4
    assert all(word in outcome.stderr for word in (str(config), "hub_seriel", "hub_serial"))
    assert "Traceback" not in outcome.stderr


def test_an_acting_command_goes_by_the_clock_alone(town: Town) -> None:
    assert town.run("12:00", "tick", "--at", "13:00").exit_code == 2

"""In another controller's shadow: everything runs, the Powerwall is never set, and what it does is compared."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from login_case import configure
from memory_case import NOW, remembered
from town_case import Town

from smartcharge.act import conversation
from smartcharge.core.stance import BatteryMemory
from smartcharge.store import battery

MINUTES = ["12:58", "13:01", "13:02", "13:05", "13:06", "13:09", "13:28", "13:29", "13:33", "13:35", "13:36"]


@pytest.fixture
def shadow(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    monkeypatch.setattr(conversation, "NAPS_SECONDS", (0.0,) * len(conversation.NAPS_SECONDS))
    configure(town.folder, "control", shadow=True)
    return town


def test_the_powerwall_is_looked_at_twice_an_hour_and_never_set(shadow: Town) -> None:
    """The other controller holds from 13:02 on as well, and forgets to end it."""
    shadow.plan("13:00-13:30")
    outcomes = []
    for minute in MINUTES:
        shadow.drive(7200 if "13:01" <= minute < "13:28" else 0)
        if minute == "13:02":
            shadow.street.powerwall.set_by_hand(mode="backup")
        outcomes.append(shadow.run(minute, "tick"))

    assert {outcome.exit_code for outcome in outcomes} == {0}
    assert shadow.street.powerwall.writes == []
    assert shadow.street.mails == []
    assert shadow.street.count("tesla") == 3 * 3
    told = json.loads(shadow.run("13:50", "agreement", "--json").stdout)
    assert told == {
        "held": {"looks": 1, "agreed": 1},
        "at_rest": {"looks": 2, "agreed": 1},
        "differing": [
            {
                "at": "2026-12-09T13:35:02Z",
                "detail": "wanted: at rest; the Powerwall is in backup, reserve 20 %",
            }
        ],
    }
    assert shadow.run("13:50", "agreement").stdout.splitlines() == [
        "The Powerwall was looked at 3 times.",
        "  held, as wanted     1 of 1",
        "  at rest, as wanted  1 of 2",
        "13:35  wanted: at rest; the Powerwall is in backup, reserve 20 %",
    ]
    assert json.loads(shadow.run("13:50", "agreement", "--since", "13:40", "--json").stdout)["at_rest"]["looks"] == 0
    assert "would have held for 28 min in the shadow" in shadow.run("13:50", "report").stdout


def test_what_was_held_before_the_shadow_fell_is_brought_back(town: Town) -> None:
    town.plan("13:00-14:00")
    town.drive(7200)
    town.run("13:05", "tick")
    assert town.street.powerwall.mode == "backup"

    configure(town.folder, "control", shadow=True)
    town.drive(0)
    town.run("13:29", "tick")

    assert town.street.powerwall.stance == ("autonomous", 20)
    town.drive(7200)
    town.run("13:33", "tick")
    town.run("13:38", "tick")
    assert town.street.powerwall.stance == ("autonomous", 20)
    told = town.run("13:50", "report").stdout.splitlines()[1]
    assert told.startswith("Held for 24 min; would have held for 17 min in the shadow;")


def test_trouble_in_the_shadow_ends_with_the_next_success_outside_it(shadow: Town) -> None:
    shadow.plan("13:00-14:00")
    with shadow.street.fault("tesla", "http-503"):
        assert shadow.run("13:05", "reconcile").exit_code == 3
    configure(shadow.folder, "control", shadow=False)
    shadow.drive(7200)

    shadow.run("13:09", "tick")

    assert shadow.street.powerwall.mode == "backup"
    assert json.loads(shadow.run("13:10", "status", "--json").stdout)["episodes"] == []


def test_the_midnight_reset_leaves_the_other_controllers_stance(shadow: Town) -> None:
    shadow.street.powerwall.set_by_hand(mode="self_consumption", reserve_pct=55)

    assert shadow.run("00:05", "midnight-reset").exit_code == 0

    assert shadow.street.powerwall.stance == ("self_consumption", 55)
    assert shadow.street.count("tesla") == 0


def test_the_doctor_misses_no_midnight_reset_that_nothing_is_to_do(tmp_path: Path) -> None:
    memory = remembered(tmp_path)
    with memory.writing() as db:
        battery.save(db, BatteryMemory(rested_at=NOW - timedelta(days=3)))
    in_earnest = memory.run("doctor", "--offline").stdout
    configure(memory.folder, "control", shadow=True)
    beside_another = memory.run("doctor", "--offline").stdout

    assert "the last verified midnight reset is 3 days old" in in_earnest
    assert "midnight reset" not in beside_another


def test_without_a_shadow_there_is_nothing_to_agree_about(town: Town) -> None:
    town.run("12:10", "tick")

    assert town.run("12:11", "agreement").stdout.startswith("Nothing was looked at.")
    assert town.street.count("tesla") == 0

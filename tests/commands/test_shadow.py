"""In another controller's shadow: everything runs, the Powerwall is never set, and what it does is compared."""

import json

import pytest
from login_case import configure
from town_case import Town

from smartcharge.act import conversation

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
    assert town.street.powerwall.stance == ("autonomous", 20)


def test_the_midnight_reset_leaves_the_other_controllers_stance(shadow: Town) -> None:
    shadow.street.powerwall.set_by_hand(mode="self_consumption", reserve_pct=55)

    assert shadow.run("00:05", "midnight-reset").exit_code == 0

    assert shadow.street.powerwall.stance == ("self_consumption", 55)
    assert shadow.street.count("tesla") == 0


def test_without_a_shadow_there_is_nothing_to_agree_about(town: Town) -> None:
    town.run("12:10", "tick")

    assert town.run("12:11", "agreement").stdout.startswith("Nothing was looked at.")
    assert town.street.count("tesla") == 0

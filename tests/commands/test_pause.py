import json

from town_case import Town


def status(town: Town, clock: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(town.run(clock, "status", "--json").stdout)
    return found


def hold(town: Town) -> None:
    town.plan("13:00-15:00")
    town.drive(7200)
    town.run("13:05", "tick")
    assert town.street.powerwall.mode == "backup"


def test_pausing_releases_an_open_hold_first_and_begins_nothing_new(town: Town) -> None:
    hold(town)

    outcome = town.run("13:10", "pause")
    town.run("13:11", "tick")

    assert outcome.exit_code == 0
    assert (town.street.powerwall.mode, town.street.powerwall.reserve_pct) == ("autonomous", 20)
    assert status(town, "13:12")["paused"] is True


def test_a_pause_with_an_end_goes_on_by_itself(town: Town) -> None:
    hold(town)
    town.run("13:10", "pause", "--until", "13:40")
    assert status(town, "13:12")["paused_until"] == "2026-12-09T13:40:00Z"

    town.run("13:41", "tick")

    assert town.street.powerwall.mode == "backup"


def test_resume_ends_a_pause(town: Town) -> None:
    hold(town)
    town.run("13:10", "pause")

    assert town.run("13:12", "resume").stdout == "resumed\n"
    town.run("13:13", "tick")

    assert town.street.powerwall.mode == "backup"


def test_resume_ends_a_stand_down(town: Town) -> None:
    town.street.powerwall.set_by_hand(mode="backup")
    town.plan("13:00-15:00")
    town.drive(7200)
    town.run("13:05", "tick")
    assert status(town, "13:06")["stood_down_until"] == "2026-12-09T15:30:00Z"
    town.street.powerwall.set_by_hand(mode="autonomous")

    town.run("13:10", "resume")
    town.run("13:11", "tick")

    assert town.street.powerwall.mode == "backup"
    assert status(town, "13:12")["stood_down_until"] is None

import json
import os

from simulation import Simulation

KEYS = {
    "now", "dispatches", "fetched_at", "fresh", "hold", "battery", "charger", "paused", "paused_until",
    "stood_down_until", "outbox", "episodes", "next_release_at", "cheap_period",
}  # fmt: skip
"""What was promised first."""
JOINED = {"state_of_energy", "refused_sign_ins", "last_runs", "last_sign_at", "needs"}


def held(simulation: Simulation) -> dict[str, object]:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    simulation.run("13:05", "tick")
    found: dict[str, object] = json.loads(simulation.run("13:06", "status", "--json").stdout)
    return found


def test_before_the_first_run_status_knows_nothing_and_writes_nothing(simulation: Simulation) -> None:
    outcome = simulation.run("12:00", "status", "--json")

    found = json.loads(outcome.stdout)
    assert found.keys() == KEYS | JOINED
    assert found["hold"] is None
    assert found["fresh"] is False
    assert not (simulation.folder / "smartcharge.db").exists()


def test_the_object_tells_a_hold_with_its_reason_and_its_end(simulation: Simulation) -> None:
    found = held(simulation)

    assert found["hold"] == {
        "until": "2026-12-09T13:30:00Z",
        "kind": "WINDOW",
        "opened_at": "2026-12-09T13:05:02Z",
        "because": "CHARGING_IN_WINDOW",
    }
    assert found["next_release_at"] == "2026-12-09T13:28:30Z"
    assert found["battery"] == {
        "owned": True,
        "confirmed_mode": "backup",
        "confirmed_reserve_pct": 100,
        "before_mode": "autonomous",
        "before_reserve_pct": 20,
        "in_doubt": False,
    }
    assert found["charger"] == {"state": "CHARGING", "watts": 7200, "at": "2026-12-09T13:05:02Z"}
    assert found["dispatches"] == [
        {
            "start": "2026-12-09T13:00:00Z",
            "end": "2026-12-09T14:30:00Z",
            "kind": "planned",
            "device": simulation.simulator.house.device_id,
            "energy_kwh": 7.2,
            "live": True,
            "withdrawn_at": None,
        }
    ]
    assert found["fresh"] is True


def test_a_withdrawn_window_is_listed_with_its_moment_and_is_not_live(simulation: Simulation) -> None:
    held(simulation)
    simulation.plan()
    simulation.run("13:10", "fetch-dispatches", "--now")

    (window,) = json.loads(simulation.run("13:11", "status", "--json").stdout)["dispatches"]

    assert window["live"] is False
    assert window["withdrawn_at"] == "2026-12-09T13:10:02Z"


def test_the_screen_says_what_stands_until_when_and_why(simulation: Simulation) -> None:
    held(simulation)

    said = simulation.run("13:06", "status").stdout

    assert "charging from the grid (Backup Reserve 100 %); next decision 13:28" in said
    assert "charging, 7,200 W (1 min ago)" in said
    assert "Wed 13:00-14:30, about 7.2 kWh, now" in said


def test_status_needs_no_network_and_leaves_every_file_as_it_was(simulation: Simulation) -> None:
    held(simulation)
    requests, before = (
        len(simulation.simulator.requests),
        {p: p.stat().st_mtime_ns for p in simulation.folder.iterdir()},
    )

    simulation.run("13:07", "status")
    simulation.run("13:07", "history")

    assert len(simulation.simulator.requests) == requests
    assert {p: p.stat().st_mtime_ns for p in simulation.folder.iterdir()} == before


def test_status_can_look_at_another_moment(simulation: Simulation) -> None:
    held(simulation)

    found = json.loads(simulation.run("18:00", "status", "--json", "--at", "13:10").stdout)

    assert found["now"] == "2026-12-09T13:10:00Z"


def test_a_file_that_is_no_database_is_refused_with_its_name_and_left_as_it_is(simulation: Simulation) -> None:
    path = simulation.folder / "smartcharge.db"
    path.write_text("a shopping list\n" * 100)

    outcome = simulation.run("12:00", "status")

    assert outcome.exit_code == 4
    assert str(path) in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert path.read_text().startswith("a shopping list")
    assert os.listdir(simulation.folder).count("smartcharge.db") == 1  # noqa: PTH208  # one name, as the system lists it


def test_who_asks_for_the_schedule_by_hand_is_told_that_it_cannot_be_had(simulation: Simulation) -> None:
    with simulation.simulator.fault("kraken", "http-503"):
        assert simulation.run("13:10", "fetch-dispatches").stderr == ""
        asked = simulation.run("13:40", "fetch-dispatches", "--now")

    assert asked.exit_code == 3
    assert asked.stderr.startswith("smartcharge: ")

import json

from simulation import Simulation


def status(simulation: Simulation, clock: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(simulation.run(clock, "status", "--json").stdout)
    return found


def hold(simulation: Simulation) -> None:
    simulation.plan("13:00-15:00")
    simulation.drive(7200)
    simulation.run("13:05", "tick")
    assert simulation.simulator.powerwall.mode == "backup"


def test_pausing_releases_an_open_hold_first_and_begins_nothing_new(simulation: Simulation) -> None:
    hold(simulation)

    outcome = simulation.run("13:10", "pause")
    simulation.run("13:11", "tick")

    assert outcome.exit_code == 0
    assert (simulation.simulator.powerwall.mode, simulation.simulator.powerwall.reserve_pct) == ("autonomous", 20)
    assert status(simulation, "13:12")["paused"] is True


def test_a_pause_with_an_end_goes_on_by_itself(simulation: Simulation) -> None:
    hold(simulation)
    simulation.run("13:10", "pause", "--until", "13:40")
    assert status(simulation, "13:12")["paused_until"] == "2026-12-09T13:40:00Z"

    simulation.run("13:41", "tick")

    assert simulation.simulator.powerwall.mode == "backup"


def test_resume_ends_a_pause(simulation: Simulation) -> None:
    hold(simulation)
    simulation.run("13:10", "pause")

    assert simulation.run("13:12", "resume").stdout == "Resumed.\n"
    simulation.run("13:13", "tick")

    assert simulation.simulator.powerwall.mode == "backup"


def test_resume_ends_a_manual_override(simulation: Simulation) -> None:
    simulation.simulator.powerwall.set_manually(mode="backup")
    simulation.plan("13:00-15:00")
    simulation.drive(7200)
    simulation.run("13:05", "tick")
    assert status(simulation, "13:06")["stood_down_until"] == "2026-12-09T15:30:00Z"
    simulation.simulator.powerwall.set_manually(mode="autonomous")

    simulation.run("13:10", "resume")
    simulation.run("13:11", "tick")

    assert simulation.simulator.powerwall.mode == "backup"
    assert status(simulation, "13:12")["stood_down_until"] is None

"""What a watcher is told: with -v why nobody is asked and until when, and with --at what cannot be known."""

import pytest
from simulation import Simulation


def said(simulation: Simulation, clock: str, *command: str) -> str:
    """What -v shows."""
    return simulation.run(clock, "-v", *command).stderr


def test_who_watches_hears_when_the_supplier_is_asked_next(simulation: Simulation) -> None:
    simulation.run("12:00", "tick")

    assert said(simulation, "12:01", "fetch-dispatches") == "your supplier is not asked before 12:02\n"
    assert simulation.run("12:01", "fetch-dispatches").stderr == ""


def test_a_wait_that_was_asked_for_is_told_with_its_reason(simulation: Simulation) -> None:
    with simulation.simulator.fault("kraken", "http-429", amount=600):
        simulation.run("12:00", "fetch-dispatches")

    told = said(simulation, "12:05", "fetch-dispatches")

    assert told.startswith("your supplier is not asked before 12:10: ")


def test_a_refused_sign_in_is_told_with_its_moment(simulation: Simulation) -> None:
    with simulation.simulator.fault("kraken", "KT-CT-1138", only="obtainKrakenToken"):
        simulation.run("12:00", "fetch-dispatches")

    told = said(simulation, "12:05", "fetch-dispatches")

    assert told.startswith(
        "your supplier is not asked until you change something, because the sign-in was refused 12:00: "
    )
    assert simulation.run("12:06", "fetch-dispatches").stderr == ""


def test_the_charger_s_rest_is_told_once_a_run(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    with simulation.simulator.fault("myenergi", "http-503"):
        simulation.run("13:01", "tick")
        asked = simulation.simulator.count("myenergi")
        told = said(simulation, "13:02", "reconcile")

    assert told == "the Zappi is not asked before 13:02: myenergi answered HTTP 503.\n"
    assert simulation.simulator.count("myenergi") == asked


def test_the_powerwall_s_rest_is_told_too(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    with simulation.simulator.fault("tesla", "http-429", amount=600):
        simulation.run("13:05", "tick")

    assert "Tesla is not asked before 13:15: Tesla asks us to wait" in said(simulation, "13:06", "reconcile")


def test_a_mail_server_that_refuses_is_named(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    with simulation.simulator.fault("mail", "auth-535"):
        simulation.run("13:05", "tick")
        told = said(simulation, "13:06", "send-invites")

    assert told.startswith(
        "the mail server is not asked until you change something, because the sign-in was refused 13:05"
    )


@pytest.mark.parametrize("command", ["reconcile", "tick"])
def test_a_rehearsal_of_another_moment_says_what_it_cannot_know(simulation: Simulation, command: str) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    simulation.run("12:58", "tick")
    simulation.simulator.requests.clear()

    outcome = simulation.run("12:59", command, "--dry-run", "--at", "13:05")

    assert "only knows the present, not 13:05, so the car counts as unknown" in outcome.stdout
    assert outcome.exit_code == 0
    assert simulation.simulator.count("myenergi") == 0


def test_a_rehearsal_of_the_present_asks(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    simulation.run("13:01", "fetch-dispatches")

    assert (
        "would set the Powerwall to charge from the grid"
        in simulation.run("13:02", "reconcile", "--dry-run", "--at", "13:03").stdout
    )

"""What a watcher is told: with -v why nobody is asked and until when, and with --at what cannot be known."""

import pytest
from town_case import Town


def said(town: Town, clock: str, *command: str) -> str:
    """What -v shows."""
    return town.run(clock, "-v", *command).stderr


def test_who_watches_hears_when_the_supplier_is_asked_next(town: Town) -> None:
    town.run("12:00", "tick")

    assert said(town, "12:01", "fetch-dispatches") == "Kraken is not asked before 12:02\n"
    assert town.run("12:01", "fetch-dispatches").stderr == ""


def test_a_wait_that_was_asked_for_is_told_with_its_reason(town: Town) -> None:
    with town.street.fault("kraken", "http-429", amount=600):
        town.run("12:00", "fetch-dispatches")

    told = said(town, "12:05", "fetch-dispatches")

    assert told.startswith("Kraken is not asked before 12:10, because: api.eonnext-kraken.energy asks for patience")


def test_a_refused_sign_in_is_told_with_its_moment(town: Town) -> None:
    with town.street.fault("kraken", "KT-CT-1138", only="obtainKrakenToken"):
        town.run("12:00", "fetch-dispatches")

    told = said(town, "12:05", "fetch-dispatches")

    assert told.startswith("Kraken is not asked: the sign-in was refused 12:00 and nothing has changed, because: ")
    assert town.run("12:06", "fetch-dispatches").stderr == ""


def test_the_charger_s_rest_is_told_once_a_run(town: Town) -> None:
    town.plan("13:00-14:30")
    with town.street.fault("myenergi", "http-503"):
        town.run("13:01", "tick")
        asked = town.street.count("myenergi")
        told = said(town, "13:02", "reconcile")

    assert told == "the Zappi is not asked before 13:02, because: myenergi answered HTTP 503.\n"
    assert town.street.count("myenergi") == asked


def test_the_powerwall_s_rest_is_told_too(town: Town) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)
    with town.street.fault("tesla", "http-429", amount=600):
        town.run("13:05", "tick")

    assert "Tesla is not asked before 13:15, because: Tesla asks for patience" in said(town, "13:06", "reconcile")


def test_a_mail_server_that_refuses_is_named(town: Town) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)
    with town.street.fault("mail", "auth-535"):
        town.run("13:05", "tick")
        told = said(town, "13:06", "send-invites")

    assert told.startswith("the mail server is not asked: the sign-in was refused 13:05 and nothing has changed")


@pytest.mark.parametrize("command", ["reconcile", "tick"])
def test_a_rehearsal_of_another_moment_says_what_it_cannot_know(town: Town, command: str) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)
    town.run("12:58", "tick")
    town.street.requests.clear()

    outcome = town.run("12:59", command, "--dry-run", "--at", "13:05")

    assert "only say how the car is now, and not how it is at 13:05: it counts as unknown" in outcome.stdout
    assert outcome.exit_code == 0
    assert town.street.count("myenergi") == 0


def test_a_rehearsal_of_the_present_asks(town: Town) -> None:
    town.plan("13:00-14:30")
    town.drive(7200)
    town.run("13:01", "fetch-dispatches")

    assert "would put the Powerwall in backup" in town.run("13:02", "reconcile", "--dry-run", "--at", "13:03").stdout

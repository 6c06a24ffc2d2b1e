import csv
import io
import json

from simulation import Simulation

from smartcharge.policy.model import Reason


def lived(simulation: Simulation) -> None:
    simulation.plan("13:00-13:30")
    simulation.drive(7200)
    simulation.run("13:05", "tick")
    simulation.drive(0)
    simulation.run("13:29", "tick")


def test_history_tells_the_day_in_order_and_in_plain_words(simulation: Simulation) -> None:
    lived(simulation)

    lines = simulation.run("14:00", "history").stdout.splitlines()

    assert [line.split()[3] for line in lines] == sorted(line.split()[3] for line in lines)
    assert lines[0] == "Wed 09 Dec 13:05  fetch-dispatches: planned: Wed 13:00-13:30, about 7.2 kWh"
    told = "\n".join(lines)
    assert "planned slot Wed 13:00-13:30, about 7.2 kWh" in told
    assert (
        "reconcile: decided to charge the Powerwall from the grid: the car is charging in a smart-charging slot" in told
    )
    assert (
        "reconcile: Powerwall: charging from the grid (Backup Reserve 100 %) until 13:30: the car is charging" in told
    )
    assert "reconcile: Powerwall: Time-Based Control (Backup Reserve 20 %): the last off-peak half hour ends" in told
    assert "send-invites: invite sent: Wed 13:00-13:30" in told
    assert not any(reason in told for reason in Reason)


def test_history_is_the_same_as_json_and_as_csv(simulation: Simulation) -> None:
    lived(simulation)

    as_json = json.loads(simulation.run("14:00", "history", "--json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(simulation.run("14:00", "history", "--csv").stdout)))

    assert [row["at"] for row in as_json] == [row["at"] for row in as_csv]
    assert [row["outcome"] or "" for row in as_json] == [row["outcome"] for row in as_csv]


def test_history_keeps_to_the_span_that_is_asked_for(simulation: Simulation) -> None:
    lived(simulation)

    rows = json.loads(simulation.run("14:00", "history", "--json", "--since", "13:20", "--until", "13:40").stdout)

    assert {row["at"] for row in rows if row["kind"] == "journal"} == {"2026-12-09T13:29:02Z"}


def test_a_span_that_ends_before_it_begins_is_a_usage_error(simulation: Simulation) -> None:
    outcome = simulation.run("14:00", "history", "--since", "13:00", "--until", "12:00")

    assert outcome.exit_code == 2
    assert "--since must be before --until" in outcome.stderr

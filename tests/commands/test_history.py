import csv
import io
import json

from town_case import Town


def lived(town: Town) -> None:
    town.plan("13:00-13:30")
    town.drive(7200)
    town.run("13:05", "tick")
    town.drive(0)
    town.run("13:29", "tick")


def test_history_tells_the_day_in_order(town: Town) -> None:
    lived(town)

    lines = town.run("14:00", "history").stdout.splitlines()

    assert any("planned window Wed 13:00-13:30" in line for line in lines)
    assert any("CHARGING_IN_WINDOW, confirmed, backup, reserve 100 % until 13:30" in line for line in lines)
    assert any("SLOT_ENDS, confirmed, time-based control, reserve 20 %" in line for line in lines)
    assert [line.split()[3] for line in lines] == sorted(line.split()[3] for line in lines)


def test_history_is_the_same_as_json_and_as_csv(town: Town) -> None:
    lived(town)

    as_json = json.loads(town.run("14:00", "history", "--json").stdout)
    as_csv = list(csv.DictReader(io.StringIO(town.run("14:00", "history", "--csv").stdout)))

    assert [row["at"] for row in as_json] == [row["at"] for row in as_csv]
    assert [row["outcome"] or "" for row in as_json] == [row["outcome"] for row in as_csv]


def test_history_keeps_to_the_span_that_is_asked_for(town: Town) -> None:
    lived(town)

    rows = json.loads(town.run("14:00", "history", "--json", "--since", "13:20", "--until", "13:40").stdout)

    assert {row["at"] for row in rows if row["kind"] == "journal"} == {"2026-12-09T13:29:02Z"}


def test_a_span_that_ends_before_it_begins_is_a_usage_error(town: Town) -> None:
    outcome = town.run("14:00", "history", "--since", "13:00", "--until", "12:00")

    assert outcome.exit_code == 2
    assert "--since must lie before --until" in outcome.stderr

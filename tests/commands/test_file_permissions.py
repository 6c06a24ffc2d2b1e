"""What is nobody else's business: files are private under any umask, and no door is opened to anybody."""

import ast
import os
from collections.abc import Iterator

import pytest
from simulation import Simulation
from source_tree import load_modules

DOORS = {"listen", "bind", "create_server", "start_server", "start_unix_server", "HTTPServer", "ThreadingHTTPServer"}
FREE_FOR_ALL = {"ca.pem"}
"""The pretend street's own."""


@pytest.fixture
def _anybody_may_read_what_is_made() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_anybody_may_read_what_is_made")
def test_every_file_of_a_busy_day_is_readable_by_its_owner_alone(simulation: Simulation) -> None:
    simulation.plan("13:00-14:30")
    simulation.drive(7200)
    for clock in ("12:00", "13:05", "13:29"):
        assert simulation.run(clock, "tick").exit_code == 0
    config = simulation.folder / "config.yaml"
    config.write_text(config.read_text().replace("myenergi:", "myenergy:"))
    assert simulation.run("13:30", "tick").exit_code == 4

    made = {
        path.name: path.stat().st_mode & 0o777 for path in simulation.folder.iterdir() if path.name not in FREE_FOR_ALL
    }

    assert {"smartcharge.db", ".kraken.json", ".pypowerwall.auth", ".config.yaml.told", "smartcharge.lock"} <= set(made)
    assert {name: oct(mode) for name, mode in made.items() if mode & 0o077} == {}


@pytest.mark.usefixtures("_anybody_may_read_what_is_made")
def test_so_is_the_folder_that_a_first_run_makes(simulation: Simulation) -> None:
    config = simulation.folder / "config.yaml"
    config.write_text(config.read_text().replace("path: smartcharge.db", "path: data/house/smartcharge.db"))

    simulation.run("12:00", "tick")

    assert (simulation.folder / "data" / "house" / "smartcharge.db").exists()
    assert (simulation.folder / "data" / "house").stat().st_mode & 0o077 == 0


def test_only_the_simulator_listens() -> None:
    opened = [
        module.at(node.lineno)
        for name, module in load_modules().items()
        if not name.startswith("simulator")
        for node in ast.walk(module.tree)
        if DOORS & {getattr(node, "attr", ""), getattr(node, "id", "")}
    ]
    assert [place.split(":")[0] for place in opened] == ["smartcharge/providers/connection.py"], (
        "binds where it connects from"
    )
    assert "start_server" in ast.dump(load_modules()["simulator.servers"].tree)

"""`smartcharge reconcile` from a crontab line of its own brings the battery back while all else fails."""

from contextlib import ExitStack

import pytest
from fault_scene import KRAKEN_FILE, ForkServer, make_held_scene

FAILING = ("kraken", "kraken-auth", "myenergi")


@pytest.mark.parametrize("kind", ["http-503", "http-401", "html", "drop", "huge"])
def test_reconcile_alone_releases_while_every_other_service_fails(fork_server: ForkServer, kind: str) -> None:
    with make_held_scene(fork_server, "19:00", last="13:28") as made, ExitStack() as faults:
        for service in FAILING:
            faults.enter_context(made.simulator.fault(service, kind))
        (made.home / KRAKEN_FILE).write_text("gone wrong")

        codes = [made.run(minute, "reconcile").code for minute in ("13:29", "13:30")]

        assert made.stance == "autonomous/20"
        assert set(codes) <= {0, 3}


def test_reconcile_alone_hours_late_asks_nobody_but_tesla(fork_server: ForkServer) -> None:
    with make_held_scene(fork_server, "19:00") as made:
        made.simulator.requests.clear()

        ended = made.run("17:10", "reconcile")

        assert (ended.code, made.stance) == (0, "autonomous/20")
        assert {request.service for request in made.simulator.requests} == {"tesla"}

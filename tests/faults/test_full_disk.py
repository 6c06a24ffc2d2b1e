"""A disk that takes nothing more: the battery comes back, and no token file is lost."""

import json

import pytest
from fault_scene import KRAKEN_FILE, TESLA_FILE, FaultScene, ForkServer, is_refresh_token_valid, make_held_scene

DATABASE_REFUSED, UNREACHABLE = 4, 3
SMALL = 512
"""Bytes that a file may have: less than a token file, a page of the database, or its journal."""


def tokens_are_whole(made: FaultScene) -> bool:
    """Whether both files hold a sign-in that has not been spent."""
    kraken = made.stored(KRAKEN_FILE)["refresh_token"] in made.simulator.account._refresh  # noqa: SLF001
    return kraken and is_refresh_token_valid(made)


@pytest.mark.parametrize("command", ["tick", "reconcile"])
@pytest.mark.parametrize("fetched", [True, False], ids=["fresh plan", "stale plan"])
def test_a_due_release_goes_through(fork_server: ForkServer, command: str, *, fetched: bool) -> None:
    with make_held_scene(fork_server, "19:00") as made:
        if fetched:
            made.run("13:28")

        ended = made.run("13:29", command, file_bytes=SMALL)

        assert made.stance == "autonomous/20"
        assert ended.code == DATABASE_REFUSED
        assert "disk" in ended.said
        assert tokens_are_whole(made)
        assert made.run("13:40").code == 0
        assert made.row("SELECT COUNT(*) FROM holds WHERE closed_at IS NULL") == (0,)


def test_a_hold_that_cannot_be_prolonged_ends(fork_server: ForkServer) -> None:
    """The car still charges and the plan is fresh, but the promise could not be written down."""
    with make_held_scene(fork_server, "19:00", last="13:04", car="{11:00: B2, 13:04: 7200}") as made:
        made.run("13:28")

        ended = made.run("13:29", file_bytes=SMALL)

        assert (ended.code, made.stance) == (DATABASE_REFUSED, "autonomous/20")


def test_nothing_is_begun(fork_server: ForkServer) -> None:
    with make_held_scene(fork_server, "19:00", last="13:00") as made:
        ended = made.run("13:04", file_bytes=SMALL)

        assert made.stance == "autonomous/20"
        assert ended.code == DATABASE_REFUSED
        assert made.simulator.powerwall.writes == []


def test_a_token_that_could_not_be_stored_is_not_spent(fork_server: ForkServer) -> None:
    """The access token has run out: to renew it would lose the sign-in, so the release waits for the disk."""
    with make_held_scene(fork_server, "13:15") as made:
        before = (made.home / TESLA_FILE).read_bytes()

        made.run("13:29", file_bytes=SMALL)

        assert (made.home / TESLA_FILE).read_bytes() == before
        assert tokens_are_whole(made)
        assert made.simulator.count("tesla-auth") == 0
        assert made.run("13:30").code == 0
        assert made.stance == "autonomous/20"


def test_a_kraken_token_that_could_not_be_stored_is_not_spent(fork_server: ForkServer) -> None:
    with make_held_scene(fork_server, "19:00") as made:
        before = made.stored(KRAKEN_FILE)

        made.run("14:29", "fetch-dispatches", file_bytes=SMALL)

        assert json.loads((made.home / KRAKEN_FILE).read_text()) == before
        assert tokens_are_whole(made)

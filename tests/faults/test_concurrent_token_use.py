"""Single-use tokens: however many runs find one expired at the same moment, it is spent once and nothing is lost."""

import json

import pytest
from fault_scene import (
    KRAKEN_FILE,
    TESLA_FILE,
    FaultScene,
    ForkServer,
    is_refresh_token_valid,
    make_held_scene,
    make_scene,
)

DAY = """
name: at-once
about: A hold that ends while the car is idle.
day: 2026-12-09
start: 11:00
minutes: 1000
plan: {11:00: [13:00-14:30]}
car: {11:00: B2, 13:04: 7200, 13:20: B2}
"""
SIX = 6


def spent(made: FaultScene, service: str, word: str) -> int:
    """How often a token was presented."""
    return made.simulator.count(service, lambda request: word in request.operation)


def test_six_runs_with_an_expired_kraken_token_renew_it_once(fork_server: ForkServer) -> None:
    with make_scene(fork_server, DAY) as made:
        made.run("11:50")
        made.simulator.requests.clear()

        codes = {ended.code for ended in made.runs("12:58", ("fetch-dispatches", "--now"), times=SIX)}

        assert codes == {0}
        assert spent(made, "kraken", "obtainKrakenToken") == 1
        assert made.simulator.account.sign_ins == 1
        assert made.stored(KRAKEN_FILE)["refresh_token"] in made.simulator.account._refresh  # noqa: SLF001


def test_six_runs_with_e_ons_token_renew_it_once(fork_server: ForkServer) -> None:
    with make_scene(fork_server, DAY) as made:
        token = made.simulator.kraken_auth.issue_refresh_token()
        kept = {"kind": "auth0", "supplier": "eon-next", "refresh_token": token}
        (made.home / KRAKEN_FILE).write_text(json.dumps(kept))

        codes = {ended.code for ended in made.runs("12:58", ("fetch-dispatches", "--now"), times=SIX)}

        assert codes == {0}
        assert spent(made, "kraken-auth", "refresh_token") == 1
        assert made.stored(KRAKEN_FILE)["refresh_token"] in made.simulator.kraken_auth._rotation._valid_tokens  # noqa: SLF001


def test_six_releases_with_an_expired_tesla_token_renew_it_once_and_release_once(fork_server: ForkServer) -> None:
    with make_held_scene(fork_server, "13:15") as made:
        made.simulator.requests.clear()
        writes = len(made.simulator.powerwall.writes)

        codes = [ended.code for ended in made.runs("13:29", ("reconcile",), times=SIX)]

        assert set(codes) == {0}
        assert made.stance == "autonomous/20"
        assert len(made.simulator.powerwall.writes) == writes + 2
        assert spent(made, "tesla-auth", "refresh_token") == 1
        assert is_refresh_token_valid(made)


@pytest.mark.parametrize("content", ["", '{"kind": "kra', "null", "[]"], ids=["empty", "cut off", "null", "a list"])
def test_a_broken_kraken_file_costs_one_sign_in_and_is_kept_aside(fork_server: ForkServer, content: str) -> None:
    with make_scene(fork_server, DAY) as made:
        made.run("11:50")
        (made.home / KRAKEN_FILE).write_text(content)

        ended = made.run("12:58")

        assert ended.code == 0
        assert made.simulator.account.sign_ins == 2
        assert made.stored(KRAKEN_FILE)["refresh_token"]
        assert (made.home / f"{KRAKEN_FILE}.broken").read_text() == content


@pytest.mark.parametrize("content", ["", '{"owner@ex', "{}"], ids=["empty", "cut off", "an empty object"])
def test_a_broken_tesla_file_is_mended_before_a_release(fork_server: ForkServer, content: str) -> None:
    with make_held_scene(fork_server, "19:00") as made:
        (made.home / TESLA_FILE).write_text(content)

        ended = made.run("13:29")

        assert (ended.code, made.stance) == (0, "autonomous/20")
        assert is_refresh_token_valid(made)

"""`login tesla` through a pipe: for Tesla's cloud, for its Fleet API, and for the house's own gateway."""

import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from login_terminal import PipedInput, update_config
from simulation import Simulation

from smartcharge.simulator.scenario_runner import CommandResult
from smartcharge.simulator.tokens import sign_jwt

KRAKEN_TOKEN = f"v1.{'ab' * 32}"
OVER = sign_jwt({"aud": "https://owner-api.teslamotors.com/", "exp": 1_700_000_000}, b"anybody's")


def sign_in(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, *lines: object) -> CommandResult:
    """Sign in with these lines on standard input."""
    monkeypatch.setattr(sys, "stdin", PipedInput(*(f"{line}\n" for line in lines)))
    return simulation.run("12:00", "login", "tesla")


def stored(simulation: Simulation, name: str = ".pypowerwall.auth") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((simulation.folder / name).read_text())
    return found


def new_tokens(simulation: Simulation, client: str = "ownerapi") -> tuple[str, str]:
    """A refresh and an access token, as `authtoken` prints them."""
    issued = simulation.simulator.tesla_auth.issue(simulation.simulator.now, client)
    return str(issued["refresh_token"]), str(issued["access_token"])


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".login-")]


def test_tesla_keeps_two_pasted_tokens_private_and_proves_them(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = simulation.folder / ".pypowerwall.auth"
    path.unlink()
    tokens = new_tokens(simulation)

    outcome = sign_in(simulation, monkeypatch, *tokens)

    assert outcome.exit_code == 0, outcome.stderr
    assert "The Powerwall is in Time-Based Control (Backup Reserve 20 %)" in outcome.stdout
    assert "Next: `smartcharge doctor`" in outcome.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(token in outcome.stdout + outcome.stderr for token in tokens)
    assert left_behind(simulation.folder) == []


def test_the_access_token_may_be_missing(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sign_in(simulation, monkeypatch, new_tokens(simulation)[0]).exit_code == 0


def test_wrong_pastes_are_named_and_the_old_sign_in_stays(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(simulation)
    refresh, access = new_tokens(simulation)
    wrong: dict[tuple[str, ...], str] = {
        ("",): "nothing was pasted",
        ("python -m pypowerwall authtoken",): "a command",
        (access, refresh): "that is the access token",
        (OVER,): "access token (which has expired)",
        (KRAKEN_TOKEN,): "smartcharge login kraken",
        ("https://auth.tesla.com/void/callback?error=access_denied&state=x",): "broken off or denied",
        ("https://auth.tesla.com/void/callback?code=EU_1&state=x",): "address of a page",
        (refresh, OVER): "that access token has expired",
        (refresh, f"EU_{'1a' * 32}"): "that is a refresh token",
        (refresh, "python -m pypowerwall setup"): "a command",
        ("a-token-that-nobody-ever-issued", ""): "smartcharge login tesla",
    }

    ends = {lines: sign_in(simulation, monkeypatch, *lines) for lines in wrong}

    assert {lines: end.exit_code for lines, end in ends.items()} == dict.fromkeys(wrong, 5)
    assert [lines for lines, words in wrong.items() if words not in ends[lines].stderr] == []
    assert [lines for lines, end in ends.items() for line in lines if len(line) > 19 and line in end.stderr] == []
    assert stored(simulation) == before
    assert left_behind(simulation.folder) == []


def test_of_several_sites_one_is_chosen_by_number_and_kept(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_config(simulation.folder, "tesla", energy_site_id=None)
    simulation.simulator.tesla.add_site()
    site_file = simulation.folder / ".pypowerwall.site"

    chosen = sign_in(simulation, monkeypatch, *new_tokens(simulation), "2")
    assert chosen.exit_code == 0, chosen.stderr
    assert "  1  Holiday house (2252000002)\n  2  Home (2252000001)\n" in chosen.stdout
    assert "Site 2252000001 is stored" in chosen.stdout
    assert site_file.read_text() == "2252000001"

    by_its_own_number = sign_in(simulation, monkeypatch, *new_tokens(simulation), "2252000002")
    assert by_its_own_number.exit_code == 0
    assert site_file.read_text() == "2252000002"

    unsaid = sign_in(simulation, monkeypatch, *new_tokens(simulation), "")
    assert unsaid.exit_code == 0
    assert "Holiday house (2252000002), the present one" in unsaid.stdout


def test_a_site_that_was_not_chosen_is_asked_for_in_words(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_config(simulation.folder, "tesla", energy_site_id=None)
    simulation.simulator.tesla.add_site()
    tokens = new_tokens(simulation)

    outcome = sign_in(simulation, monkeypatch, *tokens, "3")

    assert outcome.exit_code == 4
    assert "tesla.energy_site_id is not set" in outcome.stderr
    assert "2252000001 (Home)" in outcome.stderr
    (entry,) = stored(simulation).values()
    assert entry["sso"]["refresh_token"] == tokens[0]


def test_the_configured_site_is_not_asked_about(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation.simulator.tesla.add_site()

    assert sign_in(simulation, monkeypatch, *new_tokens(simulation)).exit_code == 0

    assert not (simulation.folder / ".pypowerwall.site").exists()


def test_a_configured_site_that_the_account_has_not_changes_nothing(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(simulation)
    update_config(simulation.folder, "tesla", energy_site_id="77")

    outcome = sign_in(simulation, monkeypatch, *new_tokens(simulation))

    assert outcome.exit_code == 4
    assert "use one of 2252000001 (Home)" in outcome.stderr
    assert stored(simulation) == before


def test_an_account_without_a_powerwall_changes_nothing(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stored(simulation)
    simulation.simulator.tesla.sites.clear()

    outcome = sign_in(simulation, monkeypatch, *new_tokens(simulation))

    assert outcome.exit_code == 5
    assert "has no Powerwall" in outcome.stderr
    assert stored(simulation) == before


# -- the Fleet API --------------------------------------------------------------------------------------

FLEET = ".pypowerwall.fleetapi"


def fleet(simulation: Simulation, **changes: object) -> None:
    """Set the house up for the Fleet API, with changes to the file that the owner has; None takes a key out."""
    update_config(simulation.folder, "tesla", backend="fleetapi", energy_site_id=None)
    path = simulation.simulator.write_fleet_tokens(simulation.folder)
    found = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in found.items() if value is not None}))


def test_the_fleet_file_is_completed_and_its_tokens_kept(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    america = "https://fleet-api.prd.na.vn.cloud.tesla.com"
    fleet(simulation, AUDIENCE=america, site_id="2252000001")
    before = stored(simulation, FLEET)

    outcome = sign_in(simulation, monkeypatch, "")

    assert outcome.exit_code == 0, outcome.stderr
    europe = "https://fleet-api.prd.eu.vn.cloud.tesla.com"
    assert stored(simulation, FLEET) == {**before, "AUDIENCE": europe, "site_id": 2252000001}
    assert "AUDIENCE is Tesla's server for Europe" in outcome.stdout
    assert "site_id is a number now" in outcome.stdout
    assert stat.S_IMODE((simulation.folder / FLEET).stat().st_mode) == 0o600


def test_new_fleet_tokens_and_a_chosen_site_are_kept(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(simulation, site_id=None, refresh_token="EU_spent")
    simulation.simulator.tesla.add_site()
    refresh, access = new_tokens(simulation, simulation.simulator.house.fleet_client_id)

    outcome = sign_in(simulation, monkeypatch, refresh, access, "2")

    assert outcome.exit_code == 0, outcome.stderr
    found = stored(simulation, FLEET)
    assert (found["refresh_token"], found["access_token"], found["site_id"]) == (refresh, access, 2252000001)
    assert found["CLIENT_SECRET"] == simulation.simulator.house.fleet_client_secret


def test_a_fleet_sign_in_can_be_made_from_tokens_alone(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(simulation)
    (simulation.folder / FLEET).unlink()
    client = simulation.simulator.house.fleet_client_id

    without = sign_in(simulation, monkeypatch, "")
    outcome = sign_in(simulation, monkeypatch, client, *new_tokens(simulation, client))

    assert without.exit_code == 5
    assert "python -m pypowerwall setup -fleetapi" in without.stderr
    assert outcome.exit_code == 0, outcome.stderr
    assert stored(simulation, FLEET)["CLIENT_ID"] == client


def test_a_spent_fleet_token_leaves_the_file(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(simulation)
    before = stored(simulation, FLEET)

    outcome = sign_in(simulation, monkeypatch, f"EU_{'9c' * 32}", "")

    assert outcome.exit_code == 5
    assert stored(simulation, FLEET) == before


# -- the gateway ------------------------------------------------------------------------------------------


def test_the_gateways_key_is_tried(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    house = simulation.simulator.house
    key = simulation.simulator.write_gateway_key(simulation.folder)
    at_home = {"gateway_host": house.gateway_host, "gateway_password": house.gateway_password}
    update_config(simulation.folder, "tesla", backend="v1r", rsa_key_path=str(key), **at_home)

    taken = sign_in(simulation, monkeypatch)
    with simulation.simulator.fault("tesla", "key-pending"):
        pending = sign_in(simulation, monkeypatch)
    with simulation.simulator.fault("tesla", "key-unknown"):
        unknown = sign_in(simulation, monkeypatch)

    assert taken.exit_code == 0, taken.stderr
    assert "The gateway accepts the key in" in taken.stdout
    assert "The Powerwall is in Time-Based Control (Backup Reserve 20 %)" in taken.stdout
    assert (pending.exit_code, unknown.exit_code) == (5, 5)
    assert "switch the Powerwall off" in pending.stderr
    assert "the gateway does not know the key" in unknown.stderr

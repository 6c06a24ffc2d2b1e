"""The sign-ins as typed at a terminal, in a process of their own: asked once, shown never."""

import json
import re

from login_terminal import TerminalSession, find_sign_in_url, sign_in_with_browser, update_config
from simulation import Simulation


def terminal(simulation: Simulation, *arguments: str) -> TerminalSession:
    """Type a command."""
    return TerminalSession(
        ["--config", str(simulation.folder / "config.yaml"), *arguments], simulation.simulator.now, simulation.folder
    )


def questions(screen: str) -> list[str]:
    """What was asked for without showing the answer."""
    return re.findall(r"^(.*?)(?:,.*)? \(not shown\): ", screen, re.MULTILINE)


def test_a_refused_password_leads_to_the_browser(simulation: Simulation) -> None:
    with simulation.simulator.fault("kraken", "KT-CT-1138"), terminal(simulation, "login", "kraken") as owner:
        landed = sign_in_with_browser(find_sign_in_url(owner.until("Address (not shown): ")))
        owner.type(landed)
        code = owner.ended()

    assert code == 0, owner.screen
    assert "wrong password, or your account has moved to the new E.ON sign-in" in owner.screen
    assert "Signed in to E.ON Next" in owner.screen
    assert questions(owner.screen) == ["Address"]
    assert landed not in owner.screen
    kept = json.loads((simulation.folder / ".kraken.json").read_text())
    assert kept["kind"] == "auth0"
    assert not any(kept[key] in owner.screen for key in ("token", "refresh_token"))


def test_both_tesla_tokens_and_the_site_are_asked_for_once(simulation: Simulation) -> None:
    update_config(simulation.folder, "tesla", energy_site_id=None)
    simulation.simulator.tesla.add_site()
    issued = simulation.simulator.tesla_auth.issue(simulation.simulator.now)
    refresh, access = str(issued["refresh_token"]), str(issued["access_token"])

    with terminal(simulation, "login", "tesla") as owner:
        assert "python -m pypowerwall authtoken" in owner.until("Refresh token (not shown): ")
        owner.type(refresh)
        owner.until("Access token (leave empty if you have none) (not shown): ")
        owner.type(access)
        owner.until("its number in this list: ")
        owner.type("2")
        code = owner.ended()

    assert code == 0, owner.screen
    assert questions(owner.screen) == ["Refresh token", "Access token (leave empty if you have none)"]
    assert owner.screen.count("Which one do you want to use?") == 1
    assert refresh not in owner.screen
    assert access not in owner.screen
    assert (simulation.folder / ".pypowerwall.site").read_text() == "2252000001"


def test_a_wrong_paste_ends_it_before_the_next_question(simulation: Simulation) -> None:
    with terminal(simulation, "login", "tesla") as owner:
        owner.until("Refresh token (not shown): ")
        owner.type("python -m pypowerwall authtoken")
        code = owner.ended()

    assert code == 5
    assert "that is a command" in owner.screen
    assert questions(owner.screen) == ["Refresh token"]
    assert simulation.simulator.requests == []


def test_ctrl_c_leaves_everything_as_it_is(simulation: Simulation) -> None:
    before = sorted(path.name for path in simulation.folder.iterdir())

    with terminal(simulation, "login", "kraken", "--browser") as owner:
        owner.until("Address (not shown): ")
        owner.press(b"\x03")
        code = owner.ended()

    assert code == 130, owner.screen
    assert "Traceback" not in owner.screen
    assert sorted(path.name for path in simulation.folder.iterdir()) == before

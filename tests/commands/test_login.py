"""`login kraken`: with the configured password, with a browser, and with a refresh token, through a pipe."""

import json
import signal
import stat
import sys
import threading
from typing import Any

import pytest
from login_terminal import PipedInput, captured_output, find_sign_in_url, sign_in_with_browser, update_config
from simulation import Simulation

from smartcharge.simulator.scenario_runner import CommandResult

TESLA_TOKEN = f"EU_{'0f' * 32}"


def say(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, *lines: object) -> None:
    """Lay lines ready on standard input."""
    monkeypatch.setattr(sys, "stdin", PipedInput(*lines))


def kept(simulation: Simulation) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((simulation.folder / ".kraken.json").read_text())
    return found


def landing() -> str:
    """What the owner brings back from the address that was shown."""
    return f"{sign_in_with_browser(find_sign_in_url(captured_output()))}\n"


def by_browser(simulation: Simulation, monkeypatch: pytest.MonkeyPatch, paste: object = landing) -> CommandResult:
    """Sign in with a browser, where no password is configured."""
    update_config(simulation.folder, "eon_next", password=None)
    say(simulation, monkeypatch, paste)
    return simulation.run("12:00", "login", "kraken")


def test_kraken_signs_in_with_a_refresh_token_from_standard_input(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = simulation.simulator.kraken_auth.issue_refresh_token()
    say(simulation, monkeypatch, f"{token}\n")

    outcome = simulation.run("12:00", "login", "kraken", "--refresh-token-stdin")
    tick = simulation.run("12:01", "tick")

    assert outcome.exit_code == 0, outcome.stderr
    assert token not in outcome.stdout + outcome.stderr
    assert stat.S_IMODE((simulation.folder / ".kraken.json").stat().st_mode) == 0o600
    assert tick.exit_code == 0
    assert simulation.simulator.account.sign_ins == 0


def test_kraken_signs_in_with_the_configured_password_even_where_a_sign_in_is_kept(simulation: Simulation) -> None:
    outcome = simulation.run("12:00", "login", "kraken")
    assert outcome.exit_code == 0
    assert "Next: `smartcharge doctor`" in outcome.stdout
    assert simulation.simulator.account.sign_ins == 1
    assert "pretend password" not in (simulation.folder / ".kraken.json").read_text()

    assert simulation.run("12:01", "login", "kraken").exit_code == 0

    assert simulation.simulator.account.sign_ins == 2


def test_a_refused_password_is_no_end_of_the_sign_in_that_works(simulation: Simulation) -> None:
    simulation.run("12:00", "tick")
    before = kept(simulation)

    with simulation.simulator.fault("kraken", "KT-CT-1138"):
        refused = simulation.run("12:01", "login", "kraken")

    words = "wrong password, or your account has moved to the new E.ON sign-in: run `smartcharge login kraken`"
    assert refused.exit_code == 5
    assert words in refused.stderr
    assert kept(simulation) == before


def test_without_a_password_a_browser_signs_in_and_stays_signed_in(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = by_browser(simulation, monkeypatch)

    assert outcome.exit_code == 0, outcome.stderr
    first = kept(simulation)
    assert first["kind"] == "auth0"
    assert stat.S_IMODE((simulation.folder / ".kraken.json").stat().st_mode) == 0o600
    assert not any(str(first[key]) in outcome.stdout + outcome.stderr for key in ("token", "refresh_token"))

    assert simulation.run("12:01", "tick").exit_code == 0
    assert simulation.run("13:30", "tick").exit_code == 0

    assert kept(simulation)["refresh_token"] != first["refresh_token"]
    assert simulation.simulator.account.sign_ins == 0


def test_a_browser_is_taken_before_the_password_where_it_is_asked_for(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(simulation, monkeypatch, landing)

    assert simulation.run("12:00", "login", "kraken", "--browser").exit_code == 0
    assert simulation.run("13:30", "tick").exit_code == 0

    assert simulation.simulator.account.sign_ins == 0


def test_the_code_alone_will_do_and_is_good_once(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[str] = []

    def code() -> str:
        codes.append(landing().partition("code=")[2].partition("&")[0])
        return codes[0]

    assert by_browser(simulation, monkeypatch, code).exit_code == 0
    again = by_browser(simulation, monkeypatch, code)

    assert again.exit_code == 5
    assert "(invalid_grant)" in again.stderr
    assert "smartcharge login kraken --browser" in again.stderr
    assert codes[0] not in again.stdout + again.stderr


def test_a_code_that_waited_too_long_is_refused(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> str:
        landed = landing()
        simulation.simulator.set_time(simulation.day.replace(hour=12, minute=11))
        return landed

    assert by_browser(simulation, monkeypatch, late).exit_code == 5


WRONG_ADDRESSES = {
    "of another attempt": (lambda: landing().replace("state=", "state=x"), "another attempt"),
    "of a sign-in that was broken off": (
        lambda: "https://www.eonnext.com/?error=access_denied&error_description=User+did&state=x\n",
        "broken off or denied (access_denied)",
    ),
    "the one that is to be opened": (lambda: find_sign_in_url(captured_output()), "the address to open"),
    "of a page without a code": (lambda: "https://www.eonnext.com/dashboard\n", "holds no code"),
    "nothing": (lambda: "\n", "nothing was pasted"),
    "the end of input": (lambda: "", "nothing was pasted"),
    "a Tesla token": (lambda: TESLA_TOKEN, "a Tesla token"),
    "a refresh token": (lambda: f"v1.{'ab' * 32}", "--refresh-token-stdin"),
}


def test_no_time_runs_out_while_the_owner_is_at_his_browser(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    running: list[object] = []

    def slowly() -> str:
        running.append(signal.getitimer(signal.ITIMER_REAL)[0])
        running.extend(each for each in threading.enumerate() if isinstance(each, threading.Timer))
        return landing()

    assert by_browser(simulation, monkeypatch, slowly).exit_code == 0

    assert running == [0.0]


def test_a_wrong_address_is_named_and_costs_nothing(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation.run("11:59", "tick")
    before = kept(simulation)

    ends = {name: by_browser(simulation, monkeypatch, paste) for name, (paste, _) in WRONG_ADDRESSES.items()}

    assert {name: outcome.exit_code for name, outcome in ends.items()} == dict.fromkeys(WRONG_ADDRESSES, 5)
    assert [name for name, (_, words) in WRONG_ADDRESSES.items() if words not in ends[name].stderr] == []
    assert kept(simulation) == before
    assert simulation.simulator.count("kraken-auth", lambda request: request.path == "/oauth/token") == 0


def test_a_sign_in_of_somebody_else_is_named_without_a_number(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    update_config(simulation.folder, "eon_next", import_account="A-0THE6001")

    outcome = by_browser(simulation, monkeypatch)

    assert outcome.exit_code == 4
    assert "eon_next.import_account is not among the 1 account(s)" in outcome.stderr
    assert "A-" not in outcome.stderr.replace("config.yaml", "")


def test_a_new_sign_in_ends_a_remembered_refusal(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    with simulation.simulator.fault("kraken", "KT-CT-1138"):
        assert simulation.run("12:00", "tick").exit_code == 5
        assert by_browser(simulation, monkeypatch).exit_code == 0

    assert simulation.run("12:01", "tick").exit_code == 0


def test_an_expired_browser_sign_in_names_the_command_to_run(
    simulation: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_browser(simulation, monkeypatch)

    with simulation.simulator.fault("kraken-auth", "invalid-grant"):
        outcome = simulation.run("13:30", "tick")

    assert outcome.exit_code == 5
    assert "smartcharge login kraken" in outcome.stderr


@pytest.mark.parametrize(("supplier", "key"), [("octopus", "eon_next.api_key"), ("edf", "eon_next.password")])
def test_other_suppliers_are_told_what_signs_in_there(simulation: Simulation, supplier: str, key: str) -> None:
    update_config(simulation.folder, "eon_next", password=None, supplier=supplier)

    assert simulation.run("12:00", "login", "kraken", "--browser").exit_code == 2
    outcome = simulation.run("12:00", "login", "kraken")

    assert outcome.exit_code == 4
    assert f"{key} is missing" in outcome.stderr


WRONG_TOKENS = {
    "": "nothing was pasted",
    "curl https://example.com/token": "command",
    "python -m pypowerwall authtoken": "command",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig": "JWT",
    "two words that are no token": "blanks",
    "https://www.eonnext.com/?error=access_denied&state=x": "broken off or denied (access_denied)",
    "\ufffd\ufffd-no-text-at-all-\ufffd": "letters inside",
    TESLA_TOKEN: "smartcharge login tesla",
}


def test_a_wrong_paste_is_named_as_what_it_is(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: dict[str, CommandResult] = {}
    for paste in WRONG_TOKENS:
        say(simulation, monkeypatch, f"{paste}\n")
        ends[paste] = simulation.run("12:00", "login", "kraken", "--refresh-token-stdin")

    assert {outcome.exit_code for outcome in ends.values()} == {5}
    assert [paste for paste, words in WRONG_TOKENS.items() if words not in ends[paste].stderr] == []
    assert not (simulation.folder / ".kraken.json").exists()


def test_two_ways_at_once_are_none(simulation: Simulation) -> None:
    assert simulation.run("12:00", "login", "kraken", "--browser", "--refresh-token-stdin").exit_code == 2

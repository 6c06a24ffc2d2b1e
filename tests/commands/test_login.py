import io
import json
import stat
import sys

import pytest
from town_case import Town


def test_kraken_signs_in_with_a_refresh_token_from_standard_input(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    token = town.street.kraken_auth.issue_refresh_token()
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{token}\n"))

    outcome = town.run("12:00", "login", "kraken", "--refresh-token-stdin")
    tick = town.run("12:01", "tick")

    assert outcome.exit_code == 0, outcome.stderr
    assert token not in outcome.stdout + outcome.stderr
    assert stat.S_IMODE((town.folder / ".kraken.json").stat().st_mode) == 0o600
    assert tick.exit_code == 0
    assert town.street.account.sign_ins == 0


def test_kraken_signs_in_with_the_configured_password(town: Town) -> None:
    outcome = town.run("12:00", "login", "kraken")

    assert outcome.exit_code == 0
    assert town.street.account.sign_ins == 1


@pytest.mark.parametrize(
    ("paste", "named"),
    [
        ("", "nothing was pasted"),
        ("curl https://example.com/token", "command"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "JWT"),
        ("two words that are no token", "blanks"),
    ],
)
def test_a_wrong_paste_is_named_as_what_it_is(
    town: Town, monkeypatch: pytest.MonkeyPatch, paste: str, named: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{paste}\n"))

    outcome = town.run("12:00", "login", "kraken", "--refresh-token-stdin")

    assert outcome.exit_code == 5
    assert named in outcome.stderr
    assert not (town.folder / ".kraken.json").exists()


def test_tesla_keeps_two_pasted_tokens_private_and_proves_them(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    path = town.folder / ".pypowerwall.auth"
    (entry,) = json.loads(path.read_text()).values()
    path.unlink()
    tokens = (entry["sso"]["refresh_token"], entry["sso"]["access_token"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(tokens) + "\n"))

    outcome = town.run("12:00", "login", "tesla")

    assert outcome.exit_code == 0, outcome.stderr
    assert "The Powerwall is in time-based control, reserve 20 %" in outcome.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any(token in outcome.stdout + outcome.stderr for token in tokens)


def test_tesla_refuses_a_spent_token_with_the_mend(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    (town.folder / ".pypowerwall.auth").unlink()
    monkeypatch.setattr(sys, "stdin", io.StringIO("a-token-that-nobody-ever-issued\n\n"))

    outcome = town.run("12:00", "login", "tesla")

    assert outcome.exit_code == 5
    assert "smartcharge login tesla" in outcome.stderr
    assert "a-token-that-nobody-ever-issued" not in outcome.stderr

"""`init`: questions in, a configuration out that loads, explains itself, and is written over by nobody."""

import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from login_terminal import PipedInput, TerminalSession
from simulation import Simulation
from source_tree import ROOT

from smartcharge.cli import run_cli
from smartcharge.commands.init import create_config
from smartcharge.config.load import Config, load_config
from smartcharge.config.schema import is_one_line

NOW = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)
ANSWERS = {
    "eon_next.supplier": "",
    "eon_next.import_account": "A-1234ABCD",
    "eon_next.email": "you@example.com",
    "eon_next.password": "correct \"horse\" #battery: 'staple' \\",
    "myenergi.hub_serial": "01234567",
    "myenergi.api_key": "hub-key-number-one",
    "tesla.account_email": "you@example.org",
    "gcal.smtp_user": "sender@gmail.com",
    "gcal.smtp_pass": "abcd efgh ijkl mnop",
    "gcal.invite_to": "calendar@gmail.com",
    "control.default_reserve_pct": "30",
    "control.cheap_period": "00:00-07:00",
    "gcal.cheap_rate_pence": "6.9",
    "gcal.standard_rate_pence": "",
}
SECRETS = [ANSWERS[key] for key in ANSWERS if key.endswith(("account", "password", "api_key", "pass"))]
OCTOPUS = ["octopus", "A-0C709005", "sk_live_pretend", "1", "k", "", "", "20", "", "7", "25.5", "6"]
EDF = ["edf", "A-0EDF0001", "you@example.com", "a password", "1", "k", "", "", "20", "", "8.5", "30", ""]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that the command is typed in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SMARTCHARGE_CONFIG", raising=False)
    return tmp_path


def asked(monkeypatch: pytest.MonkeyPatch, *answers: str, path: str | None = None) -> int:
    """Run it with these answers, a line each."""
    monkeypatch.setattr(sys, "stdin", PipedInput(*(f"{answer}\n" for answer in answers)))
    return run_cli([*(["--config", path] if path else []), "init"], clock=lambda: NOW)


def test_answers_become_a_private_configuration_that_says_what_they_say(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, *ANSWERS.values()) == 0

    path = house / "config.yaml"
    said = capsys.readouterr()
    config = load_config(path, {})
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in house.iterdir()] == ["config.yaml"]
    assert (config.eon_next.supplier, config.eon_next.email) == ("eon-next", "you@example.com")
    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == ANSWERS["eon_next.password"]
    assert (config.myenergi.hub_serial, config.control.default_reserve_pct) == ("01234567", 30)
    assert [f"{at:%H:%M}" for at in config.control.cheap_period] == ["00:00", "07:00"]
    assert config.tesla is not None
    assert config.invites is not None
    assert (config.invites.invite_to, config.invites.smtp_pass.reveal()) == ("calendar@gmail.com", "abcdefghijklmnop")
    assert config.gcal is not None
    assert (config.gcal.cheap_rate_pence, config.gcal.standard_rate_pence) == (6.9, 26.073)
    assert config.warnings == ()
    assert [secret for secret in SECRETS if secret in said.out + said.err] == []


def test_the_file_explains_every_key_as_the_example_does(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, *ANSWERS.values())

    example, made = ((ROOT / "config.example.yaml").read_text(), (house / "config.yaml").read_text())
    assert (ROOT / "smartcharge" / "config.example.yaml").read_text() == example
    assert comments(made)[1:] == comments(example)[1:]
    assert [line.split(":")[0] for line in made.splitlines()[1:]] == [
        line.split(":")[0] for line in example.splitlines()[1:]
    ]


def comments(text: str) -> list[str]:
    return re.findall(r"#.*$", re.sub(r'"(?:[^"\\]|\\.)*"', "", text), re.MULTILINE)


def test_it_ends_with_what_to_do_next_with_whole_paths(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, *ANSWERS.values(), path="my house.yaml") == 0

    said = capsys.readouterr().out
    path = house / "my house.yaml"
    assert path.exists()
    commands = re.findall(rf"^  /\S+.* --config '{re.escape(str(path))}' (.+)$", said, re.MULTILINE)
    assert commands == ["login kraken", "login tesla", "doctor", "tick --dry-run"]
    lines = re.findall(rf"^\* \* \* \* \* /\S+.* --config '{re.escape(str(path))}' (.+)$", said, re.MULTILINE)
    assert lines == ["fetch-dispatches", "reconcile", "midnight-reset", "send-invites"]


def test_nothing_is_ever_written_over(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (house / "config.yaml").write_text("my own work")
    (house / "dangling.yaml").symlink_to("nowhere")

    assert asked(monkeypatch, *ANSWERS.values()) == 4
    assert asked(monkeypatch, *ANSWERS.values(), path="dangling.yaml") == 4

    assert "exists already" in capsys.readouterr().err
    assert sys.stdin.readline() == "\n", "no answer was taken"
    assert (house / "config.yaml").read_text() == "my own work"
    assert not (house / "nowhere").exists()


def test_a_file_that_appears_meanwhile_stays(house: Path) -> None:
    (house / "config.yaml").write_text("quicker")
    answers = {key: answer for key, answer in ANSWERS.items() if answer}

    with pytest.raises(Exception, match="exists already"):
        create_config(house / "config.yaml", answers)

    assert (house / "config.yaml").read_text() == "quicker"


def test_a_folder_that_is_not_there_is_made_for_its_owner_alone(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked(monkeypatch, *ANSWERS.values(), path="new/folder/config.yaml") == 0

    assert (house / "new" / "folder").stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_folder_that_may_not_be_written_is_refused_before_the_first_question(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.chmod(0o500)

    assert asked(monkeypatch, *ANSWERS.values()) == 4
    assert sys.stdin.readline() == "\n"


def test_answers_that_end_early_leave_nothing_behind(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for enough, key in enumerate(ANSWERS):
        assert asked(monkeypatch, *list(ANSWERS.values())[:enough]) == 2
        assert f"standard input ended before the answer for {key}. Nothing was written" in capsys.readouterr().err
        assert list(house.iterdir()) == []


BAD = {
    "eon_next.supplier": ("EON Next", "Did you mean eon-next?"),
    "eon_next.import_account": ("A 1234", "the account number on your bill"),
    "eon_next.email": ("you at example.com", "one plain address"),
    "myenergi.hub_serial": ("", "An answer is needed."),
    "control.default_reserve_pct": ("90", "a whole number 0 to 80"),
    "control.cheap_period": ("06:00-06:00", "two different local times"),
    "gcal.cheap_rate_pence": ("6p", "pence per kWh"),
}


def test_a_bad_answer_is_asked_for_again_with_the_mend(
    house: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [each for key, answer in ANSWERS.items() for each in ([BAD[key][0]] if key in BAD else []) + [answer]]

    assert asked(monkeypatch, *answers) == 0

    refused = capsys.readouterr().err.splitlines()
    assert len(refused) == len(BAD)
    assert [key for (key, (_, mend)), line in zip(BAD.items(), refused, strict=True) if mend not in line] == []
    assert load_config(house / "config.yaml", {}).control.default_reserve_pct == 30


def made(monkeypatch: pytest.MonkeyPatch, house: Path, *answers: str) -> Config:
    assert asked(monkeypatch, *answers) == 0
    return load_config(house / "config.yaml", {})


def test_octopus_signs_in_by_key_and_has_its_own_night_prices_and_cap(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = made(monkeypatch, house, *OCTOPUS)

    assert config.eon_next.supplier == "octopus"
    assert config.eon_next.api_key is not None
    assert (config.tesla, config.invites, config.eon_next.password) == (None, None, None)
    assert [f"{at:%H:%M}" for at in config.control.cheap_period] == ["23:30", "05:30"]
    assert config.control.max_hours_per_day == 6
    assert config.gcal is not None
    assert (config.gcal.cheap_rate_pence, config.gcal.standard_rate_pence) == (7.0, 25.5)


def test_edf_signs_in_with_a_password(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = made(monkeypatch, house, *EDF)

    assert (config.eon_next.supplier, config.eon_next.email) == ("edf", "you@example.com")
    assert config.eon_next.password is not None


def test_a_browsers_sign_in_needs_neither_address_nor_password(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = made(monkeypatch, house, "", "A-1", "", "1", "k", "", "", "", "", "", "")

    assert (config.eon_next.email, config.eon_next.password) == (None, None)


def test_what_was_made_signs_in(simulation: Simulation, monkeypatch: pytest.MonkeyPatch) -> None:
    (simulation.folder / "config.yaml").rename(simulation.folder / "old.yaml")
    known = simulation.simulator.house
    sign_in = ["", known.account_number, known.kraken_email, known.kraken_password]
    monkeypatch.setattr(
        sys, "stdin", PipedInput(*(f"{each}\n" for each in [*sign_in, known.hub_serial, known.hub_key]))
    )
    assert simulation.run("12:00", "init").exit_code == 2

    rest = ["", "", "", "", "", ""]
    lines = [*sign_in, known.hub_serial, known.hub_key, *rest]
    monkeypatch.setattr(sys, "stdin", PipedInput(*(f"{each}\n" for each in lines)))
    assert simulation.run("12:00", "init").exit_code == 0
    assert simulation.run("12:00", "login", "kraken").exit_code == 0


@settings(max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda text: is_one_line(text) and text.strip() == text))
def test_any_password_is_kept_to_the_letter(tmp_path_factory: pytest.TempPathFactory, password: str) -> None:
    path = tmp_path_factory.mktemp("house") / "config.yaml"
    answers = {"eon_next.import_account": "A-1", "myenergi.hub_serial": "1", "myenergi.api_key": "k"}

    create_config(path, {**answers, "eon_next.password": password})

    kept = load_config(path, {}).eon_next.password
    assert kept is not None
    assert kept.reveal() == password


# -- at a terminal --------------------------------------------------------------------------------------


def test_at_a_terminal_secrets_are_not_shown_and_bad_answers_are_asked_for_again(house: Path) -> None:
    with TerminalSession(["init"], NOW, house) as owner:
        for key, answer in ANSWERS.items():
            owner.until(": ")
            if key == "control.default_reserve_pct":
                owner.type("85")
                owner.until("Use a whole number 0 to 80")
                owner.until(": ")
            owner.type(answer)
        code = owner.ended()

    assert code == 0, owner.screen
    assert [secret for secret in SECRETS if secret in owner.screen] == []
    assert "you@example.com" in owner.screen
    assert "[26.073]" in owner.screen
    assert load_config(house / "config.yaml", {}).control.default_reserve_pct == 30


def test_ctrl_c_leaves_nothing_behind(house: Path) -> None:
    with TerminalSession(["init"], NOW, house) as owner:
        owner.until("[eon-next]: ")
        owner.type("")
        owner.until("(not shown): ")
        owner.press(b"\x03")
        code = owner.ended()

    assert code == 130
    assert "Traceback" not in owner.screen
    assert list(house.iterdir()) == []

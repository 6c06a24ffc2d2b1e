"""Other places for a value: the environment and files."""

from datetime import time
from pathlib import Path

import pytest
from config_texts import REQUIRED_CONFIG_TEXT, ConfigError, LoadConfig, config_with_line

from smartcharge.config.load import load_config
from smartcharge.config.schema import ControlConfig


def test_the_environment_wins_over_the_file(load: LoadConfig) -> None:
    environment = {
        "SMARTCHARGE_CONTROL_DEFAULT_RESERVE_PCT": "35",
        "SMARTCHARGE_CONTROL_CHEAP_PERIOD": "00:30,04:30",
        "SMARTCHARGE_CONTROL_EXTENSION": "no",
        "SMARTCHARGE_EON_NEXT_PASSWORD": " as it is ",
    }
    config = load(f"{REQUIRED_CONFIG_TEXT}control: {{default_reserve_pct: 20, extension: true}}\n", environment)

    assert config.control == ControlConfig(
        default_reserve_pct=35, cheap_period=(time(0, 30), time(4, 30)), extension=False
    )
    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == " as it is "


def test_the_environment_alone_can_be_enough(load: LoadConfig) -> None:
    config = load(
        "",
        {
            "SMARTCHARGE_EON_NEXT_IMPORT_ACCOUNT": "A-1",
            "SMARTCHARGE_MYENERGI_HUB_SERIAL": "0123",
            "SMARTCHARGE_MYENERGI_API_KEY": "k",
            "SMARTCHARGE_GCAL_SMTP_USER": "me@example.com",
            "SMARTCHARGE_GCAL_SMTP_PASS": "abcd efgh ijkl mnop",
        },
    )

    assert config.myenergi.hub_serial == "0123"
    assert config.invites is not None
    assert config.invites.smtp_pass.reveal() == "abcdefghijklmnop"


def test_an_empty_variable_leaves_the_files_value(load: LoadConfig) -> None:
    assert load(REQUIRED_CONFIG_TEXT, {"SMARTCHARGE_MYENERGI_HUB_SERIAL": ""}).myenergi.hub_serial == "12345678"


def test_a_wrong_variable_is_named(refusal: ConfigError) -> None:
    line = refusal(REQUIRED_CONFIG_TEXT, {"SMARTCHARGE_GCAL_SMTP_PORT": "25"})

    assert line.startswith("$SMARTCHARGE_GCAL_SMTP_PORT: gcal.smtp_port is 25. It should be 587")


def test_a_variable_that_names_no_key_is_warned_of(load: LoadConfig) -> None:
    environment = {"SMARTCHARGE_GCAL_SMTP_PAS": "hunter2", "SMARTCHARGE_CONFIG": "x", "SMARTCHARGER": "y"}

    assert load(REQUIRED_CONFIG_TEXT, environment).warnings == (
        "$SMARTCHARGE_GCAL_SMTP_PAS names no key and is ignored. Did you mean $SMARTCHARGE_GCAL_SMTP_PASS?",
    )


def test_a_value_can_come_from_a_file_beside_the_configuration(load: LoadConfig, tmp_path: Path) -> None:
    (tmp_path / "mail").write_text("abcd efgh ijkl mnop\n")
    (tmp_path / "port").write_text("465\n")
    config = load(
        f"{REQUIRED_CONFIG_TEXT}gcal: {{smtp_user: a@example.com, smtp_pass_file: mail, smtp_port_file: port}}\n"
    )

    assert config.invites is not None
    assert (config.invites.smtp_pass.reveal(), config.invites.smtp_port) == ("abcdefghijklmnop", 465)


def test_a_variable_can_name_a_file(load: LoadConfig, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    config = load(
        config_with_line("eon_next", "password: old"), {"SMARTCHARGE_EON_NEXT_PASSWORD_FILE": str(tmp_path / "secret")}
    )

    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == "hunter2"


def test_an_unused_file_is_not_opened(load: LoadConfig) -> None:
    text = config_with_line("eon_next", "password_file: /nowhere/at/all")

    assert load(text, {"SMARTCHARGE_EON_NEXT_PASSWORD": "hunter2"}).eon_next.password is not None


def test_an_empty_key_does_not_forbid_its_file(load: LoadConfig, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")

    assert load(config_with_line("eon_next", "password: ''\n  password_file: secret")).eon_next.password is not None


FILES_REFUSED = {
    "a key and its file": (
        "password: hunter2\n  password_file: secret",
        "eon_next.password is given twice. Keep either",
    ),
    "a file that is not there": (
        "password_file: nowhere",
        "nowhere: eon_next.password_file cannot be read (No such file",
    ),
    "an empty file": ("password_file: empty", "empty: eon_next.password_file is empty"),
    "a file of two lines": (
        "password_file: lines",
        "lines: eon_next.password is not right. It should be one line of text",
    ),
    "a list of files": ("password_file: [a, b]", "eon_next.password_file is no path"),
    "a path with a zero byte": ('password_file: "a\\0b"', "eon_next.password_file is no path"),
}


@pytest.mark.parametrize(("line", "message"), FILES_REFUSED.values(), ids=FILES_REFUSED)
def test_a_file_that_gives_no_value_is_refused(refusal: ConfigError, tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "lines").write_text("hunter2\nhunter2\n")
    refused = refusal(config_with_line("eon_next", line))

    assert message in refused
    assert "hunter2" not in refused


def test_tesla_tokens_of_an_existing_installation_are_found_beside_its_configuration(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "eon_next: {import_account: A-1}\nmyenergi: {hub_serial: 1, api_key: a}\n"
        "database: {path: data/smartcharge.db}\n"
    )
    config = load_config(path, {})
    assert config.auth_folder == tmp_path / "data"

    (tmp_path / ".pypowerwall.auth").write_text("{}")

    assert config.auth_folder == tmp_path

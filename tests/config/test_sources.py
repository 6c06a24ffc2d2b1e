"""Other places for a value: the environment and files."""

from datetime import time
from pathlib import Path

import pytest
from config_texts import REQUIRED_CONFIG_TEXT, ConfigError, LoadConfig, config_value, config_with_setting

from smartcharge.config.schema import ControlConfig


def test_the_environment_wins_over_the_file(load: LoadConfig) -> None:
    environment = {
        "SMARTCHARGE_CONTROL_DEFAULT_RESERVE_PCT": "35",
        "SMARTCHARGE_CONTROL_CHEAP_PERIOD": "00:30,04:30",
        "SMARTCHARGE_CONTROL_EXTENSION": "no",
        "SMARTCHARGE_CONTROL_HOLD": "",
        "SMARTCHARGE_EON_NEXT_PASSWORD": " as it is ",
    }
    config = load(f"{REQUIRED_CONFIG_TEXT}control: {{default_reserve_pct: 20, hold: preserve}}\n", environment)

    assert config.control == ControlConfig(
        default_reserve_pct=35, cheap_period=(time(0, 30), time(4, 30)), extension=False, hold="preserve"
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
        },
    )

    assert config.myenergi.hub_serial == "0123"


def test_a_wrong_variable_is_named(refusal: ConfigError) -> None:
    line = refusal(REQUIRED_CONFIG_TEXT, {"SMARTCHARGE_GCAL_SMTP_PORT": "25"})

    assert line.startswith("$SMARTCHARGE_GCAL_SMTP_PORT: gcal.smtp_port is 25. Use 587")


def test_a_variable_that_names_no_key_is_warned_of(load: LoadConfig) -> None:
    environment = {"SMARTCHARGE_GCAL_SMTP_PAS": "hunter2", "SMARTCHARGE_CONFIG": "x", "SMARTCHARGER": "y"}

    (warning,) = load(REQUIRED_CONFIG_TEXT, environment).warnings
    assert warning.startswith("$SMARTCHARGE_GCAL_SMTP_PAS ")
    assert "Did you mean $SMARTCHARGE_GCAL_SMTP_PASS?" in warning
    assert "hunter2" not in warning


VALUES_FROM_FILES = {
    "a file beside the configuration": ("smtp_port_file: port", {}, 465),
    "a file named by a variable": ("smtp_port: 2525", {"SMARTCHARGE_GCAL_SMTP_PORT_FILE": "port"}, 465),
    "an empty key with its file": ("smtp_port: ''\n  smtp_port_file: port", {}, 465),
    "a file that is not used": ("smtp_port_file: /nowhere/at/all", {"SMARTCHARGE_GCAL_SMTP_PORT": "2525"}, 2525),
}


@pytest.mark.parametrize(("lines", "environment", "port"), VALUES_FROM_FILES.values(), ids=VALUES_FROM_FILES)
def test_a_value_can_come_from_a_file(
    load: LoadConfig, tmp_path: Path, lines: str, environment: dict[str, str], port: int
) -> None:
    (tmp_path / "port").write_text("465\n")

    assert config_value(load(f"{REQUIRED_CONFIG_TEXT}gcal:\n  {lines}\n", environment), "gcal.smtp_port") == port


REFUSED_FILES = {
    "a key and its file": ("hunter2\n  password_file: secret", "eon_next.password is given twice. Keep either"),
    "a missing file": ("''\n  password_file: nowhere", "nowhere: eon_next.password_file cannot be read"),
    "a folder": ("''\n  password_file: .", "eon_next.password_file cannot be read (it is not a regular file)"),
    "an empty file": ("''\n  password_file: empty", "empty: eon_next.password_file is empty"),
    "a file of two lines": (
        "''\n  password_file: lines",
        "lines: eon_next.password is not right. Use one line",
    ),
    "a list of files": ("''\n  password_file: [a, b]", "eon_next.password_file is no path"),
    "a path with a zero byte": ("''\n  password_file: \"a\\0b\"", "eon_next.password_file is no path"),
}


@pytest.mark.parametrize(("lines", "message"), REFUSED_FILES.values(), ids=REFUSED_FILES)
def test_a_file_that_gives_no_value_is_refused(refusal: ConfigError, tmp_path: Path, lines: str, message: str) -> None:
    (tmp_path / "empty").write_text(" \n")
    (tmp_path / "lines").write_text("hunter2\nhunter2\n")
    refused = refusal(config_with_setting("eon_next.password", lines))

    assert message in refused
    assert "hunter2" not in refused

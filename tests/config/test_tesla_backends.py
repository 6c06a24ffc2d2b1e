"""What opens the way to the battery, by backend: where it lies, and that a change of it is noticed."""

from pathlib import Path

import pytest
from config_texts import REQUIRED_CONFIG_TEXT, LoadConfig

from smartcharge.app import tesla_sign_in_fingerprint

V1R = "tesla: {{backend: v1r, gateway_host: {host}, gateway_password: {password}, rsa_key_path: keys/mine.pem}}\n"


@pytest.mark.parametrize(
    ("tesla", "file"),
    [
        ("{account_email: a@example.com}", "data/.pypowerwall.auth"),
        ("{backend: fleetapi}", "data/.pypowerwall.fleetapi"),
        ("{backend: fleetapi, auth_path: tokens}", "tokens/.pypowerwall.fleetapi"),
    ],
)
def test_each_backend_has_a_file_of_its_own(load: LoadConfig, tmp_path: Path, tesla: str, file: str) -> None:
    assert load(f"{REQUIRED_CONFIG_TEXT}tesla: {tesla}\n").tesla_credentials_file == tmp_path / file


def test_the_fleet_api_s_file_beside_the_configuration_is_found(load: LoadConfig, tmp_path: Path) -> None:
    (tmp_path / ".pypowerwall.fleetapi").write_text("{}")

    assert load(f"{REQUIRED_CONFIG_TEXT}tesla: {{backend: fleetapi}}\n").auth_folder == tmp_path
    assert load(f"{REQUIRED_CONFIG_TEXT}tesla: {{account_email: a@example.com}}\n").auth_folder == tmp_path / "data"


def test_the_gateway_s_key_is_where_it_was_said_to_be(load: LoadConfig, tmp_path: Path) -> None:
    config = load(REQUIRED_CONFIG_TEXT + V1R.format(host="192.0.2.7", password="abcde"))

    assert config.tesla_credentials_file == tmp_path / "keys" / "mine.pem"
    assert tesla_sign_in_fingerprint(config) == "absent"


def test_a_refused_sign_in_is_forgiven_whatever_of_it_was_mended(load: LoadConfig, tmp_path: Path) -> None:
    key = tmp_path / "keys" / "mine.pem"
    key.parent.mkdir()
    key.write_text("a key")
    prints = [
        tesla_sign_in_fingerprint(load(REQUIRED_CONFIG_TEXT + V1R.format(host=host, password=password)))
        for host, password in (("192.0.2.7", "abcde"), ("192.0.2.8", "abcde"), ("192.0.2.7", "fghij"))
    ]
    key.write_text("another key")
    prints.append(
        tesla_sign_in_fingerprint(load(REQUIRED_CONFIG_TEXT + V1R.format(host="192.0.2.7", password="abcde")))
    )

    assert len(set(prints)) == 4
    assert not any("abcde" in each or "fghij" in each for each in prints)

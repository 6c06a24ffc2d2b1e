"""Secrets stay secret."""

import msgspec
import pytest
from config_texts import LEGACY_CONFIG_TEXT, REQUIRED_CONFIG_TEXT, LoadConfig, config_value, config_with_setting

from smartcharge.config.load import Config
from smartcharge.errors import ConfigurationError

SECRETS = {
    "eon_next.password": "hunter2",
    "eon_next.api_key": "sk_live_hunter2",
    "eon_next.import_account": "A-HUNTER2",
    "myenergi.api_key": "hunter2key",
    "tesla.account_password": "hunter2tesla",
    "tesla.gateway_password": "hunt2",
    "gcal.smtp_pass": "hunter2mail",
    "alerts.healthchecks_url": "https://hc.example.com/hunter2",
}


@pytest.fixture
def config_of_secrets(load: LoadConfig) -> Config:
    """Load a configuration that holds every secret there is."""
    variables = {f"SMARTCHARGE_{key.replace('.', '_').upper()}": text for key, text in SECRETS.items()}
    return load("myenergi: {hub_serial: 1}\ntesla: {account_email: a@example.com}\n", variables)


@pytest.mark.parametrize("key", SECRETS)
def test_a_secret_shows_in_no_representation_and_is_revealed_on_request(config_of_secrets: Config, key: str) -> None:
    secret = config_value(config_of_secrets, key)
    shown = f"{config_of_secrets!r} {config_of_secrets} {secret} {secret!r} {secret!s:>30}"

    assert SECRETS[key] not in shown
    assert getattr(secret, "reveal")() == SECRETS[key]  # noqa: B009  # the type depends on the key


def test_secrets_cannot_be_serialised_by_accident(config_of_secrets: Config) -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(config_of_secrets.eon_next)


def test_configurations_can_be_compared(load: LoadConfig) -> None:
    one, same, other = (
        load(LEGACY_CONFIG_TEXT.replace("your-eon-password", word)).eon_next for word in ("one", "one", "another")
    )
    assert one == same != other
    assert len({one, same}) == 1


REFUSED_SECRETS = {
    "a line break in a password": ("eon_next.password", '"hunter2\\nhunter2"'),
    "a list of passwords": ("eon_next.password", "[hunter2, hunter2]"),
    "a blank in a key": ("eon_next.api_key", "hunter2 hunter2"),
    "keys in a password": ("eon_next.password", "{hunter2: hunter2}"),
    "a line break in a mail password": ("gcal.smtp_pass", '"hunter2\\r\\n"'),
    "an unencrypted address to ping": ("alerts.healthchecks_url", "http://hc.example.com/hunter2"),
    "a blank in an address to ping": ("alerts.healthchecks_url", "https://hc.example.com/ hunter2"),
    "a password in an unknown section": ("gmail.password", "hunter2"),
    "a password under an unknown key": ("eon_next.pasword", "hunter2"),
    "a password twice": ("eon_next.password", "hunter2\n  password: hunter2"),
    "a password too far in": ("eon_next.email", "a@example.com\n    password: hunter2"),
}


@pytest.mark.parametrize(("key", "typed"), REFUSED_SECRETS.values(), ids=REFUSED_SECRETS)
def test_a_secret_shows_in_no_refusal(load: LoadConfig, key: str, typed: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(config_with_setting(key, typed))

    assert "hunter2" not in f"{caught.value} {caught.value!r} {caught.value.args}"
    assert caught.value.__cause__ is None


def test_values_are_frozen(load: LoadConfig) -> None:
    control = load(REQUIRED_CONFIG_TEXT).control

    with pytest.raises(AttributeError):
        control.default_reserve_pct = 100  # type: ignore[misc]  # the point of the test

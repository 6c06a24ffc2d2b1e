"""A whole installation: what an earlier file means, what is set up, what is missing."""

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from config_texts import (
    LEGACY_CONFIG_TEXT,
    REQUIRED_CONFIG_TEXT,
    ConfigError,
    LoadConfig,
    config_value,
    config_with_line,
)

from smartcharge.config.load import load_config
from smartcharge.config.schema import AlertsConfig, ControlConfig


def test_an_existing_installations_file_works_unchanged(load: LoadConfig, tmp_path: Path) -> None:
    config = load(LEGACY_CONFIG_TEXT)

    assert config.warnings == ()
    assert config.eon_next.email == "you@example.com"
    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == "your-eon-password"
    assert config.eon_next.import_account.reveal() == "A-XXXXXXXX"
    assert config.eon_next.supplier == "eon-next"
    assert (config.myenergi.hub_serial, config.myenergi.api_key.reveal()) == ("12345678", "abcdef12")
    assert config.tesla is not None
    assert (config.tesla.account_email, config.tesla.energy_site_id) == ("you@tesla.com", None)
    assert config.invites is not None
    assert config.invites.smtp_pass.reveal() == "xxxxxxxxxxxxxxxx"
    assert config.invites.invite_to == "your-calendar@gmail.com"
    assert config.database_path == tmp_path / "data" / "smartcharge.db"
    assert config.control == ControlConfig()


def test_three_keys_are_enough_and_everything_else_has_its_default(load: LoadConfig, tmp_path: Path) -> None:
    config = load(REQUIRED_CONFIG_TEXT)

    assert (config.tesla, config.gcal, config.invites) == (None, None, None)
    assert (config.control, config.alerts) == (ControlConfig(), AlertsConfig())
    assert config.control.cheap_period == (time(0), time(6))
    assert config.control.timezone == ZoneInfo("Europe/London")
    assert config.folder == config.auth_folder == tmp_path / "data"
    assert config.myenergi.charging_watts == 500
    assert config.warnings == ()


MISSING = {
    "an empty file": ("", "eon_next.import_account is missing. It should be the account number on your bill"),
    "only comments": ("# nothing yet\n", "eon_next.import_account is missing"),
    "no hub": ("eon_next: {import_account: A-1}\n", "myenergi.hub_serial is missing. It should be the serial number"),
    "an empty hub": (
        "eon_next: {import_account: A-1}\nmyenergi: {hub_serial: '', api_key: ''}\n",
        "myenergi.hub_serial is missing",
    ),
    "no key for the hub": (
        "eon_next: {import_account: A-1}\nmyenergi: {hub_serial: 1}\n",
        "myenergi.api_key is missing. It should be the API key of the hub",
    ),
    "v1r without its key": (
        f"{REQUIRED_CONFIG_TEXT}tesla: {{backend: v1r, gateway_host: 192.0.2.7, gateway_password: abcde}}\n",
        "tesla.rsa_key_path is missing. The backend v1r needs",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISSING.values(), ids=MISSING)
def test_what_is_needed_and_missing_is_named(refusal: ConfigError, text: str, message: str) -> None:
    assert message in refusal(text)


MAIL = {
    "no section": ("", None, ()),
    "an empty section": ("gcal:\n", None, ()),
    "only prices": ("gcal: {cheap_rate_pence: 7}\n", None, ()),
    "no password": ("gcal: {smtp_user: a@example.com}\n", None, ("gcal.smtp_pass is missing",)),
    "no sender": ("gcal: {smtp_pass: hunter2}\n", None, ("gcal.smtp_user is missing",)),
    "no recipient": (
        "gcal: {smtp_user: a@example.com, smtp_pass: hunter2}\n",
        "a@example.com",
        ("gcal.invite_to is missing",),
    ),
    "complete": ("gcal: {smtp_user: a@example.com, smtp_pass: x, invite_to: b@example.com}\n", "b@example.com", ()),
}


@pytest.mark.parametrize(("text", "recipient", "warnings"), MAIL.values(), ids=MAIL)
def test_invites_need_a_sender_and_a_password(
    load: LoadConfig, text: str, recipient: str | None, warnings: tuple[str, ...]
) -> None:
    config = load(REQUIRED_CONFIG_TEXT + text)

    assert (config.invites.invite_to if config.invites else None) == recipient
    assert [warning.split(",")[0] for warning in config.warnings] == list(warnings)


def test_a_mail_password_of_another_kind_keeps_its_blanks(load: LoadConfig) -> None:
    config = load(
        f"{REQUIRED_CONFIG_TEXT}gcal: {{smtp_user: a@example.com, smtp_pass: correct horse battery staple}}\n"
    )

    assert config.invites is not None
    assert config.invites.smtp_pass.reveal() == "correct horse battery staple"


BATTERY = {
    "no section": ("", None, 0),
    "everything left empty": ("tesla: {account_email: '', account_password: '', energy_site_id: ''}\n", None, 0),
    "no address": ("tesla: {account_password: x, backend: cloud}\n", None, 1),
    "the cloud": ("tesla: {account_email: a@example.com}\n", "cloud", 0),
    "Tesla's fleet": ("tesla: {backend: fleetapi}\n", "fleetapi", 0),
    "the cable": (
        "tesla: {backend: v1r, gateway_host: 192.0.2.7, gateway_password: abcde, rsa_key_path: k}\n",
        "v1r",
        0,
    ),
}


@pytest.mark.parametrize(("text", "backend", "warnings"), BATTERY.values(), ids=BATTERY)
def test_the_battery_is_set_up_where_it_can_be_reached(
    load: LoadConfig, text: str, backend: str | None, warnings: int
) -> None:
    config = load(REQUIRED_CONFIG_TEXT + text)

    assert (config.tesla.backend if config.tesla else None) == backend
    assert len(config.warnings) == warnings


def test_alerts_by_mail_need_a_mail_account(load: LoadConfig) -> None:
    assert load(f"{REQUIRED_CONFIG_TEXT}alerts: {{email: a@example.com}}\n").warnings == (
        "alerts.email is set, but there is no mail account to send from. Add gcal.smtp_user and gcal.smtp_pass.",
    )


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_a_file_that_others_can_read_is_warned_of(load: LoadConfig, tmp_path: Path, mode: int, *, warned: bool) -> None:
    mend = f"Run `chmod 600 {tmp_path / 'config.yaml'}`."

    assert any(mend in warning for warning in load(REQUIRED_CONFIG_TEXT, mode=mode).warnings) is warned


PATHS = {
    "database.path": ("control/x.db", "/here/control/x.db"),
    "tesla.auth_path": ("tokens", "/here/tokens"),
    "tesla.rsa_key_path": ("../key.pem", "/here/../key.pem"),
    "gcal.feed_path": ("/srv/www/power.ics", "/srv/www/power.ics"),
}


@pytest.mark.parametrize(("key", "paths"), PATHS.items())
def test_a_relative_path_is_seen_from_the_configurations_folder(
    load: LoadConfig, tmp_path: Path, key: str, paths: tuple[str, str]
) -> None:
    part, name = key.split(".")
    text = config_with_line(part, f"{name}: {paths[0]}").replace("tesla:\n", "tesla:\n  account_email: a@example.com\n")

    assert config_value(load(text), key) == Path(paths[1].replace("/here", str(tmp_path)))


def test_a_tilde_is_the_home_folder(load: LoadConfig) -> None:
    config = load(config_with_line("database", "path: ~/power/smartcharge.db"), {"HOME": "/home/pi"})

    assert config.folder == Path("/home/pi/power")


def test_a_home_that_nobody_has_is_refused(refusal: ConfigError) -> None:
    line = refusal(config_with_line("database", "path: ~nobody-of-that-name/x.db"))

    assert "database.path is ~nobody-of-that-name/x.db. It should be a path" in line


def test_a_configuration_named_from_the_current_folder_gives_absolute_paths(
    load: LoadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(REQUIRED_CONFIG_TEXT)
    monkeypatch.chdir(tmp_path)

    assert load_config(Path("config.yaml"), {}).database_path == tmp_path / "data" / "smartcharge.db"


def test_tokens_live_beside_the_database_unless_configured(load: LoadConfig, tmp_path: Path) -> None:
    elsewhere = load(f"{REQUIRED_CONFIG_TEXT}tesla: {{account_email: a@example.com, auth_path: tokens}}\n")
    beside = load(f"{REQUIRED_CONFIG_TEXT}tesla: {{account_email: a@example.com}}\ndatabase: {{path: /srv/power.db}}\n")

    assert (elsewhere.auth_folder, beside.auth_folder) == (tmp_path / "tokens", Path("/srv"))

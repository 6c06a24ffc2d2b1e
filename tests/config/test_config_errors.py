"""A value without sense is refused with the mend."""

from pathlib import Path

import pytest
from config_texts import REQUIRED_CONFIG_TEXT, ConfigError, config_with_line

from smartcharge.config.load import load_config
from smartcharge.errors import ConfigurationError

REFUSED_VALUES = {
    "a reserve that Tesla clamps": ("control.default_reserve_pct", "85", "Tesla clamps 81-99"),
    "the holding stance as reserve": ("control.default_reserve_pct", "100", "100 is the holding stance"),
    "a negative reserve": ("control.default_reserve_pct", "-1", "0 to 80"),
    "half a per cent": ("control.default_reserve_pct", "20.5", "a whole number 0 to 80"),
    "a per cent sign": ("control.default_reserve_pct", "20%", "a whole number 0 to 80"),
    "a switch for a number": ("control.default_reserve_pct", "yes", "a whole number 0 to 80"),
    "a list for a number": ("control.default_reserve_pct", "[20, 30]", "is 20, 30. It should be a whole number"),
    "the app's word for autonomous": ("control.resting_mode", "TIME_BASED_CONTROL", "Did you mean autonomous?"),
    "the app's own spelling": ("control.resting_mode", "Time-Based Control", "Did you mean autonomous?"),
    "the app's word for self consumption": ("control.resting_mode", "Self-Powered", "Did you mean self_consumption?"),
    "capitals": ("control.resting_mode", "SELF_CONSUMPTION", "Did you mean self_consumption?"),
    "resting in backup": ("control.resting_mode", "backup", "one of autonomous, self_consumption"),
    "an unknown way to restore": ("control.restore", "never", "one of resting, previous"),
    "an unknown hold": ("control.hold", "preserved", "Did you mean preserve?"),
    "an unknown backend": ("tesla.backend", "fleet", "one of cloud, fleetapi, v1r"),
    "an unknown supplier": ("eon_next.supplier", "EON_NEXT", "Did you mean eon-next?"),
    "an unknown moment to invite": ("gcal.invite_when", "always", "one of charging, planned"),
    "one time only": ("control.cheap_period", '["00:00"]', '["00:00", "06:00"]'),
    "three times": ("control.cheap_period", "[00:00, 03:00, 06:00]", "two different local times"),
    "no times": ("control.cheap_period", "[]", "two different local times"),
    "the same time twice": ("control.cheap_period", '["06:00", "6:00"]', "two different local times"),
    "a time that does not exist": ("control.cheap_period", '["00:00", "24:00"]', "two different local times"),
    "a time with an offset": ("control.cheap_period", '["00:00Z", "06:00Z"]', "two different local times"),
    "words for times": ("control.cheap_period", "midnight to six", "two different local times"),
    "a zone that does not exist": ("control.timezone", "Europe/Londinium", "a time zone such as Europe/London"),
    "a folder of zones": ("control.timezone", "Europe", "a time zone such as Europe/London"),
    "a path for a zone": ("control.timezone", "../../etc/passwd", "a time zone such as Europe/London"),
    "a lead too short": ("control.release_lead_seconds", "29", "30 to 300"),
    "a lead too long": ("control.release_lead_seconds", "301", "30 to 300"),
    "a hold too short": ("control.min_hold_seconds", "59", "60 to 1500"),
    "a hold longer than a slot allows": ("control.min_hold_seconds", "1800", "60 to 1500"),
    "too little grace": ("control.grace_seconds", "119", "120 to 3600"),
    "too much grace": ("control.grace_seconds", "3601", "120 to 3600"),
    "a cap of nothing": ("control.max_hours_per_day", "0", "hours above 0"),
    "more hours than a day has": ("control.max_hours_per_day", "25", "up to 24"),
    "a switch that is neither": ("control.extension", "maybe", "true or false"),
    "too few watts": ("myenergi.charging_watts", "99", "100 to 5000"),
    "too many watts": ("myenergi.charging_watts", "5001", "100 to 5000"),
    "two serials": ("myenergi.zappi_serial", "123 456", "one word without blanks"),
    "a site that is no number": ("tesla.energy_site_id", "home", "digits only"),
    "the plain mail port": ("gcal.smtp_port", "25", "25 is plain text and refused"),
    "a port that does not exist": ("gcal.smtp_port", "70000", "587 or another STARTTLS port"),
    "a price below nothing": ("gcal.cheap_rate_pence", "-1", "0 or more"),
    "a decimal comma": ("gcal.cheap_rate_pence", "'6,19'", "such as 6.19"),
    "a price that is no number": ("gcal.cheap_rate_pence", "nan", "pence per kWh"),
    "an address with a name": ("gcal.invite_to", "Me <me@example.com>", "one plain address"),
    "two addresses": ("gcal.invite_to", "'a@example.com, b@example.com'", "one plain address"),
    "an address with two at signs": ("gcal.smtp_user", "'a@b@example.com'", "one plain address"),
    "an address with a line break": ("gcal.invite_to", '"a@example.com\\r\\nBcc: b@example.com"', "one plain address"),
    "a word for an address": ("alerts.email", "me", "you@example.com"),
    "a mail host with a line break": ("gcal.smtp_host", '"a\\nb"', "one word without blanks"),
    "a plain sign-in address": ("eon_next.auth_url", "http://auth.example.com", "an https:// address"),
    "a path with a zero byte": ("database.path", '"a\\0b"', "It should be a path"),
    "a list of paths": ("database.path", "[a, b]", "It should be a path"),
}


@pytest.mark.parametrize(("key", "typed", "mend"), REFUSED_VALUES.values(), ids=REFUSED_VALUES)
def test_a_value_without_sense_is_refused_with_the_mend(
    refusal: ConfigError, tmp_path: Path, key: str, typed: str, mend: str
) -> None:
    part, name = key.split(".")
    line = refusal(config_with_line(part, f"{name}: {typed}"))

    assert mend in line
    assert line.startswith(f"{tmp_path / 'config.yaml'}, line ")
    assert key in line


def test_a_refusal_names_the_line(refusal: ConfigError, tmp_path: Path) -> None:
    line = refusal(f"{REQUIRED_CONFIG_TEXT}control:\n  hold: backup\n\n  default_reserve_pct: 85\n")

    assert line == (
        f"{tmp_path / 'config.yaml'}, line 6: control.default_reserve_pct is 85. "
        "It should be a whole number 0 to 80: Tesla clamps 81-99, and 100 is the holding stance"
    )


def test_an_address_with_letters_that_mail_cannot_carry_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "eon_next: {import_account: A-1}\nmyenergi: {hub_serial: 1, api_key: a}\n"
        "gcal: {smtp_user: jürgen@example.com}\n",
        encoding="utf-8",
    )
    with pytest.raises(ConfigurationError, match=r"gcal\.smtp_user"):
        load_config(path, {})


FILES = ("database.path", "gcal.feed_path", "tesla.rsa_key_path")


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("typed", ["data/", "/srv/power/", ".", "..", "~/power/..", "'data/ '"])
def test_a_folder_s_path_is_no_file_s(refusal: ConfigError, key: str, typed: str) -> None:
    part, name = key.split(".")

    line = refusal(config_with_line(part, f"{name}: {typed}"))

    assert f"{key} is " in line
    assert "It should be a path of a file, not of a folder" in line

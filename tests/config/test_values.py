"""Text stays as typed, a sensible value is taken, and one without sense is refused with what would be right."""

from datetime import time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from config_texts import REQUIRED_CONFIG_TEXT, ConfigError, LoadConfig, config_value, config_with_setting

from smartcharge.config.settings import SETTINGS

SERIALS_AS_TYPED = {
    "a leading zero that YAML takes for octal": ("01234567", "01234567"),
    "an exponent": ("12345e678", "12345e678"),
    "an underscore that YAML drops": ("12_34", "12_34"),
    "a hexadecimal number": ("0x1F", "0x1F"),
    "base sixty": ("22:30:15", "22:30:15"),
    "a yes that YAML takes for true": ("yes", "yes"),
    "a date": ("2026-11-22", "2026-11-22"),
    "a number like infinity": (".inf", ".inf"),
    "an explicit text tag": ("!!str 0012", "0012"),
    "blanks around it": ("' 0012 '", "0012"),
}


@pytest.mark.parametrize(("typed", "text"), SERIALS_AS_TYPED.values(), ids=SERIALS_AS_TYPED)
def test_a_serial_is_kept_exactly_as_typed(load: LoadConfig, typed: str, text: str) -> None:
    config = load(f"eon_next: {{import_account: A-1}}\nmyenergi:\n  hub_serial: {typed}\n  api_key: 01e5\n")

    assert config.myenergi.hub_serial == text
    assert config.myenergi.api_key.reveal() == "01e5"


PASSWORDS = {
    "digits only": ("eon_next.password", "01234", "01234"),
    "blanks at its ends": ("eon_next.password", "' two blanks '", " two blanks "),
    "the word null in quotes": ("eon_next.password", "'null'", "null"),
    "letters beyond ASCII": ("eon_next.password", "pässwörd→", "pässwörd→"),
    "an App Password in groups": ("gcal.smtp_pass", "abcd efgh ijkl mnop", "abcdefghijklmnop"),
    "another mail password with blanks": (
        "gcal.smtp_pass",
        "correct horse battery staple",
        "correct horse battery staple",
    ),
}


@pytest.mark.parametrize(("key", "typed", "text"), PASSWORDS.values(), ids=PASSWORDS)
def test_a_password_is_kept_as_typed_but_for_the_blanks_of_an_app_password(
    load: LoadConfig, key: str, typed: str, text: str
) -> None:
    password = config_value(load(config_with_setting(key, typed)), key)

    assert getattr(password, "reveal")() == text  # noqa: B009  # the type depends on the key


@pytest.mark.parametrize("typed", ["''", "' '", "null", "~", ""])
@pytest.mark.parametrize("key", ["eon_next.device_id", "control.grace_seconds", "control.cheap_period", "alerts.email"])
def test_an_empty_value_counts_as_not_given(load: LoadConfig, key: str, typed: str) -> None:
    assert config_value(load(config_with_setting(key, typed)), key) == config_value(load(REQUIRED_CONFIG_TEXT), key)


ACCEPTED = {
    "a number in quotes": ("control.default_reserve_pct", "'30'", 30),
    "a switch by true": ("control.extension", "True", True),
    "a switch by no": ("control.extension", "no", False),
    "a switch by off in quotes": ("control.extension", "'Off'", False),
    "no limit": ("control.max_hours_per_day", "null", None),
    "a limit of a fraction": ("control.max_hours_per_day", "4.5", 4.5),
    "times without quotes": ("control.cheap_period", "[00:00, 07:00]", (time(0), time(7))),
    "base sixty in a list": ("control.cheap_period", "[22:30, 12:59]", (time(22, 30), time(12, 59))),
    "times across midnight": ("control.cheap_period", '["23:30", "05:30"]', (time(23, 30), time(5, 30))),
    "short hours": ("control.cheap_period", "[0:30, 5:30]", (time(0, 30), time(5, 30))),
    "a list in lines": ("control.cheap_period", "\n    - 01:00\n    - 05:00", (time(1), time(5))),
    "times with a comma": ("control.cheap_period", "00:00, 05:00", (time(0), time(5))),
    "another zone": ("control.timezone", "Europe/Dublin", ZoneInfo("Europe/Dublin")),
    "a free tariff": ("gcal.cheap_rate_pence", "0", 0.0),
    "TLS from the start": ("gcal.smtp_port", "465", 465),
    "a sign-in address": ("eon_next.auth_url", "https://auth.example.com/", "https://auth.example.com/"),
    "an address for alerts": ("alerts.email", "me+power@example.co.uk", "me+power@example.co.uk"),
}


@pytest.mark.parametrize(("key", "typed", "wanted"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_sensible_value_is_taken(load: LoadConfig, key: str, typed: str, wanted: object) -> None:
    assert config_value(load(config_with_setting(key, typed)), key) == wanted


RANGES = {
    "control.default_reserve_pct": (0, 80),
    "control.release_lead_seconds": (30, 300),
    "control.min_hold_seconds": (60, 1500),
    "control.grace_seconds": (120, 3600),
    "myenergi.charging_watts": (100, 5000),
    "gcal.smtp_port": (26, 65535),
    "gcal.standard_rate_pence": (0, 1000),
    "database.keep_days": (40, 36500),
}


@pytest.mark.parametrize(("key", "bounds"), RANGES.items())
def test_a_number_is_taken_within_its_bounds_and_refused_beyond(
    load: LoadConfig, refusal: ConfigError, key: str, bounds: tuple[int, int]
) -> None:
    lowest, highest = bounds

    assert [config_value(load(config_with_setting(key, str(each))), key) for each in bounds] == [lowest, highest]
    assert all(f"{key} is {each}" in refusal(config_with_setting(key, str(each))) for each in (lowest - 1, highest + 1))


TIMES, ADDRESS, FILE = (
    "two different local times",
    "one plain address",
    "Use a path of a file, not of a folder",
)
REFUSED = {
    "a reserve that Tesla clamps": ("control.default_reserve_pct", "85", "Tesla turns 81-99 into 80"),
    "half a per cent": ("control.default_reserve_pct", "20.5", "a whole number 0 to 80"),
    "a per cent sign": ("control.default_reserve_pct", "20%", "a whole number 0 to 80"),
    "a switch for a number": ("control.default_reserve_pct", "yes", "a whole number 0 to 80"),
    "a list for a number": ("control.default_reserve_pct", "[20, 30]", "is 20, 30. Use a whole number"),
    "the Tesla app's word for autonomous": ("control.resting_mode", "Time-Based Control", "Did you mean autonomous?"),
    "the Tesla app's word for self_consumption": ("control.resting_mode", "Self-Powered", "mean self_consumption?"),
    "resting in backup": ("control.resting_mode", "backup", "one of autonomous, self_consumption"),
    "an unknown hold": ("control.hold", "preserved", "Did you mean preserve?"),
    "an unknown supplier": ("eon_next.supplier", "EON_NEXT", "Did you mean eon-next?"),
    "one time only": ("control.cheap_period", '["00:00"]', TIMES),
    "three times": ("control.cheap_period", "[00:00, 03:00, 06:00]", TIMES),
    "the same time twice": ("control.cheap_period", '["06:00", "6:00"]', TIMES),
    "a time that does not exist": ("control.cheap_period", '["00:00", "24:00"]', TIMES),
    "a time with an offset": ("control.cheap_period", '["00:00Z", "06:00Z"]', TIMES),
    "words for times": ("control.cheap_period", "midnight to six", TIMES),
    "a zone that does not exist": ("control.timezone", "Europe/Londinium", "a time zone such as Europe/London"),
    "a folder of zones": ("control.timezone", "Europe", "a time zone such as Europe/London"),
    "a path for a zone": ("control.timezone", "../../etc/passwd", "a time zone such as Europe/London"),
    "a limit of nothing": ("control.max_hours_per_day", "0", "hours above 0"),
    "more hours than a day has": ("control.max_hours_per_day", "25", "up to 24"),
    "a switch that is neither": ("control.extension", "maybe", "true or false"),
    "two serials": ("myenergi.zappi_serial", "123 456", "one word without blanks"),
    "a site that is not a number": ("tesla.energy_site_id", "home", "digits only"),
    "the unencrypted mail port": ("gcal.smtp_port", "25", "25 is plain text and refused"),
    "a decimal comma": ("gcal.cheap_rate_pence", "'6,19'", "such as 6.19"),
    "a price that is not a number": ("gcal.cheap_rate_pence", "nan", "pence per kWh"),
    "an address with a name": ("gcal.invite_to", "Me <me@example.com>", ADDRESS),
    "two addresses": ("gcal.invite_to", "'a@example.com, b@example.com'", ADDRESS),
    "an address with a line break": ("gcal.invite_to", '"a@example.com\\r\\nBcc: b@example.com"', ADDRESS),
    "an address that mail cannot carry": ("gcal.smtp_user", "jürgen@example.com", ADDRESS),
    "a mail host with a line break": ("gcal.smtp_host", '"a\\nb"', "one word without blanks"),
    "an unencrypted sign-in address": ("eon_next.auth_url", "http://auth.example.com", "an https:// address"),
    "a path with a zero byte": ("database.path", '"a\\0b"', "Use a path"),
    "a list of paths": ("database.path", "[a, b]", "Use a path"),
    "a home folder that nobody has": ("database.path", "~nobody-of-that-name/x.db", "Use a path"),
    "a folder for the database": ("database.path", "/srv/power/", FILE),
    "this folder for the calendar file": ("gcal.feed_path", ".", FILE),
    "the folder above for a key": ("tesla.rsa_key_path", "~/power/..", FILE),
}


@pytest.mark.parametrize(("key", "typed", "fix"), REFUSED.values(), ids=REFUSED)
def test_a_value_without_sense_is_refused_with_what_would_be_right(
    refusal: ConfigError, tmp_path: Path, key: str, typed: str, fix: str
) -> None:
    line = refusal(config_with_setting(key, typed))

    assert fix in line
    assert line.startswith(f"{tmp_path / 'config.yaml'}, line ")
    assert key in line


def test_a_refusal_names_file_line_key_value_and_what_would_be_right(refusal: ConfigError, tmp_path: Path) -> None:
    line = refusal(f"{REQUIRED_CONFIG_TEXT}control:\n  hold: backup\n\n  default_reserve_pct: 85\n")

    right = SETTINGS["control"]["default_reserve_pct"].describe_valid_value("85")
    assert line == f"{tmp_path / 'config.yaml'}, line 6: control.default_reserve_pct is 85. {right}"

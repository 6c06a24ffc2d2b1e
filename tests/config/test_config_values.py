"""Text stays text, and a sensible value is taken."""

from datetime import time
from zoneinfo import ZoneInfo

import msgspec
import pytest
from config_texts import LoadConfig, config_value, config_with_line

from smartcharge.config.schema import CONFIG_SECTIONS

AS_TYPED = {
    "a serial without quotes": ("hub_serial: 12345678", "12345678"),
    "a leading zero that YAML takes for octal": ("hub_serial: 01234567", "01234567"),
    "an exponent": ("hub_serial: 1e5", "1e5"),
    "a long number with an exponent": ("hub_serial: 12345e678", "12345e678"),
    "an underscore that YAML drops": ("hub_serial: 12_34", "12_34"),
    "a hexadecimal number": ("hub_serial: 0x1F", "0x1F"),
    "base sixty": ("hub_serial: 22:30:15", "22:30:15"),
    "a yes that YAML takes for true": ("hub_serial: yes", "yes"),
    "a date": ("hub_serial: 2026-11-22", "2026-11-22"),
    "a number like infinity": ("hub_serial: .inf", ".inf"),
    "quotes": ("hub_serial: '0012'", "0012"),
    "an explicit text tag": ("hub_serial: !!str 0012", "0012"),
    "blanks around it": ("hub_serial: ' 0012 '", "0012"),
}


@pytest.mark.parametrize(("line", "text"), AS_TYPED.values(), ids=AS_TYPED)
def test_a_serial_is_kept_exactly_as_typed(load: LoadConfig, line: str, text: str) -> None:
    config = load(f"eon_next: {{import_account: A-1}}\nmyenergi:\n  {line}\n  api_key: 01e5\n")

    assert config.myenergi.hub_serial == text
    assert config.myenergi.api_key.reveal() == "01e5"


PASSWORDS = {
    "digits only": ("01234", "01234"),
    "blanks at its ends": ("' two blanks '", " two blanks "),
    "the word null in quotes": ("'null'", "null"),
    "a hash in quotes": ("'a #1'", "a #1"),
    "letters beyond ASCII": ("pässwörd→", "pässwörd→"),
}


@pytest.mark.parametrize(("typed", "text"), PASSWORDS.values(), ids=PASSWORDS)
def test_a_password_is_kept_exactly_as_typed(load: LoadConfig, typed: str, text: str) -> None:
    config = load(config_with_line("eon_next", f"password: {typed}"))

    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == text


NOT_GIVEN = ["''", '""', "' '", "null", "~", ""]


@pytest.mark.parametrize("typed", NOT_GIVEN)
@pytest.mark.parametrize("key", ["eon_next.device_id", "gcal.smtp_port", "control.cheap_period", "alerts.email"])
def test_an_empty_value_counts_as_not_given(load: LoadConfig, key: str, typed: str) -> None:
    part, name = key.split(".")
    text = config_with_line(part, f"{name}: {typed}")

    config = load(text.replace("gcal:\n", "gcal:\n  cheap_rate_pence: 7\n"))

    default = next(setting for setting in msgspec.structs.fields(CONFIG_SECTIONS[part]) if setting.name == name).default
    assert config_value(config, key) == default


ACCEPTED = {
    "the smallest reserve": ("control.default_reserve_pct", "0", 0),
    "the largest reserve": ("control.default_reserve_pct", "80", 80),
    "a number in quotes": ("control.default_reserve_pct", "'30'", 30),
    "resting in self consumption": ("control.resting_mode", "self_consumption", "self_consumption"),
    "restoring what was before": ("control.restore", "previous", "previous"),
    "preserving instead of charging": ("control.hold", "preserve", "preserve"),
    "a switch by true": ("control.extension", "True", True),
    "a switch by no": ("control.extension", "no", False),
    "a switch by off in quotes": ("control.extension", "'Off'", False),
    "no cap": ("control.max_hours_per_day", "null", None),
    "a cap of a fraction": ("control.max_hours_per_day", "4.5", 4.5),
    "a cheap period in quotes": ("control.cheap_period", '["00:30", "05:30"]', (time(0, 30), time(5, 30))),
    "a cheap period without quotes": ("control.cheap_period", "[00:00, 07:00]", (time(0), time(7))),
    "base sixty in a list": ("control.cheap_period", "[22:30, 12:59]", (time(22, 30), time(12, 59))),
    "a cheap period across midnight": ("control.cheap_period", '["23:30", "05:30"]', (time(23, 30), time(5, 30))),
    "short hours": ("control.cheap_period", "[0:30, 5:30]", (time(0, 30), time(5, 30))),
    "a list in lines": ("control.cheap_period", "\n    - 01:00\n    - 05:00", (time(1), time(5))),
    "a cheap period with a comma": ("control.cheap_period", "00:00, 05:00", (time(0), time(5))),
    "another zone": ("control.timezone", "Europe/Dublin", ZoneInfo("Europe/Dublin")),
    "the shortest lead": ("control.release_lead_seconds", "30", 30),
    "the longest grace": ("control.grace_seconds", "3600", 3600),
    "a free tariff": ("gcal.cheap_rate_pence", "0", 0.0),
    "whole pence": ("gcal.standard_rate_pence", "27", 27.0),
    "TLS from the start": ("gcal.smtp_port", "465", 465),
    "a submission port of one's own": ("gcal.smtp_port", "2525", 2525),
    "invites for plans": ("gcal.invite_when", "planned", "planned"),
    "Octopus": ("eon_next.supplier", "octopus", "octopus"),
    "a client identifier": ("eon_next.auth_client_id", "aBc_1-2", "aBc_1-2"),
    "a sign-in address": ("eon_next.auth_url", "https://auth.example.com/", "https://auth.example.com/"),
    "an address for alerts": ("alerts.email", "me+power@example.co.uk", "me+power@example.co.uk"),
}


@pytest.mark.parametrize(("key", "typed", "wanted"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_sensible_value_is_taken(load: LoadConfig, key: str, typed: str, wanted: object) -> None:
    part, name = key.split(".")

    assert config_value(load(config_with_line(part, f"{name}: {typed}")), key) == wanted


CHEAP_PERIODS = {
    "eon-next": (time(0), time(6)),
    "edf": (time(0), time(6)),
    "octopus": (time(23, 30), time(5, 30)),
}


@pytest.mark.parametrize(("supplier", "period"), CHEAP_PERIODS.items())
def test_the_cheap_period_follows_the_supplier(load: LoadConfig, supplier: str, period: tuple[time, time]) -> None:
    assert load(config_with_line("eon_next", f"supplier: {supplier}")).control.cheap_period == period


def test_a_cheap_period_of_ones_own_wins_over_the_suppliers(load: LoadConfig) -> None:
    config = load(config_with_line("eon_next", "supplier: octopus") + "control:\n  cheap_period: [00:30, 04:30]\n")

    assert config.control.cheap_period == (time(0, 30), time(4, 30))

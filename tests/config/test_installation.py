"""A whole installation: what an earlier file means, what is set up, what is missing, what is hardly meant."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise, product
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from config_texts import (
    LEGACY_CONFIG_TEXT,
    REQUIRED_CONFIG_TEXT,
    ConfigError,
    LoadConfig,
    config_value,
    config_with_setting,
)
from msgspec.structs import replace

from smartcharge.app import tesla_sign_in_fingerprint
from smartcharge.config.load import load_config
from smartcharge.config.schema import AlertsConfig, ControlConfig
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, DispatchWindow, Policy, State
from smartcharge.policy.slots import CheapPeriod


def test_an_existing_installations_file_works_unchanged(load: LoadConfig, tmp_path: Path) -> None:
    config = load(LEGACY_CONFIG_TEXT)

    assert config.warnings == ()
    assert config.eon_next.password is not None
    assert config.eon_next.password.reveal() == "your-eon-password"
    assert (config.eon_next.email, config.eon_next.supplier) == ("you@example.com", "eon-next")
    assert (config.myenergi.hub_serial, config.myenergi.api_key.reveal()) == ("12345678", "abcdef12")
    assert config.tesla is not None
    assert (config.tesla.account_email, config.tesla.energy_site_id) == ("you@tesla.com", None)
    assert config.invites is not None
    assert (config.invites.smtp_pass.reveal(), config.invites.invite_to) == ("x" * 16, "your-calendar@gmail.com")
    assert config.database_path == tmp_path / "data" / "smartcharge.db"
    assert config.control == ControlConfig()


def test_three_keys_are_enough_and_everything_else_has_its_default(load: LoadConfig, tmp_path: Path) -> None:
    config = load(REQUIRED_CONFIG_TEXT)

    assert (config.tesla, config.gcal, config.invites) == (None, None, None)
    assert (config.control, config.alerts) == (ControlConfig(), AlertsConfig())
    assert (config.control.cheap_period, config.control.timezone) == ((time(0), time(6)), ZoneInfo("Europe/London"))
    assert config.folder == config.auth_folder == tmp_path / "data"
    assert config.warnings == ()


MISSING = {
    "an empty file": ("", "eon_next.import_account is missing. Use the account number on your bill"),
    "no hub": ("eon_next: {import_account: A-1}\n", "myenergi.hub_serial is missing. Use the serial number"),
    "an empty hub": (
        "eon_next: {import_account: A-1}\nmyenergi: {hub_serial: '', api_key: ''}\n",
        "myenergi.hub_serial is missing",
    ),
    "a gateway without its key": (
        f"{REQUIRED_CONFIG_TEXT}tesla: {{backend: v1r, gateway_host: 192.0.2.7, gateway_password: abcde}}\n",
        "tesla.rsa_key_path is missing. The backend v1r needs",
    ),
}


@pytest.mark.parametrize(("text", "message"), MISSING.values(), ids=MISSING)
def test_what_is_needed_and_missing_is_named(refusal: ConfigError, text: str, message: str) -> None:
    assert message in refusal(text)


MAIL = {
    "no section": ("", None, ()),
    "only prices": ("gcal: {cheap_rate_pence: 7}\n", None, ()),
    "no password": ("gcal: {smtp_user: a@b.c}\n", None, ("gcal.smtp_pass is missing",)),
    "no sender": ("gcal: {smtp_pass: hunter2}\n", None, ("gcal.smtp_user is missing",)),
    "no recipient": ("gcal: {smtp_user: a@b.c, smtp_pass: x}\n", "a@b.c", ("gcal.invite_to is missing",)),
    "complete": ("gcal: {smtp_user: a@b.c, smtp_pass: x, invite_to: b@b.c}\n", "b@b.c", ()),
    "alerts without an account": ("alerts: {email: a@b.c}\n", None, ("alerts.email is set",)),
}


@pytest.mark.parametrize(("text", "recipient", "warnings"), MAIL.values(), ids=MAIL)
def test_invites_need_a_sender_and_a_password(
    load: LoadConfig, text: str, recipient: str | None, warnings: tuple[str, ...]
) -> None:
    config = load(REQUIRED_CONFIG_TEXT + text)

    assert (config.invites.invite_to if config.invites else None) == recipient
    assert [warning.split(",")[0] for warning in config.warnings] == list(warnings)


GATEWAY = "{{backend: v1r, gateway_host: {host}, gateway_password: {password}, rsa_key_path: keys/mine.pem}}"
BATTERIES = {
    "no section": ("", None, 0, "data/.pypowerwall.auth"),
    "everything left empty": ("{account_email: '', energy_site_id: ''}", None, 0, "data/.pypowerwall.auth"),
    "no address": ("{account_password: x, backend: cloud}", None, 1, "data/.pypowerwall.auth"),
    "Tesla's cloud": ("{account_email: a@b.c}", "cloud", 0, "data/.pypowerwall.auth"),
    "the Fleet API": ("{backend: fleetapi}", "fleetapi", 0, "data/.pypowerwall.fleetapi"),
    "its own token folder": ("{backend: fleetapi, auth_path: t}", "fleetapi", 0, "t/.pypowerwall.fleetapi"),
    "the gateway": (GATEWAY.format(host="192.0.2.7", password="abcde"), "v1r", 0, "keys/mine.pem"),
}


@pytest.mark.parametrize(("tesla", "backend", "warnings", "file"), BATTERIES.values(), ids=BATTERIES)
def test_the_battery_is_set_up_where_it_can_be_reached_and_each_way_has_its_file(
    load: LoadConfig, tmp_path: Path, tesla: str, backend: str | None, warnings: int, file: str
) -> None:
    config = load(f"{REQUIRED_CONFIG_TEXT}tesla: {tesla}\n")

    assert (config.tesla.backend if config.tesla else None) == backend
    assert len(config.warnings) == warnings
    assert config.tesla_credentials_file == tmp_path / file


@pytest.mark.parametrize(
    ("tesla", "file"),
    [("{account_email: a@b.c}", ".pypowerwall.auth"), ("{backend: fleetapi}", ".pypowerwall.fleetapi")],
)
def test_token_files_of_an_existing_installation_are_found_beside_its_configuration(
    load: LoadConfig, tmp_path: Path, tesla: str, file: str
) -> None:
    config = load(f"{REQUIRED_CONFIG_TEXT}tesla: {tesla}\n")
    assert config.auth_folder == tmp_path / "data"

    (tmp_path / file).write_text("{}")

    assert config.auth_folder == tmp_path


def test_the_fingerprint_of_a_sign_in_changes_with_whatever_of_it_was_changed(load: LoadConfig, tmp_path: Path) -> None:
    def fingerprint(host: str = "192.0.2.7", password: str = "abcde") -> str:  # noqa: S107  # pretend secret
        return tesla_sign_in_fingerprint(
            load(f"{REQUIRED_CONFIG_TEXT}tesla: {GATEWAY.format(host=host, password=password)}\n")
        )

    assert fingerprint() == "absent"
    key = tmp_path / "keys" / "mine.pem"
    key.parent.mkdir()
    key.write_text("a key")
    fingerprints = [fingerprint(), fingerprint(host="192.0.2.8"), fingerprint(password="fghij")]
    key.write_text("another key")
    fingerprints.append(fingerprint())

    assert len(set(fingerprints)) == 4
    assert not any("abcde" in each or "fghij" in each for each in fingerprints)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o644, True)])
def test_a_file_that_others_can_read_is_warned_of(load: LoadConfig, tmp_path: Path, mode: int, *, warned: bool) -> None:
    fix = f"chmod 600 {tmp_path / 'config.yaml'}"

    assert any(fix in warning for warning in load(REQUIRED_CONFIG_TEXT, mode=mode).warnings) is warned


PATHS = {
    "database.path": ("control/x.db", "/here/control/x.db"),
    "gcal.feed_path": ("../power.ics", "/here/../power.ics"),
    "tesla.rsa_key_path": ("~/key.pem", "/home/pi/key.pem"),
    "tesla.auth_path": ("/srv/tokens", "/srv/tokens"),
}


@pytest.mark.parametrize(("key", "typed", "wanted"), [(key, *paths) for key, paths in PATHS.items()])
def test_a_relative_path_is_seen_from_the_configurations_folder(
    load: LoadConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, typed: str, wanted: str
) -> None:
    text = config_with_setting(key, typed).replace("tesla:\n", "tesla:\n  account_email: a@example.com\n")
    load(text)
    monkeypatch.chdir(tmp_path)
    config = load_config(Path("config.yaml"), {"HOME": "/home/pi"})

    assert config_value(config, key) == Path(wanted.replace("/here", str(tmp_path)))


@pytest.mark.parametrize(
    ("supplier", "period"),
    [("eon-next", (time(0), time(6))), ("edf", (time(0), time(6))), ("octopus", (time(23, 30), time(5, 30)))],
)
def test_the_off_peak_hours_follow_the_supplier_unless_they_are_given(
    load: LoadConfig, supplier: str, period: tuple[time, time]
) -> None:
    text = config_with_setting("eon_next.supplier", supplier)

    assert load(text).control.cheap_period == period
    assert load(f"{text}control: {{cheap_period: [00:30, 04:30]}}\n").control.cheap_period == (time(0, 30), time(4, 30))


HARDLY_MEANT = {
    "times the wrong way round": ("cheap_period", "['06:00', '00:00']", "control.cheap_period lasts 18 h"),
    "and across midnight": ("cheap_period", "['05:30', '23:30']", "control.cheap_period lasts 18 h"),
    "a lead that cron's minutes can miss": ("release_lead_seconds", "59", "control.release_lead_seconds is 59"),
    "half a day": ("cheap_period", "['00:00', '12:00']", None),
    "a lead of a minute": ("release_lead_seconds", "60", None),
}


@pytest.mark.parametrize(("key", "typed", "warning"), HARDLY_MEANT.values(), ids=HARDLY_MEANT)
def test_what_is_hardly_meant_is_a_warning(load: LoadConfig, key: str, typed: str, warning: str | None) -> None:
    warnings = load(config_with_setting(f"control.{key}", typed)).warnings

    assert [each[: len(warning or "")] for each in warnings] == ([warning] if warning else [])


def minute_of_afternoon(minute: int) -> datetime:
    """When cron runs, two seconds into a minute after 13:00."""
    return datetime(2026, 12, 9, 13, 0, 2, tzinfo=UTC) + timedelta(minutes=minute)


@pytest.mark.parametrize(("lead", "shortest"), list(product((30, 60, 90, 300), (60, 180, 1500))))
def test_no_allowed_lead_or_shortest_hold_keeps_a_charging_car_from_being_held(lead: int, shortest: int) -> None:
    """A run a minute through a window of three half hours: held from its first minute to its release, without a gap."""
    policy = Policy(
        cheap_period=CheapPeriod(time(0), time(6), zone="Europe/London"),
        release_lead=timedelta(seconds=lead),
        min_hold=timedelta(seconds=shortest),
        extension=False,
    )
    begins, ends = (minute_of_afternoon(minute).replace(second=0) for minute in (0, 90))
    window = DispatchWindow(begins, ends, seen_at=begins)
    state = State(now=begins, policy=policy, windows=(window,), charger=ChargerState.CHARGING)
    held = []
    for now in map(minute_of_afternoon, range(95)):
        state = replace(state, now=now, windows=(replace(window, seen_at=now),))
        state = replace(state, hold=decide(state).hold)
        held.append(state.hold is not None)

    assert held[0]
    assert sum(now != before for before, now in pairwise(held)) == 1
    assert 84 <= held.count(True) <= 91

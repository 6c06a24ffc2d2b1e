"""The configuration: whether it loads, and what is allowed in it but hardly meant."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from smartcharge.app import App
from smartcharge.config.schema import Secret
from smartcharge.doctor.check import Check, CheckArea
from smartcharge.errors import ConfigurationError
from smartcharge.formatting import age_text, local_time
from smartcharge.installations import SHARED_DATABASE_FIX, database_owner, other_installations
from smartcharge.policy.polling import is_blocked, plan_interval
from smartcharge.report.problems import CRON_FIX
from smartcharge.report.snapshot import Snapshot, load_snapshot
from smartcharge.store.devices import load_idle_forecast, load_supplier_asked_at
from smartcharge.store.journal import load_last_journal_row

EXAMPLE_VALUES = {
    "eon_next.email": "you@example.com",
    "eon_next.password": "your-eon-password",
    "myenergi.api_key": "abcdef12",
    "tesla.account_email": "you@tesla.com",
    "gcal.smtp_user": "sender@gmail.com",
    "gcal.invite_to": "your-calendar@gmail.com",
}
PLACEHOLDER_PATTERN = re.compile(r"(A-)?(X{4,}|\.{3})", re.IGNORECASE)
"""What stands for something else wherever it stands."""
PLACEHOLDER_FIX = "Put in your own, or leave it out if it is not needed"
SECTIONS_WITH_PLACEHOLDERS = ("eon_next", "myenergi", "tesla", "gcal", "alerts")


def check_placeholders(app: App, area: CheckArea) -> Iterator[Check]:
    """Name every key that still holds an example; what it holds is not shown."""
    for key, text in _text_values(app):
        if text == EXAMPLE_VALUES.get(key) or PLACEHOLDER_PATTERN.fullmatch(text):
            yield area.error("placeholder", f"{key} is still the example's", PLACEHOLDER_FIX)


def _text_values(app: App) -> Iterator[tuple[str, str]]:
    for name in SECTIONS_WITH_PLACEHOLDERS:
        section = getattr(app.config, name)
        for key in section.__struct_fields__ if section else ():
            value = getattr(section, key)
            text = value.reveal() if isinstance(value, Secret) else value
            if isinstance(text, str):
                yield f"{name}.{key}", text


CONFIGURATION_AREA = CheckArea("configuration")


def check_configuration(app: App) -> Iterator[Check]:
    """It has loaded, or there were no tools."""
    yield CONFIGURATION_AREA.ok("file", f"{app.config.path} loads")
    yield from check_placeholders(app, CONFIGURATION_AREA)
    for warning in app.config.warnings:
        message, _, fix = warning.partition(". ")
        yield CONFIGURATION_AREA.warning("meaning", message, fix)
    if app.config.tesla is None and not any("tesla." in warning for warning in app.config.warnings):
        yield CONFIGURATION_AREA.warning(
            "meaning", "no Powerwall is configured, so nothing is ever held", "Add tesla.account_email"
        )


def configuration_error_check(refused: ConfigurationError) -> Check:
    """It does not load, so nothing else can be looked at."""
    return CONFIGURATION_AREA.app_error("file", refused)


RELEASE_COMMANDS = {"tick", "reconcile"}
"""Without one of them the battery is never brought back."""
LIST_CRONTAB_COMMAND = ("crontab", "-l")
SYSTEM_CRONTABS = (Path("/etc/crontab"), *map(Path, ("/etc/cron.d", "/var/spool/cron/crontabs")))
SYSTEMD_UNIT_FOLDERS = (Path("/etc/systemd/system"), Path("~/.config/systemd/user"))
CRONTAB_TIMEOUT_SECONDS = 2.0
MAX_CRONTAB_BYTES = 65_536


def describe_schedule(config: Path) -> str:
    """A clause on what starts the installation of this configuration file."""
    named = list(dict.fromkeys(place for place, line in _schedule_lines() if _is_schedule_line_of(line, config)))
    if named:
        return f"{' and '.join(named)} should start it"
    return "no crontab and no systemd timer that this user can read starts it"


def _is_schedule_line_of(line: str, config: Path) -> bool:
    words = line.split()
    is_ours = any("smartcharge" in word for word in words) and bool(RELEASE_COMMANDS & set(words))
    return is_ours and not line.lstrip().startswith("#") and (str(config) in line or "--config" not in words)


def _schedule_lines() -> Iterator[tuple[str, str]]:
    """Everything that starts something at a time, with where it stands."""
    for line in _read_user_crontab().splitlines():
        yield "this user's crontab", line
    for table in SYSTEM_CRONTABS:
        for path in _list_files(table, "*"):
            yield from ((str(path), line) for line in _read_text(path).splitlines())
    for folder in SYSTEMD_UNIT_FOLDERS:
        for timer in _list_files(folder.expanduser(), "*.timer"):
            yield from ((str(timer), line) for line in _read_text(timer.with_suffix(".service")).splitlines())


def _read_user_crontab() -> str:
    with suppress(OSError, subprocess.SubprocessError, UnicodeError):
        asked = subprocess.run(  # noqa: S603  # a literal
            LIST_CRONTAB_COMMAND,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CRONTAB_TIMEOUT_SECONDS,
            check=False,
        )
        return asked.stdout[:MAX_CRONTAB_BYTES]
    return ""


def _list_files(place: Path, pattern: str) -> list[Path]:
    with suppress(OSError):
        return [place] if place.is_file() else sorted(path for path in place.glob(pattern) if path.is_file())
    return []


def _read_text(path: Path) -> str:
    with suppress(OSError), path.open("rb") as file:
        return file.read(MAX_CRONTAB_BYTES).decode(errors="replace")
    return ""


RUNS_AREA = CheckArea("runs")
CHECKED_COMMANDS = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites")
RELEASE_OVERDUE_AFTER = timedelta(minutes=3)
MAX_RESET_INTERVAL = timedelta(hours=26)
"""From one verified midnight reset to the next, the night of the clock change included."""


def check_runs(app: App) -> Iterator[Check]:
    """An idle run writes nothing, so a question to Kraken is the surest sign of life."""
    snapshot = load_snapshot(app)
    yield _check_cron(app, snapshot)
    yield from _check_release(app, snapshot)
    yield from _check_midnight_reset(app, snapshot)
    for command in CHECKED_COMMANDS:
        if row := load_last_journal_row(app.read_only_db, command):
            yield RUNS_AREA.ok(command, f"wrote last into the journal {age_text(app.now - row.at)} ago: {row.outcome}")
        else:
            yield RUNS_AREA.ok(command, "has had nothing to write into the journal yet")
    for alert in snapshot.alerts:
        message = f"trouble with {alert.kind} for {age_text(app.now - alert.since)} (attempts: {alert.count})"
        yield RUNS_AREA.warning(alert.command, message, "`smartcharge history` tells more")


def _check_cron(app: App, snapshot: Snapshot) -> Check:
    last_at, asked_at = snapshot.last_activity_at, load_supplier_asked_at(app.read_only_db)
    if last_at is None:
        message = f"no run has ever written anything down; {describe_schedule(app.config.path)}"
        return RUNS_AREA.warning("cron", message, CRON_FIX)
    silence = app.now - last_at
    last_sign_text = f"the last sign of a run is {age_text(silence)} old"
    if asked_at == last_at:
        last_sign_text = f"Kraken was asked {age_text(silence)} ago"
    if "kraken" in snapshot.refused_services or is_blocked(app.now, snapshot.services["kraken"].not_before):
        message = f"{last_sign_text}; Kraken is not asked just now, so that there need be no newer one"
        return RUNS_AREA.ok("cron", f"{message}; {describe_schedule(app.config.path)}")
    if snapshot.is_silent:
        minutes = plan_interval(snapshot.state) // timedelta(minutes=1)
        message = f"{last_sign_text}, and now it should be asked every {minutes} min: nothing runs"
        return RUNS_AREA.warning("cron", f"{message}; {describe_schedule(app.config.path)}", CRON_FIX)
    return RUNS_AREA.ok("cron", f"{last_sign_text}, so cron is firing")


def _check_release(app: App, snapshot: Snapshot) -> Iterator[Check]:
    zone = app.policy.cheap_period.zone
    if snapshot.hold and app.now > snapshot.hold.hold.until + RELEASE_OVERDUE_AFTER:
        message = f"the hold should have ended at {local_time(snapshot.hold.hold.until, zone)}"
        yield RUNS_AREA.warning("release", message, f"Run `smartcharge reconcile`. {CRON_FIX}")
    elif snapshot.battery.in_doubt_since and app.now > snapshot.battery.in_doubt_since + RELEASE_OVERDUE_AFTER:
        message = (
            f"the battery has not confirmed what it was asked {age_text(app.now - snapshot.battery.in_doubt_since)} ago"
        )
        yield RUNS_AREA.warning(
            "release", message, "It is tried again every minute; `smartcharge -v reconcile` tells more"
        )
    if snapshot.battery.rate_plan_missing:
        message = "Tesla has refused time-based control, so the Powerwall rests in self-powered mode"
        yield RUNS_AREA.warning("release", message, "Set your tariff in the Tesla app; it is tried again at midnight")


def _check_midnight_reset(app: App, snapshot: Snapshot) -> Iterator[Check]:
    midnight_reset_at = snapshot.battery.midnight_reset_at
    is_reset_expected = app.config.control.restore == "resting" and app.controls_battery()
    if (
        midnight_reset_at
        and is_reset_expected
        and not snapshot.state.is_paused
        and app.now - midnight_reset_at > MAX_RESET_INTERVAL
    ):
        message = f"the last verified midnight reset is {age_text(app.now - midnight_reset_at)} old"
        yield RUNS_AREA.warning("midnight-reset", message, CRON_FIX)


PLAN_AREA = CheckArea("plan")
FETCH_PLAN_FIX = "`smartcharge fetch-dispatches --now` asks for it"


def check_plan(app: App) -> Iterator[Check]:
    """Nothing new begins on a stale plan."""
    snapshot = load_snapshot(app)
    fetched_at = snapshot.fetched_at
    if fetched_at is None:
        yield PLAN_AREA.warning("fresh", "Kraken has never answered for a watched car", FETCH_PLAN_FIX)
    elif snapshot.is_plan_fresh:
        yield PLAN_AREA.ok("fresh", f"Kraken answered {age_text(app.now - fetched_at)} ago")
    else:
        yield PLAN_AREA.warning(
            "fresh", f"Kraken last answered {age_text(app.now - fetched_at)} ago: nothing new begins", FETCH_PLAN_FIX
        )
    for device in snapshot.devices:
        if device.watched and device.failures:
            message = f"device {device.device} has gone without an answer {device.failures} times: {device.last_error}"
            yield PLAN_AREA.warning("answers", message, FETCH_PLAN_FIX)


INSTALLATIONS_AREA = CheckArea("neighbours")


def check_other_installations(app: App) -> Iterator[Check]:
    """Whose memory it is, by what was written down last, and by the configurations that lie beside this one."""
    config, checks = app.config, list[Check]()
    owner = database_owner(config, load_idle_forecast(app.read_only_db), os.environ)
    if owner:
        message = f"{config.database_path} is the memory of another house, that of {owner}, so nothing is done here"
        checks.append(INSTALLATIONS_AREA.error("database", message, SHARED_DATABASE_FIX))
    for other in other_installations(config, os.environ):
        if other.path == owner:
            continue
        if other.database_path.resolve() == config.database_path.resolve():
            message = f"{other.path} is of another house and names the same database"
            checks.append(INSTALLATIONS_AREA.error("database", message, SHARED_DATABASE_FIX))
        elif other.folder.resolve() == config.folder.resolve():
            message = f"the house of {other.path} keeps its sign-ins in the same folder, {config.folder}"
            checks.append(INSTALLATIONS_AREA.warning("folder", message, SHARED_DATABASE_FIX))
    yield from checks or [INSTALLATIONS_AREA.ok("houses", "no other house shares this one's database or folder")]

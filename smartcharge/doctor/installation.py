"""Checks of the installation: configuration, cron, recent runs, charging schedule, other installations."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from smartcharge.alerts import alert_subject
from smartcharge.app import App
from smartcharge.config.load import Config
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
"""Text that is a placeholder in any key."""
PLACEHOLDER_FIX = "Put in your own value, or delete the line if you do not need it"
SECTIONS_WITH_PLACEHOLDERS = ("eon_next", "myenergi", "tesla", "gcal", "alerts")


def check_placeholders(config: Config, area: CheckArea) -> Iterator[Check]:
    """Name every key that still has the value of the example; the value is not shown."""
    for key, text in _text_values(config):
        if text == EXAMPLE_VALUES.get(key) or PLACEHOLDER_PATTERN.fullmatch(text):
            yield area.error("placeholder", f"{key} still has the value of the example", PLACEHOLDER_FIX)


def _text_values(config: Config) -> Iterator[tuple[str, str]]:
    for name in SECTIONS_WITH_PLACEHOLDERS:
        section = getattr(config, name)
        for key in section.__struct_fields__ if section else ():
            value = getattr(section, key)
            text = value.reveal() if isinstance(value, Secret) else value
            if isinstance(text, str):
                yield f"{name}.{key}", text


CONFIGURATION_AREA = CheckArea("configuration")


def check_configuration(app: App) -> Iterator[Check]:
    """Check the configuration, which has been loaded."""
    config = app.config
    yield CONFIGURATION_AREA.ok("file", f"{config.path} is valid")
    yield from check_placeholders(config, CONFIGURATION_AREA)
    for warning in config.warnings:
        message, _, fix = warning.partition(". ")
        yield CONFIGURATION_AREA.warning("meaning", message, fix)
    if config.tesla is None and not any("tesla." in warning for warning in config.warnings):
        yield CONFIGURATION_AREA.warning(
            "meaning", "no Powerwall is configured, so nothing is ever charged", "Set tesla.account_email"
        )


def configuration_error_check(refused: ConfigurationError) -> Check:
    """Return the one check of a configuration that is not valid; nothing else can be checked."""
    return CONFIGURATION_AREA.app_error("file", refused)


RELEASE_COMMANDS = {"tick", "reconcile"}
"""Without one of them the Powerwall is never returned to normal."""
LIST_CRONTAB_COMMAND = ("crontab", "-l")
SYSTEM_CRONTABS = (Path("/etc/crontab"), *map(Path, ("/etc/cron.d", "/var/spool/cron/crontabs")))
SYSTEMD_UNIT_FOLDERS = (Path("/etc/systemd/system"), Path("~/.config/systemd/user"))
CRONTAB_TIMEOUT_SECONDS = 2.0
MAX_CRONTAB_BYTES = 65_536


def describe_schedule(config: Path) -> str:
    """Return a clause about what starts the installation with this configuration file."""
    named = list(dict.fromkeys(place for place, line in _schedule_lines() if _is_schedule_line_of(line, config)))
    if named:
        return f"{' and '.join(named)} should start smartcharge"
    return "no crontab or systemd timer that this user can read starts smartcharge"


def _is_schedule_line_of(line: str, config: Path) -> bool:
    words = line.split()
    is_ours = any("smartcharge" in word for word in words) and bool(RELEASE_COMMANDS & set(words))
    return is_ours and not line.lstrip().startswith("#") and (str(config) in line or "--config" not in words)


def _schedule_lines() -> Iterator[tuple[str, str]]:
    """Return the lines of every crontab and timer, each with the name of its file."""
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
"""The longest time between two confirmed midnight resets, including the night when the clocks change."""


def check_runs(app: App) -> Iterator[Check]:
    """Check that runs take place. An idle run writes nothing, so a request to the supplier is the best evidence."""
    snapshot = load_snapshot(app)
    yield _check_cron(app, snapshot)
    yield from _check_release(snapshot)
    if app.config.control.restore == "resting" and app.controls_battery():
        yield from _check_midnight_reset(snapshot)
    for command in CHECKED_COMMANDS:
        row = load_last_journal_row(app.read_only_db, command)
        last = f"last journal entry {age_text(app.now - row.at)} ago: {row.outcome}" if row else "no journal entry yet"
        yield RUNS_AREA.ok(command, f"{command}: {last}")
    for alert in snapshot.alerts:
        subject = alert_subject(alert.kind, app.supplier_label)
        message = (
            f"there has been a problem with {subject} for {age_text(app.now - alert.since)} ({alert.count} attempts)"
        )
        yield RUNS_AREA.warning(alert.command, message, "Run `smartcharge history`, which shows the details")


def _check_cron(app: App, snapshot: Snapshot) -> Check:
    last_at, asked_at = snapshot.last_activity_at, load_supplier_asked_at(app.read_only_db)
    if last_at is None:
        message = f"no run has recorded anything yet; {describe_schedule(app.config.path)}"
        return RUNS_AREA.warning("cron", message, CRON_FIX)
    silence = app.now - last_at
    last_sign_text = f"the last run that recorded anything was {age_text(silence)} ago"
    if asked_at == last_at:
        last_sign_text = f"{app.supplier_label} was last asked {age_text(silence)} ago"
    if "kraken" in snapshot.refused_services or is_blocked(app.now, snapshot.services["kraken"].not_before):
        message = f"{last_sign_text}; it is not asked at present, so this may be normal"
        return RUNS_AREA.ok("cron", f"{message}; {describe_schedule(app.config.path)}")
    if snapshot.is_silent:
        minutes = plan_interval(snapshot.state) // timedelta(minutes=1)
        message = f"{last_sign_text}, but it should be asked every {minutes} min: smartcharge is not running"
        return RUNS_AREA.warning("cron", f"{message}; {describe_schedule(app.config.path)}", CRON_FIX)
    return RUNS_AREA.ok("cron", f"{last_sign_text}, so cron works")


def _check_release(snapshot: Snapshot) -> Iterator[Check]:
    now, zone = snapshot.state.now, snapshot.state.policy.cheap_period.zone
    if snapshot.hold and now > snapshot.hold.hold.until + RELEASE_OVERDUE_AFTER:
        message = f"the Powerwall should have returned to normal at {local_time(snapshot.hold.hold.until, zone)}"
        yield RUNS_AREA.warning("release", message, f"Run `smartcharge reconcile`. Then: {CRON_FIX}")
    elif snapshot.battery.in_doubt_since and now > snapshot.battery.in_doubt_since + RELEASE_OVERDUE_AFTER:
        message = (
            f"the Powerwall has not confirmed a command sent {age_text(now - snapshot.battery.in_doubt_since)} ago"
        )
        yield RUNS_AREA.warning(
            "release",
            message,
            "No action needed: smartcharge tries again every minute. `smartcharge -v reconcile` shows the details",
        )
    if snapshot.battery.rate_plan_missing:
        message = "Tesla refused Time-Based Control, so the Powerwall's normal mode is Self-Powered for now"
        yield RUNS_AREA.warning(
            "release", message, "Set your tariff in the Tesla app. smartcharge tries again at midnight"
        )


def _check_midnight_reset(snapshot: Snapshot) -> Iterator[Check]:
    now, reset_at = snapshot.state.now, snapshot.battery.midnight_reset_at
    if reset_at and not snapshot.state.is_paused and now - reset_at > MAX_RESET_INTERVAL:
        message = f"the last confirmed midnight reset was {age_text(now - reset_at)} ago"
        yield RUNS_AREA.warning("midnight-reset", message, CRON_FIX)


PLAN_AREA = CheckArea("plan")
FETCH_PLAN_FIX = "Run `smartcharge fetch-dispatches --now`"


def check_plan(app: App) -> Iterator[Check]:
    """Check that the schedule is recent: no charge starts on an old one."""
    snapshot = load_snapshot(app)
    fetched_at = snapshot.fetched_at
    if fetched_at is None:
        yield PLAN_AREA.warning(
            "fresh", f"{app.supplier_label} has never sent a charging schedule for your car", FETCH_PLAN_FIX
        )
    elif snapshot.is_plan_fresh:
        yield PLAN_AREA.ok(
            "fresh", f"{app.supplier_label} sent the charging schedule {age_text(app.now - fetched_at)} ago"
        )
    else:
        message = f"the charging schedule is {age_text(app.now - fetched_at)} old, so no charge starts"
        yield PLAN_AREA.warning("fresh", message, FETCH_PLAN_FIX)
    for device in snapshot.devices:
        if device.watched and device.failures:
            message = f"{device.failures} requests for device {device.device} have failed: {device.last_error}"
            yield PLAN_AREA.warning("answers", message, FETCH_PLAN_FIX)


INSTALLATIONS_AREA = CheckArea("neighbours")


def check_other_installations(app: App) -> Iterator[Check]:
    """Check that no other installation uses this database or this folder."""
    config, checks = app.config, list[Check]()
    owner = database_owner(config, load_idle_forecast(app.read_only_db), os.environ)
    if owner:
        message = f"{config.database_path} belongs to another installation, that of {owner}, so nothing is done here"
        checks.append(INSTALLATIONS_AREA.error("database", message, SHARED_DATABASE_FIX))
    for other in other_installations(config, os.environ):
        if other.path == owner:
            continue
        if other.database_path.resolve() == config.database_path.resolve():
            message = f"{other.path} is another installation with the same database"
            checks.append(INSTALLATIONS_AREA.error("database", message, SHARED_DATABASE_FIX))
        elif other.folder.resolve() == config.folder.resolve():
            message = f"the installation of {other.path} keeps its sign-ins in the same folder, {config.folder}"
            checks.append(INSTALLATIONS_AREA.warning("folder", message, SHARED_DATABASE_FIX))
    yield from checks or [INSTALLATIONS_AREA.ok("houses", "no other installation uses this database or folder")]

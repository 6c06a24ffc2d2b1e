"""The idle forecast: until when each command will have nothing to do, worked out with the rules for `smartcharge.idle`.

It is stored with a supplier's answer, in the same transaction; any other change of the database, the configuration or
the program makes it void. While anything fails there is no forecast: then every minute counts.
"""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from smartcharge.app import App
from smartcharge.config.find import file_signature
from smartcharge.files import write_private_file
from smartcharge.idle import (
    BUSY_NOW,
    CRON_COMMANDS,
    database_change_count,
    fingerprint_path,
    format_forecast,
    make_fingerprint,
)
from smartcharge.jobs.invites import has_invite_work
from smartcharge.jobs.midnight_reset import has_midnight_reset_work
from smartcharge.jobs.polling import should_fetch_plan
from smartcharge.jobs.reconcile import has_reconcile_work
from smartcharge.jobs.shadow import has_shadow_work
from smartcharge.regular_file import read_regular_file
from smartcharge.store.control import is_clock_doubtful
from smartcharge.store.devices import save_idle_forecast
from smartcharge.store.services import has_failing_service, load_open_alerts
from smartcharge.store.times import format_instant

FORECAST_STEP = timedelta(minutes=1)
"""Cron's interval. No rule depends on a run between two others that both find nothing to do."""
FORECAST_STEPS = 15
"""The supplier is asked at least every so many minutes, and each answer brings a new forecast."""
WORK_CHECKS: dict[str, Callable[[App], bool]] = {
    "fetch-dispatches": should_fetch_plan,
    "reconcile": lambda app: (
        has_reconcile_work(app) or has_shadow_work(app) or is_clock_doubtful(app.read_only_db, app.now)
    ),
    "midnight-reset": has_midnight_reset_work,
    "send-invites": has_invite_work,
}


def forecast_basis(app: App) -> str | None:
    """Give what a forecast in the next transaction is valid for, before that begins; None: make no forecast.

    The commit raises the database's change counter by one. If another run commits first, the forecast is void.
    """
    try:
        return f"{database_change_count(str(app.config.database_path)) + 1} {_write_fingerprint(app)}"
    except (OSError, ValueError):
        return None  # a read-only folder, or a file name that is not text, only costs the fast path


def update_forecast(app: App, based_on: str | None) -> None:
    """Store a new forecast, in the transaction that stores an answer. based_on: what `forecast_basis` gave before."""
    if based_on is None or _has_failures(app):
        return
    until = idle_until(app)
    moments = (format_instant(moment) if (moment := until[command]) else BUSY_NOW for command in CRON_COMMANDS)
    save_idle_forecast(app.db, format_forecast(format_instant(app.now), moments, based_on))


def idle_until(app: App) -> dict[str, datetime | None]:
    """Give for each command the last minute of the idle stretch that begins now; None where it has work now."""
    until: dict[str, datetime | None] = dict.fromkeys(CRON_COMMANDS)
    idle = set(CRON_COMMANDS)
    for step in range(FORECAST_STEPS + 1):
        later = app.forecast(app.now + step * FORECAST_STEP)
        idle -= _busy_commands(later)
        until |= dict.fromkeys(idle, later.now)
    return until


def _busy_commands(app: App) -> set[str]:
    busy = {command for command, has_work in WORK_CHECKS.items() if has_work(app)}
    if app.out.exit_codes:
        return set(CRON_COMMANDS)
    return {*busy, "tick"} if busy or app.config.alerts.healthchecks_url else busy


def _has_failures(app: App) -> bool:
    return bool(load_open_alerts(app.db)) or has_failing_service(app.db)


def _write_fingerprint(app: App) -> str:
    """Write what this installation's runs depend on beside its configuration, where that has changed, and return it."""
    config = app.config
    feed = config.gcal.feed_path if config.gcal else None
    marks = (*config.marks, file_signature(str(feed))) if feed else config.marks
    note = make_fingerprint(str(config.database_path), marks, os.environ)
    path, content = Path(fingerprint_path(str(config.path))), note.encode()
    if not path.exists() or read_regular_file(path) != content:
        write_private_file(path, content)
    return note

"""Shadow mode, beside another controller: the Powerwall is read twice an hour, never set, and compared with our plan.

Everything else runs as usual: the plan is fetched, the charger is asked, holds are decided and stored.
"""

import sqlite3
from datetime import datetime, timedelta

from smartcharge.app import App
from smartcharge.errors import AppError, UnreachableError
from smartcharge.formatting import powerwall_is
from smartcharge.jobs.polling import TESLA_SERVICE_KEY, can_contact_tesla
from smartcharge.jobs.powerwall import open_powerwall_session
from smartcharge.policy.battery import BatteryReading, BatterySettings, has_hold_settings
from smartcharge.policy.slots import slot_start
from smartcharge.store.control import load_battery_memory, load_open_hold
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal, load_last_journal_row

SHADOW_COMMAND = "shadow"
SHADOW_ALERT_COMMAND = "reconcile"
"""The command whose alert it is: its next success ends the alert, also after shadow mode was switched off."""
SHADOW_SETTLING_TIME = timedelta(minutes=5)
"""How long the other controller may take to follow the start of a half hour or a changed plan."""


def run_shadow(app: App) -> None:
    """Compare once in every half hour, after the settling time, and record it in the journal."""
    if not has_shadow_work(app):
        return
    with app.alerts.watch_lock(app.exclusive_lock(), SHADOW_ALERT_COMMAND):
        try:
            reading = _read_powerwall(app)
        except AppError as error:
            app.alerts.record_failure(SHADOW_ALERT_COMMAND, TESLA_SERVICE_KEY, error)
        else:
            app.alerts.resolve(SHADOW_ALERT_COMMAND, TESLA_SERVICE_KEY)
            _journal_comparison(app.db, reading, app.now)


def has_shadow_work(app: App) -> bool:
    """Whether the Powerwall is to be read: nothing of it is ours, and this half hour has no comparison yet."""
    if not app.config.control.shadow or app.config.tesla is None:
        return False
    return _is_comparison_due(app.read_only_db, app.now) and can_contact_tesla(app, releasing=False)


def _is_comparison_due(db: sqlite3.Connection, now: datetime) -> bool:
    if load_battery_memory(db).owned:
        return False
    slot, hold, last = slot_start(now), load_open_hold(db), load_last_journal_row(db, SHADOW_COMMAND)
    since = max(slot, hold.opened_at if hold and hold.opened_at <= now else slot)
    is_compared = last is not None and since <= last.at <= now
    return now - since >= SHADOW_SETTLING_TIME and not is_compared


def _read_powerwall(app: App) -> BatteryReading:
    with open_powerwall_session(app) as session:
        reading = session.powerwall.read_settings()
        if reading.mode is None or reading.reserve_pct is None:
            raise UnreachableError(
                "Tesla's answer lacks the operation mode or the backup reserve", service=TESLA_SERVICE_KEY
            )
    return reading


def _journal_comparison(db: sqlite3.Connection, reading: BatteryReading, now: datetime) -> None:
    hold = load_open_hold(db)
    outcome = Event.AGREES if has_hold_settings(reading) == (hold is not None) else Event.DIFFERS
    settings = BatterySettings(reading.mode or "", round(reading.reserve_pct or 0))
    text = f"wanted: {'charging' if hold else 'normal'}; the Powerwall is {powerwall_is(settings)}"
    detail = EventDetail(mode=settings.mode, reserve_pct=settings.reserve_pct, text=text)
    with transaction(db):
        reason = hold.reason if hold else None
        append_journal(db, at=now, command=SHADOW_COMMAND, reason=reason, outcome=outcome, detail=detail)

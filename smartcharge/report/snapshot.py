"""Everything that is remembered at one moment, gathered for whoever shows it; nothing is asked, nothing is written."""

import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from smartcharge.app import (
    App,
    kraken_sign_in_fingerprint,
    mail_sign_in_fingerprint,
    myenergi_sign_in_fingerprint,
    tesla_sign_in_fingerprint,
)
from smartcharge.policy.battery import BatteryMemory
from smartcharge.policy.battery_steps import is_hold_confirmed
from smartcharge.policy.model import BatteryLevel, State
from smartcharge.policy.polling import is_blocked, plan_interval
from smartcharge.store.control import HoldRow, load_battery_memory, load_open_hold, load_state
from smartcharge.store.devices import DeviceRow, load_devices, load_supplier_asked_at
from smartcharge.store.dispatches import DispatchRow, load_recent_dispatches
from smartcharge.store.events import READ_BACKS, Event
from smartcharge.store.journal import JournalRow, load_journal, load_last_journal_row
from smartcharge.store.outbox import OutboxCounts, count_outbox
from smartcharge.store.readings import ChargerRow, load_last_battery_level, load_last_charger_reading
from smartcharge.store.services import Alert, ServiceRow, load_open_alerts, load_service


def load_last_activity_at(app: App) -> datetime | None:
    """The latest moment that any run has written down; None where none ever has."""
    db = app.read_only_db
    charger, battery = load_last_charger_reading(db), load_last_battery_level(db)
    moments = [
        load_supplier_asked_at(db),
        *(row.at for row in load_journal(db, limit=1)),
        charger and charger.reading.at,
        battery and battery.at,
    ]
    return max((moment for moment in moments if moment), default=None)


SCHEDULED_COMMANDS = ("reconcile", "fetch-dispatches", "midnight-reset", "send-invites")
SILENCE_TOLERANCE = timedelta(minutes=20)
"""Beyond the usual interval of questions: no back-off of ours lasts longer than a quarter of an hour."""
ALERT_ENTRY_WINDOW = timedelta(seconds=1)
SIGN_IN_FINGERPRINTS = {
    "kraken": kraken_sign_in_fingerprint,
    "zappi": myenergi_sign_in_fingerprint,
    "tesla": tesla_sign_in_fingerprint,
    "mail": mail_sign_in_fingerprint,
}
"""What a refused sign-in of each service was refused for."""


class Snapshot(Struct, frozen=True):
    """What is remembered at one moment.

    is_held: whether the battery has confirmed what the hold wants. told: the sentence in which an episode was told,
    where no service has one. refused: the services whose sign-in the owner has to fix. last_runs: what each command
    wrote down last. sign_at: when any run wrote anything down last. fills: whether a hold fills the battery, or keeps
    it as it is. shadow: whether nothing is set from here any more, beside another controller. missing: where the
    database should be and is not.
    """

    state: State
    dispatches: tuple[DispatchRow, ...]
    devices: tuple[DeviceRow, ...]
    hold: HoldRow | None
    is_held: bool
    battery: BatteryMemory
    level: BatteryLevel | None
    charger: ChargerRow | None
    outbox: OutboxCounts
    alerts: tuple[Alert, ...]
    alert_messages: dict[tuple[str, str], str]
    services: dict[str, ServiceRow]
    refused_services: tuple[str, ...]
    last_runs: tuple[JournalRow, ...]
    last_activity_at: datetime | None
    has_battery: bool
    is_fill_mode: bool
    shadow: bool
    missing_database: Path | None

    @property
    def fetched_at(self) -> datetime | None:
        """When the supplier last answered for a watched device."""
        return max((d.last_ok_at for d in self.devices if d.watched and d.last_ok_at), default=None)

    @property
    def is_plan_fresh(self) -> bool:
        """Whether the plan of every watched device is young enough to act on."""
        watched = [device for device in self.devices if device.watched]
        return bool(watched) and all(d.last_ok_at and self.state.is_recent_answer(d.last_ok_at) for d in watched)

    @property
    def next_release_at(self) -> datetime | None:
        """When the release of the open hold begins."""
        return self.hold.hold.until - self.state.policy.release_lead if self.hold else None

    @property
    def is_hold_hypothetical(self) -> bool:
        """Whether a hold is only what would be done: one from before the shadow fell is still ours to end."""
        return self.shadow and not self.battery.owned

    @property
    def read_back_at(self) -> datetime | None:
        """When the confirmed settings were read from the Powerwall, as far as that is recorded."""
        return max((row.at for row in self.last_runs if row.outcome in READ_BACKS), default=None)

    @property
    def is_silent(self) -> bool:
        """Whether nothing runs any more: the supplier should have been asked long ago, and nothing forbids it."""
        kraken = self.services["kraken"]
        if (
            self.last_activity_at is None
            or "kraken" in self.refused_services
            or is_blocked(self.state.now, kraken.not_before)
        ):
            return False
        return self.state.now - self.last_activity_at > plan_interval(self.state) + SILENCE_TOLERANCE


def load_snapshot(app: App) -> Snapshot:
    """Look at the memory."""
    db, now = app.read_only_db, app.now
    held, memory = load_open_hold(db), load_battery_memory(db)
    refused_services = (name for name in SIGN_IN_FINGERPRINTS if _is_sign_in_refused(app, load_service(db, name)))
    open_alerts = load_open_alerts(db)
    return Snapshot(
        state=load_state(db, now, app.policy),
        dispatches=load_recent_dispatches(db, now),
        devices=load_devices(db),
        hold=held,
        is_held=held is not None
        and is_hold_confirmed(memory, held.hold.until, fill=app.config.control.hold == "backup"),
        battery=memory,
        level=load_last_battery_level(db),
        charger=load_last_charger_reading(db),
        outbox=count_outbox(db),
        alerts=open_alerts,
        alert_messages={(each.command, each.kind): line for each in open_alerts if (line := _alert_message(db, each))},
        services={name: load_service(db, name) for name in SIGN_IN_FINGERPRINTS},
        refused_services=tuple(refused_services),
        last_runs=tuple(row for command in SCHEDULED_COMMANDS if (row := load_last_journal_row(db, command))),
        last_activity_at=load_last_activity_at(app),
        has_battery=app.config.tesla is not None,
        is_fill_mode=app.config.control.hold == "backup",
        shadow=app.config.tesla is not None and app.config.control.shadow,
        missing_database=None if app.config.database_path.exists() else app.config.database_path,
    )


def _is_sign_in_refused(app: App, row: ServiceRow) -> bool:
    """Whether a refused sign-in stands: one that was fixed since does not count, though it was not tried yet."""
    return row.is_refused and row.refused_for == SIGN_IN_FINGERPRINTS[row.service](app.config)


def _alert_message(db: sqlite3.Connection, alert: Alert) -> str | None:
    """What was written down as the owner was told of an episode."""
    if alert.notified_at is None:
        return None
    entries = load_journal(
        db, since=alert.notified_at, until=alert.notified_at + ALERT_ENTRY_WINDOW, command=alert.command
    )
    return next(
        (row.error or row.detail.text for row in entries if row.outcome in {Event.TROUBLE, Event.WAITING}), None
    )

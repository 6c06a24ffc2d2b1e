"""How fresh the plan is, one row a device, and what the supplier says of the device."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from smartcharge.policy.model import RegisteredDevice
from smartcharge.store.database import transaction
from smartcharge.store.rows import StoreRow, parse_first, parse_rows
from smartcharge.store.services import load_service
from smartcharge.store.times import format_instant


class DeviceRow(Struct, frozen=True):
    """A device and its freshness. watched, boosting, state: as in `Device`. failures: running. requests: ever sent."""

    device: str
    watched: bool
    boosting: bool = False
    state: str | None = None
    asked_at: datetime | None = None
    last_ok_at: datetime | None = None
    failures: int = 0
    last_error: str | None = None
    requests: int = 0


def load_devices(db: sqlite3.Connection) -> tuple[DeviceRow, ...]:
    """Give every device ever seen, watched or not."""
    return parse_rows(db, "fetches", db.execute("SELECT * FROM fetches ORDER BY device"), device_from_row)


def device_from_row(row: StoreRow) -> DeviceRow:
    """Parse a row of the table `fetches`."""
    row.optional_text("forecast")
    return DeviceRow(
        device=row.text("device"),
        watched=row.flag("watched"),
        boosting=row.flag("boosting"),
        state=row.optional_text("state"),
        asked_at=row.optional_instant("asked_at"),
        last_ok_at=row.optional_instant("last_ok_at"),
        failures=row.integer("failures"),
        last_error=row.optional_text("last_error"),
        requests=row.integer("requests"),
    )


def load_supplier_asked_at(db: sqlite3.Connection, until: datetime | None = None) -> datetime | None:
    """Give the moment the supplier was last asked for anything, whatever came of it.

    until: stamps beyond it are passed over: a clock that ran ahead leaves some that stay for long.
    """
    moments = [row.asked_at for row in load_devices(db)]
    moments.append(load_service(db, "kraken").asked_at)
    return max((at for at in moments if at is not None and (until is None or at <= until)), default=None)


def record_devices(db: sqlite3.Connection, devices: Iterable[RegisteredDevice]) -> None:
    """Keep what the supplier says of every registered device; one it no longer names is no longer watched."""
    named = {device.id: (int(device.watched), int(device.boosting), device.state) for device in devices}
    known = {row.device: (int(row.watched), int(row.boosting), row.state) for row in load_devices(db)}
    removed = {device: (0, 0, state) for device, (_, _, state) in known.items() if device not in named}
    changed = {device: facts for device, facts in {**named, **removed}.items() if known.get(device) != facts}
    if changed:
        with transaction(db):
            for device, (watched, boosting, state) in changed.items():
                db.execute(
                    """
                    INSERT INTO fetches (device, watched, boosting, state) VALUES (?, ?, ?, ?)
                    ON CONFLICT (device) DO UPDATE SET
                        watched = excluded.watched, boosting = excluded.boosting, state = excluded.state
                    """,
                    (device, watched, boosting, state),
                )


def record_plan_fetch(
    db: sqlite3.Connection, device: str, now: datetime, *, ok: bool, error: str | None = None, requests: int = 0
) -> None:
    """Note that a device's plan was asked for at `now`; a failure leaves the freshness as it was.

    error: one line, without secrets. requests: that the answer took, counted here to save a row elsewhere.
    A device unknown so far is a watched one, or it would not have been asked for.
    """
    at = format_instant(now)
    db.execute(
        """
        INSERT INTO fetches (device, watched, asked_at, last_ok_at, failures, last_error, requests)
        VALUES (:device, 1, :at, CASE WHEN :ok THEN :at END, NOT :ok, :error, :requests)
        ON CONFLICT (device) DO UPDATE SET
            asked_at = :at,
            last_ok_at = CASE WHEN :ok THEN :at ELSE last_ok_at END,
            failures = CASE WHEN :ok THEN 0 ELSE failures + 1 END,
            last_error = :error,
            requests = requests + :requests
        """,
        {"device": device, "at": at, "ok": ok, "error": None if ok else error, "requests": requests},
    )


def load_idle_forecast(db: sqlite3.Connection) -> str:
    """What was forecast with the latest answer, as `foresee` was given it; "" where nothing was."""
    rows = db.execute("SELECT device, forecast FROM fetches WHERE forecast IS NOT NULL")
    return parse_first(db, "fetches", rows, lambda row: row.text("forecast")) or ""


def save_idle_forecast(db: sqlite3.Connection, text: str) -> None:
    """Keep until when there is nothing to do, in a row that the answer writes anyway; where there is none, nowhere."""
    row = db.execute("SELECT device FROM fetches ORDER BY watched DESC, device LIMIT 1").fetchone()
    if row:
        db.execute(
            """
            UPDATE fetches SET forecast = CASE WHEN device = :device THEN :text END
            WHERE device = :device OR forecast IS NOT NULL
            """,
            {"device": row["device"], "text": text},
        )

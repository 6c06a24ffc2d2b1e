"""The state of each outside service: waits it asked for, refused sign-ins, and the server an account lives on."""

import sqlite3
from collections import Counter
from datetime import datetime

from msgspec import Struct

from smartcharge.store.rows import StoreRow, parse_first, parse_rows
from smartcharge.store.times import format_instant, format_optional_instant

SUSPECTED_REFUSAL_PREFIX = "once: "
"""Before a fingerprint: a refusal that a server in trouble gives too, believed when it comes twice running."""


class ServiceRow(Struct, frozen=True):
    """What is remembered of a service.

    asked_at: the last attempt that was noted here. ok_at: when the last trouble was over. failures: running.
    not_before: nothing is asked until then. refused_for: fingerprint of the configuration it refused.
    host: the server that the account lives on. requests: ever sent there, as far as runs wrote it down.
    """

    service: str
    asked_at: datetime | None = None
    ok_at: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None
    refused_for: str | None = None
    refused_at: datetime | None = None
    host: str | None = None
    last_error: str | None = None
    requests: int = 0

    @property
    def is_refused(self) -> bool:
        """Whether a refused sign-in stands (a first refusal by the charger's server is only suspected)."""
        return self.refused_for is not None and not self.refused_for.startswith(SUSPECTED_REFUSAL_PREFIX)

    @property
    def is_failing(self) -> bool:
        """Whether a success would be news."""
        return bool(self.failures or self.not_before or self.refused_for or self.last_error)


def load_service(db: sqlite3.Connection, name: str) -> ServiceRow:
    """Give what is remembered of 'kraken', 'zappi', 'tesla' or 'mail'; where it cannot be read, nothing."""
    rows = db.execute("SELECT * FROM services WHERE service = ?", (name,))
    return parse_first(db, "services", rows, service_from_row) or ServiceRow(name)


def service_from_row(row: StoreRow) -> ServiceRow:
    """Parse a row of the table `services`."""
    return ServiceRow(
        service=row.text("service"),
        asked_at=row.optional_instant("asked_at"),
        ok_at=row.optional_instant("ok_at"),
        failures=row.integer("failures"),
        not_before=row.optional_instant("not_before"),
        refused_for=row.optional_text("refused_for"),
        refused_at=row.optional_instant("refused_at"),
        host=row.optional_text("host"),
        last_error=row.optional_text("last_error"),
        requests=row.integer("requests"),
    )


def has_failing_service(db: sqlite3.Connection) -> bool:
    """Whether any service is in trouble."""
    rows = parse_rows(db, "services", db.execute("SELECT * FROM services"), service_from_row)
    return any(row.is_failing for row in rows)


def record_service_attempt(db: sqlite3.Connection, name: str, now: datetime) -> None:
    """Note an attempt that leaves no trace elsewhere, such as a supplier's answer without any device."""
    db.execute(
        """
        INSERT INTO services (service, asked_at) VALUES (?, ?)
        ON CONFLICT (service) DO UPDATE SET asked_at = excluded.asked_at
        """,
        (name, format_instant(now)),
    )


def add_request_counts(db: sqlite3.Connection, sent: Counter[str]) -> None:
    """Add what was sent to each service since the last time; `sent` begins anew."""
    for name, requests in sent.items():
        db.execute(
            """
            INSERT INTO services (service, requests) VALUES (?, ?)
            ON CONFLICT (service) DO UPDATE SET requests = requests + excluded.requests
            """,
            (name, requests),
        )
    sent.clear()


def record_service_failure(
    db: sqlite3.Connection, name: str, now: datetime, error: str, not_before: datetime | None
) -> None:
    """Count a failure. error: one line, without secrets. not_before: when it may be asked again, if not at once."""
    db.execute(
        """
        INSERT INTO services (service, asked_at, failures, not_before, last_error) VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (service) DO UPDATE SET
            asked_at = excluded.asked_at, failures = failures + 1, refused_for = NULL, refused_at = NULL,
            not_before = excluded.not_before, last_error = excluded.last_error
        """,
        (name, format_instant(now), format_optional_instant(not_before), error),
    )


def record_service_success(db: sqlite3.Connection, name: str, now: datetime) -> None:
    """End the trouble with a service; where there was none, nothing is written."""
    if load_service(db, name).is_failing:
        db.execute(
            """
            UPDATE services SET asked_at = :at, ok_at = :at, failures = 0, not_before = NULL,
                                refused_for = NULL, refused_at = NULL, last_error = NULL
            WHERE service = :name
            """,
            {"name": name, "at": format_instant(now)},
        )


def record_sign_in_refusal(db: sqlite3.Connection, name: str, now: datetime, fingerprint: str, error: str) -> None:
    """Remember a refused sign-in, and the fingerprint of the configuration that it was refused for."""
    db.execute(
        """
        INSERT INTO services (service, asked_at, failures, refused_for, refused_at, last_error)
        VALUES (:name, :at, 1, :fingerprint, :at, :error)
        ON CONFLICT (service) DO UPDATE SET
            asked_at = :at, failures = failures + 1, not_before = NULL,
            refused_for = :fingerprint, refused_at = :at, last_error = :error
        """,
        {"name": name, "at": format_instant(now), "fingerprint": fingerprint, "error": error},
    )


def save_service_host(db: sqlite3.Connection, name: str, host: str | None) -> None:
    """Keep the server that an account lives on, or forget it (None); the one already known is not written again."""
    if load_service(db, name).host == host:
        return
    db.execute(
        "INSERT INTO services (service, host) VALUES (?, ?) ON CONFLICT (service) DO UPDATE SET host = excluded.host",
        (name, host),
    )


class Alert(Struct, frozen=True):
    """Failures of one kind running. notified_at: when the owner heard of it, None if not yet."""

    command: str
    kind: str
    since: datetime
    count: int
    notified_at: datetime | None = None


def count_alert_failure(db: sqlite3.Connection, command: str, kind: str, now: datetime) -> Alert:
    """Begin an episode, or count one more failure in the one that goes on."""
    rows = db.execute(
        """
        INSERT INTO alerts (command, kind, since, count) VALUES (?, ?, ?, 1)
        ON CONFLICT (command, kind) DO UPDATE SET count = count + 1 RETURNING *
        """,
        (command, kind, format_instant(now)),
    ).fetchall()
    return parse_first(db, "alerts", rows, alert_from_row) or Alert(command, kind, now, 1)


def mark_alert_notified(db: sqlite3.Connection, command: str, kind: str, now: datetime) -> None:
    """Note that the owner has heard of an episode."""
    db.execute("UPDATE alerts SET notified_at = ? WHERE command = ? AND kind = ?", (format_instant(now), command, kind))


def delete_alert(db: sqlite3.Connection, command: str, kind: str) -> Alert | None:
    """End an episode and give it back; without one, nothing is written."""
    rows = db.execute("SELECT * FROM alerts WHERE command = ? AND kind = ?", (command, kind)).fetchall()
    if not rows:
        return None
    db.execute("DELETE FROM alerts WHERE command = ? AND kind = ?", (command, kind))
    return parse_first(db, "alerts", rows, alert_from_row)


def load_open_alerts(db: sqlite3.Connection) -> tuple[Alert, ...]:
    """Give what goes on, the oldest first."""
    rows = db.execute("SELECT * FROM alerts ORDER BY since, command, kind")
    return parse_rows(db, "alerts", rows, alert_from_row)


def alert_from_row(row: StoreRow) -> Alert:
    """Parse a row of the table `alerts`."""
    return Alert(
        command=row.text("command"),
        kind=row.text("kind"),
        since=row.instant("since"),
        count=row.integer("count"),
        notified_at=row.optional_instant("notified_at"),
    )


def is_alert_open(db: sqlite3.Connection, command: str, kind: str) -> bool:
    """Whether this trouble goes on."""
    query = "SELECT 1 FROM alerts WHERE command = ? AND kind = ?"
    return db.execute(query, (command, kind)).fetchone() is not None

"""Trouble with the services outside: patience that was asked for, refused sign-ins, and where an account lives."""

import sqlite3
from collections import Counter
from datetime import datetime

from msgspec import Struct

from smartcharge.store.times import from_text_or_none, to_text, to_text_or_none

SUSPECTED = "once: "
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
        return self.refused_for is not None and not self.refused_for.startswith(SUSPECTED)

    @property
    def troubled(self) -> bool:
        """Whether a success would be news."""
        return bool(self.failures or self.not_before or self.refused_for or self.last_error)


def service(db: sqlite3.Connection, name: str) -> ServiceRow:
    """Give what is remembered of 'kraken', 'zappi', 'tesla' or 'mail'."""
    row = db.execute("SELECT * FROM services WHERE service = ?", (name,)).fetchone()
    if row is None:
        return ServiceRow(name)
    return ServiceRow(
        service=name,
        asked_at=from_text_or_none(row["asked_at"]),
        ok_at=from_text_or_none(row["ok_at"]),
        failures=row["failures"],
        not_before=from_text_or_none(row["not_before"]),
        refused_for=row["refused_for"],
        refused_at=from_text_or_none(row["refused_at"]),
        host=row["host"],
        last_error=row["last_error"],
        requests=row["requests"],
    )


def any_troubled(db: sqlite3.Connection) -> bool:
    """Whether any service is in trouble."""
    rows = db.execute("SELECT service FROM services").fetchall()
    return any(service(db, row["service"]).troubled for row in rows)


def asked(db: sqlite3.Connection, name: str, now: datetime) -> None:
    """Note an attempt that leaves no trace elsewhere, such as a supplier's answer without any device."""
    db.execute(
        """
        INSERT INTO services (service, asked_at) VALUES (?, ?)
        ON CONFLICT (service) DO UPDATE SET asked_at = excluded.asked_at
        """,
        (name, to_text(now)),
    )


def add_requests(db: sqlite3.Connection, sent: Counter[str]) -> None:
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


def failed(db: sqlite3.Connection, name: str, now: datetime, error: str, not_before: datetime | None) -> None:
    """Count a failure. error: one line, without secrets. not_before: when it may be asked again, if not at once."""
    db.execute(
        """
        INSERT INTO services (service, asked_at, failures, not_before, last_error) VALUES (?, ?, 1, ?, ?)
        ON CONFLICT (service) DO UPDATE SET
            asked_at = excluded.asked_at, failures = failures + 1, refused_for = NULL, refused_at = NULL,
            not_before = excluded.not_before, last_error = excluded.last_error
        """,
        (name, to_text(now), to_text_or_none(not_before), error),
    )


def succeeded(db: sqlite3.Connection, name: str, now: datetime) -> None:
    """End the trouble with a service; where there was none, nothing is written."""
    if service(db, name).troubled:
        db.execute(
            """
            UPDATE services SET asked_at = :at, ok_at = :at, failures = 0, not_before = NULL,
                                refused_for = NULL, refused_at = NULL, last_error = NULL
            WHERE service = :name
            """,
            {"name": name, "at": to_text(now)},
        )


def refused(db: sqlite3.Connection, name: str, now: datetime, fingerprint: str, error: str) -> None:
    """Remember a refused sign-in, and the fingerprint of the configuration that it was refused for."""
    db.execute(
        """
        INSERT INTO services (service, asked_at, failures, refused_for, refused_at, last_error)
        VALUES (:name, :at, 1, :fingerprint, :at, :error)
        ON CONFLICT (service) DO UPDATE SET
            asked_at = :at, failures = failures + 1, not_before = NULL,
            refused_for = :fingerprint, refused_at = :at, last_error = :error
        """,
        {"name": name, "at": to_text(now), "fingerprint": fingerprint, "error": error},
    )


def remember_host(db: sqlite3.Connection, name: str, host: str | None) -> None:
    """Keep the server that an account lives on, or forget it (None); the one already known is not written again."""
    if service(db, name).host == host:
        return
    db.execute(
        "INSERT INTO services (service, host) VALUES (?, ?) ON CONFLICT (service) DO UPDATE SET host = excluded.host",
        (name, host),
    )

"""Alerts: the owner hears of a problem once when it begins and once when it is over, and not in between.

An alert is one kind of problem in one command. A problem that the owner must fix is reported at once. A problem that
may pass is reported at the fifth failure in a row, or at once if the Powerwall cannot be returned to normal.
"""

import sqlite3
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct

from smartcharge.console import Output, is_reminder_due
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    DamagedRowError,
    LockBusyError,
    SignInRefusedError,
    StoreError,
    UnexpectedError,
)
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal
from smartcharge.store.outbox import queue_message
from smartcharge.store.rows import DAMAGED_ROW_FIX, RefusedRow
from smartcharge.store.services import count_alert_failure, delete_alert, is_alert_open, mark_alert_notified

FAILURES_BEFORE_ALERT = 5
LOCKOUT_KIND = "waiting"
"""The kind of the alert that Storm Watch, a power cut or something else controls the Powerwall."""
REFUSED_ROWS_COMMAND, REFUSED_ROWS_KIND = "reconcile", "database"
"""The alert of rows that cannot be read, whichever command came upon them."""
MAIL_KIND, LOCK_KIND = "mail", "the lock"
LOCK_FIX = "No action unless it persists: then run `smartcharge doctor`, which names the program that holds the lock"
SIGN_IN_SUFFIX = " sign-in"
"""A refused sign-in needs the owner, so it has an alert of its own and does not hide in an outage that may pass."""
MAIL_KEY_NAMESPACE = uuid.UUID("5b9f7a5e-6d0c-4f53-9d35-3a1f0d1f3b44")
"""The same line at the same instant gives the same mail."""
ALERT_SUBJECTS = {
    "device": "the charging schedule",
    "zappi": "the Zappi",
    "tesla": "Tesla",
    "mail": "email",
    "feed": "the calendar file",
    "clock": "the clock",
    "this computer's clock": "this computer's clock",
}
"""What each kind of alert is about."""
HOURS_FROM = timedelta(hours=2)


class BuildAlertMessage(Protocol):
    """A function that builds the mail of an alert."""

    def __call__(self, *, sender: str, recipient: str, line: str, at: datetime, key: str) -> bytes:
        """Build the mail, ready to be sent."""


class AlertMail(Struct, frozen=True):
    """Where alerts go by mail, beside standard error."""

    sender: str
    recipient: str
    build: BuildAlertMessage


class Alerts:
    """Counts failures, and tells the owner when it is time.

    supplier_label: gives the name of the supplier, as the owner knows it; loading its provider costs time.
    open_read_only_db, open_db: give the run's connections; open_db is None in a dry run, which stores nothing.
    """

    def __init__(
        self,
        out: Output,
        now: datetime,
        *,
        open_read_only_db: Callable[[], sqlite3.Connection],
        open_db: Callable[[], sqlite3.Connection] | None,
        mail: AlertMail | None,
        supplier_label: Callable[[], str] = lambda: "your supplier",
    ) -> None:
        self._out = out
        self._now = now
        self._open_read_only_db = open_read_only_db
        self._open_db = open_db
        self._mail = mail
        self._supplier_label = supplier_label

    def record_failure(
        self, command: str, kind: str, error: AppError, *, urgent: bool = False, is_overdue: bool = False
    ) -> None:
        """Count a failure, and report it if it is time. The run's exit code includes it.

        urgent: report it at once. is_overdue: a release is held up, which is also repeated as long as it lasts.
        """
        self._out.exit_codes.append(error.exit_code)
        self._out.detail(f"{command}: {error}")
        if self._open_db is None:
            return
        kind = f"{kind}{SIGN_IN_SUFFIX}" if isinstance(error, SignInRefusedError) else kind
        db = self._open_db()
        with transaction(db):
            alert = count_alert_failure(db, command, kind, self._now)
            is_for_owner = isinstance(error, (ConfigurationError, StoreError, SignInRefusedError, UnexpectedError))
            at_once = urgent or is_overdue or is_for_owner
            due = alert.notified_at is None and (at_once or alert.count >= FAILURES_BEFORE_ALERT)
            due = due or (is_overdue and is_reminder_due(alert.since, alert.notified_at, self._now))
            line = f"smartcharge {command}: {error}{_repeat_suffix(alert.count)}"
            if due:
                mark_alert_notified(db, command, kind, self._now)
                detail = EventDetail(subject=kind, exit_code=error.exit_code)
                append_journal(
                    db, at=self._now, command=command, outcome=Event.TROUBLE, error=str(error), detail=detail
                )
                self._queue_mail(db, kind, line)
        if due:
            self._out.warn(line)

    def record_refused_rows(self, refused: Sequence[RefusedRow]) -> None:
        """Tell once of rows that this run had to pass over; the alert stands until `smartcharge doctor --repair`."""
        if refused:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            error = DamagedRowError(f"the database holds what cannot be read: {refused[0]}{more}", fix=DAMAGED_ROW_FIX)
            self.record_failure(REFUSED_ROWS_COMMAND, REFUSED_ROWS_KIND, error)

    def resolve(self, command: str, kind: str) -> None:
        """End the alert of this kind and that of a refused sign-in; report it if the start was reported."""
        self._resolve_one(command, kind)
        self._resolve_one(command, f"{kind}{SIGN_IN_SUFFIX}")

    def report_lockout(self, command: str, line: str) -> None:
        """Report once that something else controls the Powerwall; this is not a failure."""
        self._out.detail(f"{command}: {line}")
        if self._open_db is None or is_alert_open(self._open_read_only_db(), command, LOCKOUT_KIND):
            return
        db = self._open_db()
        with transaction(db):
            count_alert_failure(db, command, LOCKOUT_KIND, self._now)
            mark_alert_notified(db, command, LOCKOUT_KIND, self._now)
            append_journal(db, at=self._now, command=command, outcome=Event.WAITING, detail=line)
            self._queue_mail(db, LOCKOUT_KIND, f"smartcharge {command}: {line}.")
        self._out.warn(f"smartcharge {command}: {line}.")

    def resolve_lockout(self, command: str, line: str = "the Powerwall can be controlled again") -> None:
        """Report once that the Powerwall can be controlled again, or that it is not needed any more."""
        if self._open_db is None or not is_alert_open(self._open_read_only_db(), command, LOCKOUT_KIND):
            return
        db = self._open_db()
        with transaction(db):
            delete_alert(db, command, LOCKOUT_KIND)
            append_journal(db, at=self._now, command=command, outcome=Event.WAITED)
        self._out.warn(f"smartcharge {command}: {line}.")

    @contextmanager
    def watch_lock(self, lock: AbstractContextManager[None], command: str) -> Iterator[None]:
        """Hold a lock during the block; another run that never releases it is a problem like any other."""
        with ExitStack() as held:
            try:
                held.enter_context(lock)
            except LockBusyError as busy:
                self.record_failure(command, LOCK_KIND, LockBusyError(busy.message, fix=LOCK_FIX))
                raise
            yield
            # last: on a full disk this cannot be stored, and a release must not wait for that
            self.resolve(command, LOCK_KIND)

    def drop(self, command: str, kind: str) -> None:
        """End an alert without a word, where what failed is not wanted any more and has not worked since."""
        if self._open_db is not None and is_alert_open(self._open_read_only_db(), command, kind):
            with transaction(db := self._open_db()):
                delete_alert(db, command, kind)

    def _resolve_one(self, command: str, kind: str) -> None:
        if self._open_db is None or not is_alert_open(self._open_read_only_db(), command, kind):
            return
        db = self._open_db()
        with transaction(db):
            alert = delete_alert(db, command, kind)
            if alert is None or alert.notified_at is None:
                return
            subject = alert_subject(kind, self._supplier_label())
            line = f"smartcharge {command}: {subject} works again after {_duration_text(self._now - alert.since)}."
            detail = EventDetail(subject=kind)
            append_journal(db, at=self._now, command=command, outcome=Event.RESOLVED, detail=detail)
            self._queue_mail(db, kind, line)
        self._out.warn(line)

    def _queue_mail(self, db: sqlite3.Connection, kind: str, line: str) -> None:
        """Queue a mail to alerts.email, in the transaction of the change. A problem with mail is not sent by mail."""
        if self._mail is None or kind.startswith(MAIL_KIND):
            return
        recipient, key = self._mail.recipient, str(uuid.uuid5(MAIL_KEY_NAMESPACE, f"{self._now.isoformat()} {line}"))
        message = self._mail.build(sender=self._mail.sender, recipient=recipient, line=line, at=self._now, key=key)
        queue_message(db, key, message, recipient, self._now)


def alert_subject(kind: str, supplier: str = "your supplier") -> str:
    """Return what an alert of this kind is about, such as "Tesla" or "the sign-in to Tesla"."""
    key = kind.removesuffix(SIGN_IN_SUFFIX)
    name = supplier if key == "kraken" else ALERT_SUBJECTS.get(key, key)
    return f"the sign-in to {name}" if kind.endswith(SIGN_IN_SUFFIX) else name


def _repeat_suffix(count: int) -> str:
    return f" (It has failed {count} times in a row.)" if count > 1 else ""


def _duration_text(elapsed: timedelta) -> str:
    if elapsed < HOURS_FROM:
        return f"{max(round(elapsed / timedelta(minutes=1)), 1)} min"
    return f"{elapsed / timedelta(hours=1):.0f} h"

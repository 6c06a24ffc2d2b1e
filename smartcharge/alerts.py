"""Noise: trouble is told once when it begins and once when it is over, never in between.

An episode is one kind of trouble in one command. What the owner must mend is told at once; what may
pass is told at the fifth failure running, or at once when it holds back a release that is due.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

from smartcharge.app import App, build_alert_message, ping_watchdog
from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import AppError, ConfigurationError, LockBusyError, SignInRefusedError, StoreError
from smartcharge.store.database import transaction
from smartcharge.store.journal import append_journal
from smartcharge.store.outbox import queue_message
from smartcharge.store.services import (
    count_alert_failure,
    delete_alert,
    is_alert_open,
    load_open_alerts,
    mark_alert_notified,
)

FAILURES_BEFORE_ALERT = 5
LOCKOUT_KIND = "waiting"
MAIL_KIND, LOCK_KIND = "mail", "the lock"
SIGN_IN_SUFFIX = " sign-in"
"""A refused sign-in needs the owner: it is an episode of its own, and does not hide in an outage that may pass."""
MAIL_KEY_NAMESPACE = uuid.UUID("5b9f7a5e-6d0c-4f53-9d35-3a1f0d1f3b44")
"""The same line of the same moment gives the same mail."""


def record_failure(app: App, command: str, kind: str, error: AppError, *, urgent: bool = False) -> None:
    """Count a failed attempt, and tell the owner where it is time; the run's exit code remembers it."""
    app.exit_codes.append(error.exit_code)
    app.detail(f"{command}: {error}")
    if app.dry_run:
        return
    kind = f"{kind}{SIGN_IN_SUFFIX}" if isinstance(error, SignInRefusedError) else kind
    with transaction(app.db):
        alert = count_alert_failure(app.db, command, kind, app.now)
        at_once = urgent or isinstance(error, (ConfigurationError, StoreError, SignInRefusedError))
        due = alert.notified_at is None and (at_once or alert.count >= FAILURES_BEFORE_ALERT)
        line = f"smartcharge {command}: {error}{_repeat_suffix(alert.count)}"
        if due:
            mark_alert_notified(app.db, command, kind, app.now)
            append_journal(app.db, at=app.now, command=command, outcome="trouble", error=str(error))
            _queue_alert_mail(app, kind, line)
    if due:
        app.warn(line)


@contextmanager
def lock_with_alert(app: App, command: str) -> Iterator[None]:
    """Hold the one lock; another run that never lets go of it is trouble like any other."""
    with ExitStack() as held:
        try:
            held.enter_context(app.exclusive_lock())
        except LockBusyError as busy:
            record_failure(
                app,
                command,
                LOCK_KIND,
                LockBusyError(busy.message, fix="`smartcharge doctor` says who, if it stays so"),
            )
            raise
        yield
        resolve_alert(
            app, command, LOCK_KIND
        )  # last: on a full disk it cannot be noted, and a release must not wait for that


def resolve_alert(app: App, command: str, kind: str) -> None:
    """A real success ends an episode, and one of a refused sign-in; it is told where its beginning was."""
    _resolve_one_alert(app, command, kind)
    _resolve_one_alert(app, command, f"{kind}{SIGN_IN_SUFFIX}")


def _resolve_one_alert(app: App, command: str, kind: str) -> None:
    if app.dry_run or not is_alert_open(app.read_only_db, command, kind):
        return
    with transaction(app.db):
        alert = delete_alert(app.db, command, kind)
        if alert is None or alert.notified_at is None:
            return
        line = f"smartcharge {command}: {kind} is well again after {_duration_text(app.now - alert.since)}."
        append_journal(app.db, at=app.now, command=command, outcome="well again", detail=kind)
        _queue_alert_mail(app, kind, line)
    app.warn(line)


def report_lockout(app: App, command: str, line: str) -> None:
    """An outside power has the battery: told once when that begins; it is nobody's failure."""
    app.detail(f"{command}: {line}")
    if is_alert_open(app.read_only_db, command, LOCKOUT_KIND):
        return
    with transaction(app.db):
        count_alert_failure(app.db, command, LOCKOUT_KIND, app.now)
        mark_alert_notified(app.db, command, LOCKOUT_KIND, app.now)
        append_journal(app.db, at=app.now, command=command, outcome=LOCKOUT_KIND, detail=line)
        _queue_alert_mail(app, LOCKOUT_KIND, f"smartcharge {command}: {line}.")
    app.warn(f"smartcharge {command}: {line}.")


def resolve_lockout(app: App, command: str, line: str = "the battery is free again") -> None:
    """The outside power has let go, or nothing is wanted of the battery any more: told once."""
    if not is_alert_open(app.read_only_db, command, LOCKOUT_KIND):
        return
    with transaction(app.db):
        delete_alert(app.db, command, LOCKOUT_KIND)
        append_journal(app.db, at=app.now, command=command, outcome="waited")
    app.warn(f"smartcharge {command}: {line}.")


def _queue_alert_mail(app: App, kind: str, line: str) -> None:
    """Let a line wait in the outbox for the address that wants to hear of trouble; in the change's transaction.

    Trouble with the mail itself is not told by mail.
    """
    account, recipient = app.config.invites, app.config.alerts.email
    if account is None or recipient is None or kind.startswith(MAIL_KIND):
        return
    key = str(uuid.uuid5(MAIL_KEY_NAMESPACE, f"{app.now.isoformat()} {line}"))
    message = build_alert_message(sender=account.smtp_user, recipient=recipient, line=line, at=app.now, key=key)
    queue_message(app.db, key, message, recipient, app.now)


def _repeat_suffix(count: int) -> str:
    return f" ({count} times running.)" if count > 1 else ""


def _duration_text(elapsed: timedelta) -> str:
    minutes = max(round(elapsed.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"  # noqa: PLR2004  # two hours


WATCHDOG_TIMEOUT_SECONDS = 4.0


def ping_tick_start(app: App) -> None:
    """A tick has begun."""
    _send_ping(app, "start")


def ping_tick_end(app: App) -> None:
    """A tick has ended: badly while trouble goes on that the owner was told of."""
    is_alerted = any(episode.notified_at for episode in load_open_alerts(app.read_only_db))
    _send_ping(app, "fail" if is_alerted else "")


def _send_ping(app: App, stage: str) -> None:
    """Within a short share of the run; a watchdog that cannot be reached fails nothing."""
    url = app.config.alerts.healthchecks_url
    if url is None or app.dry_run:
        return
    app.prepare_network()
    is_reached = False
    with suppress(DeadlineExceeded), time_limit(WATCHDOG_TIMEOUT_SECONDS):
        is_reached = ping_watchdog(url.reveal(), stage)
    if not is_reached:
        app.detail("the watchdog could not be reached")

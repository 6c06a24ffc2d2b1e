"""Calendar invites: queued with the change of plan that causes them, and sent when the mail server may be asked.

Nothing here can delay the battery or change what it does: in a run it comes last, and its failures stay here.
"""

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from smartcharge import deadline
from smartcharge.app import App, mail_sign_in_fingerprint
from smartcharge.console import run_guarded
from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    SignInRefusedError,
    ThrottledError,
    UnexpectedError,
    UnreachableError,
)
from smartcharge.files import file_lock, write_private_file
from smartcharge.formatting import local_span
from smartcharge.jobs.polling import print_wait_reason
from smartcharge.policy.calendar import EventRevision, InviteMethod, due_revisions
from smartcharge.policy.polling import (
    DAILY_MAIL_LIMIT,
    DeliveryResult,
    DeliveryStatus,
    is_blocked,
    local_day_start,
    mail_retry_at,
)
from smartcharge.policy.slots import CheapPeriod
from smartcharge.store.calendar import (
    load_calendar_evidence,
    load_feed_state,
    load_latest_revisions,
    load_revision,
    make_event_uid,
    mark_feed_written,
    record_revision,
)
from smartcharge.store.control import is_clock_doubtful
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal
from smartcharge.store.outbox import (
    ALERT_METHOD,
    REPORT_METHOD,
    OutboxMessage,
    claim_message,
    count_sent_since,
    has_interrupted_message,
    is_possibly_delivered,
    load_next_due_message,
    load_waiting_messages,
    mark_message_failed,
    mark_message_sent,
    queue_invite,
    requeue_interrupted_messages,
    requeue_undelivered_message,
)
from smartcharge.store.services import (
    load_service,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
)

SEND_INVITES_COMMAND = "send-invites"
MAIL_SERVICE_KEY = "mail"
SENT_TEXTS = {ALERT_METHOD: "problem reported by email", REPORT_METHOD: "report sent by email"}


FEED_ALERT = "feed"
FEED_HISTORY = timedelta(days=14)
FEED_FILE_MODE = 0o644
"""A web server reads it as another user; it holds times and kilowatt hours, no secret."""


class InviteSettings(Struct, frozen=True):
    """What invites are made for.

    recipient: where they are mailed, None without a complete mail account. feed_path: the calendar file, None without.
    is_active: False where neither is set up, or the battery is only watched. show_planned: whether planned slots
    count, or only those in which the battery charged.
    """

    recipient: str | None
    feed_path: Path | None
    is_active: bool
    show_planned: bool
    cheap_period: CheapPeriod


def _invite_settings(app: App) -> InviteSettings:
    account, gcal = app.config.invites, app.config.gcal
    feed_path = gcal.feed_path if gcal else None
    return InviteSettings(
        recipient=account.invite_to if account else None,
        feed_path=feed_path,
        is_active=bool(account or feed_path) and not app.config.control.shadow,
        show_planned=gcal is not None and gcal.invite_when == "planned",
        cheap_period=app.policy.cheap_period,
    )


def run_send_invites(app: App) -> None:
    """Look first, without the lock; of two runs at the same moment one sends and the other ends."""
    if app.dry_run:
        for line in _dry_run_lines(app.read_only_db, app.now, _invite_settings(app)):
            app.out.say(line)
        return
    if not has_invite_work(app):
        return
    with file_lock(app.config.folder / "mail.lock", wait_seconds=0) as is_locked:
        if is_locked:
            _update_and_send(app)


def has_invite_work(app: App) -> bool:
    """Whether anything is to be queued, written to the feed, or sent."""
    db, settings = app.read_only_db, _invite_settings(app)
    return (
        bool(_load_due_revisions(db, app.now, settings))
        or _is_feed_stale(db, settings.feed_path)
        or _can_send_mail(app, db)
    )


def queue_due_invites(app: App) -> None:
    """Queue the invites that a change of the plan or of a hold makes due, in that change's own transaction.

    A failure leaves the change as it is: `run_send_invites` looks again.
    """
    db, settings = app.db, _invite_settings(app)
    db.execute("SAVEPOINT invites")
    if code := run_guarded(lambda: _queue_due_invites(db, app.now, settings)):
        app.out.exit_codes.append(code)
        db.execute("ROLLBACK TO invites")
    db.execute("RELEASE invites")


def _update_and_send(app: App) -> None:
    """Bring outbox, feed and the recipient's calendar up to date. The caller holds the mail lock."""
    db, settings = app.db, _invite_settings(app)
    if _load_due_revisions(db, app.now, settings) or has_interrupted_message(db):
        with transaction(db):
            requeue_interrupted_messages(db)
            queue_due_invites(app)
    if settings.feed_path and _is_feed_stale(db, settings.feed_path):
        _update_feed(app, settings.feed_path)
    if _can_send_mail(app, db):
        send_messages(app)


def _queue_due_invites(db: sqlite3.Connection, now: datetime, settings: InviteSettings) -> None:
    for revision in _load_due_revisions(db, now, settings):
        invite = record_revision(db, revision)
        if settings.recipient:
            queue_invite(db, invite.uid, revision.sequence, revision.method, settings.recipient, now)


def _load_due_revisions(db: sqlite3.Connection, now: datetime, settings: InviteSettings) -> tuple[EventRevision, ...]:
    if not settings.is_active or is_clock_doubtful(db, now):
        return ()
    evidence = load_calendar_evidence(db, now, settings.cheap_period, show_planned=settings.show_planned)
    return due_revisions(evidence)


def _can_send_mail(app: App, db: sqlite3.Connection) -> bool:
    """Whether something waits that may be sent now; a stored refusal is silent, and exit 5."""
    zone = app.policy.cheap_period.zone
    if app.config.invites is None or not (has_interrupted_message(db) or _load_next_message(db, app.now, zone)):
        return False
    if is_clock_doubtful(db, app.now):
        return False
    row = load_service(db, MAIL_SERVICE_KEY)
    is_refused = row.refused_for == mail_sign_in_fingerprint(app.config)
    if is_refused:
        app.out.exit_codes.append(SignInRefusedError.exit_code)
    if is_refused or is_blocked(app.now, row.not_before):
        print_wait_reason(app, MAIL_SERVICE_KEY)
        return False
    return True


def _load_next_message(db: sqlite3.Connection, now: datetime, zone: str) -> OutboxMessage | None:
    """Give the message that is to be sent next, unless the day's limit of mails is reached."""
    message = load_next_due_message(db, now)
    if message is None:
        return None
    return message if count_sent_since(db, local_day_start(now, zone)) < DAILY_MAIL_LIMIT else None


def send_messages(app: App) -> None:
    """Send until nothing waits, or the mail server fails. The caller holds the mail lock."""
    zone = app.policy.cheap_period.zone
    try:
        with time_limit(deadline.MAIL_LIMIT_SECONDS):
            while message := _load_next_message(app.db, app.now, zone):
                _send_message(app, message)
    except DeadlineExceeded:
        _handle_failure(app, UnreachableError("the mail server took too long", service=MAIL_SERVICE_KEY))
    except (UnreachableError, SignInRefusedError, UnexpectedError) as error:
        _handle_failure(app, error)


def _send_message(app: App, message: OutboxMessage) -> None:
    """Store the mail as it will be sent before it is sent: a run that dies here leaves the same mail to the next one.

    A mail that a newer one has replaced since it was loaded is not sent.
    """
    db, account = app.db, app.config.invites
    recipient = message.recipient if message.message or account is None else account.invite_to
    content = message.message or app.invite_writer.message(
        load_revision(db, message.uid, message.sequence), is_update=not message.is_first
    )
    with transaction(db):
        if not claim_message(db, message, content, recipient, app.now):
            return
        app.count(MAIL_SERVICE_KEY)
    try:
        delivery = app.mailer.send(content, recipient)
    except (UnreachableError, SignInRefusedError) as error:
        with transaction(db):
            requeue_undelivered_message(db, message, str(error))
        raise
    _handle_delivery(app, message, delivery)


def _handle_delivery(app: App, message: OutboxMessage, delivery: DeliveryResult) -> None:
    if delivery.status is DeliveryStatus.UNKNOWN:
        lost = "the connection to the mail server was lost while a mail was sent; it is sent again"
        raise UnreachableError(lost, service=MAIL_SERVICE_KEY)
    db, text = app.db, _sent_text(app.db, message, app.policy.cheap_period.zone)
    if delivery.status is DeliveryStatus.ACCEPTED:
        with transaction(db):
            mark_message_sent(db, message, app.now)
            record_service_success(db, MAIL_SERVICE_KEY, app.now)
            append_journal(db, at=app.now, command=SEND_INVITES_COMMAND, outcome=Event.SENT, detail=text)
        app.alerts.resolve(SEND_INVITES_COMMAND, MAIL_SERVICE_KEY)
        app.out.say(text)
        return
    error = _delivery_error(app, message, delivery)
    with transaction(db):
        mark_message_failed(db, message, str(error))
        append_journal(
            db,
            at=app.now,
            command=SEND_INVITES_COMMAND,
            outcome=Event.FAILED,
            error=str(error),
            detail=EventDetail(text=text, exit_code=error.exit_code),
        )
    app.alerts.record_failure(SEND_INVITES_COMMAND, MAIL_SERVICE_KEY, error, urgent=True)


def _delivery_error(app: App, message: OutboxMessage, delivery: DeliveryResult) -> AppError:
    if delivery.status is not DeliveryStatus.NO_SUCH_ADDRESS:
        return UnreachableError(f"the mail server refused an invite ({delivery.code})", service=MAIL_SERVICE_KEY)
    is_report = message.method == REPORT_METHOD and app.config.alerts.email is not None
    return ConfigurationError(
        f"is refused by the mail server ({delivery.code})",
        place=str(app.config.path),
        key="alerts.email" if is_report or message.method == ALERT_METHOD else "gcal.invite_to",
        right="Set it to an address that accepts mail",
    )


def _handle_failure(app: App, error: AppError) -> None:
    """Store that mail cannot be sent; nothing else is tried in this run, as it would meet the same."""
    fingerprint = mail_sign_in_fingerprint(app.config) if isinstance(error, SignInRefusedError) else None
    _store_failure(app.db, error, app.now, fingerprint)
    app.alerts.record_failure(SEND_INVITES_COMMAND, MAIL_SERVICE_KEY, error)


def _store_failure(db: sqlite3.Connection, error: AppError, now: datetime, refused_fingerprint: str | None) -> None:
    with transaction(db):
        requeue_interrupted_messages(db)
        if refused_fingerprint is not None:
            record_sign_in_refusal(db, MAIL_SERVICE_KEY, now, refused_fingerprint, str(error))
            return
        retry_after = error.retry_after if isinstance(error, ThrottledError) else None
        not_before = mail_retry_at(now, load_service(db, MAIL_SERVICE_KEY).failures + 1, retry_after)
        record_service_failure(db, MAIL_SERVICE_KEY, now, str(error), not_before)


def _sent_text(db: sqlite3.Connection, message: OutboxMessage, zone: str) -> str:
    if message.method in SENT_TEXTS:
        return SENT_TEXTS[message.method]
    revision = load_revision(db, message.uid, message.sequence).revision
    when = local_span(revision.starts_at, revision.ends_at, zone)
    if revision.method is InviteMethod.CANCEL:
        return f"invite cancelled: {when}"
    return f"invite {'sent' if message.is_first else 'updated'}: {when}"


def _is_feed_stale(db: sqlite3.Connection, path: Path | None) -> bool:
    """Whether the calendar file at `path` does not show what the calendar should; False without a file."""
    if path is None:
        return False
    newest, written = load_feed_state(db)
    return newest != "0" and (written != _feed_version(newest, path) or not _is_existing_file(path))


def _update_feed(app: App, path: Path) -> None:
    db = app.db
    newest, _ = load_feed_state(db)
    content = app.invite_writer.feed(load_latest_revisions(db, app.now - FEED_HISTORY))
    try:
        _write_feed(path, content)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        right = "Name a file in a folder that exists and that this user may write to"
        refused = ConfigurationError(problem, place=str(app.config.path), key="gcal.feed_path", right=right)
        app.alerts.record_failure(SEND_INVITES_COMMAND, FEED_ALERT, refused)
        return
    with transaction(db):
        mark_feed_written(db, _feed_version(newest, path))
    app.alerts.resolve(SEND_INVITES_COMMAND, FEED_ALERT)


def _write_feed(path: Path, content: bytes) -> None:
    """Replace the file as a whole: whoever reads it sees the old one or the new one."""
    write_private_file(path, content)
    path.chmod(FEED_FILE_MODE)


def _feed_version(newest: str, path: Path) -> str:
    return f"{newest} {path}"


def _is_existing_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def _dry_run_lines(db: sqlite3.Connection, now: datetime, settings: InviteSettings) -> Iterator[str]:
    """Say what would be sent, and to whom; nothing is stored, and nobody is asked anything."""
    revisions, zone = _load_due_revisions(db, now, settings), settings.cheap_period.zone
    new = {make_event_uid(db, revision.first_start): revision for revision in revisions}
    if settings.recipient:
        yield from _waiting_message_lines(db, set(new), zone)
        for uid, revision in new.items():
            if revision.method is InviteMethod.REQUEST or is_possibly_delivered(db, uid):
                yield _invite_line(settings.recipient, uid, revision, zone)
    if new and settings.feed_path:
        yield f"would write {settings.feed_path}"


def _waiting_message_lines(db: sqlite3.Connection, replaced_uids: set[str], zone: str) -> Iterator[str]:
    for message in load_waiting_messages(db):
        if message.method == ALERT_METHOD:
            yield f"would report a problem to {message.recipient}"
        elif message.method == REPORT_METHOD:
            yield f"would send a report to {message.recipient}"
        elif message.uid not in replaced_uids:
            revision = load_revision(db, message.uid, message.sequence).revision
            yield _invite_line(message.recipient, message.uid, revision, zone)


def _invite_line(recipient: str, uid: str, revision: EventRevision, zone: str) -> str:
    when = local_span(revision.starts_at, revision.ends_at, zone)
    return f"would send {revision.method} to {recipient}: {when}, uid {uid}, sequence {revision.sequence}"

"""Calendar invites: what is due is written down with the change that causes it, and posted when it may be.

Nothing of this can delay the battery or change what it does: in a run it comes last, and what goes wrong here
stays here.
"""

import sqlite3
from datetime import timedelta
from pathlib import Path

from smartcharge import deadline
from smartcharge.alerts import record_failure, resolve_alert
from smartcharge.app import App, mail_sign_in_fingerprint
from smartcharge.console import run_guarded
from smartcharge.deadline import DeadlineExceeded, time_limit
from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, ThrottledError, UnreachableError
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
from smartcharge.store.calendar import (
    load_calendar_evidence,
    load_feed_state,
    load_latest_revisions,
    load_revision,
    make_event_uid,
    mark_feed_written,
    record_revision,
)
from smartcharge.store.database import transaction
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
SENT_TEXTS = {ALERT_METHOD: "told of trouble by mail", REPORT_METHOD: "report sent by mail"}


def can_send_mail(app: App, db: sqlite3.Connection) -> bool:
    """Whether something waits that may be posted now; a remembered refusal is silent, and exit 5."""
    if app.config.invites is None or not (has_interrupted_message(db) or next_message(app, db)):
        return False
    row = load_service(db, MAIL_SERVICE_KEY)
    is_refused = row.refused_for == mail_sign_in_fingerprint(app.config)
    if is_refused:
        app.exit_codes.append(SignInRefusedError.exit_code)
    if is_refused or is_blocked(app.now, row.not_before):
        print_wait_reason(app, MAIL_SERVICE_KEY)
        return False
    return True


def next_message(app: App, db: sqlite3.Connection) -> OutboxMessage | None:
    """The message whose turn it is, unless the day's mails are used up."""
    outbox_message = load_next_due_message(db, app.now)
    if outbox_message is None:
        return None
    today = local_day_start(app.now, app.policy.cheap_period.zone)
    return outbox_message if count_sent_since(db, today) < DAILY_MAIL_LIMIT else None


def send_messages(app: App) -> None:
    """Post until nothing waits, or the mail server is in trouble. The caller holds the mail lock."""
    try:
        with time_limit(deadline.MAIL_LIMIT_SECONDS):
            while outbox_message := next_message(app, app.db):
                _send_message(app, outbox_message)
    except DeadlineExceeded:
        _record_mail_failure(app, UnreachableError("the mail server took too long", service=MAIL_SERVICE_KEY))
    except (UnreachableError, SignInRefusedError) as error:
        _record_mail_failure(app, error)


def _send_message(app: App, outbox_message: OutboxMessage) -> None:
    """Freeze, commit, then speak to the mail server: a run that dies here leaves the same mail to the next one.

    A mail that a newer one has overtaken since it was looked up is left alone.
    """
    account = app.config.invites
    recipient = outbox_message.recipient if outbox_message.message or account is None else account.invite_to
    message = outbox_message.message or _build_invite_message(app, outbox_message)
    with transaction(app.db):
        if not claim_message(app.db, outbox_message, message, recipient, app.now):
            return
        app.count(MAIL_SERVICE_KEY)
    try:
        delivery_result = app.mailer.send(message, recipient)
    except (UnreachableError, SignInRefusedError) as error:
        with transaction(app.db):
            requeue_undelivered_message(app.db, outbox_message, str(error))
        raise
    _record_delivery(app, outbox_message, delivery_result)


def _build_invite_message(app: App, outbox_message: OutboxMessage) -> bytes:
    invite = load_revision(app.db, outbox_message.uid, outbox_message.sequence)
    return app.invite_writer.message(invite, is_update=not outbox_message.is_first)


def _record_delivery(app: App, outbox_message: OutboxMessage, delivery_result: DeliveryResult) -> None:
    if delivery_result.status is DeliveryStatus.UNKNOWN:
        raise UnreachableError(
            "the mail server was lost while it took a mail, which is posted again", service=MAIL_SERVICE_KEY
        )
    sent_text = _sent_text(app, outbox_message)
    if delivery_result.status is DeliveryStatus.ACCEPTED:
        with transaction(app.db):
            mark_message_sent(app.db, outbox_message, app.now)
            record_service_success(app.db, MAIL_SERVICE_KEY, app.now)
            append_journal(app.db, at=app.now, command=SEND_INVITES_COMMAND, outcome="sent", detail=sent_text)
        resolve_alert(app, SEND_INVITES_COMMAND, MAIL_SERVICE_KEY)
        app.say(sent_text)
        return
    error = _delivery_error(app, outbox_message, delivery_result)
    with transaction(app.db):
        mark_message_failed(app.db, outbox_message, str(error))
        append_journal(
            app.db, at=app.now, command=SEND_INVITES_COMMAND, outcome="failed", error=str(error), detail=sent_text
        )
    record_failure(app, SEND_INVITES_COMMAND, MAIL_SERVICE_KEY, error, urgent=True)


def _delivery_error(app: App, outbox_message: OutboxMessage, delivery_result: DeliveryResult) -> AppError:
    if delivery_result.status is DeliveryStatus.NO_SUCH_ADDRESS:
        is_alert = outbox_message.method == ALERT_METHOD
        is_theirs = is_alert or (outbox_message.method == REPORT_METHOD and app.config.alerts.email is not None)
        key = "alerts.email" if is_theirs else "gcal.invite_to"
        return ConfigurationError(
            f"is refused by the mail server ({delivery_result.code})",
            place=str(app.config.path),
            key=key,
            right="Give an address that takes mail.",
        )
    return UnreachableError(f"the mail server refused an invite ({delivery_result.code})", service=MAIL_SERVICE_KEY)


def _record_mail_failure(app: App, error: AppError) -> None:
    """Nothing else is tried in this run: what one mail has met, the others would meet too."""
    with transaction(app.db):
        requeue_interrupted_messages(app.db)
        if isinstance(error, SignInRefusedError):
            record_sign_in_refusal(app.db, MAIL_SERVICE_KEY, app.now, mail_sign_in_fingerprint(app.config), str(error))
        else:
            failures = load_service(app.db, MAIL_SERVICE_KEY).failures + 1
            retry_after = error.retry_after if isinstance(error, ThrottledError) else None
            record_service_failure(
                app.db, MAIL_SERVICE_KEY, app.now, str(error), mail_retry_at(app.now, failures, retry_after)
            )
    record_failure(app, SEND_INVITES_COMMAND, MAIL_SERVICE_KEY, error)


def _sent_text(app: App, outbox_message: OutboxMessage) -> str:
    if outbox_message.method in SENT_TEXTS:
        return SENT_TEXTS[outbox_message.method]
    revision = load_revision(app.db, outbox_message.uid, outbox_message.sequence).revision
    when = local_span(revision.starts_at, revision.ends_at, app.policy.cheap_period.zone)
    if revision.method is InviteMethod.CANCEL:
        return f"invite cancelled: {when}"
    return f"invite {'sent' if outbox_message.is_first else 'updated'}: {when}"


FEED_ALERT = "feed"
FEED_HISTORY = timedelta(days=14)
FEED_FILE_MODE = 0o644
"""A web server reads it as somebody else; it holds times and kilowatt hours, no secret."""


def is_feed_stale(app: App, db: sqlite3.Connection) -> bool:
    """Whether the file does not show what the calendar should."""
    path = _feed_path(app)
    if path is None:
        return False
    newest, written = load_feed_state(db)
    return newest != "0" and (written != _feed_mark(newest, path) or not _is_existing_file(path))


def write_feed(app: App) -> None:
    """Write the file as a whole: whoever reads it sees the old one or the new one."""
    path = _feed_path(app)
    if path is None:
        return
    newest, _ = load_feed_state(app.db)
    content = app.invite_writer.feed(load_latest_revisions(app.db, app.now - FEED_HISTORY))
    try:
        write_private_file(path, content)
        path.chmod(FEED_FILE_MODE)
    except OSError as error:
        problem = f"cannot be written: {error.strerror or error}"
        right = "Give a file in a folder that exists and that this user may write to."
        refused = ConfigurationError(problem, place=str(app.config.path), key="gcal.feed_path", right=right)
        record_failure(app, SEND_INVITES_COMMAND, FEED_ALERT, refused)
        return
    with transaction(app.db):
        mark_feed_written(app.db, _feed_mark(newest, path))
    resolve_alert(app, SEND_INVITES_COMMAND, FEED_ALERT)


def _feed_path(app: App) -> Path | None:
    return app.config.gcal.feed_path if app.config.gcal else None


def _feed_mark(newest: str, path: Path) -> str:
    return f"{newest} {path}"


def _is_existing_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False


def queue_due_invites(app: App) -> None:
    """Write down the revisions that a change of the plan or of a hold makes due, in that change's own transaction.

    What cannot be worked out is left to `run`, which looks again; the change itself stands.
    """
    app.db.execute("SAVEPOINT invites")
    if code := run_guarded(lambda: _queue_due_invites(app)):
        app.exit_codes.append(code)
        app.db.execute("ROLLBACK TO invites")
    app.db.execute("RELEASE invites")


def _queue_due_invites(app: App) -> None:
    account = app.config.invites
    for revision in _due_revisions(app, app.db):
        invite = record_revision(app.db, revision)
        if account:
            queue_invite(app.db, invite.uid, revision.sequence, revision.method, account.invite_to, app.now)


def run_send_invites(app: App) -> None:
    """Look first, without the lock; of two runs at the same moment one posts and the other goes home."""
    if app.dry_run:
        dry_run_invites(app)
        return
    if not has_invite_work(app, app.read_only_db):
        return
    with file_lock(app.config.folder / "mail.lock", wait_seconds=0) as is_locked:
        if is_locked:
            update_and_send_invites(app)


def has_invite_work(app: App, db: sqlite3.Connection) -> bool:
    """Whether anything is to be written down, written out, or posted."""
    return bool(_due_revisions(app, db)) or is_feed_stale(app, db) or can_send_mail(app, db)


def update_and_send_invites(app: App) -> None:
    """Bring outbox, feed and the family's calendar up to date. The caller holds the mail lock."""
    if _due_revisions(app, app.db) or has_interrupted_message(app.db):
        with transaction(app.db):
            requeue_interrupted_messages(app.db)
            queue_due_invites(app)
    if is_feed_stale(app, app.db):
        write_feed(app)
    if can_send_mail(app, app.db):
        send_messages(app)


def dry_run_invites(app: App) -> None:
    """Say what would be posted, and to whom; nothing is written, and nobody is spoken to."""
    db, account = app.read_only_db, app.config.invites
    new = {make_event_uid(db, revision.first_start): revision for revision in _due_revisions(app, db)}
    if account:
        _print_waiting_messages(app, set(new))
        for uid, revision in new.items():
            if revision.method is InviteMethod.REQUEST or is_possibly_delivered(db, uid):
                _print_invite(app, account.invite_to, uid, revision)
    if new and app.config.gcal and app.config.gcal.feed_path:
        app.say(f"would write {app.config.gcal.feed_path}")


def _print_waiting_messages(app: App, overtaken: set[str]) -> None:
    for outbox_message in load_waiting_messages(app.read_only_db):
        if outbox_message.method == ALERT_METHOD:
            app.say(f"would tell {outbox_message.recipient} of trouble")
        elif outbox_message.method == REPORT_METHOD:
            app.say(f"would send a report to {outbox_message.recipient}")
        elif outbox_message.uid not in overtaken:
            revision = load_revision(app.read_only_db, outbox_message.uid, outbox_message.sequence).revision
            _print_invite(app, outbox_message.recipient, outbox_message.uid, revision)


def _print_invite(app: App, recipient: str, uid: str, revision: EventRevision) -> None:
    when = local_span(revision.starts_at, revision.ends_at, app.policy.cheap_period.zone)
    app.say(f"would send {revision.method} to {recipient}: {when}, uid {uid}, sequence {revision.sequence}")


def _due_revisions(app: App, db: sqlite3.Connection) -> tuple[EventRevision, ...]:
    gcal = app.config.gcal
    if gcal is None or not (app.config.invites or gcal.feed_path) or app.config.control.shadow:
        return ()
    planned = gcal.invite_when == "planned"
    return due_revisions(load_calendar_evidence(db, app.now, app.policy.cheap_period, show_planned=planned))

"""Fetch the supplier's plan where it is time, and store what changed in it."""

import sqlite3
from collections import Counter
from datetime import datetime, timedelta

from smartcharge.app import App, kraken_sign_in_fingerprint
from smartcharge.deadline import KRAKEN_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.errors import (
    AppError,
    ConfigurationError,
    SignInRefusedError,
    ThrottledError,
    UnreachableError,
)
from smartcharge.files import file_lock
from smartcharge.formatting import local_span
from smartcharge.jobs.clock import is_clock_right
from smartcharge.jobs.idle_forecast import forecast_basis, update_forecast
from smartcharge.jobs.invites import queue_due_invites
from smartcharge.jobs.polling import KRAKEN_SERVICE_KEY, print_wait_reason, should_fetch_plan
from smartcharge.policy.model import Dispatch, Policy, SupplierPlan
from smartcharge.policy.plan import KnownDispatch, PlanChanges, diff_plan
from smartcharge.policy.polling import PLAN_TOLERANCE, plan_interval, plan_retry_at
from smartcharge.store.control import load_state, save_manual_override
from smartcharge.store.database import transaction
from smartcharge.store.devices import load_devices, load_supplier_asked_at, record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes, load_planned_dispatches, record_completed_dispatches
from smartcharge.store.events import Event
from smartcharge.store.journal import append_journal, load_last_journal_row, prune_history
from smartcharge.store.services import (
    load_service,
    record_service_attempt,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
)
from smartcharge.text import to_one_line

FETCH_DISPATCHES_COMMAND = "fetch-dispatches"
DEVICE_ALERT = "device"


def fetch_plan_if_due(app: App, *, at_once: bool = False) -> None:
    """Fetch the plan if it is time (or `at_once`); of two runs at the same moment one asks."""
    if _is_sign_in_refused(app) or not (at_once or should_fetch_plan(app)):
        print_wait_reason(app, KRAKEN_SERVICE_KEY, _next_fetch_at(app.read_only_db, app.now, app.policy))
        return
    if app.dry_run:
        app.out.say(f"would fetch the charging schedule from {app.supplier_label}")
        return
    with file_lock(app.config.folder / "fetch.lock", wait_seconds=0) as is_locked:
        if is_locked and (at_once or should_fetch_plan(app)):
            fetch_plan(app, at_once=at_once)


def _is_sign_in_refused(app: App) -> bool:
    """Whether the sign-in was refused and nothing has changed since: then nothing is asked or said, and exit 5."""
    refused_for = load_service(app.read_only_db, KRAKEN_SERVICE_KEY).refused_for
    is_refused = refused_for is not None and refused_for == kraken_sign_in_fingerprint(app.config)
    if is_refused:
        app.out.exit_codes.append(SignInRefusedError.exit_code)
    return is_refused


def _next_fetch_at(db: sqlite3.Connection, now: datetime, policy: Policy) -> datetime | None:
    """When the supplier is to be asked next by the usual interval; None where it never was asked."""
    asked_at = load_supplier_asked_at(db, until=now)
    return asked_at and asked_at + plan_interval(load_state(db, now, policy)) - PLAN_TOLERANCE


def fetch_plan(app: App, *, at_once: bool = False) -> None:
    """Ask the supplier within its time limit; a part of the answer that is missing leaves what was known of it.

    at_once: a person waits for the answer and is told about a failure that runs by cron report only if it lasts.
    """
    db, now = app.db, app.now
    try:
        with time_limit(KRAKEN_LIMIT_SECONDS):
            plan = app.tariff.plan([row.device for row in load_devices(db) if row.watched], now)
    except DeadlineExceeded:
        late = UnreachableError(f"{app.supplier_label} took too long to answer", service=KRAKEN_SERVICE_KEY)
        _handle_failure(app, late, at_once=at_once)
    except AppError as error:
        _handle_failure(app, error, at_once=at_once)
    else:
        if is_clock_right(app, plan.server_time):
            _handle_plan(app, plan, at_once=at_once)
        else:
            _ignore_plan(db, plan, now, app.sent)


def _ignore_plan(db: sqlite3.Connection, plan: SupplierPlan, now: datetime, sent: Counter[str]) -> None:
    """Store that the supplier was asked, but not its plan: by a wrong clock, slots would seem to be withdrawn."""
    with transaction(db):
        for device in plan.planned:
            requests = sent.pop(KRAKEN_SERVICE_KEY, 0)
            record_plan_fetch(db, device, now, ok=False, error="the clock is wrong", requests=requests)
        if not plan.planned:
            record_service_attempt(db, KRAKEN_SERVICE_KEY, now)


def _handle_plan(app: App, plan: SupplierPlan, *, at_once: bool) -> None:
    db, now, out, based_on = app.db, app.now, app.out, forecast_basis(app)
    with transaction(db):
        lines = store_plan(db, plan, now, app.policy, app.sent)
        if lines:
            queue_due_invites(app)
        if lines or plan.remarks:
            _journal_once(db, now, Event.CHANGED if lines else Event.REMARKED, "; ".join((*lines, *plan.remarks)))
        if app.policy.cheap_period.containing(now):
            prune_history(db, now - timedelta(days=app.config.database.keep_days))
        update_forecast(app, based_on)
    for line in lines:
        out.say(line)
    for remark in plan.remarks:
        out.detail(f"{FETCH_DISPATCHES_COMMAND}: {remark}")
    if plan.trouble:
        _handle_failure(app, UnreachableError(plan.trouble, service=KRAKEN_SERVICE_KEY), at_once=at_once)
    else:
        _record_success(db, now)
        app.alerts.resolve(FETCH_DISPATCHES_COMMAND, KRAKEN_SERVICE_KEY)
        app.alerts.resolve(FETCH_DISPATCHES_COMMAND, DEVICE_ALERT)


def store_plan(
    db: sqlite3.Connection, plan: SupplierPlan, now: datetime, policy: Policy, sent: Counter[str]
) -> list[str]:
    """Store an answer, and give what changed in the plan, a line each. The caller has opened the transaction.

    sent: requests by service; the supplier's are stored with its first device and taken off.
    """
    lines: list[str] = []
    if plan.devices is not None:
        record_devices(db, plan.devices)
    for device, answer in plan.planned.items():
        requests = sent.pop(KRAKEN_SERVICE_KEY, 0)
        record_plan_fetch(db, device, now, ok=answer is not None, error=plan.trouble, requests=requests)
        if answer is not None:
            lines += _store_device_plan(db, device, answer, now, policy.cheap_period.zone)
    if plan.completed:
        record_completed_dispatches(db, plan.completed, now)
    if not plan.planned:
        record_service_attempt(db, KRAKEN_SERVICE_KEY, now)
    if lines:
        _move_manual_override(db, now, policy)
    return lines


def _store_device_plan(
    db: sqlite3.Connection, device: str, answer: tuple[Dispatch, ...], now: datetime, zone: str
) -> list[str]:
    remembered = load_planned_dispatches(db, device, now)
    changes = diff_plan(remembered, answer, now)
    if not changes:
        return []
    apply_plan_changes(db, device, changes, now)
    return _plan_change_lines(changes, {row.id: row for row in remembered}, zone)


def _move_manual_override(db: sqlite3.Connection, now: datetime, policy: Policy) -> None:
    """Let a manual override last to the new end of its window where the plan has moved that."""
    state = load_state(db, now, policy)
    if state.manual_override and state.manual_override_until:
        save_manual_override(db, state.manual_override.at, state.manual_override_until)


def _journal_once(db: sqlite3.Connection, now: datetime, outcome: Event, text: str) -> None:
    last = load_last_journal_row(db, FETCH_DISPATCHES_COMMAND)
    if last is None or (last.outcome, last.detail.text) != (outcome, to_one_line(text)):
        append_journal(db, at=now, command=FETCH_DISPATCHES_COMMAND, outcome=outcome, detail=text)


def _plan_change_lines(changes: PlanChanges, known: dict[int, KnownDispatch], zone: str) -> list[str]:
    """Give the changes of one answer, a line each; what returns before it was withdrawn was never told."""

    def words(row: int) -> str:
        return local_span(known[row].starts_at, known[row].ends_at, zone)

    replacements = {replacement for _, replacement in changes.superseded}
    new_dispatches = [d for d in changes.new if (d.starts_at, d.ends_at) not in replacements]
    return [
        *(f"planned: {local_span(d.starts_at, d.ends_at, zone)}{_energy_text(d.energy_kwh)}" for d in new_dispatches),
        *(f"moved: {words(row)} is now {local_span(*replacement, zone)}" for row, replacement in changes.superseded),
        *(f"planned again: {words(row)}" for row in changes.returned if known[row].withdrawn_at),
        *(f"withdrawn: {words(row)}" for row in changes.withdrawn),
    ]


def _energy_text(energy_kwh: float | None) -> str:
    return f", about {energy_kwh:.1f} kWh" if energy_kwh else ""


def _record_success(db: sqlite3.Connection, now: datetime) -> None:
    row = load_service(db, KRAKEN_SERVICE_KEY)
    if row.failures or row.refused_for:
        with transaction(db):
            record_service_success(db, KRAKEN_SERVICE_KEY, now)


def _handle_failure(app: App, error: AppError, *, at_once: bool = False) -> None:
    if at_once and isinstance(error, UnreachableError):
        app.out.warn(f"smartcharge: {error}")
    fingerprint = kraken_sign_in_fingerprint(app.config) if isinstance(error, SignInRefusedError) else None
    _record_failure(app.db, error, app.now, fingerprint)
    kind = DEVICE_ALERT if isinstance(error, ConfigurationError) else KRAKEN_SERVICE_KEY
    app.alerts.record_failure(FETCH_DISPATCHES_COMMAND, kind, error)


def _record_failure(db: sqlite3.Connection, error: AppError, now: datetime, refused_fingerprint: str | None) -> None:
    """Store a failure; refused_fingerprint: of a sign-in that was refused."""
    row, is_throttled = load_service(db, KRAKEN_SERVICE_KEY), isinstance(error, ThrottledError)
    retry_after = error.retry_after if isinstance(error, ThrottledError) else None
    not_before = plan_retry_at(now, row.failures + 1, throttled=is_throttled, retry_after=retry_after)
    with transaction(db):
        if refused_fingerprint is not None:
            record_sign_in_refusal(db, KRAKEN_SERVICE_KEY, now, refused_fingerprint, str(error))
        else:
            record_service_failure(db, KRAKEN_SERVICE_KEY, now, str(error), not_before)

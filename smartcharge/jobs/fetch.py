"""Ask the supplier for its plan where an answer is due; the conversation itself is in `plan_answer`."""

from datetime import timedelta

from smartcharge.alerts import record_failure, resolve_alert
from smartcharge.app import App, kraken_sign_in_fingerprint
from smartcharge.deadline import KRAKEN_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.errors import AppError, ConfigurationError, SignInRefusedError, ThrottledError, UnreachableError
from smartcharge.files import file_lock
from smartcharge.formatting import local_span
from smartcharge.jobs.idle_forecast import forecast_basis, update_forecast
from smartcharge.jobs.invites import queue_due_invites
from smartcharge.jobs.polling import (
    KRAKEN_SERVICE_KEY,
    is_kraken_sign_in_refused,
    next_fetch_at,
    print_wait_reason,
    should_fetch_plan,
)
from smartcharge.policy.model import Dispatch, SupplierPlan
from smartcharge.policy.plan import KnownDispatch, PlanChanges, diff_plan
from smartcharge.policy.polling import plan_retry_at
from smartcharge.store.control import load_state, save_manual_override
from smartcharge.store.database import transaction
from smartcharge.store.devices import load_devices, record_devices, record_plan_fetch
from smartcharge.store.dispatches import apply_plan_changes, load_planned_dispatches, record_completed_dispatches
from smartcharge.store.journal import append_journal, load_last_journal_row, prune_history
from smartcharge.store.services import (
    load_service,
    record_service_attempt,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
)


def fetch_plan_if_due(app: App, *, at_once: bool = False) -> None:
    """Ask if an answer is due (or `at_once`); two runs at the same moment ask once."""
    if is_kraken_sign_in_refused(app) or not (at_once or should_fetch_plan(app)):
        print_wait_reason(app, KRAKEN_SERVICE_KEY, next_fetch_at(app))
        return
    if app.dry_run:
        app.say("would ask Kraken for the plan")
        return
    with file_lock(app.config.folder / "fetch.lock", wait_seconds=0) as is_locked:
        if is_locked and (at_once or should_fetch_plan(app)):
            fetch_plan(app)


FETCH_DISPATCHES_COMMAND = "fetch-dispatches"
DEVICE_ALERT = "device"


def fetch_plan(app: App) -> None:
    """One conversation within Kraken's share of the budget; a part that failed leaves what was known of it."""
    try:
        with time_limit(KRAKEN_LIMIT_SECONDS):
            plan = app.tariff.plan([row.device for row in load_devices(app.db) if row.watched], app.now)
    except DeadlineExceeded:
        _record_fetch_failure(app, UnreachableError("Kraken took too long to answer", service=KRAKEN_SERVICE_KEY))
    except AppError as trouble:
        _record_fetch_failure(app, trouble)
    else:
        _save_plan(app, plan)


def _save_plan(app: App, plan: SupplierPlan) -> None:
    db, based_on = app.db, forecast_basis(app)
    with transaction(db):
        lines = _store_plan(app, plan)
        if lines or plan.remarks:
            _journal_once(app, "changed" if lines else "remarked", "; ".join((*lines, *plan.remarks)))
        if app.policy.cheap_period.containing(app.now):
            prune_history(app.db, app.now - timedelta(days=app.config.database.keep_days))
        update_forecast(app, based_on)
    for line in lines:
        app.say(line)
    for remark in plan.remarks:
        app.detail(f"{FETCH_DISPATCHES_COMMAND}: {remark}")
    if plan.trouble:
        _record_fetch_failure(app, UnreachableError(plan.trouble, service=KRAKEN_SERVICE_KEY))
    else:
        _record_fetch_success(app)


def _store_plan(app: App, plan: SupplierPlan) -> list[str]:
    """Store what was answered; what changed in the plan, in words. The caller has opened the transaction."""
    lines: list[str] = []
    if plan.devices is not None:
        record_devices(app.db, plan.devices)
    for device, answer in plan.planned.items():
        record_plan_fetch(
            app.db,
            device,
            app.now,
            ok=answer is not None,
            error=plan.trouble,
            requests=app.sent.pop(KRAKEN_SERVICE_KEY, 0),
        )
        if answer is not None:
            lines += _reconcile_device(app, device, answer)
    if plan.completed:
        record_completed_dispatches(app.db, plan.completed, app.now)
    if not plan.planned:
        record_service_attempt(app.db, KRAKEN_SERVICE_KEY, app.now)
    if lines:
        _move_manual_override(app)
        queue_due_invites(app)
    return lines


def _move_manual_override(app: App) -> None:
    """A window that was left to somebody else takes the stand-down along when it moves."""
    state = load_state(app.db, app.now, app.policy)
    if state.stand_down and state.manual_override_until:
        save_manual_override(app.db, state.stand_down.at, state.manual_override_until)


def _journal_once(app: App, outcome: str, detail: str) -> None:
    last = load_last_journal_row(app.db, FETCH_DISPATCHES_COMMAND)
    if last is None or (last.outcome, last.detail) != (outcome, detail):
        append_journal(app.db, at=app.now, command=FETCH_DISPATCHES_COMMAND, outcome=outcome, detail=detail)


def _reconcile_device(app: App, device: str, answer: tuple[Dispatch, ...]) -> list[str]:
    remembered = load_planned_dispatches(app.db, device, app.now)
    changes = diff_plan(remembered, answer, app.now)
    if not changes:
        return []
    apply_plan_changes(app.db, device, changes, app.now)
    return _plan_change_lines(changes, {row.id: row for row in remembered}, app.policy.cheap_period.zone)


def _plan_change_lines(changes: PlanChanges, known: dict[int, KnownDispatch], zone: str) -> list[str]:
    """The changes of one answer in the owner's words, one line each; one that was only missing was never told."""

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


def _record_fetch_success(app: App) -> None:
    row = load_service(app.db, KRAKEN_SERVICE_KEY)
    if row.failures or row.refused_for:
        with transaction(app.db):
            record_service_success(app.db, KRAKEN_SERVICE_KEY, app.now)
    resolve_alert(app, FETCH_DISPATCHES_COMMAND, KRAKEN_SERVICE_KEY)
    resolve_alert(app, FETCH_DISPATCHES_COMMAND, DEVICE_ALERT)


def _record_fetch_failure(app: App, trouble: AppError) -> None:
    throttled = isinstance(trouble, ThrottledError)
    row = load_service(app.db, KRAKEN_SERVICE_KEY)
    retry_after = trouble.retry_after if isinstance(trouble, ThrottledError) else None
    not_before = plan_retry_at(app.now, row.failures + 1, throttled=throttled, retry_after=retry_after)
    with transaction(app.db):
        if isinstance(trouble, SignInRefusedError):
            record_sign_in_refusal(
                app.db, KRAKEN_SERVICE_KEY, app.now, kraken_sign_in_fingerprint(app.config), str(trouble)
            )
        else:
            record_service_failure(app.db, KRAKEN_SERVICE_KEY, app.now, str(trouble), not_before)
    kind = DEVICE_ALERT if isinstance(trouble, ConfigurationError) else KRAKEN_SERVICE_KEY
    record_failure(app, FETCH_DISPATCHES_COMMAND, kind, trouble)

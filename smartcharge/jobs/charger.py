"""What is known of the car: the charger is asked only where its answer could change the decision, and not too often."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from smartcharge.app import App, myenergi_sign_in_fingerprint
from smartcharge.console import Output
from smartcharge.deadline import ZAPPI_LIMIT_SECONDS, DeadlineExceeded, time_limit
from smartcharge.errors import AppError, SignInRefusedError, StoreError, ThrottledError, UnreachableError
from smartcharge.formatting import local_date_time
from smartcharge.jobs.polling import print_wait_reason
from smartcharge.policy.decide import decision_depends_on_charger
from smartcharge.policy.model import ChargerReading, ChargerState, State
from smartcharge.policy.polling import (
    CHARGER_BACKOFF_MINUTES,
    CHARGER_INTERVAL_LONG,
    CHARGER_INTERVAL_SHORT,
    backoff_delay,
    can_poll_charger,
    charger_poll_delay,
    has_elapsed,
)
from smartcharge.providers.protocols import Charger
from smartcharge.store.database import transaction
from smartcharge.store.readings import load_last_charger_reading, record_charger_reading
from smartcharge.store.services import (
    SUSPECTED_REFUSAL_PREFIX,
    load_service,
    record_service_failure,
    record_service_success,
    record_sign_in_refusal,
    save_service_host,
)

ZAPPI_SERVICE_KEY = "zappi"
CHARGER_ALERT_COMMAND = "reconcile"


def should_poll_charger(app: App, state: State) -> bool:
    """Whether the charger is to be asked now."""
    if not decision_depends_on_charger(state):
        return False
    db = app.read_only_db
    row, last = load_service(db, ZAPPI_SERVICE_KEY), load_last_charger_reading(db)
    if row.refused_for == myenergi_sign_in_fingerprint(app.config):
        app.out.exit_codes.append(SignInRefusedError.exit_code)
        print_wait_reason(app, ZAPPI_SERVICE_KEY)
        return False
    asked_at = last.reading.at if last else None
    may_be_asked = can_poll_charger(state, asked_at, row.failures, row.not_before)
    if not may_be_asked:
        print_wait_reason(app, ZAPPI_SERVICE_KEY, asked_at and asked_at + charger_poll_delay(state, row.failures))
    return may_be_asked


def with_charger_state(app: App, state: State) -> State:
    """Give the state with what the charger says, where that matters; a failure counts as UNKNOWN."""
    if not decision_depends_on_charger(state):
        return state
    if should_poll_charger(app, state):
        reading = poll_charger(app, state)
        return state.with_charger(reading.state, solar_only=reading.solar_only)
    last = load_last_charger_reading(app.read_only_db)
    if last is None or has_elapsed(state.now, last.reading.at, CHARGER_INTERVAL_LONG):
        return state
    return state.with_charger(last.reading.state, solar_only=last.reading.solar_only)


def poll_charger(app: App, state: State) -> ChargerReading:
    """Ask the charger, twice where a due release depends on it, and store what it says; a failure reads as UNKNOWN."""
    if app.is_now_overridden:
        then = local_date_time(state.now, state.now, state.policy.cheap_period.zone)
        app.out.say(f"The Zappi only knows the present, not {then}, so the car counts as unknown.")
        return ChargerReading(ChargerState.UNKNOWN, state.now)
    charger = app.charger
    charger.prepare()
    try:
        with time_limit(ZAPPI_LIMIT_SECONDS):
            reading = _read_charger(charger, state.now, attempts=2 if state.is_release_due else 1)
    except DeadlineExceeded:
        error: AppError = UnreachableError("the myenergi server took too long to answer", service=ZAPPI_SERVICE_KEY)
        return _handle_failure(app, error)
    except AppError as refused:
        return _handle_failure(app, refused)
    app.out.detail(f"the Zappi reports {reading.why} ({reading.state.lower()})")
    if not app.dry_run:
        _try_to_store(app.out, lambda: _handle_reading(app, reading))
    return reading


def _read_charger(charger: Charger, now: datetime, *, attempts: int) -> ChargerReading:
    for left in reversed(range(attempts)):
        try:
            with time_limit(ZAPPI_LIMIT_SECONDS / attempts):
                return charger.read(now)
        except DeadlineExceeded:
            if not left:
                raise
        except UnreachableError as error:
            if isinstance(error, ThrottledError) or not left:
                raise
    raise AssertionError("at least one attempt is made")


def _try_to_store(out: Output, store: Callable[[], None]) -> None:
    """Go on where a full disk cannot store a reading: a release may depend on the reading itself."""
    try:
        store()
    except StoreError as refused:
        out.report_error(refused)


def _handle_reading(app: App, reading: ChargerReading) -> None:
    _store_reading(app.db, reading, app.now, app.charger.host)
    app.alerts.resolve(CHARGER_ALERT_COMMAND, ZAPPI_SERVICE_KEY)


def _store_reading(db: sqlite3.Connection, reading: ChargerReading, now: datetime, host: str | None) -> None:
    row = load_service(db, ZAPPI_SERVICE_KEY)
    with transaction(db):
        record_charger_reading(db, reading)
        if row.failures or row.refused_for:
            record_service_success(db, ZAPPI_SERVICE_KEY, now)
        save_service_host(db, ZAPPI_SERVICE_KEY, host)


def _handle_failure(app: App, error: AppError) -> ChargerReading:
    if app.dry_run:
        app.out.warn(f"smartcharge {CHARGER_ALERT_COMMAND}: {error}")
        app.out.exit_codes.append(error.exit_code)
    else:
        _try_to_store(app.out, lambda: _store_and_report_failure(app, error))
    return ChargerReading(ChargerState.UNKNOWN, app.now, why=error.message)


def _store_and_report_failure(app: App, error: AppError) -> None:
    fingerprint = myenergi_sign_in_fingerprint(app.config)
    error = _store_failure(app.db, error, app.now, fingerprint, app.charger.host)
    app.alerts.record_failure(CHARGER_ALERT_COMMAND, ZAPPI_SERVICE_KEY, error)


def _store_failure(
    db: sqlite3.Connection, error: AppError, now: datetime, fingerprint: str, host: str | None
) -> AppError:
    """Store that the charger could not be read, and give the error that the owner may hear of."""
    row = load_service(db, ZAPPI_SERVICE_KEY)
    unknown = ChargerReading(ChargerState.UNKNOWN, now, why=error.message)
    with transaction(db):
        record_charger_reading(db, unknown, error=str(error))
        if isinstance(error, SignInRefusedError):
            error = _store_refusal(db, error, now, fingerprint, row.refused_for)
        else:
            not_before = now + _retry_delay(error, row.failures + 1)
            record_service_failure(db, ZAPPI_SERVICE_KEY, now, str(error), not_before)
        save_service_host(db, ZAPPI_SERVICE_KEY, host)
    return error


def _retry_delay(error: AppError, failures: int) -> timedelta:
    if not isinstance(error, ThrottledError):
        return timedelta(0)
    backoff = CHARGER_INTERVAL_SHORT / 2 + backoff_delay(CHARGER_BACKOFF_MINUTES, failures)
    return max(error.retry_after or timedelta(0), backoff)


def _store_refusal(
    db: sqlite3.Connection, error: SignInRefusedError, now: datetime, fingerprint: str, refused_for: str | None
) -> AppError:
    """Believe a refused sign-in only when it comes twice running; until then it counts as no answer."""
    suspicion = f"{SUSPECTED_REFUSAL_PREFIX}{fingerprint}"
    is_confirmed = refused_for == suspicion
    record_sign_in_refusal(db, ZAPPI_SERVICE_KEY, now, fingerprint if is_confirmed else suspicion, str(error))
    if is_confirmed:
        return error
    return UnreachableError(
        "the myenergi server refused the sign-in once; this may be a temporary fault", service=ZAPPI_SERVICE_KEY
    )

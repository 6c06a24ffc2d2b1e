"""What is known of the car: asked only where the answer could change the decision, and no more often than is polite."""

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from smartcharge.alerts import record_failure, resolve_alert
from smartcharge.app import App, myenergi_sign_in_fingerprint
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
    row, last = load_service(app.read_only_db, ZAPPI_SERVICE_KEY), load_last_charger_reading(app.read_only_db)
    if row.refused_for == myenergi_sign_in_fingerprint(app.config):
        app.exit_codes.append(SignInRefusedError.exit_code)
        print_wait_reason(app, ZAPPI_SERVICE_KEY)
        return False
    asked_at = last.reading.at if last else None
    may_be_asked = can_poll_charger(state, asked_at, row.failures, row.not_before)
    if not may_be_asked:
        print_wait_reason(app, ZAPPI_SERVICE_KEY, asked_at and asked_at + charger_poll_delay(state, row.failures))
    return may_be_asked


def with_charger_state(app: App, state: State) -> State:
    """The situation with what the charger says, where that matters; lost evidence is UNKNOWN, never an abort."""
    if not decision_depends_on_charger(state):
        return state
    if should_poll_charger(app, state):
        return replace(state, charger=poll_charger(app, state))
    last = load_last_charger_reading(app.read_only_db)
    if last is None or has_elapsed(state.now, last.reading.at, CHARGER_INTERVAL_LONG):
        return state
    return replace(state, charger=last.reading.state)


def poll_charger(app: App, state: State) -> ChargerState:
    """Ask the charger, and once more where a release hangs on it; what it says is kept."""
    if app.is_now_overridden:
        then = local_date_time(app.now, app.now, app.policy.cheap_period.zone)
        app.say(f"the Zappi can only say how the car is now, and not how it is at {then}: it counts as unknown")
        return ChargerState.UNKNOWN
    app.charger.prepare()
    try:
        with time_limit(ZAPPI_LIMIT_SECONDS):
            reading = _read_charger(app, questions=2 if state.is_release_due else 1)
    except DeadlineExceeded:
        return _handle_charger_failure(
            app, UnreachableError("the myenergi server took too long to answer", service=ZAPPI_SERVICE_KEY)
        )
    except AppError as error:
        return _handle_charger_failure(app, error)
    app.detail(f"the Zappi says {reading.state}: {reading.why}")
    if not app.dry_run:
        _try_write(app, lambda: _save_charger_reading(app, reading))
    return reading.state


def _try_write(app: App, write: Callable[[], None]) -> None:
    """A full disk loses the note of a reading, not the reading: a release may hang on it."""
    try:
        write()
    except StoreError as refused:
        app.exit_codes.append(refused.exit_code)
        app.warn_hourly(f"smartcharge: {refused}")


def _read_charger(app: App, *, questions: int) -> ChargerReading:
    for left in reversed(range(questions)):
        try:
            with time_limit(ZAPPI_LIMIT_SECONDS / questions):
                return app.charger.read(app.now)
        except DeadlineExceeded:
            if not left:
                raise
        except UnreachableError as error:
            if isinstance(error, ThrottledError) or not left:
                raise
    raise AssertionError("at least one question is asked")


def _save_charger_reading(app: App, reading: ChargerReading) -> None:
    row = load_service(app.db, ZAPPI_SERVICE_KEY)
    with transaction(app.db):
        record_charger_reading(app.db, reading)
        if row.failures or row.refused_for:
            record_service_success(app.db, ZAPPI_SERVICE_KEY, app.now)
        save_service_host(app.db, ZAPPI_SERVICE_KEY, app.charger.host)
    resolve_alert(app, CHARGER_ALERT_COMMAND, ZAPPI_SERVICE_KEY)


def _handle_charger_failure(app: App, error: AppError) -> ChargerState:
    if app.dry_run:
        app.warn(f"smartcharge {CHARGER_ALERT_COMMAND}: {error}")
        app.exit_codes.append(error.exit_code)
        return ChargerState.UNKNOWN
    _try_write(app, lambda: _record_charger_failure(app, error))
    return ChargerState.UNKNOWN


def _record_charger_failure(app: App, error: AppError) -> None:
    row = load_service(app.db, ZAPPI_SERVICE_KEY)
    with transaction(app.db):
        record_charger_reading(
            app.db, ChargerReading(ChargerState.UNKNOWN, app.now, why=error.message), error=str(error)
        )
        if isinstance(error, SignInRefusedError):
            error = _record_charger_refusal(app, error, row.refused_for)
        else:
            wait = timedelta(0)
            if isinstance(error, ThrottledError):
                wait = max(
                    error.retry_after or timedelta(0),
                    CHARGER_INTERVAL_SHORT / 2 + backoff_delay(CHARGER_BACKOFF_MINUTES, row.failures + 1),
                )
            record_service_failure(app.db, ZAPPI_SERVICE_KEY, app.now, str(error), app.now + wait)
        save_service_host(app.db, ZAPPI_SERVICE_KEY, app.charger.host)
    record_failure(app, CHARGER_ALERT_COMMAND, ZAPPI_SERVICE_KEY, error)


def _record_charger_refusal(app: App, error: SignInRefusedError, refused_for: str | None) -> AppError:
    """Believe a refusal only when it comes twice running; until then it counts as no answer."""
    fingerprint = myenergi_sign_in_fingerprint(app.config)
    if refused_for == SUSPECTED_REFUSAL_PREFIX + fingerprint:
        record_sign_in_refusal(app.db, ZAPPI_SERVICE_KEY, app.now, fingerprint, str(error))
        return error
    record_sign_in_refusal(app.db, ZAPPI_SERVICE_KEY, app.now, SUSPECTED_REFUSAL_PREFIX + fingerprint, str(error))
    return UnreachableError(
        "the myenergi server refused the sign-in once, which a server in trouble does too", service=ZAPPI_SERVICE_KEY
    )

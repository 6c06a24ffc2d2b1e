"""Whether the supplier is to be asked now."""

from datetime import datetime, timedelta

from smartcharge.app import App, kraken_sign_in_fingerprint, tesla_sign_in_fingerprint
from smartcharge.errors import AppError, NotConfirmedError, SignInRefusedError
from smartcharge.formatting import local_date_time, local_time
from smartcharge.policy.decide import is_clock_behind
from smartcharge.policy.polling import (
    CHARGER_BACKOFF_MINUTES,
    PLAN_TOLERANCE,
    backoff_delay,
    has_elapsed,
    is_blocked,
    is_plan_due,
    plan_interval,
)
from smartcharge.store.control import load_state
from smartcharge.store.devices import load_supplier_asked_at
from smartcharge.store.services import ServiceRow, is_alert_open, load_service

KRAKEN_SERVICE_KEY = "kraken"


def should_fetch_plan(app: App) -> bool:
    """Whether the supplier is to be asked now."""
    state = load_state(app.read_only_db, app.now, app.policy)
    asked_at = load_supplier_asked_at(app.read_only_db, until=app.now)
    return is_plan_due(state, asked_at, load_service(app.read_only_db, KRAKEN_SERVICE_KEY).not_before)


def next_fetch_at(app: App) -> datetime | None:
    """When the supplier is to be asked next by the usual interval; None where it never was."""
    asked_at = load_supplier_asked_at(app.read_only_db, until=app.now)
    state = load_state(app.read_only_db, app.now, app.policy)
    return asked_at and asked_at + plan_interval(state) - PLAN_TOLERANCE


def is_kraken_sign_in_refused(app: App) -> bool:
    """Whether the sign-in was refused and nothing has changed since: then silence, and exit 5."""
    refused_for = load_service(app.read_only_db, KRAKEN_SERVICE_KEY).refused_for
    refused = refused_for is not None and refused_for == kraken_sign_in_fingerprint(app.config)
    if refused:
        app.exit_codes.append(SignInRefusedError.exit_code)
    return refused


TESLA_SERVICE_KEY = "tesla"
LOCKOUT_ALERT = ("reconcile", "waiting")
"""The episode of a battery in other hands."""
FAILURES_WITHOUT_BACKOFF = 2
MAX_RELEASE_WAIT = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer: the battery always comes back."""
RELEASE_REFUSED_RETRY_INTERVAL, RELEASE_REFUSED_RETRIES = timedelta(minutes=2), 3
"""A refusal in the middle of a release is asked about again soon, at first: one may be a server in trouble."""
LOCKOUT_POLL_INTERVAL = timedelta(minutes=5)
"""How often a battery in other hands is looked at while nothing of it is ours."""
REFUSED_RETRY_INTERVAL = timedelta(minutes=15)
"""A refused sign-in is tried again so seldom: with a dead token every attempt costs four token requests."""


def can_contact_tesla(app: App, *, releasing: bool) -> bool:
    """Whether Tesla may be asked now.

    It minds an explicit "wait" (but none that was written down by a clock ahead of its time), and a refused
    sign-in until the token file changes (then at least every quarter of an hour all the same). A release minds
    nothing else; other acts skip minutes after failures.
    """
    if app.skip_tesla:
        return False
    row = load_service(app.read_only_db, TESLA_SERVICE_KEY)
    if _is_tesla_sign_in_refused(app, row, releasing=releasing):
        app.exit_codes.append(SignInRefusedError.exit_code)
        return False
    if releasing:
        return not is_blocked(app.now, row.not_before) or has_elapsed(app.now, row.asked_at, MAX_RELEASE_WAIT)
    skip = backoff_delay(CHARGER_BACKOFF_MINUTES, max(row.failures - FAILURES_WITHOUT_BACKOFF, 0))
    if is_alert_open(app.read_only_db, *LOCKOUT_ALERT):
        skip = max(skip, LOCKOUT_POLL_INTERVAL)
    was_asked_to_wait = not is_clock_behind(app.now, row.asked_at) and is_blocked(app.now, row.not_before)
    return not was_asked_to_wait and has_elapsed(app.now, row.asked_at, skip)


def is_blocking_release(app: App, error: AppError) -> bool:
    """Whether it is this trouble that keeps the battery from being brought back, and not the hands it is in.

    While those have it, a look that fails changes nothing, and the next that succeeds would be an end of trouble:
    told at once, they would take turns. A command that does not show proves the battery free again.
    """
    return isinstance(error, NotConfirmedError) or not is_alert_open(app.read_only_db, *LOCKOUT_ALERT)


def _is_tesla_sign_in_refused(app: App, row: ServiceRow, *, releasing: bool) -> bool:
    """Whether a refused sign-in stands, and it is not yet time to ask once more all the same."""
    if row.refused_for is None or row.refused_for != tesla_sign_in_fingerprint(app.config):
        return False
    soon = releasing and row.failures <= RELEASE_REFUSED_RETRIES
    return not has_elapsed(app.now, row.refused_at, RELEASE_REFUSED_RETRY_INTERVAL if soon else REFUSED_RETRY_INTERVAL)


SERVICE_LABELS = {"kraken": "Kraken", "zappi": "the Zappi", "tesla": "Tesla", "mail": "the mail server"}


def print_wait_reason(app: App, service: str, until: datetime | None = None) -> None:
    """Tell it in a line. until: when the usual interval is over; a wait that was asked for outlasts it."""
    if not app.verbose:
        return
    row, zone = load_service(app.read_only_db, service), app.policy.cheap_period.zone
    why = f", because: {row.last_error}" if row.last_error else ""
    if row.is_refused:
        since = f" {local_date_time(row.refused_at, app.now, zone)}" if row.refused_at else ""
        app.detail(
            f"{SERVICE_LABELS[service]} is not asked: the sign-in was refused{since} and nothing has changed{why}"
        )
        return
    moments = [until, row.not_before if is_blocked(app.now, row.not_before) else None]
    latest = max((moment for moment in moments if moment), default=None)
    if latest and latest > app.now:
        app.detail(f"{SERVICE_LABELS[service]} is not asked before {local_time(latest, zone)}{why}")
    elif why:
        app.detail(f"{SERVICE_LABELS[service]} is not asked in every run{why}")

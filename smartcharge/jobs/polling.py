"""Whether a service may be asked now, from what is stored about it; what a wait is for, in words."""

from datetime import datetime, timedelta
from enum import Enum, auto

from smartcharge.app import App, tesla_sign_in_fingerprint
from smartcharge.errors import AppError, NotConfirmedError, SignInRefusedError
from smartcharge.formatting import local_date_time, local_time
from smartcharge.policy.decide import is_clock_behind
from smartcharge.policy.polling import CHARGER_BACKOFF_MINUTES, backoff_delay, has_elapsed, is_blocked, is_plan_due
from smartcharge.store.control import load_state
from smartcharge.store.devices import load_supplier_asked_at
from smartcharge.store.services import ServiceRow, is_alert_open, load_service

KRAKEN_SERVICE_KEY = "kraken"
TESLA_SERVICE_KEY = "tesla"
LOCKOUT_ALERT = ("reconcile", "waiting")
"""Command and kind of the alert that an outside power has the battery."""
FAILURES_WITHOUT_BACKOFF = 2
MAX_RELEASE_WAIT = timedelta(minutes=3)
"""No wait that Tesla asks for holds a release back for longer: the battery always comes back."""
LOCKOUT_POLL_INTERVAL = timedelta(minutes=5)
"""How often a battery in other hands is read while nothing of it is ours."""
REFUSED_RETRY_DELAYS = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
"""When a refused sign-in is tried again; with a dead token every attempt costs four token requests."""


class ServiceAccess(Enum):
    """Whether a service may be asked now."""

    ALLOWED = auto()
    WAIT = auto()
    SIGN_IN_REFUSED = auto()


def should_fetch_plan(app: App) -> bool:
    """Whether the supplier is to be asked now."""
    db, now = app.read_only_db, app.now
    asked_at = load_supplier_asked_at(db, until=now)
    return is_plan_due(load_state(db, now, app.policy), asked_at, load_service(db, KRAKEN_SERVICE_KEY).not_before)


def can_contact_tesla(app: App, *, releasing: bool) -> bool:
    """Whether Tesla may be asked now; a refused sign-in counts for the exit code."""
    if app.skip_tesla:
        return False
    db = app.read_only_db
    access = tesla_access(
        load_service(db, TESLA_SERVICE_KEY),
        app.now,
        fingerprint=tesla_sign_in_fingerprint(app.config),
        releasing=releasing,
        is_locked_out=is_alert_open(db, *LOCKOUT_ALERT),
    )
    if access is ServiceAccess.SIGN_IN_REFUSED:
        app.out.exit_codes.append(SignInRefusedError.exit_code)
    return access is ServiceAccess.ALLOWED


def tesla_access(
    row: ServiceRow, now: datetime, *, fingerprint: str, releasing: bool, is_locked_out: bool
) -> ServiceAccess:
    """Whether Tesla may be asked now.

    Tesla's own "wait" is obeyed, but none that was stored by a clock ahead of its time. A release obeys nothing else.
    Other acts also skip minutes after failures, and hours after a refused sign-in until its fingerprint changes.
    """
    if _is_refusal_standing(row, now, fingerprint, releasing=releasing):
        return ServiceAccess.SIGN_IN_REFUSED
    if releasing:
        may_ask = not is_blocked(now, row.not_before) or has_elapsed(now, row.asked_at, MAX_RELEASE_WAIT)
    else:
        skip = backoff_delay(CHARGER_BACKOFF_MINUTES, max(row.failures - FAILURES_WITHOUT_BACKOFF, 0))
        if is_locked_out:
            skip = max(skip, LOCKOUT_POLL_INTERVAL)
        was_asked_to_wait = not is_clock_behind(now, row.asked_at) and is_blocked(now, row.not_before)
        may_ask = not was_asked_to_wait and has_elapsed(now, row.asked_at, skip)
    return ServiceAccess.ALLOWED if may_ask else ServiceAccess.WAIT


def _is_refusal_standing(row: ServiceRow, now: datetime, fingerprint: str, *, releasing: bool) -> bool:
    """Whether a refused sign-in stands, and it is not yet time to try once more all the same."""
    if row.refused_for is None or row.refused_for != fingerprint:
        return False
    delay = REFUSED_RETRY_DELAYS[min(max(row.failures, 1), len(REFUSED_RETRY_DELAYS)) - 1]
    return not releasing and not has_elapsed(now, row.refused_at, delay)


def is_blocking_release(app: App, error: AppError) -> bool:
    """Whether it is this error that keeps the battery from being released, and not an outside power.

    While such a power has the battery, a failed reading changes nothing, and the next successful one would end the
    alert: the two would be told in turns. A command that does not show proves the battery free again.
    """
    return isinstance(error, NotConfirmedError) or not is_alert_open(app.read_only_db, *LOCKOUT_ALERT)


SERVICE_LABELS = {"kraken": "your supplier", "zappi": "the Zappi", "tesla": "Tesla", "mail": "the mail server"}


def print_wait_reason(app: App, service: str, until: datetime | None = None) -> None:
    """Print with -v why a service is not asked now. until: when the usual interval is over."""
    if app.out.verbose:
        zone = app.policy.cheap_period.zone
        reason = wait_reason(load_service(app.read_only_db, service), app.now, zone, until)
        if reason:
            app.out.detail(reason)


def wait_reason(row: ServiceRow, now: datetime, zone: str, until: datetime | None) -> str | None:
    """Say why a service is not asked now; until: when the usual interval is over (a wait asked for may outlast it)."""
    label, why = SERVICE_LABELS[row.service], f": {row.last_error}" if row.last_error else ""
    if row.is_refused:
        since = f" {local_date_time(row.refused_at, now, zone)}" if row.refused_at else ""
        return f"{label} is not asked until you change something, because the sign-in was refused{since}{why}"
    moments = [until, row.not_before if is_blocked(now, row.not_before) else None]
    latest = max((moment for moment in moments if moment), default=None)
    if latest and latest > now:
        return f"{label} is not asked before {local_time(latest, zone)}{why}"
    return f"{label} is asked less often at present{why}" if why else None

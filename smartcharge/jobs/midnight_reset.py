"""The midnight reset: return the Powerwall to its normal settings once in each off-peak period."""

from smartcharge.app import App
from smartcharge.errors import AppError
from smartcharge.formatting import local_time, settings_text
from smartcharge.jobs.polling import (
    LOCKOUT_ALERT,
    LOCKOUT_POLL_INTERVAL,
    TESLA_SERVICE_KEY,
    can_contact_tesla,
    is_blocking_release,
)
from smartcharge.jobs.powerwall import add_manual_fix, reset_battery
from smartcharge.policy.battery import BatteryOutcome, BatterySettings
from smartcharge.policy.polling import has_elapsed
from smartcharge.policy.slots import Span
from smartcharge.store.control import is_clock_doubtful, load_battery_memory, load_pause
from smartcharge.store.database import transaction
from smartcharge.store.events import Event, EventDetail
from smartcharge.store.journal import append_journal, load_last_journal_row
from smartcharge.store.services import load_service, record_service_attempt

MIDNIGHT_RESET_COMMAND = "midnight-reset"


def run_midnight_reset(app: App) -> None:
    """May run every minute; it finds out by the cheap period whether it is due, never by cron's time zone."""
    night = due_cheap_period(app)
    if night is None:
        return
    if app.dry_run:
        app.out.say(f"would return the Powerwall to normal, {settings_text(app.resting)}: midnight reset")
        return
    with app.alerts.watch_lock(app.exclusive_lock(), MIDNIGHT_RESET_COMMAND):
        if due_cheap_period(app) is not None:
            perform_midnight_reset(app, night)


def has_midnight_reset_work(app: App) -> bool:
    """Whether this night's reset is still to be done, or to be postponed."""
    night = app.policy.cheap_period.containing(app.now)
    is_ours_to_set = app.controls_battery(owned=load_battery_memory(app.read_only_db).owned)
    return night is not None and is_ours_to_set and not _is_reset_done(app, night)


def due_cheap_period(app: App) -> Span | None:
    """The cheap period whose reset is still to be done, and may be tried now."""
    night = app.policy.cheap_period.containing(app.now)
    owned = load_battery_memory(app.read_only_db).owned
    if night is None or not app.controls_battery(owned=owned) or is_clock_doubtful(app.read_only_db, app.now):
        return None
    if _is_reset_done(app, night) or _is_reset_paused(app, night) or not can_contact_tesla(app, releasing=owned):
        return None
    return night if owned or _can_retry_reset(app, night) else None


def _is_reset_done(app: App, night: Span) -> bool:
    """Whether the battery was seen at rest this night, or nothing is ours and only what is ours is to be ended."""
    memory = load_battery_memory(app.read_only_db)
    rested = memory.midnight_reset_at is not None and night.starts_at <= memory.midnight_reset_at <= app.now
    return rested or (app.config.control.restore == "previous" and not memory.owned)


def _is_reset_paused(app: App, night: Span) -> bool:
    """A pause postpones the reset inside the same cheap period, with one row in the journal."""
    pause = load_pause(app.read_only_db)
    paused = pause is not None and (pause.until is None or app.now < pause.until)
    if paused and not app.dry_run:
        record_postponed_reset(app, night, "smartcharge is paused")
    return paused


def _can_retry_reset(app: App, night: Span) -> bool:
    """A battery in other hands is looked at every few minutes, not every minute."""
    last = load_last_journal_row(app.read_only_db, MIDNIGHT_RESET_COMMAND)
    postponed = last is not None and last.outcome is Event.POSTPONED and last.at >= night.starts_at
    return not postponed or has_elapsed(
        app.now, load_service(app.read_only_db, TESLA_SERVICE_KEY).asked_at, LOCKOUT_POLL_INTERVAL
    )


def record_postponed_reset(app: App, night: Span, why: str) -> None:
    """Write down once a night, and for each reason, why the reset has to wait."""
    last = load_last_journal_row(app.read_only_db, MIDNIGHT_RESET_COMMAND)
    if last is None or last.at < night.starts_at or (last.outcome, last.detail.text) != (Event.POSTPONED, why):
        with transaction(app.db):
            append_journal(app.db, at=app.now, command=MIDNIGHT_RESET_COMMAND, outcome=Event.POSTPONED, detail=why)


def _record_reset_failure(app: App, error: AppError) -> None:
    """Count a failed reset; one that keeps an owned battery from being released is told at once, and repeated."""
    is_overdue = load_battery_memory(app.db).owned and is_blocking_release(app, error)
    if is_overdue:
        error = add_manual_fix(app, error)
    app.alerts.record_failure(MIDNIGHT_RESET_COMMAND, TESLA_SERVICE_KEY, error, is_overdue=is_overdue)


def perform_midnight_reset(app: App, night: Span) -> None:
    """One conversation; the caller holds the lock."""
    try:
        result = reset_battery(app)
    except AppError as error:
        _record_reset_failure(app, error)
        return
    if result.error is not None:
        _record_reset_failure(app, result.error)
        return
    app.alerts.resolve(MIDNIGHT_RESET_COMMAND, TESLA_SERVICE_KEY)
    if result.ending is BatteryOutcome.WAITING:
        record_postponed_reset(app, night, f"{result.lockout} controls the Powerwall")
        with transaction(app.db):
            record_service_attempt(app.db, TESLA_SERVICE_KEY, app.now)
        return
    app.alerts.resolve_lockout(LOCKOUT_ALERT[0])
    if result.ending in {BatteryOutcome.SETTLING, BatteryOutcome.OTHER_SITE}:
        return
    settings = BatterySettings(result.reading.mode or "", round(result.reading.reserve_pct or 0))
    detail = EventDetail(mode=settings.mode, reserve_pct=settings.reserve_pct)
    with transaction(app.db):
        outcome = Event.WRITTEN if result.written else Event.AT_REST
        append_journal(app.db, at=app.now, command=MIDNIGHT_RESET_COMMAND, outcome=outcome, detail=detail)
    if result.written:
        app.out.say(
            f"{local_time(app.now, app.policy.cheap_period.zone)} midnight reset: "
            f"Powerwall back to normal, {settings_text(settings)}"
        )

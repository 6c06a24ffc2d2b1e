"""Set the Powerwall to what it should be doing now; a release that is due comes before everything else."""

from datetime import datetime

from smartcharge.app import App
from smartcharge.errors import AppError, NotConfirmedError, StoreError, UnreachableError
from smartcharge.formatting import local_time, powerwall_is, settings_text
from smartcharge.jobs.charger import should_poll_charger, with_charger_state
from smartcharge.jobs.invites import queue_due_invites
from smartcharge.jobs.polling import TESLA_SERVICE_KEY, can_contact_tesla, is_blocking_release, print_wait_reason
from smartcharge.jobs.powerwall import (
    BatteryResult,
    WrongClockError,
    add_manual_fix,
    hold_battery,
    hold_settings_text,
    is_confirmed_hold,
    normal_settings,
    release_battery,
)
from smartcharge.jobs.shadow import run_shadow
from smartcharge.policy.battery import BatteryOutcome, BatterySettings
from smartcharge.policy.decide import decide, is_release_certain
from smartcharge.policy.model import ChargerState, Decision, Reason, State, merge_windows
from smartcharge.policy.slots import SLOT, last_slot_end
from smartcharge.store.control import (
    CLOCK_DOUBT_ALERT,
    is_clock_doubtful,
    load_battery_memory,
    load_state,
    mark_hold_confirmed,
    save_manual_override,
    set_hold,
)
from smartcharge.store.database import transaction
from smartcharge.store.events import NO_DETAIL, Event, EventDetail
from smartcharge.store.journal import append_journal, load_last_journal_row
from smartcharge.store.services import is_alert_open

RECONCILE_COMMAND = "reconcile"
CLOCK_ALERT = "clock"
OTHER_SITE_ALERT = "site"


def run_reconcile(app: App) -> None:
    """Look first, without the lock: a run with nothing to do takes none and writes nothing."""
    if app.dry_run:
        dry_run_reconcile(app)
        return
    if has_reconcile_work(app):
        with app.alerts.watch_lock(app.exclusive_lock(), RECONCILE_COMMAND):
            decide_and_apply(app)
    elif (
        not load_battery_memory(app.read_only_db).owned
        and load_state(app.read_only_db, app.now, app.policy).hold is None
    ):
        app.alerts.resolve_lockout(RECONCILE_COMMAND, "the Powerwall is not needed any more")
    run_shadow(app)
    _alert_on_doubtful_clock(app)


def release_if_due(app: App) -> None:
    """The part of a tick that comes before Kraken and the Zappi are asked anything."""
    state = load_state(app.read_only_db, app.now, app.policy)
    if not app.dry_run and (
        is_release_certain(state) or (state.hold is None and load_battery_memory(app.read_only_db).owned)
    ):
        run_reconcile(app)


def has_reconcile_work(app: App) -> bool:
    """Whether there is anything to ask, to record or to change."""
    state = load_state(app.read_only_db, app.now, app.policy)
    if should_poll_charger(app, state):
        return True
    state = with_charger_state(app, state)
    decision = decide(state)
    return decision.hold != state.hold or should_contact_battery(app, state, decision)


def decide_and_apply(app: App) -> None:
    """Load the state, ask the charger where its answer matters, decide, and apply. The caller holds the lock."""
    state = with_charger_state(app, load_state(app.db, app.now, app.policy))
    decision = decide(state)
    if decision.hold != state.hold or should_contact_battery(app, state, decision):
        apply_decision(app, state, decision)


def _alert_on_doubtful_clock(app: App) -> None:
    """Told once when the clock goes wrong, and once when it is right again."""
    if is_alert_open(app.read_only_db, *CLOCK_DOUBT_ALERT):
        app.out.exit_codes.append(UnreachableError.exit_code)  # told when it began
    elif not is_clock_doubtful(app.read_only_db, app.now):
        app.alerts.resolve(RECONCILE_COMMAND, CLOCK_ALERT)
    else:
        reads = f"this computer's clock shows {app.now:%Y-%m-%d %H:%M} UTC, which is before the last recorded run"
        fix = "let the network set the clock: `sudo timedatectl set-ntp true`"
        error = UnreachableError(f"{reads}: no charge starts until it is right", fix=fix)
        app.alerts.record_failure(RECONCILE_COMMAND, CLOCK_ALERT, error, urgent=True)


def dry_run_reconcile(app: App) -> None:
    """Say what would be done; the charger is asked where its answer matters, nothing is changed."""
    state = with_charger_state(app, load_state(app.read_only_db, app.now, app.policy))
    decision = decide(state)
    memory = load_battery_memory(app.read_only_db)
    if decision.hold:
        if decision.hold != state.hold or not is_confirmed_hold(app, memory, decision.hold.until):
            print_intended_hold(app, decision.hold.until, decision.reason)
    elif state.hold or memory.owned:
        wanted = normal_settings(app, memory)
        app.out.say(f"would return the Powerwall to normal, {settings_text(wanted)}: {decision.reason.sentence}")


def should_contact_battery(app: App, state: State, decision: Decision) -> bool:
    """Whether a session with the battery is needed; a confirmed hold is read back only when it is renewed."""
    memory, hold = load_battery_memory(app.read_only_db), decision.hold
    pending = memory.owned
    if hold is not None:
        pending = hold != state.hold or not is_confirmed_hold(app, memory, hold.until)
    is_ours_to_set = app.controls_battery(owned=memory.owned and hold is None)
    if not (pending and is_ours_to_set):
        return False
    is_allowed = can_contact_tesla(app, releasing=hold is None)
    if not (is_allowed or app.skip_tesla):
        print_wait_reason(app, TESLA_SERVICE_KEY)
    return is_allowed


def print_intended_hold(app: App, until: datetime, reason: Reason) -> None:
    """What would be held, where nothing may be."""
    zone = app.policy.cheap_period.zone
    app.out.say(
        f"would set the Powerwall to {hold_settings_text(app)} until {local_time(until, zone)}: {reason.sentence}"
    )


MIDNIGHT_RESET_ALERT = "midnight-reset"
"""Its trouble with Tesla is over, too, when Tesla serves again."""


def apply_decision(app: App, state: State, decision: Decision) -> None:
    """Record, act, verify. The caller holds the lock."""
    decision = _record_with_fallback(app, state, decision)
    if not should_contact_battery(app, state, decision):
        return
    try:
        result = hold_battery(app, decision.hold.until) if decision.hold else release_battery(app)
    except WrongClockError:
        return
    except AppError as error:
        _record_battery_failure(app, decision, error)
        return
    if result.error is not None:
        _record_battery_failure(app, decision, result.error)
    else:
        if result.is_hold_given_up:
            app.alerts.drop(RECONCILE_COMMAND, TESLA_SERVICE_KEY)
        app.alerts.resolve(RECONCILE_COMMAND, TESLA_SERVICE_KEY)
        app.alerts.resolve(MIDNIGHT_RESET_ALERT, TESLA_SERVICE_KEY)
        _report_result(app, state, decision, result)


def _record_battery_failure(app: App, decision: Decision, error: AppError) -> None:
    """Journal a failure and count it; one that keeps a release from happening is told at once, and repeated."""
    is_overdue = decision.hold is None and is_blocking_release(app, error)
    if is_overdue:
        error = add_manual_fix(app, error)
    detail = EventDetail(exit_code=error.exit_code)
    _journal_result(app, decision.reason, outcome=Event.FAILED, error=str(error), detail=detail)
    app.alerts.record_failure(RECONCILE_COMMAND, TESLA_SERVICE_KEY, error, is_overdue=is_overdue)


def _record_with_fallback(app: App, state: State, decision: Decision) -> Decision:
    """Give the decision that could be stored: a hold that cannot be prolonged on a full disk ends when it is due."""
    try:
        record_decision(app, state, decision)
    except StoreError:
        if not state.is_release_due or decision.hold is None:
            raise
        state = state.with_charger(ChargerState.UNKNOWN)
        decision = decide(state)
        record_decision(app, state, decision)
    return decision


def record_decision(app: App, state: State, decision: Decision) -> None:
    """Commit the hold when it is decided, so that a later run ends it after a crash.

    A database that cannot be written stops every beginning, but no release.
    """
    if decision.hold == state.hold:
        return
    around = next((span for span in merge_windows(state.windows) if span.covers(app.now)), None)
    try:
        with transaction(app.db):
            set_hold(app.db, decision.hold, decision.reason, app.now, around.starts_at if around else None)
            append_journal(
                app.db,
                at=app.now,
                command=RECONCILE_COMMAND,
                reason=decision.reason,
                state=state,
                outcome=Event.DECIDED,
            )
            queue_due_invites(app)
    except StoreError as refused:
        if decision.hold is not None:
            raise
        app.out.report_error(refused)
    if decision.hold is not None and not app.controls_battery():
        print_intended_hold(app, decision.hold.until, decision.reason)


def _report_result(app: App, state: State, decision: Decision, result: BatteryResult) -> None:
    """Write down and say what came of it, and stand back where the battery is somebody else's."""
    if result.ending is BatteryOutcome.WAITING:
        app.alerts.report_lockout(
            RECONCILE_COMMAND, f"{result.lockout} controls the Powerwall: smartcharge waits until that is over"
        )
        return
    app.alerts.resolve_lockout(RECONCILE_COMMAND)
    if result.ending is BatteryOutcome.OTHER_SITE:
        _report_other_site(app, result)
        return
    app.alerts.resolve(RECONCILE_COMMAND, OTHER_SITE_ALERT)
    if result.ending is BatteryOutcome.SETTLING:
        app.out.detail(
            "the Powerwall is back to normal, but an unanswered command may still take effect: it is read again"
        )
        return
    if result.ending in {BatteryOutcome.HELD_BY_OTHERS, BatteryOutcome.BY_HAND}:
        _start_manual_override(app, state, result)
        return
    mode, reserve_pct = result.reading.mode or "", round(result.reading.reserve_pct or 0)
    settings = BatterySettings(mode, reserve_pct)
    settings_read = settings_text(settings)
    end = "left in" if decision.reason is Reason.STOOD_DOWN else "back to normal,"
    shown = powerwall_is(settings) if decision.hold else f"{end} {settings_read}"
    until = f" until {local_time(decision.hold.until, app.policy.cheap_period.zone)}" if decision.hold else ""
    detail = EventDetail(mode=mode, reserve_pct=reserve_pct, until=decision.hold.until if decision.hold else None)
    _journal_result(app, decision.reason, outcome=Event.CONFIRMED, detail=detail)
    app.out.say(f"{local_time(app.now, app.policy.cheap_period.zone)} Powerwall {shown}{until}: "
              f"{decision.reason.sentence}")  # fmt: skip


def _report_other_site(app: App, result: BatteryResult) -> None:
    """Report once that the configuration leads to another Powerwall than the one that must be released."""
    site = result.memory.site
    owned = f"{site.site} ({site.backend})" if site else "another site"
    message = f"smartcharge set the Powerwall of {owned}, and your configuration now leads to another one"
    fix = "name the former one in your configuration until it is back to normal, or set it in the Tesla app"
    error = NotConfirmedError(f"{message}: nothing is written there", fix=fix, service=TESLA_SERVICE_KEY)
    app.alerts.record_failure(RECONCILE_COMMAND, OTHER_SITE_ALERT, error, is_overdue=True)


def _start_manual_override(app: App, state: State, result: BatteryResult) -> None:
    """Leave this window to whoever set the battery, say so, and end what is still ours."""
    around = next((span for span in merge_windows(state.windows) if span.covers(app.now)), None)
    until = (last_slot_end(around.ends_at) if around else _hold_end(state)) + SLOT
    zone = app.policy.cheap_period.zone
    was = "was already set" if result.ending is BatteryOutcome.HELD_BY_OTHERS else "was changed"
    with transaction(app.db):
        save_manual_override(app.db, app.now, until)
        set_hold(app.db, None, Reason.STOOD_DOWN, app.now)
        append_journal(
            app.db, at=app.now, command=RECONCILE_COMMAND, reason=Reason.STOOD_DOWN, outcome=Event(result.ending),
            detail=_reading_detail(result, f"the Powerwall {was} by someone else"),
        )  # fmt: skip
        queue_due_invites(app)
    app.out.say(
        f"{local_time(app.now, zone)} the Powerwall {was} by someone else, to {_reading_text(result)}: "
        f"smartcharge leaves it alone until {local_time(until, zone)}; `smartcharge resume` ends that"
    )
    if load_battery_memory(app.db).owned:
        decide_and_apply(app)


def _hold_end(state: State) -> datetime:
    return state.hold.until if state.hold else state.now


def _reading_detail(result: BatteryResult, text: str) -> EventDetail:
    reserve_pct = result.reading.reserve_pct
    return EventDetail(
        mode=result.reading.mode, reserve_pct=None if reserve_pct is None else round(reserve_pct), text=text
    )


def _reading_text(result: BatteryResult) -> str:
    return settings_text(BatterySettings(result.reading.mode or "", round(result.reading.reserve_pct or 0)))


def _journal_result(
    app: App, reason: Reason, *, outcome: Event, error: str | None = None, detail: EventDetail = NO_DETAIL
) -> None:
    """One journal row for what happened; a failure that repeats itself is written once."""
    last = load_last_journal_row(app.read_only_db, RECONCILE_COMMAND)
    if error and last and (last.outcome, last.error) == (outcome, error):
        return
    try:
        with transaction(app.db):
            append_journal(
                app.db,
                at=app.now,
                command=RECONCILE_COMMAND,
                reason=reason,
                outcome=outcome,
                error=error,
                detail=detail,
            )
            if outcome is Event.CONFIRMED and detail.until is not None:
                mark_hold_confirmed(app.db, app.now)
    except StoreError as refused:
        app.out.exit_codes.append(refused.exit_code)

"""`smartcharge status`: one screen for the owner, one object for programs; never writes, needs no network."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from zoneinfo import ZoneInfo

import click

from smartcharge.alerts import LOCKOUT_KIND
from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_time
from smartcharge.commands.screen import print_rows
from smartcharge.commands.snapshot_json import status_json
from smartcharge.errors import AppError, fix_sentence
from smartcharge.formatting import (
    EMPTY_ROW,
    TESLA_APP_SHOWS_NO_MODE,
    TextRow,
    TextTone,
    age_text,
    local_date_time,
    local_span,
    local_time,
    settings_text,
)
from smartcharge.policy.battery import MODE_BACKUP, BatterySettings
from smartcharge.policy.decide import decide
from smartcharge.policy.model import ChargerState, DispatchWindow, Reason, merge_windows
from smartcharge.policy.slots import Span
from smartcharge.report.event_text import event_sentence
from smartcharge.report.problems import Problem, find_problems
from smartcharge.report.snapshot import Snapshot, load_snapshot


def battery_headline(snapshot: Snapshot) -> tuple[str, TextTone]:
    """Return what the Powerwall is doing, and until when."""
    memory = snapshot.battery
    if not snapshot.has_battery:
        return "not configured, so nothing is ever set", TextTone.WARNING
    if any(each.kind == LOCKOUT_KIND for each in snapshot.alerts):
        return "controlled by something else at present; smartcharge waits", TextTone.WARNING
    if snapshot.is_hold_hypothetical:
        return _shadow_headline(snapshot)
    if snapshot.hold:
        return _hold_headline(snapshot, snapshot.hold.hold.until)
    if memory.owned:
        return "being returned to normal", TextTone.WARNING
    return "not used yet" if memory.confirmed_mode is None else "in its normal mode", TextTone.RESTING


def _shadow_headline(snapshot: Snapshot) -> tuple[str, TextTone]:
    if snapshot.hold is None:
        return "left to the other controller", TextTone.RESTING
    until = local_time(snapshot.hold.hold.until, snapshot.state.policy.cheap_period.zone)
    return (
        f"left to the other controller; smartcharge would {_hold_action(snapshot)} until {until}",
        TextTone.WARNING,
    )


def _hold_headline(snapshot: Snapshot, until: datetime) -> tuple[str, TextTone]:
    local = local_time(until, snapshot.state.policy.cheap_period.zone)
    if snapshot.state.now >= until:
        return f"should have returned to normal at {local}", TextTone.ERROR
    if snapshot.is_held:
        doing = "charging from the grid" if snapshot.is_fill_mode else "keeping its charge"
        return f"{doing}{_hold_end_suffix(snapshot, until)}", TextTone.HOLDING
    return f"asked to {_hold_action(snapshot)} until {local}; not confirmed yet", TextTone.WARNING


def _hold_end_suffix(snapshot: Snapshot, until: datetime) -> str:
    """Return when the slot ends, or when the hold ends if that is not earlier."""
    zone = snapshot.state.policy.cheap_period.zone
    slot = next((each for each in merge_windows(snapshot.state.windows) if each.covers(snapshot.state.now)), None)
    if slot is None or slot.ends_at <= until:
        return f" until {local_time(until, zone)}"
    return f"; the slot ends {local_time(slot.ends_at, zone)}"


def _hold_action(snapshot: Snapshot) -> str:
    return "charge it from the grid" if snapshot.is_fill_mode else "keep its charge"


def status_reason(snapshot: Snapshot) -> str:
    """Return why: the rule that decided, or what is missing for a charge."""
    if snapshot.hold:
        is_over = snapshot.state.now >= snapshot.hold.hold.until
        if is_over:
            return "no run has returned it to normal since"
        return snapshot.hold.reason.sentence if snapshot.hold.reason else "why it was begun cannot be read any more"
    decision = decide(snapshot.state).reason
    window = next((w for w in snapshot.state.windows if w.live and w.covers(snapshot.state.now)), None)
    if decision is not Reason.NOTHING_TO_HOLD or window is None:
        return decision.sentence
    return f"a smart-charging slot is open, but {_missing_for_hold(snapshot, window)}"


def _missing_for_hold(snapshot: Snapshot, window: DispatchWindow) -> str:
    if not snapshot.state.is_fresh(window):
        return "the charging schedule is too old"
    if window.boosting:
        return "the charge is boosted by hand, at the peak rate"
    state = snapshot.charger.reading.state if snapshot.charger else ChargerState.UNKNOWN
    return {
        ChargerState.CHARGING: "too little of it is left, or the hours of the day are used up",
        ChargerState.IDLE: "the car is not charging",
        ChargerState.UNKNOWN: "it is not known whether the car is charging",
    }[state]


MAX_WINDOW_ROWS = 4
SHADOW_NOTE = "control.shadow is true: smartcharge reads the Powerwall and never sets it"


def render_status(snapshot: Snapshot, problems: Sequence[Problem]) -> Iterator[TextRow]:
    """Return the rows of the screen, from the top; times are local."""
    now, zone = snapshot.state.now, snapshot.state.policy.cheap_period.zone
    message, tone = battery_headline(snapshot)
    yield _now_row(now, zone)
    yield TextRow("Powerwall", message, tone)
    if snapshot.shadow:
        yield TextRow("shadow", SHADOW_NOTE, TextTone.WARNING)
    yield TextRow("because", status_reason(snapshot))
    for problem in problems:
        yield from _problem_rows(problem, now, zone)
    yield EMPTY_ROW
    yield from _detail_rows(snapshot)
    if snapshot.last_runs:
        yield EMPTY_ROW
    for number, run in enumerate(sorted(snapshot.last_runs, key=lambda run: run.at, reverse=True)):
        run_text = f"{local_date_time(run.at, now, zone)} {run.command}: {event_sentence(run, zone)}"
        yield TextRow("" if number else "last runs", run_text, TextTone.DIM, max_lines=1)


def _now_row(now: datetime, zone: str) -> TextRow:
    return TextRow("now", f"{now.astimezone(ZoneInfo(zone)):%a %d %b} {local_time(now, zone)}", TextTone.DIM)


def _problem_rows(problem: Problem, now: datetime, zone: str) -> Iterator[TextRow]:
    """Return one problem and its fix."""
    since = f" (since {local_date_time(problem.since, now, zone)})" if problem.since else ""
    tone = TextTone.ERROR if problem.is_for_owner else TextTone.WARNING
    yield TextRow("problem" if problem.is_for_owner else "warning", f"{problem.message}{since}", tone)
    yield TextRow("", fix_sentence(problem.fix))


def _detail_rows(snapshot: Snapshot) -> Iterator[TextRow]:
    yield TextRow("settings", _battery_status(snapshot))
    if snapshot.level and snapshot.level.soe_pct is not None:
        yield TextRow(
            "energy", f"{snapshot.level.soe_pct:.0f} % full ({age_text(snapshot.state.now - snapshot.level.at)} ago)"
        )
    yield TextRow("car", _car_status(snapshot))
    yield TextRow("schedule", _plan_status(snapshot), TextTone.PLAIN if snapshot.is_plan_fresh else TextTone.WARNING)
    yield from _window_rows(snapshot)
    yield from _pause_rows(snapshot)
    if snapshot.outbox.waiting or snapshot.outbox.sent:
        yield TextRow("invites", f"{snapshot.outbox.waiting} waiting, {snapshot.outbox.sent} sent")


def _battery_status(snapshot: Snapshot) -> str:
    if snapshot.is_hold_hypothetical:
        return "set by the other controller: `smartcharge agreement` compares"
    memory, zone, now = snapshot.battery, snapshot.state.policy.cheap_period.zone, snapshot.state.now
    if memory.confirmed_mode is None or memory.confirmed_reserve_pct is None:
        status_text = "being changed: Tesla has not confirmed them yet" if memory.in_doubt_since else "not read yet"
    else:
        status_text = settings_text(BatterySettings(memory.confirmed_mode, memory.confirmed_reserve_pct))
    if snapshot.hold and snapshot.next_release_at:
        status_text += f"; next decision {local_time(snapshot.next_release_at, zone)}"
    if snapshot.read_back_at and memory.confirmed_mode:
        status_text += f" (read {age_text(now - snapshot.read_back_at)} ago)"
    if memory.confirmed_mode == MODE_BACKUP:
        status_text += f". {TESLA_APP_SHOWS_NO_MODE}"
    return status_text


def _car_status(snapshot: Snapshot) -> str:
    if snapshot.charger is None:
        return "not asked yet: the Zappi is asked only in a smart-charging slot"
    reading = snapshot.charger.reading
    power = f", {reading.watts:,.0f} W" if reading.watts is not None else ""
    forced = "; boosted by hand" if any(d.watched and d.boosting for d in snapshot.devices) else ""
    return f"{reading.state.lower()}{power} ({age_text(snapshot.state.now - reading.at)} ago){forced}"


def _plan_status(snapshot: Snapshot) -> str:
    if snapshot.fetched_at is None:
        return "not fetched yet"
    state = "recent" if snapshot.is_plan_fresh else "too old, so no charge starts"
    return f"fetched {age_text(snapshot.state.now - snapshot.fetched_at)} ago, {state}"


def _window_rows(snapshot: Snapshot) -> Iterator[TextRow]:
    """Return the slots ahead as the owner sees them: adjacent and overlapping ones are one."""
    live = [row for row in snapshot.dispatches if row.live]
    spans = [each for each in merge_windows(snapshot.state.windows) if each.ends_at > snapshot.state.now]
    if not spans:
        yield TextRow("slots", "none ahead")
    for number, each in enumerate(spans[:MAX_WINDOW_ROWS]):
        energies = [row.energy_kwh for row in live if each.starts_at <= row.starts_at < each.ends_at]
        about_kwh = f", about {sum(kwh for kwh in energies if kwh):.1f} kWh" if any(energies) else ""
        text = f"{local_span(each.starts_at, each.ends_at, snapshot.state.policy.cheap_period.zone)}{about_kwh}"
        yield TextRow("" if number else "slots", f"{text}{_window_remark(snapshot, each)}")
    if len(spans) > MAX_WINDOW_ROWS:
        yield TextRow("", f"and {len(spans) - MAX_WINDOW_ROWS} more")


def _window_remark(snapshot: Snapshot, window: Span) -> str:
    if window.covers(snapshot.state.now):
        return ", now"
    night = snapshot.state.policy.cheap_period.containing(window.starts_at)
    return ", in off-peak hours" if night and window.ends_at <= night.ends_at else ""


def _pause_rows(snapshot: Snapshot) -> Iterator[TextRow]:
    now, zone = snapshot.state.now, snapshot.state.policy.cheap_period.zone
    if snapshot.state.is_paused:
        until = snapshot.state.pause and snapshot.state.pause.until
        yield TextRow(
            "paused",
            f"until {local_date_time(until, now, zone) if until else '`smartcharge resume`'}",
            TextTone.WARNING,
        )
    if snapshot.state.manual_override_until:
        until = snapshot.state.manual_override_until
        yield TextRow(
            "left alone", f"until {local_date_time(until, now, zone)}; `smartcharge resume` ends it", TextTone.WARNING
        )


def render_unreadable_status(app: App, error: AppError) -> Iterator[TextRow]:
    """Return what can be said when the database cannot be read: the time and the fix."""
    night, zone = app.policy.cheap_period.containing(app.now), app.policy.cheap_period.zone
    yield _now_row(app.now, zone)
    yield TextRow("Powerwall", "not known: the database cannot be read", TextTone.ERROR)
    yield from _problem_rows(Problem(error.message, error.fix or "Try again in a minute"), app.now, zone)
    yield EMPTY_ROW
    yield TextRow("off-peak", f"until {local_time(night.ends_at, zone)}" if night else "not now")


@click.command("status")
@click.option("--json", "for_programs", is_flag=True, help="One JSON object, times in UTC.")
@at_option
@click.pass_obj
def status_command(session: CliContext, *, for_programs: bool, at: str | None) -> int:
    """Show what the Powerwall is doing, until when, and why."""
    with closing(session.open_app(read_only=True)) as app:
        app.now = parse_time(at, app) if at else app.now
        try:
            snapshot = load_snapshot(app)
        except AppError as error:
            if not for_programs:
                print_rows(render_unreadable_status(app, error))
            raise
        problems = find_problems(snapshot)
        if for_programs:
            click.echo(json.dumps(status_json(snapshot, problems), default=_encode_status_value))
        else:
            print_rows(render_status(snapshot, problems))
    return 0


def _encode_status_value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)

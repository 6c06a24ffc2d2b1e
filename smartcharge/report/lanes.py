"""The chart of a day, built from the database; no service is asked and nothing is written."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from msgspec import structs

from smartcharge.alerts import alert_subject
from smartcharge.app import App
from smartcharge.jobs.shadow import SHADOW_COMMAND
from smartcharge.policy.ledger import LedgerEntry, Loss, mark_shadow_entries
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState, Reason
from smartcharge.policy.slots import Span
from smartcharge.report.event_text import event_detail
from smartcharge.report.model import ChartLane, ChartMark, ChartPoint, DayChart, MarkStyle
from smartcharge.report.words import DayView, count_text, hours_text, kwh_text, times_text
from smartcharge.store.control import HoldRow, load_hold_history
from smartcharge.store.dispatches import DispatchRow, load_dispatch_history
from smartcharge.store.events import MANUAL_OVERRIDES, PROBLEMS, Event
from smartcharge.store.journal import JournalRow, load_journal
from smartcharge.store.readings import load_battery_levels, load_charger_readings
from smartcharge.store.services import Alert, load_open_alerts

WATTS_PER_KW = 1000
LEVEL_LANE_TOP_PCT = 100.0
MIN_CAR_LANE_TOP_KW = 7.4
"""The most that a single-phase charger delivers: days with less have the same scale."""
READING_VALID_FOR = timedelta(minutes=35)
"""A reading counts until the next one, but not for longer than this."""
LAST_READING_LENGTH = timedelta(minutes=1)
STYLE_BY_CHARGER_STATE = {
    ChargerState.CHARGING: MarkStyle.CHARGING,
    ChargerState.IDLE: MarkStyle.IDLE,
    ChargerState.UNKNOWN: MarkStyle.UNKNOWN,
}
HOLD_REASONS = {Reason.CHARGING_IN_WINDOW, Reason.OVERRUN, Reason.SLOT_ALREADY_CHEAP}
"""The reasons for which the Powerwall is charged."""
RECONCILE_COMMAND = "reconcile"


def car_lane(view: DayView, rows: Sequence[ChargerReading]) -> ChartLane:
    """Return the power of the car; consecutive readings of the same state are one mark."""
    marks = tuple(_car_mark(view, run, until) for run, until in _group_readings(rows))
    top = max((row.watts or 0 for row in rows), default=0) / WATTS_PER_KW
    return ChartLane("Car", marks, top=max(top, MIN_CAR_LANE_TOP_KW), unit="kW")


def battery_level_lane(view: DayView, rows: Sequence[BatteryLevel]) -> ChartLane:
    """Return the charge level of the Powerwall, as far as it was read."""
    marks, run = [], list[ChartPoint]()
    points = [ChartPoint(row.at, row.soe_pct) for row in rows if row.soe_pct is not None]
    for point, following in zip(points, [*points[1:], None], strict=False):
        run.append(point)
        if following is None or following.at - point.at > READING_VALID_FOR:
            marks.append(_battery_level_mark(view, tuple(run)))
            run = []
    return ChartLane("Powerwall level", tuple(marks), top=LEVEL_LANE_TOP_PCT, unit="%")


def battery_requested_lane(view: DayView, holds: Iterable[HoldRow], rows: Sequence[JournalRow]) -> ChartLane:
    """Return when the Powerwall was asked to charge or to keep its charge, and with which settings."""
    ends = ((hold, hold.closed_at or view.past_part.ends_at) for hold in holds)
    marks = (
        view.span_mark(MarkStyle.ASKED, hold.opened_at, end, _requested_settings(view, Span(hold.opened_at, end), rows))
        for hold, end in ends
        if hold.opened_at < end
    )
    return ChartLane("Powerwall asked", tuple(marks))


def _requested_settings(view: DayView, hold: Span, rows: Iterable[JournalRow]) -> str:
    """Return the settings that the Powerwall confirmed during a hold."""
    confirmed = (row for row in rows if row.outcome is Event.CONFIRMED and row.reason in HOLD_REASONS)
    found = next((_settings_read(row, view.zone) for row in confirmed if hold.covers(row.at)), None)
    return found or "asked for, not confirmed"


def battery_confirmed_lane(view: DayView, rows: Iterable[JournalRow]) -> ChartLane:
    """Return the settings of the Powerwall as they were read back; each reading counts until the next."""
    told = [(row.at, *told) for row in rows if (told := settings_mark(row, view.zone)) is not None]
    changes = [
        each for before, each in zip([None, *told], told, strict=False) if before is None or before[1:] != each[1:]
    ]
    marks = []
    for (at, look, what), until in zip(
        changes, [*(each[0] for each in changes[1:]), view.past_part.ends_at], strict=False
    ):
        if look is not None and view.span.starts_at < until and at < view.span.ends_at:
            marks.append(view.span_mark(look, at, until, what))
    return ChartLane("Powerwall confirmed", tuple(marks))


def settings_mark(row: JournalRow, zone: str) -> tuple[MarkStyle | None, str] | None:
    """Return what a journal row says about the settings of the Powerwall; None if it says nothing about them.

    The style is None if the settings are not known any more.
    """
    if row.outcome is Event.CONFIRMED:
        return (MarkStyle.BACKUP if row.reason in HOLD_REASONS else MarkStyle.REST), _settings_read(row, zone)
    if row.outcome in {Event.WRITTEN, Event.AT_REST, Event.RELEASED}:
        return MarkStyle.REST, _settings_read(row, zone)
    if row.command != RECONCILE_COMMAND:
        return None
    if row.outcome is Event.FAILED:
        return MarkStyle.DOUBT, f"not confirmed: {row.error or ''}"
    if row.outcome in MANUAL_OVERRIDES or row.outcome is Event.WAITING:
        return MarkStyle.HAND, event_detail(row, zone) or row.outcome
    return (None, "") if row.outcome is Event.WAITED else None


def _settings_read(row: JournalRow, zone: str) -> str:
    """Return the settings without their end time, so that equal settings are one mark."""
    return event_detail(structs.replace(row, detail=structs.replace(row.detail, until=None)), zone) or ""


def _group_readings(rows: Sequence[ChargerReading]) -> Iterator[tuple[list[ChargerReading], datetime]]:
    """Yield consecutive readings of one state without a gap, and the time until which they count."""
    run: list[ChargerReading] = []
    for row, following in zip(rows, [*rows[1:], None], strict=False):
        run.append(row)
        if following is None or following.at - row.at > READING_VALID_FOR:
            yield run, row.at + LAST_READING_LENGTH
            run = []
        elif following.state is not row.state:
            yield run, following.at
            run = []


def _car_mark(view: DayView, run: Sequence[ChargerReading], until: datetime) -> ChartMark:
    first, last = run[0], run[-1]
    known = [row.watts for row in run if row.watts is not None]
    points = tuple(ChartPoint(row.at, row.watts / WATTS_PER_KW) for row in run if row.watts is not None)
    if first.state is ChargerState.UNKNOWN:
        what = f"no reading of the Zappi: {last.why or 'no answer'}"
        points = ()
    elif first.state is ChargerState.IDLE:
        what = "the car was not charging"
    else:
        low, high = (f"{watts / WATTS_PER_KW:.1f}" for watts in (min(known, default=0), max(known, default=0)))
        what = f"the car was charging at {low if low == high else f'{low} to {high}'} kW"
    if points:
        points = (*points, ChartPoint(until, points[-1].value))
    return view.span_mark(
        STYLE_BY_CHARGER_STATE[first.state],
        first.at,
        until,
        f"{what} ({count_text(len(run), 'reading')})",
        points=points,
    )


def _battery_level_mark(view: DayView, run: Sequence[ChartPoint]) -> ChartMark:
    first, last = run[0], run[-1]
    what = f"{first.value:.0f} % full" if len(run) == 1 else f"from {first.value:.0f} to {last.value:.0f} % full"
    return view.span_mark(MarkStyle.LEVEL, first.at, last.at, what, points=tuple(run))


PLANNED_KIND = "planned"


def rate_lane(view: DayView, entries: Iterable[LedgerEntry]) -> ChartLane:
    """Return when the off-peak rate applied, and why; equal half hours are one mark."""
    marks = []
    for (look, what), alike in groupby(entries, _rate_style):
        if look is not None:
            found = list(alike)
            marks.append(view.span_mark(look, found[0].starts_at, found[-1].ends_at, what))
    return ChartLane("Rate", tuple(marks))


def plan_lane(view: DayView, rows: Iterable[DispatchRow]) -> ChartLane:
    """Return every slot ever scheduled for this day and every change of it, in the order they were announced."""
    planned = sorted((row for row in rows if row.kind == PLANNED_KIND), key=lambda row: (row.first_seen_at, row.id))
    return ChartLane("Schedule", tuple(_plan_mark(view, row) for row in planned), note="every change, as it came")


def hold_lane(view: DayView, rows: Iterable[HoldRow], entries: Sequence[LedgerEntry]) -> ChartLane:
    """Return the charges that were decided, which part was an extra half hour, and when each ended."""
    return ChartLane("Decision", tuple(mark for row in rows for mark in _hold_marks(view, row, entries)))


def _rate_style(entry: LedgerEntry) -> tuple[MarkStyle | None, str]:
    if entry.night:
        return MarkStyle.NIGHT, "off-peak hours"
    if entry.loss is Loss.HELD_AT_STANDARD_RATE:
        return MarkStyle.DEAR, "charged at the peak rate"
    missed = ", but the Powerwall was not charged" if entry.loss is Loss.CHEAP_SLOT_MISSED else ""
    if entry.cheap and entry.completed:
        return MarkStyle.CHEAP, f"off-peak, as the supplier reports{missed}"
    return (
        (MarkStyle.CHEAP_UNCONFIRMED, f"off-peak as scheduled, not yet confirmed{missed}")
        if entry.cheap
        else (None, "")
    )


def _plan_mark(view: DayView, row: DispatchRow) -> ChartMark:
    look, status = MarkStyle.LIVE, ""
    if row.withdrawn_at is not None:
        look = MarkStyle.REPLACED if row.superseded_by else MarkStyle.WITHDRAWN
        status = f", {'moved' if row.superseded_by else 'withdrawn'} at {view.clock_text(row.withdrawn_at)}"
    about = f", about {kwh_text(row.energy_kwh)}" if row.energy_kwh else ""
    what = f"slot announced at {view.clock_text(row.first_seen_at)}{about}{status}"
    return view.span_mark(look, row.starts_at, row.ends_at, what, label=view.span_text(row.starts_at, row.ends_at))


def _hold_marks(view: DayView, row: HoldRow, entries: Iterable[LedgerEntry]) -> Iterator[ChartMark]:
    """Yield the parts of a hold; one that ended as soon as it started has only its end."""
    stands = "" if row.closed_at else f", continues until {view.clock_text(row.hold.until)}"
    would = ""
    held = Span(row.confirmed_at or row.opened_at, row.closed_at or row.hold.until)
    for (in_shadow, extra), part in _split_hold(held, entries):
        would = "would have been " if in_shadow else ""
        look, what = _hold_style(row, in_shadow=in_shadow, extra=extra)
        more = " longer, because the car was still charging" if extra else ""
        what = f"{what} for {hours_text(part.ends_at - part.starts_at)}{more}{stands}"
        yield view.span_mark(look, part.starts_at, part.ends_at, what)
    if row.closed_at and row.closed_reason and view.span.covers(row.closed_at):
        yield view.moment_mark(MarkStyle.RELEASE, row.closed_at, f"{would}back to normal: {row.closed_reason.sentence}")


def _hold_style(row: HoldRow, *, in_shadow: bool, extra: bool) -> tuple[MarkStyle, str]:
    if in_shadow:
        return MarkStyle.WOULD_HOLD, "would have charged"
    if row.confirmed_at is None:
        return MarkStyle.WOULD_HOLD, "asked to charge, not confirmed,"
    return (MarkStyle.EXTENSION if extra else MarkStyle.HOLD), "charged"


def _split_hold(held: Span, entries: Iterable[LedgerEntry]) -> Iterator[tuple[tuple[bool, bool], Span]]:
    """Yield the parts of a hold, apart by whether they were only compared (shadow) or an extra half hour."""
    touched = [each for each in entries if each.starts_at < held.ends_at and held.starts_at < each.ends_at]
    for kind, alike in groupby(touched, lambda each: (each.in_shadow, each.extension)):
        found = list(alike)
        yield kind, Span(max(found[0].starts_at, held.starts_at), min(found[-1].ends_at, held.ends_at))


MAIL_COMMAND = "send-invites"
RESOLVED_TEXTS = {Event.RESOLVED: "works again", Event.WAITED: "the Powerwall can be controlled again"}


def mail_lane(view: DayView, rows: Iterable[JournalRow]) -> ChartLane:
    """Return the emails that were sent."""
    sent = (row for row in rows if row.command == MAIL_COMMAND and row.outcome is Event.SENT)
    return ChartLane(
        "Email", tuple(view.moment_mark(MarkStyle.MAIL, row.at, row.detail.text or "sent") for row in sent)
    )


def problem_lane(view: DayView, rows: Iterable[JournalRow], open_alerts: Iterable[Alert]) -> ChartLane:
    """Return the problems: when they were reported, when they ended, and which go on."""
    return ChartLane("Problems", (*_problem_marks(view, rows), *_open_alert_marks(view, open_alerts)))


def is_problem_entry(row: JournalRow) -> bool:
    """Whether a row says that something failed, or that something else controlled the Powerwall."""
    return row.outcome in PROBLEMS


def _problem_marks(view: DayView, rows: Iterable[JournalRow]) -> Iterator[ChartMark]:
    seen_texts: set[tuple[object, ...]] = set()
    for row in rows:
        words = row.error or event_detail(row, view.zone) or row.outcome
        if (
            is_problem_entry(row) and (row.at, words) not in seen_texts
        ):  # a failure that was reported at once is one problem
            seen_texts.add((row.at, words))
            yield view.moment_mark(MarkStyle.TROUBLE, row.at, f"{row.command}: {words}")
        elif row.outcome in RESOLVED_TEXTS:
            subject = f"{alert_subject(row.detail.subject)} " if row.detail.subject else ""
            yield view.moment_mark(MarkStyle.WELL, row.at, f"{row.command}: {subject}{RESOLVED_TEXTS[row.outcome]}")


def _open_alert_marks(view: DayView, alerts: Iterable[Alert]) -> Iterator[ChartMark]:
    for alert in alerts:
        if alert.since < view.past_part.ends_at:
            what = f"{alert.command}: problem with {alert_subject(alert.kind)}, {times_text(alert.count)} so far"
            yield view.span_mark(MarkStyle.TROUBLE, alert.since, view.past_part.ends_at, what)


SHADOW_DEFINITION = (
    "With control.shadow: true, smartcharge only compares itself with another controller and sets nothing. What it "
    "would have charged then, and what was saved meanwhile, are shown apart and are not part of any other figure. "
    "The checks of the Powerwall in the journal show which half hours these were."
)
"""Shown if the report has such half hours."""


def mark_entries_from_journal(entries: Iterable[LedgerEntry], noted: Sequence[JournalRow]) -> tuple[LedgerEntry, ...]:
    """Mark the entries that were only compared (shadow). noted: the journal, from a day before the entries on."""
    checked_at = [row.at for row in noted if row.command == SHADOW_COMMAND]
    set_at = [row.at for row in noted if (mark := settings_mark(row, "UTC")) is not None and mark[0] is not None]
    return tuple(mark_shadow_entries(entries, checked_at, set_at))


def is_hold_in_shadow(row: HoldRow, entries: Iterable[LedgerEntry]) -> bool:
    """Whether a hold starts while smartcharge only compares (shadow)."""
    return next((each.in_shadow for each in entries if row.opened_at < each.ends_at), False)


SETTINGS_LOOK_BACK = timedelta(days=3)
"""How far back to look for the settings that still applied at midnight."""
MAX_LANE_MARKS = 50
"""The most marks of a lane that are drawn and listed; `smartcharge history` shows the others."""


def load_day_chart(app: App, view: DayView, entries: Sequence[LedgerEntry]) -> DayChart:
    """Load the chart of a day."""
    db, since, until = app.read_only_db, view.span.starts_at, view.span.ends_at
    held, noted = load_hold_history(db, since, until), load_journal(db, since=since, until=until)
    lanes = (
        rate_lane(view, entries),
        plan_lane(view, load_dispatch_history(db, since, until, app.now)),
        car_lane(view, load_charger_readings(db, since, until)),
        hold_lane(view, held, entries),
        battery_requested_lane(view, [row for row in held if not is_hold_in_shadow(row, entries)], noted),
        battery_confirmed_lane(view, load_journal(db, since=since - SETTINGS_LOOK_BACK, until=until)),
        battery_level_lane(view, load_battery_levels(db, since, until)),
        mail_lane(view, noted),
        problem_lane(view, noted, load_open_alerts(db)),
    )
    now = app.now if view.span.covers(app.now) else None
    return DayChart(view.span, view.zone, tuple(limit_lane_marks(view, lane) for lane in lanes), now)


def limit_lane_marks(view: DayView, lane: ChartLane) -> ChartLane:
    """Limit a lane to the marks that fit on a page; the last one stands for the others."""
    if len(lane.marks) <= MAX_LANE_MARKS:
        return lane
    shown, rest = lane.marks[: MAX_LANE_MARKS - 1], lane.marks[MAX_LANE_MARKS - 1 :]
    return structs.replace(lane, marks=(*shown, _remaining_marks(view, rest)))


def _remaining_marks(view: DayView, marks: Sequence[ChartMark]) -> ChartMark:
    first, last = min(mark.span.starts_at for mark in marks), max(mark.span.ends_at for mark in marks)
    return view.span_mark(MarkStyle.MORE, first, last, f"{len(marks)} more; `smartcharge history` shows them all")

"""`smartcharge explain`: which rule decided, on which facts, what would have changed it, and what comes next."""

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from itertools import chain, takewhile
from zoneinfo import ZoneInfo

import click
from msgspec import Struct
from msgspec.structs import replace

from smartcharge.app import App
from smartcharge.cli_context import CliContext
from smartcharge.commands.options import at_option, parse_time
from smartcharge.errors import SignInRefusedError
from smartcharge.formatting import (
    EMPTY_ROW,
    LABEL_WIDTH,
    TESLA_APP_SHOWS_NO_MODE,
    TextRow,
    age_text,
    local_date_time,
    local_span,
    local_time,
    powerwall_is,
    wrap_row,
)
from smartcharge.policy.battery import MODE_BACKUP, BatteryMemory, BatterySettings
from smartcharge.policy.decide import decide
from smartcharge.policy.explain import (
    NEAR_END_CONDITION,
    Counterfactual,
    NextChange,
    find_counterfactuals,
    find_next_changes,
)
from smartcharge.policy.model import (
    ChargerReading,
    ChargerState,
    Decision,
    DispatchWindow,
    Hold,
    HoldKind,
    State,
)
from smartcharge.policy.polling import CHARGER_INTERVAL_LONG, has_elapsed
from smartcharge.policy.replay import manual_override_from
from smartcharge.policy.slots import SLOT
from smartcharge.report.event_text import event_sentence
from smartcharge.store.control import HoldRow, load_battery_memory, load_hold_history, load_open_hold, load_state
from smartcharge.store.devices import load_devices
from smartcharge.store.dispatches import DISPATCH_LOOK_BACK, END_OF_TIME, load_dispatch_history
from smartcharge.store.events import MANUAL_OVERRIDES, Event
from smartcharge.store.journal import JournalRow, load_journal, load_last_decision
from smartcharge.store.readings import load_charger_readings, load_last_charger_reading
from smartcharge.store.services import load_service
from smartcharge.store.times import format_instant

MAX_SHOWN_WINDOWS = 3
FirstSeenTimes = Mapping[tuple[str, datetime, datetime], datetime]
"""When the supplier first named a window, by its device, start and end."""


class DecisionFact(Struct, frozen=True):
    """One fact: who says so, what, and since when it is known (UTC); None where nobody noted it."""

    source: str
    message: str
    at: datetime | None = None


class DecisionEvidence(Struct, frozen=True):
    """What a decision rested on beside its situation.

    reading: the charger's newest. answered_at: the supplier's last answer. opened_at: of the open hold, where known.
    """

    reading: ChargerReading | None
    answered_at: datetime | None
    opened_at: datetime | None
    first_seen_times: FirstSeenTimes


def decision_facts(state: State, evidence: DecisionEvidence) -> tuple[DecisionFact, ...]:
    """Everything the decision looked at, the most telling first."""
    parts = (
        _owner_facts(state),
        _car_facts(state, evidence.reading),
        _plan_facts(state, evidence),
        _hold_facts(state, evidence.opened_at),
        _limit_facts(state),
    )
    return tuple(chain.from_iterable(parts))


def _owner_facts(state: State) -> Iterator[DecisionFact]:
    zone = state.policy.cheap_period.zone
    if state.clock_is_doubtful:
        yield DecisionFact("this computer's clock", "is before the last recorded run")
    if state.is_paused:
        until = state.pause.until if state.pause else None
        yield DecisionFact(
            "you", f"paused until {local_date_time(until, state.now, zone) if until else '`smartcharge resume`'}"
        )
    if state.manual_override and state.manual_override_until:
        until_text = local_date_time(state.manual_override_until, state.now, zone)
        message = f"was set by someone else, so it is left alone until {until_text}"
        yield DecisionFact("the Powerwall", message, state.manual_override.at)


def _car_facts(state: State, reading: ChargerReading | None) -> Iterator[DecisionFact]:
    if reading is None:
        yield DecisionFact("the Zappi", "not asked; it is asked only when its answer matters")
        return
    age_suffix = (
        "; too old to count"
        if has_elapsed(state.now, reading.at, CHARGER_INTERVAL_LONG)
        else f": {reading.state.lower()}"
    )
    yield DecisionFact("the Zappi", f"{reading.why or 'no reason given'}{age_suffix}", reading.at)


def _plan_facts(state: State, evidence: DecisionEvidence) -> Iterator[DecisionFact]:
    if evidence.answered_at is None:
        yield DecisionFact("your supplier", "has not sent a charging schedule yet")
        return
    windows = _relevant_windows(state)
    if not windows:
        yield DecisionFact(
            "your supplier",
            f"no smart-charging slot near now{_staleness_suffix(state, evidence.answered_at)}",
            evidence.answered_at,
        )
    for window in windows[:MAX_SHOWN_WINDOWS]:
        first = evidence.first_seen_times.get((window.device, window.starts_at, window.ends_at))
        named = (
            f", first announced at {local_date_time(first, state.now, state.policy.cheap_period.zone)}" if first else ""
        )
        yield DecisionFact(
            "your supplier",
            f"{_window_text(state, window)}{named}{_staleness_suffix(state, window.seen_at)}",
            window.seen_at,
        )
    if len(windows) > MAX_SHOWN_WINDOWS:
        yield DecisionFact("your supplier", f"and {len(windows) - MAX_SHOWN_WINDOWS} more slots")


def _relevant_windows(state: State) -> list[DispatchWindow]:
    """The windows that stand near now or ahead; where none covers now, those taken back that would."""
    live = [window for window in state.windows if window.live and window.ends_at + SLOT > state.now]
    covered = any(window.covers(state.now) for window in live)
    gone = [window for window in state.windows if not window.live and window.covers(state.now)]
    return sorted(live if covered else [*gone, *live], key=lambda window: window.starts_at)


def _window_text(state: State, window: DispatchWindow) -> str:
    about = f", about {window.energy_kwh:.1f} kWh" if window.energy_kwh else ""
    status = ", moved" if window.superseded else ", withdrawn" if window.withdrawn else ""
    boosted = ", but boosted by hand" if window.boosting else ""
    return (
        f"slot {local_span(window.starts_at, window.ends_at, state.policy.cheap_period.zone)}{about}{status}{boosted}"
    )


def _staleness_suffix(state: State, answered_at: datetime) -> str:
    return "" if state.is_recent_answer(answered_at) else "; too old to count"


def _hold_facts(state: State, opened_at: datetime | None) -> Iterator[DecisionFact]:
    if state.hold is not None:
        until = local_time(state.hold.until, state.policy.cheap_period.zone)
        extra = " (the extra half hour)" if state.hold.kind == "EXTENSION" else ""
        yield DecisionFact("the Powerwall", f"asked to charge until {until}{extra}", opened_at)


def _limit_facts(state: State) -> Iterator[DecisionFact]:
    period, cap = state.policy.cheap_period, state.policy.max_hours_per_day
    applies = ", now" if state.is_cheap_now else ""
    yield DecisionFact("your tariff", f"off-peak hours {period.starts:%H:%M}-{period.ends:%H:%M}{applies}")
    if cap is not None:
        hours = state.held_since_noon / timedelta(hours=1)
        yield DecisionFact("your tariff", f"{hours:.1f} of {cap:g} hours used since noon")


CHARGER_READING_LOOK_BACK = timedelta(hours=1)
"""A reading of the charger from longer ago says nothing of a past decision."""
HOLD_SEARCH_MARGIN, NEXT_DECISION_SEARCH = timedelta(seconds=1), timedelta(days=1)


class PastDecision(Struct, frozen=True):
    """What the journal adds to a past decision: its row, what came of it, and the next decision, where there is one."""

    row: JournalRow
    result_rows: tuple[JournalRow, ...]
    next_row: JournalRow | None


class Explanation(Struct, frozen=True):
    """A decision with what led to it, what would have changed it, and what comes next.

    at: the minute that was asked about. hold: the open one, where it is decided now. battery: what is remembered of
    it, None where none is configured. obstacle: why the Powerwall did not show the hold, None where it did. past: None
    where it is decided now.
    """

    at: datetime
    state: State
    decision: Decision
    facts: tuple[DecisionFact, ...]
    counterfactuals: tuple[Counterfactual, ...]
    next_changes: tuple[NextChange, ...]
    hold: HoldRow | None = None
    battery: BatteryMemory | None = None
    obstacle: str | None = None
    past: PastDecision | None = None

    @property
    def is_unchanged(self) -> bool:
        """Whether the rule that decided then decides today."""
        return self.past is None or self.decision.reason is self.past.row.reason


def explain_now(app: App) -> Explanation:
    """What a run would decide now if it asked nobody; nothing is asked, nothing is written."""
    db, now = app.read_only_db, app.now
    last, held = load_last_charger_reading(db), load_open_hold(db)
    reading = last.reading if last else None
    state = load_state(db, now, app.policy)
    if reading and not has_elapsed(now, reading.at, CHARGER_INTERVAL_LONG):
        state = state.with_charger(reading.state, solar_only=reading.solar_only)
    answers = [each.last_ok_at for each in load_devices(db) if each.watched and each.last_ok_at]
    evidence = _load_evidence(app, state, reading, max(answers, default=None))
    memory = load_battery_memory(db) if app.config.tesla else None
    obstacle = _find_obstacle(app, held, now) if held else None
    return replace(_build_explanation(now, state, evidence), hold=held, battery=memory, obstacle=obstacle)


def explain_past(app: App, at: datetime) -> Explanation | None:
    """The newest decision up to a past minute, decided again; None where nothing had been decided by then."""
    found = _load_past_decision(app, at)
    if found is None:
        return None
    past, state = found
    near = load_charger_readings(
        app.read_only_db, state.now - CHARGER_READING_LOOK_BACK, state.now + HOLD_SEARCH_MARGIN
    )
    answered_at = max((window.seen_at for window in state.windows), default=None)
    evidence = _load_evidence(app, state, near[-1] if near else None, answered_at)
    held = next(iter(load_hold_history(app.read_only_db, at - HOLD_SEARCH_MARGIN, at + HOLD_SEARCH_MARGIN)), None)
    obstacle = _find_obstacle(app, held, at) if held else None
    return replace(_build_explanation(at, state, evidence), past=past, obstacle=obstacle)


def _find_obstacle(app: App, held: HoldRow, at: datetime) -> str | None:
    """Why the Powerwall did not show a hold by a moment; None where it did, or is another controller's business."""
    is_confirmed = held.confirmed_at is not None and held.confirmed_at <= at
    if is_confirmed or not app.controls_battery():
        return None
    db = app.read_only_db
    rows = load_journal(db, since=held.opened_at, until=at + HOLD_SEARCH_MARGIN, command="reconcile")
    failures = [row for row in rows if row.outcome in {Event.FAILED, Event.TROUBLE}]
    refused_at = load_service(db, "tesla").refused_at
    was_refused = any(row.detail.exit_code == SignInRefusedError.exit_code for row in failures)
    if was_refused or (refused_at is not None and refused_at <= at):
        return "Tesla refused the sign-in"
    return (failures[-1].error or NOT_CONFIRMED).rstrip(".") if failures else NOT_CONFIRMED


NOT_CONFIRMED = "Tesla has not confirmed it"


def _load_past_decision(app: App, at: datetime) -> tuple[PastDecision, State] | None:
    """The newest decision up to a moment with what it knew; to leave a window to somebody else is one, too."""
    row = load_last_decision(app.read_only_db, at)
    if row is None or (state := row.state) is None:
        return None
    rows = load_journal(app.read_only_db, since=row.at, until=at + NEXT_DECISION_SEARCH)
    later = [each for each in rows if each.id > row.id and each.reason]
    next_row = next((each for each in later if each.state), None)
    result_rows = tuple(each for each in takewhile(lambda each: each is not next_row, later) if each.at <= at)
    if left := next((each for each in result_rows if each.outcome in MANUAL_OVERRIDES), None):
        row, state = left, replace(state, now=left.at, hold=None, manual_override=manual_override_from(left.at))
    return PastDecision(row, result_rows, next_row), state


def _build_explanation(at: datetime, state: State, evidence: DecisionEvidence) -> Explanation:
    return Explanation(
        at, state, decide(state), decision_facts(state, evidence), find_counterfactuals(state), find_next_changes(state)
    )


def _load_evidence(
    app: App, state: State, reading: ChargerReading | None, answered_at: datetime | None
) -> DecisionEvidence:
    db, now = app.read_only_db, state.now
    opened = (
        held.opened_at
        for held in load_hold_history(db, now - HOLD_SEARCH_MARGIN, now + HOLD_SEARCH_MARGIN)
        if held.opened_at < now
    )
    rows = load_dispatch_history(db, now - DISPATCH_LOOK_BACK, END_OF_TIME, app.now)
    first_seen_times = {
        (row.device, row.starts_at, row.ends_at): row.first_seen_at for row in rows if row.kind == "planned"
    }
    return DecisionEvidence(reading, answered_at, next(opened, None), first_seen_times)


MAX_RESULT_ROWS = 2
"""Of what came of a decision, the last lines are enough."""
MAX_RESULT_LINES = 2
JUST_NOW_TOLERANCE = timedelta(seconds=1)
_CHARGING, _IDLE, _UNKNOWN = ChargerState.CHARGING, ChargerState.IDLE, ChargerState.UNKNOWN
CHARGER_CONDITION_TEXTS = {
    frozenset({_CHARGING, _IDLE, _UNKNOWN}): "",
    frozenset({_CHARGING, _IDLE}): ", if the Zappi answers",
    frozenset({_CHARGING, _UNKNOWN}): ", unless the Zappi shows that the car is not charging",
    frozenset({_IDLE, _UNKNOWN}): ", unless the Zappi shows that the car is charging",
    frozenset({_CHARGING}): ", if the car is charging",
    frozenset({_IDLE}): ", if the car is not charging",
    frozenset({_UNKNOWN}): ", if the Zappi gives no answer",
}


def explanation_lines(explanation: Explanation, width: int | None) -> Iterator[str]:
    """The whole explanation, in local time, folded to a width (None: not at all)."""
    for row in explanation_rows(explanation):
        yield from wrap_row(
            f"{row.label:<{LABEL_WIDTH}}" if row.label else "", row.text, width, max_lines=row.max_lines
        )


def explanation_rows(explanation: Explanation) -> Iterator[TextRow]:
    """The same before it is folded: each part under its label."""
    yield TextRow("", _summary_line(explanation))
    yield EMPTY_ROW
    next_row = explanation.past.next_row if explanation.past else None
    parts = {
        "because": _reason_lines(explanation),
        "note": _note_lines(explanation),
        "done": _result_lines(explanation),
        "facts": (_fact_text(explanation, fact) for fact in explanation.facts),
        "otherwise": _counterfactual_lines(explanation),
        "then" if next_row else "next": iter([_next_decision_text(explanation, next_row)])
        if next_row
        else _next_change_lines(explanation),
    }
    for label, paragraphs in parts.items():
        for place, text in enumerate(paragraphs):
            yield TextRow(" " if place else label, text, max_lines=MAX_RESULT_LINES if label == "done" else None)


def explanation_json(explanation: Explanation) -> dict[str, object]:
    """The same for programs; instants are left to the encoder."""
    reason = explanation.decision.reason
    return {
        "at": explanation.at,
        "decided_at": explanation.state.now if explanation.past else None,
        "because": reason,
        "sentence": reason.sentence,
        "hold": _hold_json(explanation.decision.hold),
        "held_before": _hold_json(explanation.state.hold),
        "agrees": explanation.is_unchanged,
        "facts": [{"source": fact.source, "at": fact.at, "says": fact.message} for fact in explanation.facts],
        "otherwise": [
            {"had": each.conditions, "hold": _hold_json(each.decision.hold), "because": each.decision.reason}
            for each in explanation.counterfactuals
        ],
        "next": [
            {
                "at": each.at,
                "charger": each.charger_states,
                "hold": _hold_json(each.decision.hold),
                "because": each.decision.reason,
            }
            for each in explanation.next_changes
        ],
    }


def _summary_line(explanation: Explanation) -> str:
    zone = explanation.state.policy.cheap_period.zone
    stamp = f"{explanation.at.astimezone(ZoneInfo(zone)):%a %d %b} {local_time(explanation.at, zone)}"
    if explanation.past:
        decided = local_date_time(explanation.state.now, explanation.at, zone)
        hold = explanation.decision.hold
        return f"{stamp}: {_hold_text(explanation, hold)}, as decided at {decided}{_obstacle_text(explanation, hold)}."
    before, after = explanation.state.hold, explanation.decision.hold
    follows = f"; after the next run {_hold_text(explanation, after)}" if after != before else ""
    now = f"{_hold_text(explanation, before)}{_obstacle_text(explanation, before)}"
    return f"{stamp}: {now}{_battery_text(explanation.battery, before)}{follows}."


def _obstacle_text(explanation: Explanation, hold: Hold | None) -> str:
    return f" (not protected: {explanation.obstacle})" if hold and explanation.obstacle else ""


def _battery_text(memory: BatteryMemory | None, held: Hold | None) -> str:
    if memory is None:
        return "; no Powerwall is configured"
    if memory.confirmed_mode is None or memory.confirmed_reserve_pct is None:
        return "; Tesla has not confirmed the Powerwall's settings"
    stands = powerwall_is(BatterySettings(memory.confirmed_mode, memory.confirmed_reserve_pct))
    return f"; the Powerwall is {stands}{', and is being returned to normal' if memory.owned and held is None else ''}"


def _hold_text(explanation: Explanation, hold: Hold | None, nothing: str = "no charge from the grid") -> str:
    if hold is None:
        return nothing
    extra = "for the extra half hour, " if hold.kind is HoldKind.EXTENSION else ""
    return f"charge from the grid {extra}until {_time_text(explanation, hold.until)}"


def _reason_lines(explanation: Explanation) -> Iterator[str]:
    yield explanation.decision.reason.sentence
    if explanation.hold and explanation.hold.reason and explanation.hold.reason is not explanation.decision.reason:
        yield f"the charge itself: {explanation.hold.reason.sentence}"
    if explanation.past and explanation.past.row.reason and not explanation.is_unchanged:
        yield f"at the time: {explanation.past.row.reason.sentence}; smartcharge has changed since then"


def _note_lines(explanation: Explanation) -> Iterator[str]:
    if explanation.battery and explanation.battery.confirmed_mode == MODE_BACKUP:
        yield f"The Powerwall is in backup mode. {TESLA_APP_SHOWS_NO_MODE}"


def _result_lines(explanation: Explanation) -> Iterator[str]:
    zone = explanation.state.policy.cheap_period.zone
    for row in (explanation.past.result_rows if explanation.past else ())[-MAX_RESULT_ROWS:]:
        yield f"{_time_text(explanation, row.at)} {event_sentence(replace(row, reason=None), zone)}"


def _fact_text(explanation: Explanation, fact: DecisionFact) -> str:
    if fact.at is None:
        return f"{fact.source}: {fact.message}"
    elapsed = explanation.state.now - fact.at
    if abs(elapsed) < JUST_NOW_TOLERANCE:
        return f"{fact.source}, {'just then' if explanation.past else 'just now'}: {fact.message}"
    return f"{fact.source}, {age_text(elapsed)} {'before' if explanation.past else 'ago'}: {fact.message}"


def _counterfactual_lines(explanation: Explanation) -> Iterator[str]:
    conditions_by_hold: dict[str, list[str]] = {}
    for each in explanation.counterfactuals:
        if each.conditions == (NEAR_END_CONDITION,) and each.decision.hold:
            until = _time_text(explanation, each.decision.hold.until)
            yield f"near the end of the half hour the charge would have continued to {until}"
            continue
        held = _hold_text(explanation, each.decision.hold, "no charge")
        conditions_by_hold.setdefault(held, []).append(" and ".join(each.conditions))
    for held, conditions in conditions_by_hold.items():
        yield f"{held}, if {', or if '.join(conditions)}"
    if not explanation.counterfactuals:
        yield "no single fact, and no two facts together, would have changed the decision"


def _next_change_lines(explanation: Explanation) -> Iterator[str]:
    for each in explanation.next_changes:
        what = _hold_text(explanation, each.decision.hold, "back to normal")
        condition = CHARGER_CONDITION_TEXTS[frozenset(each.charger_states)]
        yield f"{_time_text(explanation, each.at)} {what}{condition}: {each.decision.reason.sentence}"
    pause = explanation.state.pause
    if explanation.state.is_paused and pause and pause.until:
        yield f"{_time_text(explanation, pause.until)} the pause ends"
    elif not explanation.next_changes:
        yield f"no change is due; {_next_night_rate_text(explanation)}"


def _next_night_rate_text(explanation: Explanation) -> str:
    """Return when the off-peak hours begin or end."""
    period, now = explanation.state.policy.cheap_period, explanation.state.now
    if (night := period.containing(now)) is not None:
        return f"the off-peak hours end at {_time_text(explanation, night.ends_at)}"
    starts = _time_text(explanation, period.next_start(now))
    return f"the off-peak hours begin at {starts}, and the Powerwall returns to normal then"


def _next_decision_text(explanation: Explanation, row: JournalRow) -> str:
    """The next decision, as it really came."""
    hold = decide(row.state).hold if row.state else None
    reason = row.reason.sentence if row.reason else ""
    return f"{_time_text(explanation, row.at)} {_hold_text(explanation, hold, 'back to normal')}: {reason}"


def _time_text(explanation: Explanation, moment: datetime) -> str:
    return local_date_time(moment, explanation.at, explanation.state.policy.cheap_period.zone)


def _hold_json(hold: Hold | None) -> dict[str, object] | None:
    return None if hold is None else {"until": hold.until, "kind": hold.kind}


END_OF_MINUTE = timedelta(seconds=59)


@click.command("explain")
@click.argument("time", required=False, help="Local time: 13:30 means the last 13:30; or a date and time.")
@click.option("--json", "for_programs", is_flag=True, help="Print one JSON object, times in UTC; null for nothing.")
@at_option
@click.pass_obj
def explain_command(session: CliContext, *, time: str | None, for_programs: bool, at: str | None) -> int:
    """Explain what the Powerwall is doing now, or did at a TIME."""
    if time and at:
        raise click.UsageError("TIME and --at mean the same. Give only one of them")
    with closing(session.open_app(read_only=True)) as app:
        text = time or at
        asked_at = _parse_past_time(text, app) if text else app.now
        explanation = explain_past(app, asked_at) if text else explain_now(app)
        if for_programs:
            click.echo(json.dumps(explanation and explanation_json(explanation), default=_encode_explanation_value))
        else:
            click.echo("\n".join(_format_explanation(explanation, asked_at, app)))
    return 0


def _format_explanation(explanation: Explanation | None, asked_at: datetime, app: App) -> Iterable[str]:
    """On a terminal folded to its width; else as they are."""
    if explanation is None:
        zone = app.policy.cheap_period.zone
        return [f"The journal has no decision before {local_date_time(asked_at, app.now, zone)}."]
    return explanation_lines(explanation, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def _parse_past_time(text: str, app: App) -> datetime:
    """The end of the minute that is meant; one ahead is a usage error."""
    found = parse_time(text, app, past=True)
    if found > app.now:
        raise click.UsageError(f"{text} is in the future. `smartcharge explain` without a time shows what comes next")
    return found + END_OF_MINUTE if found.second == 0 else found


def _encode_explanation_value(value: object) -> str:
    return format_instant(value) if isinstance(value, datetime) else str(value)

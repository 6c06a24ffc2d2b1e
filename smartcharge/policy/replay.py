"""Decide past days again, minute by minute, from stored records; optionally with a different policy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from smartcharge.policy.decide import decide
from smartcharge.policy.model import (
    ChargerReading,
    ChargerState,
    DispatchWindow,
    Hold,
    ManualOverride,
    Pause,
    Policy,
    Reason,
    State,
)
from smartcharge.policy.polling import CHARGER_INTERVAL_LONG, MINUTE
from smartcharge.policy.slots import SLOT, Span, last_noon, slot_end

SAME_CHARGE_MAX_GAP = SLOT + timedelta(minutes=5)
"""During a hold the charger is asked once a half hour, so two CHARGING readings this close are one charge."""
OUTAGE_ALERT_DELAY = timedelta(minutes=10)
"""An outage is reported at the fifth failure in a row, and requests near a window are two minutes apart."""
ENDED_WINDOW_KEPT_FOR = timedelta(hours=24)
"""How long an ended window still matters to a decision."""


class RecordedWindow(Struct, frozen=True):
    """A planned window as it is stored. withdrawn_at: None while it is planned."""

    starts_at: datetime
    ends_at: datetime
    first_seen_at: datetime
    device: str = ""
    withdrawn_at: datetime | None = None

    def is_current(self, minute: datetime) -> bool:
        """Whether it is still planned at the end of a minute, and has not ended more than a day ago."""
        is_withdrawn = self.withdrawn_at is not None and self.withdrawn_at < minute + MINUTE
        return not is_withdrawn and self.ends_at > minute - ENDED_WINDOW_KEPT_FOR


class ReplayData(Struct, frozen=True):
    """The stored records, each part sorted by time, from the noon before the first requested minute.

    known: the states of the stored decisions, including one from before that noon. stood_down_at: when manual
    overrides began. outages: of the supplier, as reported to the owner. latest: the state at the end of the records.
    """

    recorded_windows: tuple[RecordedWindow, ...]
    readings: tuple[ChargerReading, ...]
    known: tuple[State, ...]
    stood_down_at: tuple[datetime, ...]
    outages: tuple[Span, ...]
    latest: State


class MinuteFacts(Struct, frozen=True):
    """What the records say about one minute.

    now: when its run was. charger: None if unknown. solar_only: the car charged from the sun alone. known_state: what
    the newest decision knew, None before the first. is_run_missing: no run took place.
    """

    now: datetime
    windows: tuple[DispatchWindow, ...]
    charger: ChargerState | None
    solar_only: bool
    pause: Pause | None
    manual_override: ManualOverride | None
    known_state: State | None
    is_run_missing: bool


def iter_minute_facts(record: ReplayData, span: Span) -> Iterator[MinuteFacts]:
    """Yield what is known about every minute that begins in a span, in order."""
    lag = typical_run_delay(record)
    cars, sleeps = _charger_states(record, span, lag), _missed_runs(record, span, lag)
    parts = zip(
        iter_minutes(span), _windows_by_minute(record, span), cars, _owner_actions(record, span), sleeps, strict=True
    )
    for minute, windows, (charger, solar_only), (known_state, pause, override), is_run_missing in parts:
        yield MinuteFacts(
            minute + lag, windows, charger, solar_only, pause, override, known_state, is_run_missing=is_run_missing
        )


def iter_minutes(span: Span) -> Iterator[datetime]:
    """Yield every minute that begins in a span."""
    at = span.starts_at
    while at < span.ends_at:
        yield at
        at += MINUTE


def manual_override_from(at: datetime) -> ManualOverride:
    """Return the manual override that begins at a moment: to the end of its half hour, and 30 minutes more."""
    return ManualOverride(at, slot_end(at) + SLOT)


def typical_run_delay(record: ReplayData) -> timedelta:
    """Return how long after the full minute the runs of cron came: the median of the stored times."""
    traces = (*(known.now for known in record.known), *(reading.at for reading in record.readings))
    seconds = sorted(trace.second for trace in traces)
    return timedelta(seconds=seconds[len(seconds) // 2] if seconds else 0)


def _latest_states(record: ReplayData, span: Span) -> Iterator[State | None]:
    """Yield the state of the newest decision by the end of each minute."""
    coming, newest = deque(record.known), None
    for minute in iter_minutes(span):
        while coming and coming[0].now < minute + MINUTE:
            newest = coming.popleft()
        yield newest


def _owner_actions(
    record: ReplayData, span: Span
) -> Iterator[tuple[State | None, Pause | None, ManualOverride | None]]:
    """Yield the newest decision's state, its pause and its manual override, unless one began after it."""
    coming, stood_at = deque(record.stood_down_at), None
    for minute, known_state in zip(iter_minutes(span), _latest_states(record, span), strict=True):
        while coming and coming[0] < minute + MINUTE:
            stood_at = coming.popleft()
        manual_override = known_state.manual_override if known_state else None
        if stood_at and (known_state is None or stood_at >= known_state.now):
            manual_override = manual_override_from(stood_at)
        yield known_state, known_state.pause if known_state else None, manual_override


def _charger_states(record: ReplayData, span: Span, lag: timedelta) -> Iterator[tuple[ChargerState | None, bool]]:
    """Yield for each minute what the charger said, and whether the car charged from the sun alone."""
    coming: deque[ChargerReading] = deque(record.readings)
    last = None
    for minute in iter_minutes(span):
        while coming and coming[0].at < minute + MINUTE:
            last = coming.popleft()
        state = _charger_state_at(last, coming[0] if coming else None, minute + lag) if last else None
        yield state, last is not None and last.solar_only


def _charger_state_at(last: ChargerReading, following: ChargerReading | None, now: datetime) -> ChargerState | None:
    """Return the last reading's state while it is recent, and CHARGING between two readings of one charge."""
    if abs(now - last.at) < CHARGER_INTERVAL_LONG:
        return last.state
    if following is None or following.at - last.at > SAME_CHARGE_MAX_GAP:
        return None
    both = last.state is following.state is ChargerState.CHARGING
    return ChargerState.CHARGING if both else None


def _missed_runs(record: ReplayData, span: Span, lag: timedelta) -> Iterator[bool]:
    """Yield whether no run took place: a hold that ended late shows that none ended it in time."""
    coming = deque(
        Span(known.hold.until - known.policy.release_lead, known.now)
        for known in (*record.known, record.latest)
        if known.hold and known.release_complete_at >= known.hold.until + MINUTE
    )
    for minute in iter_minutes(span):
        while coming and coming[0].ends_at < minute + MINUTE:
            coming.popleft()
        yield bool(coming) and coming[0].starts_at <= minute + lag


def _windows_by_minute(record: ReplayData, span: Span) -> Iterator[tuple[DispatchWindow, ...]]:
    """Yield the planned windows of each minute, computed every other minute: so often is the supplier asked.

    Withdrawn windows are left out, because no decision depends on them.
    """
    coming = deque(sorted(record.recorded_windows, key=lambda row: row.first_seen_at))
    changes, silences = _minutes_with_changes(record), _unanswered_spans(record)
    current: list[RecordedWindow] = []
    windows: tuple[DispatchWindow, ...] = ()
    for minute, known_state in zip(iter_minutes(span), _latest_states(record, span), strict=True):
        while coming and coming[0].first_seen_at < minute + MINUTE:
            current.append(coming.popleft())
        if minute in changes or not minute.minute % 2:
            current = [row for row in current if row.is_current(minute)]
            windows = tuple(_build_windows(current, minute, known_state, silences)) if current else ()
        yield windows


def _minutes_with_changes(record: ReplayData) -> set[datetime]:
    seen = [row.first_seen_at for row in record.recorded_windows]
    gone = [row.withdrawn_at for row in record.recorded_windows if row.withdrawn_at]
    return {at.replace(second=0, microsecond=0) for at in (*seen, *gone, *(known.now for known in record.known))}


def _unanswered_spans(record: ReplayData) -> dict[str, deque[Span]]:
    """Return the spans without an answer for each device: from the last answer that a decision knew to that decision.

    A reported outage counts for every device for which no decision knew an answer during it.
    """
    known: dict[str, list[Span]] = {row.device: [] for row in record.recorded_windows}
    for each in (*record.known, record.latest):
        for device, seen_at in {window.device: window.seen_at for window in each.windows}.items():
            known.setdefault(device, []).append(Span(seen_at, each.now))
    return {
        device: deque(sorted((*spans, *_reported_outages(record, spans)), key=_span_end))
        for device, spans in known.items()
    }


def _reported_outages(record: ReplayData, known: Sequence[Span]) -> Iterator[Span]:
    for outage in record.outages:
        if not any(outage.covers(silence.starts_at) for silence in known):
            yield Span(outage.starts_at - OUTAGE_ALERT_DELAY, outage.ends_at - MINUTE)


def _span_end(span: Span) -> datetime:
    return span.ends_at


def _build_windows(
    rows: Sequence[RecordedWindow], minute: datetime, known_state: State | None, silences: dict[str, deque[Span]]
) -> Iterator[DispatchWindow]:
    """Yield the rows as windows; marks that only the newest decision's state contains are applied."""
    gone = {(w.device, w.starts_at, w.ends_at) for w in known_state.windows if w.withdrawn} if known_state else ()
    boosting = {window.device for window in known_state.windows if window.boosting} if known_state else ()
    seen_at = {device: _last_answer_at(silences.get(device), minute) for device in {row.device for row in rows}}
    for row in rows:
        if (row.device, row.starts_at, row.ends_at) not in gone:
            at, device = seen_at[row.device], row.device
            yield DispatchWindow(row.starts_at, row.ends_at, at, device, boosting=device in boosting)


def _last_answer_at(silences: deque[Span] | None, minute: datetime) -> datetime:
    """Return the time of the last answer before the run of a minute, else the minute itself."""
    while silences and (silences[0].ends_at < minute or (len(silences) > 1 and silences[1].ends_at < minute + MINUTE)):
        silences.popleft()
    return min(minute, silences[0].starts_at) if silences else minute


PolicyChange = Callable[[Policy], Policy]
"""Turns the stored policy into the one to try."""


class ReplayedMinute(NamedTuple):
    """What is held after one minute's run.

    reason: the rule, None if no run took place. guessed: the result depends on the car, which is unknown.
    """

    at: datetime
    hold: Hold | None
    reason: Reason | None = None
    guessed: bool = False


class HoldDifference(Struct, frozen=True):
    """Consecutive minutes that are held in only one of two courses of a day.

    held: whether they are held in the second course. reason: the rule of the second course at their beginning.
    """

    span: Span
    held: bool
    reason: Reason | None


def replay_decisions(
    record: ReplayData, span: Span, amend: PolicyChange = lambda policy: policy
) -> Iterator[ReplayedMinute]:
    """Decide every minute of a span again, each with the hold that the minute before it left; lazily.

    Begins at the noon before the span, because the daily limit counts from there.
    """
    zone = record.latest.policy.cheap_period.zone
    begin = last_noon(span.starts_at, zone)
    known_state: State | None = None
    policy = amend(record.known[0].policy if record.known else record.latest.policy)
    hold, held = _recorded_hold_before(record, begin), timedelta(0)
    for facts in iter_minute_facts(record, Span(begin, span.ends_at)):
        if facts.known_state is not None and facts.known_state is not known_state:
            known_state, policy = facts.known_state, amend(facts.known_state.policy)
        held = timedelta(0) if _is_noon(facts.now, zone) else held
        tick = _replay_minute(facts, policy, hold, held)
        if tick.at >= span.starts_at:
            yield tick
        hold, held = tick.hold, held + (MINUTE if tick.hold else timedelta(0))


def recorded_holds(record: ReplayData, span: Span) -> Iterator[ReplayedMinute]:
    """Yield what was really held after each minute, by the stored decisions."""
    coming, lag = deque(_recorded_hold_changes(record)), typical_run_delay(record)
    hold = None
    for minute in iter_minutes(span):
        while coming and coming[0][0] < minute + MINUTE:
            hold = coming.popleft()[1]
        yield ReplayedMinute(minute + lag, hold)


def hold_differences(one: Iterable[ReplayedMinute], other: Iterable[ReplayedMinute]) -> tuple[HoldDifference, ...]:
    """Return the stretches that are held in only one of two courses, which must have the same minutes."""
    found: list[HoldDifference] = []
    for was, now in zip(one, other, strict=True):
        held = now.hold is not None
        if held is (was.hold is not None):
            continue
        last = found[-1] if found else None
        if last and last.held is held and last.span.ends_at == now.at:
            found[-1] = HoldDifference(Span(last.span.starts_at, now.at + MINUTE), held, last.reason)
        else:
            found.append(HoldDifference(Span(now.at, now.at + MINUTE), held, now.reason))
    return tuple(found)


def _replay_minute(facts: MinuteFacts, policy: Policy, hold: Hold | None, held: timedelta) -> ReplayedMinute:
    if facts.is_run_missing:
        return ReplayedMinute(facts.now, hold)
    charger = facts.charger or ChargerState.UNKNOWN
    state = State(facts.now, policy, facts.windows, charger, hold, facts.pause, facts.manual_override, held)
    state = state.with_charger(charger, solar_only=facts.solar_only)
    decision = decide(state)
    guessed = facts.charger is None and _charger_would_matter(state, decision.hold)
    return ReplayedMinute(facts.now, decision.hold, decision.reason, guessed)


def _charger_would_matter(state: State, decided: Hold | None) -> bool:
    """Whether a charging car would have changed what is held."""
    if state.hold is None and not any(window.covers(state.now) for window in state.windows):
        return False
    return decide(state.with_charger(ChargerState.CHARGING)).hold != decided


def _recorded_hold_changes(record: ReplayData) -> list[tuple[datetime, Hold | None]]:
    """Return what was held from when on; a manual override ends a hold that was decided at the same time."""
    decided = [(known.now, 0, decide(known).hold) for known in record.known]
    left = [(at, 1, None) for at in record.stood_down_at]
    return [(at, hold) for at, _, hold in sorted([*decided, *left], key=lambda each: each[:2])]


def _recorded_hold_before(record: ReplayData, moment: datetime) -> Hold | None:
    return next((hold for at, hold in reversed(_recorded_hold_changes(record)) if at < moment), None)


def _is_noon(now: datetime, zone: str) -> bool:
    return now.minute == 0 and last_noon(now, zone) > now - MINUTE

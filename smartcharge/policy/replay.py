"""Past days decided again, minute by minute, from what is written down; also with other numbers of the policy."""

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
"""While the battery is held the charger is asked once a half hour: two readings no further apart bound one charge."""
OUTAGE_ALERT_DELAY = timedelta(minutes=10)
"""The owner hears of an outage at the fifth failure running, which around a window are two minutes apart."""
ENDED_WINDOW_KEPT_FOR = timedelta(hours=24)
"""How long an ended window still matters to a decision."""


class RecordedWindow(Struct, frozen=True):
    """A planned window as the record keeps it; withdrawn_at: None while it stands."""

    starts_at: datetime
    ends_at: datetime
    first_seen_at: datetime
    device: str = ""
    withdrawn_at: datetime | None = None

    def is_current(self, minute: datetime) -> bool:
        """Whether it has not been taken back by a minute's end, and has not ended long ago."""
        taken_back = self.withdrawn_at is not None and self.withdrawn_at < minute + MINUTE
        return not taken_back and self.ends_at > minute - ENDED_WINDOW_KEPT_FOR


class ReplayData(Struct, frozen=True):
    """All that is written down, each part by time, from the noon before the first minute that is asked about.

    known: what every decision knew, one from before that noon among them. stood_down_at: when a window was left to
    somebody else. outages: of the supplier, as the owner was told. latest: what is known at the record's own end.
    """

    recorded_windows: tuple[RecordedWindow, ...]
    readings: tuple[ChargerReading, ...]
    known: tuple[State, ...]
    stood_down_at: tuple[datetime, ...]
    outages: tuple[Span, ...]
    latest: State


class MinuteFacts(Struct, frozen=True):
    """What the record tells of one minute.

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
    """What is known of every minute that begins in a span, in order."""
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
    """Every minute that begins in a span."""
    at = span.starts_at
    while at < span.ends_at:
        yield at
        at += MINUTE


def manual_override_from(at: datetime) -> ManualOverride:
    """The stand-down of a moment: to the end of the window that it lies in, else of its half hour, and one more."""
    return ManualOverride(at, slot_end(at) + SLOT)


def typical_run_delay(record: ReplayData) -> timedelta:
    """How long after the full minute cron's runs came, by the middle one of those that left a trace."""
    traces = (*(known.now for known in record.known), *(reading.at for reading in record.readings))
    seconds = sorted(trace.second for trace in traces)
    return timedelta(seconds=seconds[len(seconds) // 2] if seconds else 0)


def _latest_states(record: ReplayData, span: Span) -> Iterator[State | None]:
    """What the newest decision knew, by each minute's end."""
    coming, newest = deque(record.known), None
    for minute in iter_minutes(span):
        while coming and coming[0].now < minute + MINUTE:
            newest = coming.popleft()
        yield newest


def _owner_actions(
    record: ReplayData, span: Span
) -> Iterator[tuple[State | None, Pause | None, ManualOverride | None]]:
    """What the newest decision knew, and the owner's hand by it; a window may have been left to others since."""
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
    """The last reading, as long as it stands for what is; between two of one charge, charging."""
    if abs(now - last.at) < CHARGER_INTERVAL_LONG:
        return last.state
    if following is None or following.at - last.at > SAME_CHARGE_MAX_GAP:
        return None
    both = last.state is following.state is ChargerState.CHARGING
    return ChargerState.CHARGING if both else None


def _missed_runs(record: ReplayData, span: Span, lag: timedelta) -> Iterator[bool]:
    """Whether no run took place: a hold that ended late tells that nobody was there to end it."""
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
    """The plan as it stood; seen anew every other minute, as often as the supplier is asked around a window.

    What was taken back is left out: it is evidence for nothing.
    """
    coming = deque(sorted(record.recorded_windows, key=lambda row: row.first_seen_at))
    changes, silences = _minutes_with_changes(record), _unanswered_spans(record)
    standing: list[RecordedWindow] = []
    windows: tuple[DispatchWindow, ...] = ()
    for minute, known_state in zip(iter_minutes(span), _latest_states(record, span), strict=True):
        while coming and coming[0].first_seen_at < minute + MINUTE:
            standing.append(coming.popleft())
        if minute in changes or not minute.minute % 2:
            standing = [row for row in standing if row.is_current(minute)]
            windows = tuple(_build_windows(standing, minute, known_state, silences)) if standing else ()
        yield windows


def _minutes_with_changes(record: ReplayData) -> set[datetime]:
    seen = [row.first_seen_at for row in record.recorded_windows]
    gone = [row.withdrawn_at for row in record.recorded_windows if row.withdrawn_at]
    return {at.replace(second=0, microsecond=0) for at in (*seen, *gone, *(known.now for known in record.known))}


def _unanswered_spans(record: ReplayData) -> dict[str, deque[Span]]:
    """When a device's plan was not answered for: from the last answer that a decision knew, to that decision.

    An outage that the owner was told of counts for every device that no decision knew an answer of meanwhile.
    """
    known: dict[str, list[Span]] = {sighting.device: [] for sighting in record.recorded_windows}
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
    """The rows as windows; what the newest decision knew of them counts where the rows have forgotten it."""
    gone = {(w.device, w.starts_at, w.ends_at) for w in known_state.windows if w.withdrawn} if known_state else ()
    boosting = {window.device for window in known_state.windows if window.boosting} if known_state else ()
    seen_at = {device: _last_answer_at(silences.get(device), minute) for device in {row.device for row in rows}}
    for row in rows:
        if (row.device, row.starts_at, row.ends_at) not in gone:
            at, device = seen_at[row.device], row.device
            yield DispatchWindow(row.starts_at, row.ends_at, at, device, boosting=device in boosting)


def _last_answer_at(silences: deque[Span] | None, minute: datetime) -> datetime:
    """The last answer before the last run of a minute, as far as the record tells; else the minute itself."""
    while silences and (silences[0].ends_at < minute or (len(silences) > 1 and silences[1].ends_at < minute + MINUTE)):
        silences.popleft()
    return min(minute, silences[0].starts_at) if silences else minute


PolicyChange = Callable[[Policy], Policy]
"""The policy as it was to the policy that is tried out."""


class ReplayedMinute(NamedTuple):
    """What is held after one minute's run.

    because: the rule, None where nothing was decided. guessed: the car would have mattered, and the record is silent.
    """

    at: datetime
    hold: Hold | None
    reason: Reason | None = None
    guessed: bool = False


class HoldDifference(Struct, frozen=True):
    """A run of minutes that are held in one course of a day and not in another.

    held: whether they are in the other. because: the other's rule where the stretch begins.
    """

    span: Span
    held: bool
    reason: Reason | None


def replay_decisions(
    record: ReplayData, span: Span, amend: PolicyChange = lambda policy: policy
) -> Iterator[ReplayedMinute]:
    """Decide every minute of a span again, each with the hold that the minute before left; lazily.

    Begins unseen at the noon before, because the hours held count from there.
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
    """What was held after each minute in truth: what the decisions of that day say."""
    coming, lag = deque(_recorded_hold_changes(record)), typical_run_delay(record)
    hold = None
    for minute in iter_minutes(span):
        while coming and coming[0][0] < minute + MINUTE:
            hold = coming.popleft()[1]
        yield ReplayedMinute(minute + lag, hold)


def hold_differences(one: Iterable[ReplayedMinute], other: Iterable[ReplayedMinute]) -> tuple[HoldDifference, ...]:
    """The stretches that are held in one course of a day and not in the other; both tell of the same minutes."""
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
    """What was held from when on; a window left to somebody else ends what was decided at the same moment."""
    decided = [(known.now, 0, decide(known).hold) for known in record.known]
    left = [(at, 1, None) for at in record.stood_down_at]
    return [(at, hold) for at, _, hold in sorted([*decided, *left], key=lambda each: each[:2])]


def _recorded_hold_before(record: ReplayData, moment: datetime) -> Hold | None:
    return next((hold for at, hold in reversed(_recorded_hold_changes(record)) if at < moment), None)


def _is_noon(now: datetime, zone: str) -> bool:
    return now.minute == 0 and last_noon(now, zone) > now - MINUTE

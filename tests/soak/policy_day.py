"""One random day of a house: its memory of the plan, and every minute decided."""

import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from laws.decision_laws import NEVER, BelievedPlan, CheapMinutes, DecisionLaws
from laws.plan_laws import judge_answer
from laws.record import HALF_HOUR, last_half_hour_end, merge_spans, text_of_spans
from policy_day_random import CHARGING, EMPTY, EXTRA_MINUTES, IDLE, LONDON, MINUTE, REPEATED, UNREADABLE, draw_day

from smartcharge.policy.decide import decide, decision_depends_on_charger, is_release_certain
from smartcharge.policy.model import (
    ChargerState,
    Decision,
    Dispatch,
    DispatchWindow,
    Hold,
    HoldKind,
    ManualOverride,
    Pause,
    State,
)
from smartcharge.policy.plan import KnownDispatch, PlanChanges, diff_plan

ROW_RETENTION = timedelta(hours=24)
CHARGER_STATES = {IDLE: ChargerState.IDLE, CHARGING: ChargerState.CHARGING, UNREADABLE: ChargerState.UNKNOWN}
NIGHT_CHECK_INTERVAL = 15
"""Minutes between answers in the cheap period, until so many before its end."""
COUNTER_NAMES = (
    *("days", "minutes", "decisions", "with a hold", "charger looked at", "holds", "extensions", "left to the owner"),
    *("answers", "windows", "revisions", "withdrawals"),
)

CHEAP_MARGIN_MINUTES = 120
"""A hold near the end of the day may end after it."""

DecisionRule = Callable[[State], Decision]


@dataclass
class PolicyDayTally:
    """What days came to. seconds: of a core, in the rules. broken: by seed. scenario: what went on in the day."""

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    broken: dict[int, list[str]] = field(default_factory=dict)
    event_log: list[str] = field(default_factory=list)

    def add(self, other: "PolicyDayTally") -> None:
        """Take another day in; its scenario is not ours."""
        self.counts.update(other.counts)
        self.seconds += other.seconds
        self.broken |= other.broken


class PlanMemory:
    """rows: by car and number. told: when each car was last answered for, and whether its charge was forced then.

    windows: what a decision is shown.
    """

    def __init__(self, cars: Iterable[str]) -> None:
        self.rows: dict[str, dict[int, KnownDispatch]] = {car: {} for car in cars}
        self.told: dict[str, tuple[datetime, bool]] = dict.fromkeys(self.rows, (NEVER, False))
        self.superseded: set[int] = set()
        self.windows: tuple[DispatchWindow, ...] = ()

    def compare(self, car: str, answer: tuple[Dispatch, ...], now: datetime) -> PlanChanges:
        """What an answer would change; what has ended lately is shown as well, and must not matter."""
        lately = now - HALF_HOUR
        return diff_plan([row for row in self.rows[car].values() if row.ends_at > lately], answer, now)

    def apply(self, car: str, changes: PlanChanges, now: datetime, *, boosting: bool) -> None:
        """Keep what an answer changed, and that there was one."""
        self.told[car] = now, boosting
        rows = self.rows[car]
        for new in changes.new:
            number = sum(map(len, self.rows.values()))
            rows[number] = KnownDispatch(number, new.starts_at, new.ends_at, new.energy_kwh)
        for number, energy_kwh in changes.energy_changed:
            row = rows[number]
            marks = row.missing_since, row.withdrawn_at
            rows[number] = KnownDispatch(number, row.starts_at, row.ends_at, energy_kwh, *marks)
        for number in changes.returned:
            rows[number] = _mark_row(rows[number], None, None)
        for number in changes.missing:
            rows[number] = _mark_row(rows[number], now, None)
        for number in (*changes.withdrawn, *dict(changes.superseded)):
            rows[number] = _mark_row(rows[number], rows[number].missing_since, now)
        self.superseded = self.superseded.difference(changes.returned).union(dict(changes.superseded))

    def look(self, now: datetime) -> None:
        """Make the windows anew."""
        self.windows = tuple(
            DispatchWindow(
                row.starts_at,
                row.ends_at,
                self.told[car][0],
                car,
                withdrawn=row.withdrawn_at is not None,
                superseded=row.id in self.superseded,
                boosting=self.told[car][1],
                energy_kwh=row.energy_kwh,
            )
            for car, rows in self.rows.items()
            for row in rows.values()
            if row.ends_at > now - ROW_RETENTION
        )


def _mark_row(row: KnownDispatch, missing_since: datetime | None, withdrawn_at: datetime | None) -> KnownDispatch:
    return KnownDispatch(row.id, row.starts_at, row.ends_at, row.energy_kwh, missing_since, withdrawn_at)


class PolicyDay:
    """One random day. rule: what decides."""

    def __init__(self, seed: int, rule: DecisionRule = decide) -> None:
        self.seed, self.script, self.rule = seed, draw_day(seed), rule
        policy = self.script.policy
        self.cheap = CheapMinutes(policy, self.script.begins_at, self.script.minutes + CHEAP_MARGIN_MINUTES)
        self.laws = DecisionLaws(policy, self.cheap)
        self.believed = {car: BelievedPlan() for car in self.script.silent}
        self.tally = PolicyDayTally(Counter(dict.fromkeys(COUNTER_NAMES, 0) | {"days": 1}))
        self.memory = PlanMemory(self.script.silent)
        self.plans: dict[str, tuple[Dispatch, ...]] = dict.fromkeys(self.script.silent, ())
        self.hold: Hold | None = None
        self.pause: Pause | None = None
        self.manual_override: ManualOverride | None = None
        self.held, self.ask_at = timedelta(0), 0

    def play(self) -> PolicyDayTally:
        """All minutes of the day, and so many after it as something is held."""
        minutes = self.script.minutes
        self._tell(self.script.begins_at, f"{minutes} minutes of {', '.join(self.plans)} with {self.script.policy}")
        for minute in range(minutes):
            self._live(minute)
        for minute in range(minutes, minutes + EXTRA_MINUTES):
            if self.hold is not None:
                self._decide(minute, self._now(minute))
        if self.hold is not None:
            self.laws.add(self._now(minutes + EXTRA_MINUTES - 1), "the battery always comes back", self.hold)
        self.tally.counts["minutes"] += minutes
        if self.laws.broken:
            self.tally.broken[self.seed] = self.laws.broken
        return self.tally

    def _now(self, minute: int) -> datetime:
        return self.script.begins_at + timedelta(minutes=minute, seconds=self.script.seconds[minute])

    def _live(self, minute: int) -> None:
        day, now = self.script, self._now(minute)
        self.held = timedelta(0) if minute in self.cheap.noons else self.held + MINUTE * (self.hold is not None)
        self._hear_owner(minute, now)
        for car, plan in day.plans.get(minute, ()):
            self.plans[car] = plan
        if day.missed[minute]:
            return
        if minute >= self.ask_at:
            self._release_what_is_due(minute, now)
            self._ask(minute, now)
        self._decide(minute, now)
        if self.hold is not None and day.hands[minute]:
            self._leave_to_owner(now)

    def _hear_owner(self, minute: int, now: datetime) -> None:
        if minute in self.script.resumes:
            self.pause = self.manual_override = None
        if minute in self.script.pauses:
            self.pause = Pause(self.script.pauses[minute])
            self._tell(now, f"paused until {self.pause.until}")

    def _leave_to_owner(self, now: datetime) -> None:
        """Somebody has set the battery: the window is theirs, to the half hour after its last slot."""
        planned = merge_spans(span for plan in self.believed.values() for span in plan.spans)
        ends = [end for start, end in planned if start <= now < end]
        last = last_half_hour_end(ends[0]) if ends else self.hold.until if self.hold else now
        self.manual_override, self.hold = ManualOverride(now, last + HALF_HOUR), None
        self.tally.counts["left to the owner"] += 1
        self._tell(now, f"left to the owner until {self.manual_override.until:%H:%M}")

    def _release_what_is_due(self, minute: int, now: datetime) -> None:
        """What ends whatever the charger says ends before the supplier is asked."""
        unasked = self._seen(minute, now, ChargerState.UNKNOWN)
        if self.hold is not None and is_release_certain(unasked):
            self._change(minute, self._seen(minute, now, CHARGER_STATES[self.script.car[minute]]), self.rule(unasked))

    def _ask(self, minute: int, now: datetime) -> None:
        """The supplier answers for every car that it is not silent about."""
        day = self.script
        is_night = all(self.cheap.flags[minute : minute + NIGHT_CHECK_INTERVAL])
        self.ask_at = minute + (NIGHT_CHECK_INTERVAL if is_night else day.asked_every)
        changed = [self._answered(car, minute, now) for car in self.plans if not day.silent[car][minute]]
        self.memory.look(now)
        if any(changed) and self.manual_override is not None:
            until = self._seen(minute, now, ChargerState.UNKNOWN).manual_override_until
            self.manual_override = ManualOverride(self.manual_override.at, until or self.manual_override.until)

    def _answered(self, car: str, minute: int, now: datetime) -> bool:
        """Keep what is told of one car; whether it changed anything."""
        plan, boosting = self.plans[car], bool(self.script.boosting[car][minute])
        answer = {EMPTY: (), REPEATED: (*plan[::-1], *plan)}.get(self.script.odd[minute], plan)
        begun = time.perf_counter()
        changes = self.memory.compare(car, answer, now)
        self.tally.seconds += time.perf_counter() - begun
        self.memory.apply(car, changes, now, boosting=boosting)
        believed = self.believed[car]
        believed.answered_at, believed.boosting = now, boosting
        judge_answer(self.laws, believed, answer, changes, self.memory.rows[car], now)
        self.tally.counts["answers"] += 1
        if changes:
            self._changed(car, answer, changes, now)
        return bool(changes)

    def _changed(self, car: str, answer: tuple[Dispatch, ...], changes: PlanChanges, now: datetime) -> None:
        if again := self.memory.compare(car, answer, now):
            self.laws.add(now, "the same answer again changes nothing", again)
        counts = self.tally.counts
        counts["windows"] += len(changes.new)
        counts["revisions"] += len(changes.superseded)
        counts["withdrawals"] += len(changes.withdrawn)
        planned = text_of_spans(row.span for row in self.memory.rows[car].values() if row.withdrawn_at is None)
        self._tell(now, f"of the {car} is known: {planned}")

    def _seen(self, minute: int, now: datetime, charger: ChargerState) -> State:
        doubtful = bool(self.script.doubts[minute])
        owner = self.pause, self.manual_override
        windows, policy = self.memory.windows, self.script.policy
        return State(now, policy, windows, charger, self.hold, *owner, self.held, clock_is_doubtful=doubtful)

    def _decide(self, minute: int, now: datetime) -> None:
        """Decide with the charger looked at, and with it looked at where that matters: both must come to the same."""
        unasked = self._seen(minute, now, ChargerState.UNKNOWN)
        seen = self._seen(minute, now, CHARGER_STATES[self.script.car[minute]])
        begun = time.perf_counter()
        is_asked = decision_depends_on_charger(unasked)
        decision, seldom = self.rule(seen), self.rule(seen if is_asked else unasked)
        self.tally.seconds += time.perf_counter() - begun
        if seldom.hold != decision.hold:
            self.laws.add(now, "a question not asked cannot matter", f"{decision.hold}, unasked {seldom.hold}")
        if is_asked and seldom.reason is not decision.reason:
            self.laws.add(now, "deciding twice gives the same", f"{decision}, then {seldom}")
        counts = self.tally.counts
        counts["decisions"] += 1
        counts["with a hold"] += decision.hold is not None
        counts["charger looked at"] += is_asked
        self._change(minute, seen, decision)

    def _change(self, minute: int, seen: State, decision: Decision) -> None:
        """Judge a decision, and let it stand."""
        before, self.hold = self.hold, decision.hold
        self.laws.decided(seen, self.hold, self.believed)
        if self.hold == before:
            return
        again = self.rule(self._seen(minute, seen.now, seen.charger)).hold
        if again != self.hold:
            self.laws.add(seen.now, "deciding again changes nothing", f"{self.hold}, then {again}")
        self.tally.counts["holds"] += before is None
        self.tally.counts["extensions"] += self.hold is not None and self.hold.kind is HoldKind.EXTENSION
        held = f"{self.hold.kind} until {self.hold.until:%H:%M}" if self.hold else "nothing"
        self._tell(seen.now, f"the car is {seen.charger}, so {decision.reason}: {held} is held")

    def _tell(self, now: datetime, what: str) -> None:
        self.tally.event_log.append(f"{now:%d %H:%M:%S} ({now.astimezone(LONDON):%H:%M} in London) {what}")

"""The laws of a day, written anew from the policy's words: they share no rule with the program.

Of its values only the fields are read, and what the supplier plans is kept in a book of their own.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from policy_day_plan import NEVER_ANSWERED, CarAnswer, CarPlan, Span, format_spans, is_planned_at, merge_spans
from policy_day_random import LONDON, MINUTE, PolicyDayScript

from smartcharge.policy.model import ChargerState, Hold, HoldKind, ManualOverride, State
from smartcharge.policy.plan import KnownDispatch, PlanChanges

HALF_HOUR = timedelta(minutes=30)
MAX_EXTENSION = timedelta(minutes=29)
NO_END = datetime.max.replace(tzinfo=UTC)


class PolicyDayLaws:
    """The judge of one day. broken: every broken law, in words, with its moment.

    proved_until: the end of the half hour for which last a car charged in a window. left_until: until when at most a
    window is left to the owner.
    """

    def __init__(self, script: PolicyDayScript) -> None:
        self.begins_at, self.policy = script.begins_at, script.policy
        self.told = {car: CarPlan() for car in script.silent}
        wall, (first, last) = _local_minutes(script), _window_edges(script)
        self.cheap = bytes((minute - first) % 1440 < (last - first) % 1440 for minute in wall)
        self.noons = {number for number, minute in enumerate(wall) if minute == 720}
        self.proved_until, self.left_until = NEVER_ANSWERED, NEVER_ANSWERED
        self.broken: list[str] = []

    def break_(self, now: datetime, law: str, why: object = "") -> None:
        self.broken.append(f"{now:%Y-%m-%d %H:%M:%S}: {law}: {why}")

    def answered(
        self, now: datetime, car: str, answer: CarAnswer, changes: PlanChanges, rows: dict[int, KnownDispatch]
    ) -> None:
        """Judge what is remembered after an answer: what was told for the future, and what is not yet given up."""
        energies: dict[Span, set[float | None]] = {}
        for each in answer.planned:
            energies.setdefault((each.starts_at, each.ends_at), set()).add(each.energy_kwh)
        told = self.told[car]
        revised, withdrawn = told.hear(set(energies), now)
        told.at, told.boosting = now, answer.boosting
        planned = {row.span: row.energy_kwh for row in rows.values() if row.withdrawn_at is None}
        if planned.keys() != told.spans.keys():
            self.break_(now, "what is remembered is what was told", format_spans(planned.keys() ^ told.spans.keys()))
        wrong = [span for span in energies if span[1] > now and planned.get(span) not in energies[span]]
        if wrong:
            self.break_(now, "the energy is as it was told", format_spans(wrong))
        heirs = {rows[old].span: heir for old, heir in changes.superseded}
        if heirs.keys() != revised or not set(heirs.values()) <= energies.keys():
            self.break_(now, "what a revision replaces is superseded", format_spans(heirs.keys() | revised))
        if {rows[old].span for old in changes.withdrawn} != withdrawn:
            self.break_(
                now, "what is told no more is withdrawn in time", f"{changes.withdrawn}, {format_spans(withdrawn)}"
            )

    def left(self, manual_override: ManualOverride) -> None:
        """A window is left to the owner."""
        self.left_until = manual_override.until

    def decided(self, minute: int, seen: State, after: Hold | None) -> None:
        """Judge one decision; `seen` holds what the charger truly says."""
        before, now = seen.hold, seen.now
        if law := self._forbidden(minute, seen):
            if after is not None:
                self.break_(now, law, after)
            return
        if after is None and seen.manual_override is not None and now < self.left_until:
            return
        charging = seen.charger is ChargerState.CHARGING
        if charging and self._deserves(minute, seen):
            wanted = Hold(self._goal(minute, now), HoldKind.WINDOW)
            if after != wanted:
                self.break_(now, "a car that charges in a window is held for", f"{before} became {after}, not {wanted}")
        elif before is None:
            if after is not None:
                self.break_(now, "only a car that charges in a fresh window begins a hold", after)
        elif after is None:
            self._ended(minute, seen, before)
        else:
            self._went_on(minute, seen, before, after)
        if after is not None:
            self._stands(minute, now, after)

    def _forbidden(self, minute: int, seen: State) -> str:
        """The law by which nothing may be held now, whatever the car does."""
        pause, stood = seen.pause, seen.manual_override
        is_left = stood is not None and seen.now < self._left_at_least_until(stood)
        if self.cheap[minute]:
            return "nothing is held in the cheap period"
        if seen.clock_is_doubtful:
            return "nothing is held by a clock in doubt"
        if pause is not None and (pause.until is None or seen.now < pause.until):
            return "nothing is held in a pause"
        return "a window left to the owner stays left" if is_left else ""

    def _left_at_least_until(self, stood: ManualOverride) -> datetime:
        """Half an hour past the last slot of what the window has become; where nothing is left of it, as was said."""
        spans = merge_spans(self.told.values())
        grown = [half_hour_end_of(end) + HALF_HOUR for start, end in spans if start < self.left_until]
        self.left_until = max([self.left_until, *grown])
        around = [end for start, end in spans if start <= stood.at < end]
        if around:
            return half_hour_end_of(around[0]) + HALF_HOUR
        return stood.at if any(start < stood.until and stood.at < end for start, end in spans) else stood.until

    def _trusted(self, seen: State, until: datetime) -> list[CarPlan]:
        """Whose plans may be held for up to `until`: fresh, no forced charge, and the daily limit is not exceeded."""
        if self._exceeds_daily_limit(seen, until):
            return []
        told = self.told.values()
        return [each for each in told if seen.now - each.at < self.policy.grace and not each.boosting]

    def _exceeds_daily_limit(self, seen: State, until: datetime) -> bool:
        """Whether more than the configured hours would be held between two local noons."""
        if self.policy.max_hours_per_day is None:
            return False
        minutes = (until - seen.now).total_seconds() / 60
        noon = until.astimezone(ZoneInfo(self.policy.cheap_period.zone)).replace(hour=12, minute=0, second=0)
        after_noon = (until - noon).total_seconds() / 60 if seen.now < noon < until else 0
        before_noon = seen.held_since_noon.total_seconds() / 60 + minutes - after_noon
        return max(before_noon, after_noon) > self.policy.max_hours_per_day * 60

    def _deserves(self, minute: int, seen: State) -> bool:
        """Whether a hold begins, or goes on, for this charging car."""
        now, trusted = seen.now, self._trusted(seen, self._goal(minute, seen.now))
        ahead = now + self.policy.release_lead
        if not is_planned_at(trusted, ahead):
            return False
        self.proved_until = _half_hour_end(ahead)
        under_way = seen.hold is not None or is_planned_at(trusted, now)
        return under_way and self._goal(minute, now) - now >= self.policy.min_hold

    def _goal(self, minute: int, now: datetime) -> datetime:
        return min(_half_hour_end(now + self.policy.release_lead), self._next_cheap(minute))

    def _next_cheap(self, minute: int) -> datetime:
        """When the cheap period begins; it does not hold this minute."""
        found = self.cheap.find(1, minute)
        return NO_END if found < 0 else self.begins_at + found * MINUTE

    def _ended(self, minute: int, seen: State, before: Hold) -> None:
        due = seen.now + self.policy.release_lead >= before.until
        stopped = before.kind is HoldKind.EXTENSION and seen.charger is ChargerState.IDLE
        if not due and not stopped:
            self.break_(seen.now, "a half hour that is cheap is held to its end", before)
        if due and self._overruns(minute, seen, before):
            self.break_(seen.now, "a car that overruns its window gets one half hour more", before)

    def _went_on(self, minute: int, seen: State, before: Hold, after: Hold) -> None:
        now = seen.now
        if before.kind is HoldKind.EXTENSION and seen.charger is ChargerState.IDLE:
            self.break_(now, "an extension ends with the car", after)
        elif now + self.policy.release_lead < before.until:
            if after != before:
                self.break_(now, "a hold that is not due stays as it is", f"{before} became {after}")
        elif seen.charger is not ChargerState.CHARGING:
            self.break_(now, "time always wins", f"{before} became {after}")
        elif before.kind is HoldKind.EXTENSION:
            self.break_(now, "an extension never follows an extension", f"{before} became {after}")
        elif not self._overruns(minute, seen, before):
            self.break_(now, "only an overrun of a window is extended", f"{before} became {after}")
        elif after != Hold(min(before.until + HALF_HOUR, self._next_cheap(minute)), HoldKind.EXTENSION):
            self.break_(now, "an extension is the half hour after the hold", f"{before} became {after}")

    def _overruns(self, minute: int, seen: State, before: Hold) -> bool:
        """Whether the car still charges as its window ends, and the half hour after it may be had."""
        until, ahead = before.until, seen.now + self.policy.release_lead
        wanted = self.policy.extension and before.kind is HoldKind.WINDOW and seen.charger is ChargerState.CHARGING
        extended_until = min(until + HALF_HOUR, self._next_cheap(minute))
        if not wanted or ahead >= extended_until:
            return False
        begins_cheap = self.cheap[(until - self.begins_at) // MINUTE]
        ends = (end for told in self._trusted(seen, extended_until) for _, end in told.spans)
        return not begins_cheap and any(until - HALF_HOUR < end <= until for end in ends)

    def _stands(self, minute: int, now: datetime, hold: Hold) -> None:
        """Judge a hold by itself."""
        until, lead, cheap = hold.until, self.policy.release_lead, self._next_cheap(minute)
        extra = HALF_HOUR if hold.kind is HoldKind.EXTENSION else timedelta(0)
        if until - lead <= now:
            self.break_(now, "a release begins in time", hold)
        if until > cheap:
            self.break_(now, "no hold reaches into the cheap period", hold)
        if until not in {cheap, half_hour_end_of(until)}:
            self.break_(now, "a hold ends with a half hour", hold)
        if until - now > HALF_HOUR + lead:
            self.break_(now, "a hold is for one half hour at most", hold)
        if now >= self.proved_until + extra:
            self.break_(now, "no hold outlives its evidence", f"{hold}, proved until {self.proved_until}")
        if until - lead - self.proved_until > min(extra, MAX_EXTENSION):
            self.break_(now, "at most 29 minutes without a plan, once", f"{hold}, proved until {self.proved_until}")


def _half_hour_end(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 30 * 30, second=0, microsecond=0) + HALF_HOUR


def half_hour_end_of(end: datetime) -> datetime:
    """The end of the last half hour that a span with this end touches."""
    return end if (end.minute % 30, end.second, end.microsecond) == (0, 0, 0) else _half_hour_end(end)


def _window_edges(script: PolicyDayScript) -> tuple[int, int]:
    period = script.policy.cheap_period
    return 60 * period.starts.hour + period.starts.minute, 60 * period.ends.hour + period.ends.minute


def _local_minutes(script: PolicyDayScript) -> list[int]:
    """The minute of the local day for each minute of this one, and of the two hours after it."""
    begins = (script.begins_at + n * HALF_HOUR for n in range((script.minutes + 120) // 30))
    return [
        60 * wall.hour + wall.minute + n for wall in (each.astimezone(LONDON) for each in begins) for n in range(30)
    ]

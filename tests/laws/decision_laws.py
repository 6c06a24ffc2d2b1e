"""The laws of a decision, written anew from the policy's words, over values alone.

They judge every minute of a random day of the rules, and every decision that a scenario or a random day recorded.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from laws.record import HALF_HOUR, MINUTE, Span, covers, half_hour_end, last_half_hour_end, merge_spans

from smartcharge.policy.model import ChargerState, DispatchWindow, Hold, HoldKind, ManualOverride, Policy, State

MAX_EXTENSION = timedelta(minutes=29)
NEVER, NO_END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class BelievedPlan:
    """One car's plan as it is to be believed. answered_at: when the supplier last answered for the car."""

    answered_at: datetime = NEVER
    boosting: bool = False
    spans: dict[Span, datetime | None] = field(default_factory=dict)


def plans_in_state(windows: Iterable[DispatchWindow]) -> dict[str, BelievedPlan]:
    """The plans that a recorded decision was shown, by car."""
    plans: dict[str, BelievedPlan] = {}
    for each in windows:
        plan = plans.setdefault(each.device, BelievedPlan())
        plan.answered_at, plan.boosting = max(plan.answered_at, each.seen_at), plan.boosting or each.boosting
        if not (each.withdrawn or each.superseded):
            plan.spans[each.starts_at, each.ends_at] = None
    return plans


class CheapMinutes:
    """The minutes of the cheap period from a moment on, counted on the local wall clock."""

    def __init__(self, policy: Policy, begins_at: datetime, minutes: int) -> None:
        period, zone = policy.cheap_period, ZoneInfo(policy.cheap_period.zone)
        first, last = (each.hour * 60 + each.minute for each in (period.starts, period.ends))
        local = [(begins_at + number * MINUTE).astimezone(zone) for number in range(minutes)]
        wall = [each.hour * 60 + each.minute for each in local]
        self.begins_at = begins_at
        self.flags = bytes((minute - first) % 1440 < (last - first) % 1440 for minute in wall)
        self.noons = {number for number, minute in enumerate(wall) if minute == 720}

    def has(self, moment: datetime) -> bool:
        """Whether the cheap period applies at a moment."""
        return bool(self.flags[(moment - self.begins_at) // MINUTE])

    def next_start(self, moment: datetime) -> datetime:
        """When the cheap period next begins."""
        found = self.flags.find(1, (moment - self.begins_at) // MINUTE)
        return NO_END if found < 0 else self.begins_at + found * MINUTE


class DecisionLaws:
    """Judges decisions in their order. broken: every broken law, with its moment.

    justified_until: the end of the half hour for which a car last charged in a window.
    """

    def __init__(self, policy: Policy, cheap: CheapMinutes) -> None:
        self.policy, self.cheap = policy, cheap
        self.plans: Mapping[str, BelievedPlan] = {}
        self.justified_until, self.overridden_until, self.overridden_at = NEVER, NEVER, NEVER
        self.broken: list[str] = []

    def add(self, now: datetime, law: str, why: object = "") -> None:
        """Note a broken law."""
        self.broken.append(f"{now:%Y-%m-%d %H:%M:%S}: {law}: {why}")

    def decided(self, state: State, after: Hold | None, plans: Mapping[str, BelievedPlan]) -> None:
        """Judge one decision. state: with what the charger truly says. plans: what is to be believed of the plan."""
        self.plans = plans
        override = state.manual_override
        if override is not None and override.at != self.overridden_at:
            self.overridden_at, self.overridden_until = override.at, override.until
        if law := self._forbidden(state):
            if after is not None:
                self.add(state.now, law, after)
        elif after is not None or override is None or state.now >= self.overridden_until:
            self._judge_step(state, state.hold, after)
            if after is not None:
                self._judge_hold(state.now, after)

    def _judge_step(self, state: State, before: Hold | None, after: Hold | None) -> None:
        """Judge what a decision makes of the hold before it, where a hold is allowed."""
        now = state.now
        if state.charger is ChargerState.CHARGING and self._justifies_hold(state):
            wanted = Hold(self._next_until(now), HoldKind.WINDOW)
            if after != wanted:
                self.add(now, "a car that charges in a window is held for", f"{before} became {after}, not {wanted}")
        elif before is None:
            if after is not None:
                self.add(now, "only a car that charges in a fresh window begins a hold", after)
        elif after is None:
            self._judge_end(state, before)
        else:
            self._judge_continuation(state, before, after)

    def _forbidden(self, state: State) -> str:
        """The law by which nothing may be held now, whatever the car does."""
        pause, override = state.pause, state.manual_override
        if self.cheap.has(state.now):
            return "nothing is held in the cheap period"
        if state.clock_is_doubtful:
            return "nothing is held while the clock is doubtful"
        if pause is not None and (pause.until is None or state.now < pause.until):
            return "nothing is held during a pause"
        is_overridden = override is not None and state.now < self._overridden_at_least_until(override)
        return "an overridden window stays overridden" if is_overridden else ""

    def _overridden_at_least_until(self, override: ManualOverride) -> datetime:
        """Half an hour past the window's last slot as it is planned now; as remembered where nothing is left of it."""
        spans = merge_spans(span for plan in self.plans.values() for span in plan.spans)
        grown = [last_half_hour_end(end) + HALF_HOUR for start, end in spans if start < self.overridden_until]
        self.overridden_until = max([self.overridden_until, *grown])
        around = [end for start, end in spans if start <= override.at < end]
        if around:
            return last_half_hour_end(around[0]) + HALF_HOUR
        moved = any(start < override.until and override.at < end for start, end in spans)
        return override.at if moved else override.until

    def _usable_spans(self, state: State, until: datetime) -> list[Span]:
        """What may be held for up to `until`: fresh, no forced charge, and the daily limit is not exceeded."""
        if self._exceeds_daily_limit(state, until):
            return []
        grace = self.policy.grace
        usable = [each for each in self.plans.values() if state.now - each.answered_at < grace and not each.boosting]
        return [span for each in usable for span in each.spans]

    def _exceeds_daily_limit(self, state: State, until: datetime) -> bool:
        """Whether more than the configured hours would be held between two local noons."""
        if self.policy.max_hours_per_day is None:
            return False
        minutes = (until - state.now).total_seconds() / 60
        noon = until.astimezone(ZoneInfo(self.policy.cheap_period.zone)).replace(hour=12, minute=0, second=0)
        after_noon = (until - noon).total_seconds() / 60 if state.now < noon < until else 0
        before_noon = state.held_since_noon.total_seconds() / 60 + minutes - after_noon
        return max(before_noon, after_noon) > self.policy.max_hours_per_day * 60

    def _justifies_hold(self, state: State) -> bool:
        """Whether a hold begins, or goes on, for this charging car."""
        now, until = state.now, self._next_until(state.now)
        spans = self._usable_spans(state, until)
        ahead = now + self.policy.release_lead
        if not covers(spans, ahead):
            return False
        self.justified_until = half_hour_end(ahead)
        return (state.hold is not None or covers(spans, now)) and until - now >= self.policy.min_hold

    def _next_until(self, now: datetime) -> datetime:
        return min(half_hour_end(now + self.policy.release_lead), self.cheap.next_start(now))

    def _judge_end(self, state: State, before: Hold) -> None:
        due = state.now + self.policy.release_lead >= before.until
        stopped = before.kind is HoldKind.EXTENSION and _has_stopped(state)
        if not due and not stopped:
            self.add(state.now, "a half hour that is cheap is held to its end", before)
        if due and self._overruns(state, before):
            self.add(state.now, "a car that overruns its window gets one half hour more", before)

    def _judge_continuation(self, state: State, before: Hold, after: Hold) -> None:
        now = state.now
        if before.kind is HoldKind.EXTENSION and _has_stopped(state):
            self.add(now, "an extension ends with the car", after)
        elif now + self.policy.release_lead < before.until:
            if after != before:
                self.add(now, "a hold that is not due stays as it is", f"{before} became {after}")
        elif state.charger is not ChargerState.CHARGING:
            self.add(now, "time always wins", f"{before} became {after}")
        elif before.kind is HoldKind.EXTENSION:
            self.add(now, "an extension never follows an extension", f"{before} became {after}")
        elif not self._overruns(state, before):
            self.add(now, "only an overrun of a window is extended", f"{before} became {after}")
        elif after != Hold(min(before.until + HALF_HOUR, self.cheap.next_start(now)), HoldKind.EXTENSION):
            self.add(now, "an extension is the half hour after the hold", f"{before} became {after}")

    def _overruns(self, state: State, before: Hold) -> bool:
        """Whether the car still charges from the grid as its window ends, and the next half hour may be held."""
        until, ahead = before.until, state.now + self.policy.release_lead
        wanted = self.policy.extension and before.kind is HoldKind.WINDOW and _takes_grid_power(state)
        extended_until = min(until + HALF_HOUR, self.cheap.next_start(state.now))
        if not wanted or ahead >= extended_until or self.cheap.has(until):
            return False
        return any(until - HALF_HOUR < end <= until for _, end in self._usable_spans(state, extended_until))

    def _judge_hold(self, now: datetime, hold: Hold) -> None:
        """Judge a hold by itself."""
        until, lead, cheap_at = hold.until, self.policy.release_lead, self.cheap.next_start(now)
        extra = HALF_HOUR if hold.kind is HoldKind.EXTENSION else timedelta(0)
        if until - lead <= now:
            self.add(now, "a release begins in time", hold)
        if until > cheap_at:
            self.add(now, "no hold reaches into the cheap period", hold)
        if until not in {cheap_at, last_half_hour_end(until)}:
            self.add(now, "a hold ends with a half hour", hold)
        if until - now > HALF_HOUR + lead:
            self.add(now, "a hold is for one half hour at most", hold)
        if now >= self.justified_until + extra:
            self.add(now, "no hold outlives its evidence", f"{hold}, justified until {self.justified_until}")
        if until - lead - self.justified_until > min(extra, MAX_EXTENSION):
            self.add(now, "at most 29 minutes without a plan, once", f"{hold}, justified until {self.justified_until}")


def _takes_grid_power(state: State) -> bool:
    return state.charger is ChargerState.CHARGING and not state.solar_only


def _has_stopped(state: State) -> bool:
    return state.charger is ChargerState.IDLE or (state.charger is ChargerState.CHARGING and state.solar_only)

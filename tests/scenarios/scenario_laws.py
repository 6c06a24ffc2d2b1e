"""What holds for every story, whatever happens in it; each broken law is a sentence.

The laws are written anew from the policy's words, and share no rule with the program.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from scenario_rate_laws import find_broken_rate_laws

from smartcharge.policy.slots import SLOT, CheapPeriod, Span, last_slot_end, slot_end, slot_start
from smartcharge.simulator.kraken_account import DispatchItem
from smartcharge.simulator.scenario import CarState, PlannedItem, Scenario
from smartcharge.simulator.scenario_runner import MinuteRecord, ScenarioResult
from smartcharge.simulator.scenario_yaml import LONDON

MINUTE = timedelta(minutes=1)
RELEASE_LEAD = timedelta(seconds=90)
MIN_HOLD = timedelta(seconds=180)
PLAN_DELAY = timedelta(minutes=4)
"""A plan that has stood so long has been asked for, at every cadence of the day."""
CHARGING_THRESHOLD_W = 500
RECOVERY_TIME = 2 * MINUTE
BACKUP_SETTINGS, FULL_PCT = "backup", 100


def find_broken_laws(played: ScenarioResult, scenario: Scenario) -> list[str]:
    """Name the laws that a performance broke."""
    laws: list[Callable[[ScenarioResult, Scenario], Iterator[str]]] = [_errors_are_reported_once, _tesla_request_limits]
    if not is_held_by_owner(scenario):
        laws.append(_backup_only_in_windows)
    if not has_service_faults(scenario, "tesla"):
        laws.append(_one_command_per_transition)
    if has_no_disturbances(scenario, "tesla"):
        laws.append(_commands_only_at_hold_changes)
    if has_no_disturbances(scenario):
        laws.append(_held_when_required)
    return [sentence for law in laws for sentence in law(played, scenario)]


def has_service_faults(scenario: Scenario, *services: str) -> bool:
    """Whether any of these services fails or lags at any time in the story; all of them where none is named."""
    failing = {spell.fault.service.removesuffix("-auth") for spell in scenario.fault_periods}
    start = scenario.powerwall
    slow = bool(start.delay_s or start.visible_after_reads or not start.has_rate_plan)
    return bool(failing & set(services or failing)) or (slow and (not services or "tesla" in services))


def has_no_disturbances(scenario: Scenario, *services: str) -> bool:
    """Whether nobody sleeps, meddles or fails, and the policy's usual numbers hold."""
    meddled = scenario.owner or scenario.missed or scenario.config or is_held_by_owner(scenario)
    lies = any(not _is_plain_record(car) for timeline in scenario.cars.values() for _, car in timeline.entries)
    return not (meddled or lies or scenario.devices.entries or has_service_faults(scenario, *services))


def _is_plain_record(car: CarState) -> bool:
    """Whether a Zappi's record means what it says."""
    contradicts = car.watts >= CHARGING_THRESHOLD_W and car.pst not in {"C1", "C2"}
    return not (car.silent or car.changes or car.without or contradicts or car.watts < 0)


def is_held_by_owner(scenario: Scenario) -> bool:
    """Whether the owner holds the battery by his own hand."""
    stances = [
        (scenario.powerwall.mode, scenario.powerwall.reserve_pct),
        *((act.mode, act.reserve_pct) for act in scenario.owner),
    ]
    return any(mode == BACKUP_SETTINGS or reserve_pct == FULL_PCT for mode, reserve_pct in stances)


def _errors_are_reported_once(played: ScenarioResult, _story: Scenario) -> Iterator[str]:
    told = Counter(line for minute in played.minutes for ran in minute.ran for line in ran.outcome.stderr.splitlines())
    yield from (f"the owner is told {count} times: {line}" for line, count in told.items() if count > 1)


def _tesla_request_limits(played: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    minutes = {minute.at: minute for minute in played.minutes}
    yield from find_broken_rate_laws(played, scenario, lambda at: _should_hold(minutes[at], scenario))


def _backup_only_in_windows(played: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    drew_at: datetime | None = None
    for minute in played.minutes:
        drew_at = minute.at if minute.car_w >= CHARGING_THRESHOLD_W else drew_at
        if minute.battery.mode != BACKUP_SETTINGS or _may_be_late(scenario, minute.at):
            continue
        if scenario_cheap_period(scenario).containing(minute.at):
            yield f"at {_clock(minute.at)} the battery is held although the night rate applies"
        started = [span for span in planned_windows_until(scenario, minute.at) if span.starts_at <= minute.at]
        if any(minute.at + RELEASE_LEAD < last_slot_end(span.ends_at) for span in started):
            continue
        if not any(minute.at + RELEASE_LEAD < last_slot_end(span.ends_at) + SLOT for span in started):
            yield f"at {_clock(minute.at)} the battery is held although no window allows it"
        elif not has_service_faults(scenario, "myenergi") and (drew_at is None or minute.at - drew_at > 2 * MINUTE):
            yield f"at {_clock(minute.at)} the extra half hour goes on although the car has stopped"


def _one_command_per_transition(played: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    for at, writes in groupby(played.writes, key=lambda write: write[0]):
        kinds = [kind for _, kind, _ in writes]
        if len(kinds) > len(set(kinds)) or kinds != sorted(kinds):
            yield f"at {_clock(at)} the battery is told {', then '.join(kinds)}"
    for kind in ("mode", "reserve"):
        told = [(at, value) for at, each, value in played.writes if each == kind]
        for (before, old), (after, new) in pairwise(told):
            if old == new and not any(before <= act.at <= after for act in scenario.owner):
                yield f"at {_clock(after)} the battery is told {kind} {new} once more"


def _commands_only_at_hold_changes(played: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    minutes = {minute.at: minute for minute in played.minutes}
    for at, _, value in played.writes:
        draws = minutes[at].car_w >= CHARGING_THRESHOLD_W
        if value in {BACKUP_SETTINGS, str(FULL_PCT)}:
            if not draws or not any(span.covers(at) for span in planned_windows_until(scenario, at)):
                yield f"at {_clock(at)} the battery is told {value} although no car draws in a window"
        elif at + MINUTE + RELEASE_LEAD > slot_end(at) or scenario_cheap_period(scenario).containing(at):
            continue
        elif draws or not _is_extension_time(scenario, at):
            yield f"at {_clock(at)} the battery is told {value} in the middle of a slot"


def _held_when_required(played: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    run = 0
    for minute in played.minutes:
        run = run + 1 if _should_hold(minute, scenario) else 0
        wanted = 1 if _is_hold_wanted(minute.at - MINUTE, scenario) else 2
        if run > wanted and minute.battery.mode != BACKUP_SETTINGS:
            yield f"at {_clock(minute.at)} the battery is not held, after {run} ticks of a car that draws in a window"


def _should_hold(minute: MinuteRecord, scenario: Scenario) -> bool:
    at = minute.at
    known = {span for span in planned_windows_at(scenario, at) if span in planned_windows_at(scenario, at - PLAN_DELAY)}
    covered = all(any(span.covers(moment) for span in known) for moment in (at, at + RELEASE_LEAD))
    worth = slot_end(at + RELEASE_LEAD) - at >= MIN_HOLD
    return (
        minute.car_w >= CHARGING_THRESHOLD_W
        and covered
        and worth
        and not scenario_cheap_period(scenario).containing(at)
    )


def _is_hold_wanted(at: datetime, scenario: Scenario) -> bool:
    young = any(timedelta(0) <= at - span.starts_at < 15 * MINUTE for span in planned_windows_at(scenario, at))
    return young or at - slot_start(at) < 5 * MINUTE


def _is_extension_time(scenario: Scenario, at: datetime) -> bool:
    """Whether the moment lies in the half hour after a window."""
    ends = [last_slot_end(span.ends_at) for span in planned_windows_until(scenario, at)]
    return any(end - MINUTE <= at < end + SLOT for end in ends)


def _may_be_late(scenario: Scenario, at: datetime) -> bool:
    """Whether cron slept or Tesla failed just now."""
    fault_periods = [
        (each.starts_at, each.ends_at) for each in scenario.fault_periods if each.fault.service.startswith("tesla")
    ]
    lag = timedelta(seconds=scenario.powerwall.delay_s)
    return any(start <= at < end + RECOVERY_TIME + lag for start, end in (*fault_periods, *scenario.missed)) or bool(
        lag
    )


def planned_windows_at(scenario: Scenario, at: datetime) -> set[Span]:
    """The SMART windows in the supplier's list at a moment."""
    return _smart_windows(scenario.plan.at(at) or ())


def planned_windows_until(scenario: Scenario, at: datetime) -> set[Span]:
    """The SMART windows that have ever been in the supplier's list until a moment."""
    return _smart_windows(planned for since, each in scenario.plan.entries if since <= at for planned in each)


def scenario_cheap_period(scenario: Scenario) -> CheapPeriod:
    """The tariff's night in this story."""
    control = scenario.config.get("control", {})
    given = control.get("cheap_period", ["00:00", "06:00"]) if isinstance(control, dict) else ["00:00", "06:00"]
    starts, ends = (datetime.strptime(each, "%H:%M").time() for each in given)  # noqa: DTZ007 - a wall clock's time
    return CheapPeriod(starts, ends, zone=LONDON.key)


def _smart_windows(planned: Iterable[PlannedItem]) -> set[Span]:
    items = [each.item for each in planned if each.item and each.item.get("type") == "SMART"]
    spans = [
        Span(_parse_instant(item.get("start")), _parse_instant(item.get("end")))
        for item in items
        if _has_valid_dates(item)
    ]
    return {span for span in spans if span.starts_at < span.ends_at}


def _has_valid_dates(item: DispatchItem) -> bool:
    return all(_parse_instant(item.get(key)).tzinfo for key in ("start", "end"))


def _parse_instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%H:%M}"

"""What holds for every story, whatever happens in it; each broken law is a sentence.

The laws are written anew from the policy's words, and share no rule with the program.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from story_manners import broken_manners

from smartcharge.core.slots import SLOT, CheapPeriod, Span, last_slot_end, slot_end, slot_start
from smartcharge.world.kraken_account import Dispatch
from smartcharge.world.player import Minute, Played
from smartcharge.world.story import Car, Planned, Story
from smartcharge.world.story_times import LONDON

MINUTE = timedelta(minutes=1)
LEAD = timedelta(seconds=90)
MIN_HOLD = timedelta(seconds=180)
PLAN_HEARD = timedelta(minutes=4)
"""A plan that has stood so long has been asked for, at every cadence of the day."""
DRAWS_W = 500
WORKS_AGAIN = 2 * MINUTE
BACKUP, FULL_PCT = "backup", 100


def broken_laws(played: Played, story: Story) -> list[str]:
    """Name the laws that a performance broke."""
    laws: list[Callable[[Played, Story], Iterator[str]]] = [_trouble_is_told_once, _tesla_is_treated_well]
    if not holds_itself(story):
        laws.append(_backup_stands_only_where_a_window_allows_it)
    if not troubles(story, "tesla"):
        laws.append(_one_write_of_a_kind_per_transition)
    if is_undisturbed(story, "tesla"):
        laws.append(_written_only_when_a_hold_begins_or_ends)
    if is_undisturbed(story):
        laws.append(_held_whenever_it_should_be)
    return [sentence for law in laws for sentence in law(played, story)]


def troubles(story: Story, *services: str) -> bool:
    """Whether any of these services fails or lags at any time in the story; all of them where none is named."""
    failing = {spell.fault.service.removesuffix("-auth") for spell in story.spells}
    start = story.powerwall
    slow = bool(start.delay_s or start.visible_after_reads or not start.has_rate_plan)
    return bool(failing & set(services or failing)) or (slow and (not services or "tesla" in services))


def is_undisturbed(story: Story, *services: str) -> bool:
    """Whether nobody sleeps, meddles or fails, and the policy's usual numbers hold."""
    meddled = story.owner or story.missed or story.config or holds_itself(story)
    lies = any(not _is_plain(car) for timeline in story.cars.values() for _, car in timeline.entries)
    return not (meddled or lies or story.devices.entries or troubles(story, *services))


def _is_plain(car: Car) -> bool:
    """Whether a Zappi's record means what it says."""
    contradicts = car.watts >= DRAWS_W and car.pst not in {"C1", "C2"}
    return not (car.silent or car.changes or car.without or contradicts or car.watts < 0)


def holds_itself(story: Story) -> bool:
    """Whether the owner holds the battery by his own hand."""
    stances = [
        (story.powerwall.mode, story.powerwall.reserve_pct),
        *((act.mode, act.reserve_pct) for act in story.owner),
    ]
    return any(mode == BACKUP or reserve_pct == FULL_PCT for mode, reserve_pct in stances)


def _trouble_is_told_once(played: Played, _story: Story) -> Iterator[str]:
    told = Counter(line for minute in played.minutes for ran in minute.ran for line in ran.outcome.stderr.splitlines())
    yield from (f"the owner is told {count} times: {line}" for line, count in told.items() if count > 1)


def _tesla_is_treated_well(played: Played, story: Story) -> Iterator[str]:
    minutes = {minute.at: minute for minute in played.minutes}
    yield from broken_manners(played, story, lambda at: _should_hold(minutes[at], story))


def _backup_stands_only_where_a_window_allows_it(played: Played, story: Story) -> Iterator[str]:
    drew_at: datetime | None = None
    for minute in played.minutes:
        drew_at = minute.at if minute.car_w >= DRAWS_W else drew_at
        if minute.battery.mode != BACKUP or _may_be_late(story, minute.at):
            continue
        if cheap_period(story).holding(minute.at):
            yield f"at {_clock(minute.at)} the battery is held although the night rate applies"
        started = [span for span in planned_until(story, minute.at) if span.starts_at <= minute.at]
        if any(minute.at + LEAD < last_slot_end(span.ends_at) for span in started):
            continue
        if not any(minute.at + LEAD < last_slot_end(span.ends_at) + SLOT for span in started):
            yield f"at {_clock(minute.at)} the battery is held although no window allows it"
        elif not troubles(story, "myenergi") and (drew_at is None or minute.at - drew_at > 2 * MINUTE):
            yield f"at {_clock(minute.at)} the extra half hour goes on although the car has stopped"


def _one_write_of_a_kind_per_transition(played: Played, story: Story) -> Iterator[str]:
    for at, writes in groupby(played.writes, key=lambda write: write[0]):
        kinds = [kind for _, kind, _ in writes]
        if len(kinds) > len(set(kinds)) or kinds != sorted(kinds):
            yield f"at {_clock(at)} the battery is told {', then '.join(kinds)}"
    for kind in ("mode", "reserve"):
        told = [(at, value) for at, each, value in played.writes if each == kind]
        for (before, old), (after, new) in pairwise(told):
            if old == new and not any(before <= act.at <= after for act in story.owner):
                yield f"at {_clock(after)} the battery is told {kind} {new} once more"


def _written_only_when_a_hold_begins_or_ends(played: Played, story: Story) -> Iterator[str]:
    minutes = {minute.at: minute for minute in played.minutes}
    for at, _, value in played.writes:
        draws = minutes[at].car_w >= DRAWS_W
        if value in {BACKUP, str(FULL_PCT)}:
            if not draws or not any(span.covers(at) for span in planned_until(story, at)):
                yield f"at {_clock(at)} the battery is told {value} although no car draws in a window"
        elif at + MINUTE + LEAD > slot_end(at) or cheap_period(story).holding(at):
            continue
        elif draws or not _is_extra(story, at):
            yield f"at {_clock(at)} the battery is told {value} in the middle of a slot"


def _held_whenever_it_should_be(played: Played, story: Story) -> Iterator[str]:
    run = 0
    for minute in played.minutes:
        run = run + 1 if _should_hold(minute, story) else 0
        wanted = 1 if _is_keen(minute.at - MINUTE, story) else 2
        if run > wanted and minute.battery.mode != BACKUP:
            yield f"at {_clock(minute.at)} the battery is not held, after {run} ticks of a car that draws in a window"


def _should_hold(minute: Minute, story: Story) -> bool:
    at = minute.at
    known = {span for span in planned_at(story, at) if span in planned_at(story, at - PLAN_HEARD)}
    covered = all(any(span.covers(moment) for span in known) for moment in (at, at + LEAD))
    worth = slot_end(at + LEAD) - at >= MIN_HOLD
    return minute.car_w >= DRAWS_W and covered and worth and not cheap_period(story).holding(at)


def _is_keen(at: datetime, story: Story) -> bool:
    young = any(timedelta(0) <= at - span.starts_at < 15 * MINUTE for span in planned_at(story, at))
    return young or at - slot_start(at) < 5 * MINUTE


def _is_extra(story: Story, at: datetime) -> bool:
    """Whether the moment lies in the half hour after a window."""
    ends = [last_slot_end(span.ends_at) for span in planned_until(story, at)]
    return any(end - MINUTE <= at < end + SLOT for end in ends)


def _may_be_late(story: Story, at: datetime) -> bool:
    """Whether cron slept or Tesla failed just now."""
    spells = [(each.starts_at, each.ends_at) for each in story.spells if each.fault.service.startswith("tesla")]
    lag = timedelta(seconds=story.powerwall.delay_s)
    return any(start <= at < end + WORKS_AGAIN + lag for start, end in (*spells, *story.missed)) or bool(lag)


def planned_at(story: Story, at: datetime) -> set[Span]:
    """The SMART windows in the supplier's list at a moment."""
    return _smart(story.plan.at(at) or ())


def planned_until(story: Story, at: datetime) -> set[Span]:
    """The SMART windows that have ever been in the supplier's list until a moment."""
    return _smart(planned for since, each in story.plan.entries if since <= at for planned in each)


def cheap_period(story: Story) -> CheapPeriod:
    """The tariff's night in this story."""
    control = story.config.get("control", {})
    given = control.get("cheap_period", ["00:00", "06:00"]) if isinstance(control, dict) else ["00:00", "06:00"]
    starts, ends = (datetime.strptime(each, "%H:%M").time() for each in given)  # noqa: DTZ007 - a wall clock's time
    return CheapPeriod(starts, ends, zone=LONDON.key)


def _smart(planned: Iterable[Planned]) -> set[Span]:
    items = [each.item for each in planned if each.item and each.item.get("type") == "SMART"]
    spans = [Span(_instant(item.get("start")), _instant(item.get("end"))) for item in items if _is_dated(item)]
    return {span for span in spans if span.starts_at < span.ends_at}


def _is_dated(item: Dispatch) -> bool:
    return all(_instant(item.get(key)).tzinfo for key in ("start", "end"))


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%H:%M}"

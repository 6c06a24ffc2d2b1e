"""A played scenario as the neutral record that the laws judge."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ics_linter import parse_mail
from laws.battery_laws import CommandLaws, MissedHoldLaws, ReturnLaws
from laws.journal_laws import JournalLaws, judge_evidence
from laws.message_laws import MailLaws, OutputLaws, QuestionLaws
from laws.record import (
    HOLDING_VALUES,
    MIN_HOLD,
    MINUTE,
    RELEASE_LEAD,
    Command,
    Mail,
    Minute,
    Outcome,
    Question,
    Span,
    covers,
)

from smartcharge.policy.model import Hold
from smartcharge.policy.slots import CheapPeriod, local_day, slot_end, slot_start
from smartcharge.simulator.faults import RETRY_AFTER_S
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.kraken_account import DispatchItem
from smartcharge.simulator.scenario import CarState, PlannedItem, Scenario
from smartcharge.simulator.scenario_runner import MinuteRecord, ScenarioResult
from smartcharge.simulator.scenario_yaml import LONDON
from smartcharge.simulator.servers import ReceivedRequest
from smartcharge.store.control import load_battery_memory, load_open_hold
from smartcharge.store.database import open_store

PLAN_DELAY = timedelta(minutes=4)
"""A plan that has stood so long has been asked for, at every interval of the day."""
CHARGING_THRESHOLD_W = 500
HTTP_ERROR, HTTP_GONE, HTTP_TOO_MANY_REQUESTS = 400, 410, 429
COMMAND_KINDS = {"operation": "mode", "backup": "reserve"}
RATE_LIMIT_RECOVERY = timedelta(minutes=3)
"""So long a release may still wait after a 429."""
HOLD_FILE = "powerwall-hold.json"


@dataclass(frozen=True)
class MinuteMemory:
    """What the program remembers at the end of a minute, and whether its hold file is there."""

    hold: Hold | None = None
    owned: bool = False
    hold_file: bool | None = None


def load_minute_memory(folder: Path) -> MinuteMemory:
    """Look into the house's folder."""
    database = folder / "smartcharge.db"
    if not database.exists():
        return MinuteMemory()
    with closing(open_store(database, read_only=True)) as db:
        row = load_open_hold(db)
        has_file = (folder / HOLD_FILE).exists()
        return MinuteMemory(row.hold if row else None, load_battery_memory(db).owned, has_file)


def find_broken_laws(
    played: ScenarioResult, scenario: Scenario, memories: Iterable[MinuteMemory], folder: Path
) -> list[str]:
    """Name the laws that a scenario broke, each with its moment."""
    judge = ScenarioJudge(played, scenario)
    broken = [sentence for minute in judge.minutes(memories) for sentence in judge.minute(minute)]
    with closing(open_store(folder / "smartcharge.db", read_only=True)) as db:
        return [*broken, *judge.journal(db)]


class ScenarioJudge:
    """Judges the minutes of one scenario."""

    def __init__(self, played: ScenarioResult, scenario: Scenario) -> None:
        self.played, self.scenario = played, scenario
        forever = timedelta.max if not has_service_faults(scenario, "tesla") else None
        self.commands = CommandLaws(str(DEFAULT_HOUSE.site_id), **({"settle_time": forever} if forever else {}))
        self.returns, self.missed, self.questions = ReturnLaws(), MissedHoldLaws(), QuestionLaws()
        self.output = OutputLaws(repeat_after=timedelta.max)
        self.mails = MailLaws(lambda at: local_day(at, LONDON.key))
        self.is_charger_known = not has_service_faults(scenario, "myenergi")
        self.is_ours, self.is_calm = not is_held_by_owner(scenario), has_no_disturbances(scenario)

    def minutes(self, memories: Iterable[MinuteMemory]) -> Iterator[Minute]:
        """Give every minute as the laws see it."""
        drew_at = self.scenario.starts_at
        for record, memory in zip(self.played.minutes, memories, strict=True):
            requests = [each for each in self.played.requests if each.at == record.at]
            drew_at = record.at if record.car_w >= CHARGING_THRESHOLD_W else drew_at
            yield Minute(
                at=record.at,
                clock=record.at,
                runs=len(record.ran),
                commands=tuple(self._commands(record, requests)),
                questions=tuple(self._questions(requests)),
                errors=tuple(line for ran in record.ran for line in ran.outcome.stderr.splitlines()),
                mails=tuple(_mail(each.at, each.raw) for each in self.played.mails if each.at == record.at),
                hold=memory.hold,
                owned=memory.owned,
                hold_file=memory.hold_file,
                settings=(record.battery.mode, record.battery.reserve_pct),
                still_held=_still_held(record) if self.is_ours else {},
                car_stopped=self.is_charger_known and record.at - drew_at > 2 * MINUTE,
                tesla_works=not _is_tesla_disturbed(self.scenario, record.at),
                must_hold=self.is_calm and must_hold(record, self.scenario),
            )

    def _commands(self, record: MinuteRecord, requests: list[ReceivedRequest]) -> Iterator[Command]:
        if self.scenario.backend != "v1r":
            accepted = set(self.played.writes)
            yield from _cloud_commands(requests, accepted)
            return
        for at, kind, value in self.played.writes:  # of a gateway, only what it accepted is known
            if at == record.at:
                yield Command(
                    at, kind, int(value) if value.isdigit() else value, Outcome.ACCEPTED, self.commands.own_site
                )

    def _questions(self, requests: list[ReceivedRequest]) -> Iterator[Question]:
        """One question to Tesla a run; the others are counted by what each scenario expects."""
        asked = [each for each in requests if each.service == "tesla"]
        if throttled := [each for each in asked if each.status == HTTP_TOO_MANY_REQUESTS]:
            yield Question(asked[0].at, "tesla", Outcome.THROTTLED, self._retry_after(throttled[0]))
        elif asked:
            is_answered = all(0 < each.status < HTTP_ERROR for each in asked)
            yield Question(asked[0].at, "tesla", Outcome.ACCEPTED if is_answered else Outcome.NO_ANSWER)

    def _retry_after(self, request: ReceivedRequest) -> timedelta:
        fault = next(
            each.fault
            for each in self.scenario.fault_periods
            if (each.fault.service, each.fault.kind) == (request.service, "http-429")
            and each.starts_at <= request.at < each.ends_at
        )
        return timedelta(seconds=RETRY_AFTER_S if fault.amount is None else fault.amount)

    def minute(self, minute: Minute) -> list[str]:
        """Name what was wrong in a minute."""
        if any(act.at <= minute.at < act.at + MINUTE for act in self.scenario.owner):
            self.commands.forget_accepted()
        young = any(
            timedelta(0) <= minute.at - MINUTE - start < 15 * MINUTE
            for start, _ in planned_windows_at(self.scenario, minute.at - MINUTE)
        )
        is_slot_start = minute.at - MINUTE - slot_start(minute.at - MINUTE) < 5 * MINUTE
        sentences = (
            *self.commands.minute(minute),
            *self.returns.minute(minute),
            *self.missed.minute(minute, wait=1 if young or is_slot_start else 2),
            *self.output.minute(minute),
            *self.questions.minute(minute),
            *(sentence for mail in minute.mails for sentence in self.mails.mail(mail)),
        )
        return [f"at {_clock(minute.at)} {each}" for each in sentences]

    def journal(self, db: sqlite3.Connection) -> list[str]:
        """Name what was decided wrongly, or on something that nobody said."""
        charging = [each.at for each in self.played.minutes if each.car_w >= CHARGING_THRESHOLD_W]
        broken: list[str] = []
        for state, law in JournalLaws().new_rows(db):
            told = planned_windows_until(self.scenario, state.now)
            evidence = judge_evidence(state, charging, told) if not law else ()
            broken += [f"at {_clock(state.now)} {each}" for each in (law, *evidence) if each]
        return broken


def _cloud_commands(requests: list[ReceivedRequest], accepted: set[tuple[datetime, str, str]]) -> Iterator[Command]:
    """The commands as the program gave them: where a line is cut, pypowerwall sends the same once more by itself."""
    is_sent_again = False
    for each in requests:
        kind = COMMAND_KINDS.get(each.operation)
        if each.service != "tesla" or each.method != "POST" or kind is None:
            continue
        is_sent_again = not is_sent_again and each.status == 0
        if each.status == 0 and not is_sent_again:
            continue
        site = each.path.split("/")[-2]
        is_accepted = (each.at, kind, str(each.value)) in accepted
        yield Command(each.at, kind, each.value, _outcome(each.status, is_accepted=is_accepted), site)


def _outcome(status: int, *, is_accepted: bool) -> Outcome:
    if status == 0:
        return Outcome.NO_ANSWER
    if status == HTTP_GONE:
        return Outcome.NO_RATE_PLAN
    return Outcome.ACCEPTED if is_accepted and status < HTTP_ERROR else Outcome.REFUSED


def _still_held(record: MinuteRecord) -> dict[str, str | int]:
    settings = {"mode": record.battery.mode, "reserve": record.battery.reserve_pct}
    return {kind: value for kind, value in settings.items() if value in HOLDING_VALUES}


def _mail(at: datetime, raw: bytes) -> Mail:
    told = parse_mail(raw)
    return Mail(at, at, told.uid, told.sequence, raw)


def must_hold(record: MinuteRecord, scenario: Scenario) -> bool:
    """Whether a car charges in a window that is known by now and worth a hold."""
    at = record.at
    known = planned_windows_at(scenario, at) & planned_windows_at(scenario, at - PLAN_DELAY)
    is_covered = covers(known, at) and covers(known, at + RELEASE_LEAD)
    is_worth_it = slot_end(at + RELEASE_LEAD) - at >= MIN_HOLD
    is_charging = record.car_w >= CHARGING_THRESHOLD_W
    return is_charging and is_covered and is_worth_it and not scenario_cheap_period(scenario).containing(at)


def has_service_faults(scenario: Scenario, *services: str) -> bool:
    """Whether any of these services fails or is slow at any time; all services where none is named."""
    failing = {period.fault.service.removesuffix("-auth") for period in scenario.fault_periods}
    start = scenario.powerwall
    slow = bool(start.delay_s or start.visible_after_reads or not start.has_rate_plan)
    return bool(failing & set(services or failing)) or (slow and (not services or "tesla" in services))


def has_no_disturbances(scenario: Scenario) -> bool:
    """Whether cron misses nothing, the owner does nothing, nothing fails, and the policy's usual numbers apply."""
    disturbed = scenario.owner or scenario.missed or scenario.config or is_held_by_owner(scenario)
    odd = any(not _is_plain_record(car) for timeline in scenario.cars.values() for _, car in timeline.entries)
    return not (disturbed or odd or scenario.devices.entries or has_service_faults(scenario))


def _is_plain_record(car: CarState) -> bool:
    """Whether a Zappi's record means what it says."""
    contradicts = car.watts >= CHARGING_THRESHOLD_W and car.pst not in {"C1", "C2"}
    return not (car.silent or car.changes or car.without or contradicts or car.watts < 0)


def is_held_by_owner(scenario: Scenario) -> bool:
    """Whether the owner sets the battery to hold."""
    settings = [(scenario.powerwall.mode, scenario.powerwall.reserve_pct)]
    settings += [(action.mode or "", action.reserve_pct or 0) for action in scenario.owner]
    return any(mode == "backup" or reserve_pct == 100 for mode, reserve_pct in settings)


def _is_tesla_disturbed(scenario: Scenario, at: datetime) -> bool:
    """Whether Tesla fails or is slow just now, or a release may still wait because of it."""
    for each in scenario.fault_periods:
        recovery = RATE_LIMIT_RECOVERY if each.fault.kind == "http-429" else timedelta(0)
        if each.fault.service.startswith("tesla") and each.starts_at <= at < each.ends_at + recovery:
            return True
    return scenario.powerwall.delay_s > 0 or scenario.powerwall.visible_after_reads > 0


def planned_windows_at(scenario: Scenario, at: datetime) -> set[Span]:
    """The SMART windows in the supplier's list at a moment."""
    return _smart_windows(scenario.plan.at(at) or ())


def planned_windows_until(scenario: Scenario, at: datetime) -> set[Span]:
    """The SMART windows that have ever been in the supplier's list until a moment."""
    return _smart_windows(planned for since, each in scenario.plan.entries if since <= at for planned in each)


def scenario_cheap_period(scenario: Scenario) -> CheapPeriod:
    """The cheap period in this scenario."""
    control = scenario.config.get("control", {})
    given = control.get("cheap_period", ["00:00", "06:00"]) if isinstance(control, dict) else ["00:00", "06:00"]
    starts, ends = (datetime.strptime(each, "%H:%M").time() for each in given)  # noqa: DTZ007 - a wall clock's time
    return CheapPeriod(starts, ends, zone=LONDON.key)


def _smart_windows(planned: Iterable[PlannedItem]) -> set[Span]:
    items = [each.item for each in planned if each.item and each.item.get("type") == "SMART"]
    spans = [
        (_parse_instant(item.get("start")), _parse_instant(item.get("end"))) for item in items if _has_valid_dates(item)
    ]
    return {(start, end) for start, end in spans if start < end}


def _has_valid_dates(item: DispatchItem) -> bool:
    return all(_parse_instant(item.get(key)).tzinfo for key in ("start", "end"))


def _parse_instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%H:%M}"

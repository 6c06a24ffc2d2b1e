"""The supplier's part of a scenario file: plan, history, devices."""

import re
import shlex
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import cast

from smartcharge.simulator.faults import FaultOptions, UnknownFaultError, make_fault
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.kraken_account import DispatchItem, SimulatedDevice
from smartcharge.simulator.scenario import (
    CarState,
    Expectations,
    ExpectedCommand,
    FaultPeriod,
    InitialPowerwall,
    ModeAndReserve,
    OwnerAction,
    PlannedItem,
    Scenario,
    ValueTimeline,
)
from smartcharge.simulator.scenario_yaml import (
    CLOCK_PATTERN,
    SPAN_PATTERN,
    ScenarioCalendar,
    ScenarioError,
    as_float,
    as_int,
    as_list,
    as_mapping,
    as_strings,
    parse_scenario_yaml,
)

CAR_KW = 7.2
WINDOW_KEYS = ("window", "type", "energy", "device", "raw")
DEVICE_KEYS = ("id", "name", "type", "provider", "current", "suspended", "state", "kind")


@dataclass(frozen=True, slots=True)
class PlanAnswers:
    """What Kraken is asked about plans: windows over time, and the periods in which it fails."""

    plan: ValueTimeline[tuple[PlannedItem, ...]]
    fault_periods: tuple[FaultPeriod, ...]


def parse_plan(value: object, calendar: ScenarioCalendar, ends_at: datetime) -> PlanAnswers:
    """Read answers by time: each is a list of windows, or the name of a fault, and holds until the next."""
    entries = sorted((calendar.moment(key), each) for key, each in as_mapping(value, "plan").items())
    until = [*(at for at, _ in entries), ends_at][1:]
    fault_periods = [
        FaultPeriod(at, end, make_fault("kraken", each))
        for (at, each), end in zip(entries, until, strict=True)
        if isinstance(each, str)
    ]
    windows = [
        (at, tuple(_parse_planned_item(item, calendar) for item in as_list(each)))
        for at, each in entries
        if not isinstance(each, str)
    ]
    return PlanAnswers(ValueTimeline(tuple(windows)), tuple(fault_periods))


def _parse_planned_item(value: object, calendar: ScenarioCalendar) -> PlannedItem:
    if isinstance(value, str):
        value = {"window": value}
    given = as_mapping(value, "plan", WINDOW_KEYS)
    device = str(given.get("device", DEFAULT_HOUSE.device_id))
    if "raw" in given:
        return PlannedItem(device, None if given["raw"] is None else as_mapping(given["raw"], "plan raw"))
    starts_at, ends_at = calendar.span(given.get("window"))
    default = f"{-CAR_KW * (ends_at - starts_at).total_seconds() / 3600:.1f}"
    item: DispatchItem = {
        "start": starts_at.isoformat(),
        "end": ends_at.isoformat(),
        "type": str(given.get("type", "SMART")),
        "energyAddedKwh": given.get("energy", default),
    }
    return PlannedItem(device, item)


def parse_completed(value: object, calendar: ScenarioCalendar) -> ValueTimeline[tuple[DispatchItem, ...]]:
    """Read the history Kraken tells of, by the time from which it tells so; newest first."""
    entries = sorted((calendar.moment(key), as_strings(each)) for key, each in as_mapping(value, "completed").items())
    return ValueTimeline(
        tuple((at, tuple(_completed_item(span, calendar) for span in reversed(spans))) for at, spans in entries)
    )


def _completed_item(span: str, calendar: ScenarioCalendar) -> DispatchItem:
    starts_at, ends_at = calendar.span(span)
    return {
        "start": starts_at.isoformat(),
        "end": ends_at.isoformat(),
        "delta": f"{-CAR_KW * (ends_at - starts_at).total_seconds() / 3600:.2f}",
        "meta": {"source": None, "location": "AT_HOME"},
    }


def parse_devices(
    value: object, calendar: ScenarioCalendar, starts_at: datetime
) -> ValueTimeline[tuple[SimulatedDevice, ...]]:
    """Read the account's devices: one list for the whole scenario, or lists by time."""
    if isinstance(value, list):
        return ValueTimeline(((starts_at, _parse_device_list(value)),))
    entries = sorted((calendar.moment(key), each) for key, each in as_mapping(value, "devices").items())
    return ValueTimeline(tuple((at, _parse_device_list(each)) for at, each in entries))


def _parse_device_list(value: object) -> tuple[SimulatedDevice, ...]:
    return tuple(_parse_device(as_mapping(each, "devices", DEVICE_KEYS)) for each in as_list(value))


def _parse_device(given: dict[str, object]) -> SimulatedDevice:
    suspended = given.get("suspended", False)
    if suspended is not None and not isinstance(suspended, bool):
        raise ScenarioError(f"devices: suspended is true, false or null, not {suspended!r}")
    default = SimulatedDevice(DEFAULT_HOUSE.device_id)
    return SimulatedDevice(
        device_id=str(given.get("id", default.device_id)),
        name=str(given.get("name", default.name)),
        device_type=str(given.get("type", default.device_type)),
        provider=str(given.get("provider", default.provider)),
        current=str(given.get("current", default.current)),
        suspended=suspended,
        state=str(given.get("state", default.state)),
        kind=str(given.get("kind", default.kind)),
    )


PILOT_STATES = ("A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F")
CAR_KEYS = ("watts", "pst", "changes", "without")
OWNER_KEYS = ("mode", "reserve", "run", "config")
FAULT_KEYS = ("span", "service", "fault", *FaultOptions.__annotations__)
ONE_MINUTE = timedelta(minutes=1)


def parse_car_timeline(value: object, calendar: ScenarioCalendar, where: str) -> ValueTimeline[CarState]:
    """Read what a Zappi sees, by time: watts, a pilot state, `silent`, or a mapping."""
    entries = [
        (calendar.moment(key), _parse_car_state(each, f"{where} {key}"))
        for key, each in as_mapping(value, where).items()
    ]
    return ValueTimeline(tuple(sorted(entries, key=lambda entry: entry[0])))


def _parse_car_state(value: object, where: str) -> CarState:
    if value == "silent":
        return CarState(silent=True)
    if isinstance(value, str) and value in PILOT_STATES:
        return CarState(pst=value)
    if isinstance(value, int):
        return CarState(as_int(value, where), "C2" if value else "B2")
    if isinstance(value, str):
        raise ScenarioError(f"{where}: {value!r} is no pilot state; there are {', '.join(PILOT_STATES)}, and silent")
    given = as_mapping(value, where, CAR_KEYS)
    changes = as_mapping(given.get("changes", {}), where)
    return CarState(
        watts=as_int(given.get("watts", 0), where),
        pst=str(given.get("pst", "C2")),
        changes=changes,
        without=as_strings(given.get("without")),
    )


def parse_initial_powerwall(value: object) -> InitialPowerwall:
    """Read the battery as the scenario finds it."""
    kinds = {field.name: field.type for field in fields(InitialPowerwall)}
    given = as_mapping(value, "powerwall", kinds)
    for key, each in given.items():
        if kinds[key] is float:
            given[key] = as_float(each, f"powerwall {key}")
        elif not isinstance(each, cast("type", kinds[key])):
            raise ScenarioError(f"powerwall {key}: {each!r} is of the wrong kind")
    return InitialPowerwall(**given)  # type: ignore[arg-type] # checked just above


def parse_faults(value: object, calendar: ScenarioCalendar) -> tuple[FaultPeriod, ...]:
    """Read periods of trouble: `14:10-14:16 kraken http-503`, or a mapping with details."""
    return tuple(_parse_fault_period(each, calendar) for each in as_list(value))


def _parse_fault_period(value: object, calendar: ScenarioCalendar) -> FaultPeriod:
    if isinstance(value, str):
        match = SPAN_PATTERN.match(value)
        parts = value[match.end() :].split() if match else []
        if match is None or len(parts) != 2:  # noqa: PLR2004 - service and fault
            raise ScenarioError(f"faults: {value!r} is not like '14:10-14:16 kraken http-503'")
        value = {"span": match[0], "service": parts[0], "fault": parts[1]}
    given = as_mapping(value, "faults", FAULT_KEYS)
    starts_at, ends_at = calendar.span(given.pop("span", None))
    named = make_fault(str(given.pop("service", "")), str(given.pop("fault", "")), **_fault_options(given))
    return FaultPeriod(starts_at, ends_at, named)


def _fault_options(given: dict[str, object]) -> FaultOptions:
    details = FaultOptions(only=str(given.get("only", "")), device=str(given.get("device", "")))
    if not details["only"]:
        del details["only"]  # so that a fault's own default holds
    details["after"] = given.get("after") is True
    details["times"] = as_int(given["times"], "faults times") if "times" in given else None
    details["amount"] = as_float(given["amount"], "faults amount") if "amount" in given else None
    return details


def parse_owner_actions(value: object, calendar: ScenarioCalendar) -> tuple[OwnerAction, ...]:
    """Read what the owner does by hand, by time."""
    actions = [
        _parse_owner_action(calendar.moment(key), each, f"owner {key}")
        for key, each in as_mapping(value, "owner").items()
    ]
    return tuple(sorted(actions, key=lambda action: action.at))


def _parse_owner_action(at: datetime, value: object, where: str) -> OwnerAction:
    given = as_mapping(value, where, OWNER_KEYS)
    mode, reserve = given.get("mode"), given.get("reserve")
    return OwnerAction(
        at,
        None if mode is None else str(mode),
        None if reserve is None else as_int(reserve, where),
        tuple(shlex.split(str(given.get("run", "")))),
        as_mapping(given.get("config", {}), f"{where} config"),
    )


def parse_missed_spans(value: object, calendar: ScenarioCalendar) -> tuple[tuple[datetime, datetime], ...]:
    """Read minutes and spans in which cron is asleep."""
    return tuple(_parse_missed_span(each, calendar) for each in as_strings(value))


def _parse_missed_span(text: str, calendar: ScenarioCalendar) -> tuple[datetime, datetime]:
    if SPAN_PATTERN.fullmatch(text):
        return calendar.span(text)
    at = calendar.moment(text)
    return at, at + ONE_MINUTE


EXPECTATION_KEYS = ("battery", "hold", "at_most", "exactly", "writes", "exit_codes", "says", "never_says")
COUNT_KEYS = ("kraken", "zappi", "tesla", "sign_ins", "writes", "mails")
SETTINGS_PATTERN = re.compile(r"(backup|autonomous|self_consumption)/(\d+)")
COMMAND_PATTERN = re.compile(rf"({CLOCK_PATTERN}) (mode|reserve|grid_charging) (\w+)")


def parse_expectations(value: object, calendar: ScenarioCalendar) -> Expectations:
    """Read how a scenario should stand on its way and end."""
    given = as_mapping(value, "expect", EXPECTATION_KEYS)
    battery = as_mapping(given.get("battery", {}), "expect battery")
    hold = as_mapping(given.get("hold", {}), "expect hold")
    writes = given.get("writes")
    return Expectations(
        battery=tuple((calendar.moment(key), _parse_settings(each)) for key, each in battery.items()),
        hold=tuple(
            (calendar.moment(key), None if each in ("none", None) else calendar.moment(each))
            for key, each in hold.items()
        ),
        at_most=_parse_counts(given.get("at_most", {}), "expect at_most"),
        exactly=_parse_counts(given.get("exactly", {}), "expect exactly"),
        writes=None if writes is None else tuple(_parse_command(each, calendar) for each in as_strings(writes)),
        exit_codes=frozenset(as_int(each, "expect exit_codes") for each in as_list(given.get("exit_codes", 0))),
        says=as_strings(given.get("says")),
        never_says=as_strings(given.get("never_says")),
    )


def _parse_counts(value: object, where: str) -> dict[str, int]:
    return {key: as_int(each, f"{where} {key}") for key, each in as_mapping(value, where, COUNT_KEYS).items()}


def _parse_settings(value: object) -> ModeAndReserve:
    match = SETTINGS_PATTERN.fullmatch(str(value))
    if match is None:
        raise ScenarioError(f"expect battery: {value!r} is not like backup/100")
    return ModeAndReserve(match[1], int(match[2]))


def _parse_command(text: str, calendar: ScenarioCalendar) -> ExpectedCommand:
    match = COMMAND_PATTERN.fullmatch(text)
    if match is None:
        raise ScenarioError(f"expect writes: {text!r} is not like '13:05 mode backup'")
    return ExpectedCommand(calendar.moment(match[1]), match[2], match[3])


SCENARIO_KEYS = (
    *("name", "about", "source", "day", "start", "minutes", "run"),
    *("plan", "devices", "completed", "car", "zappis", "backend", "powerwall", "faults", "owner", "missed"),
    *("config", "expect"),
)
KNOWN_BACKENDS = ("cloud", "fleetapi", "v1r")
REQUIRED_KEYS = ("name", "about", "day", "minutes")


def scenario_files() -> dict[str, Path]:
    """The scenarios that come with the program, by name."""
    folder = Path(str(files("smartcharge.simulator") / "scenarios"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_scenario(path: Path) -> Scenario:
    """Read a scenario; ScenarioError, beginning with the file's name, where it cannot be played."""
    return parse_scenario(path.read_text("utf-8"), path.name)


def parse_scenario(text: str, name: str = "scenario") -> Scenario:
    """Read a scenario from text; `name` stands for the file in complaints."""
    try:
        return _build_scenario(text, name)
    except (ScenarioError, UnknownFaultError) as error:
        told = str(error)
        raise ScenarioError(told if told.startswith(name) else f"{name}: {told}") from error


def _build_scenario(text: str, name: str) -> Scenario:
    given = as_mapping(parse_scenario_yaml(text, name), name, SCENARIO_KEYS)
    if missing := [key for key in REQUIRED_KEYS if key not in given]:
        raise ScenarioError(f"{name}: {', '.join(missing)} missing")
    calendar = ScenarioCalendar(_parse_day(given["day"]))
    starts_at = calendar.moment(given.get("start", "00:00"))
    minutes = as_int(given["minutes"], "minutes")
    answers = parse_plan(given.get("plan", {}), calendar, starts_at + timedelta(minutes=minutes))
    return Scenario(
        name=str(given["name"]),
        about=str(given["about"]).strip(),
        source=str(given.get("source", "")),
        day=calendar.day,
        starts_at=starts_at,
        minutes=minutes,
        plan=answers.plan,
        devices=parse_devices(given.get("devices", {}), calendar, starts_at),
        completed=parse_completed(given.get("completed", {}), calendar),
        cars=_parse_cars(given, calendar),
        fault_periods=(*answers.fault_periods, *parse_faults(given.get("faults"), calendar)),
        owner=parse_owner_actions(given.get("owner", {}), calendar),
        missed=parse_missed_spans(given.get("missed"), calendar),
        run=tuple(tuple(line.split()) for line in as_strings(given.get("run", "tick"))),
        backend=_parse_backend(given.get("backend", KNOWN_BACKENDS[0])),
        config=as_mapping(given.get("config", {}), "config"),
        powerwall=parse_initial_powerwall(given.get("powerwall", {})),
        expected=parse_expectations(given.get("expect", {}), calendar),
    )


def _parse_day(value: object) -> date:
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise ScenarioError(f"day: {value!r} is not like 2026-12-09") from None


def _parse_backend(value: object) -> str:
    if value not in KNOWN_BACKENDS:
        raise ScenarioError(f"backend: {value!r} is none of {', '.join(KNOWN_BACKENDS)}")
    return str(value)


def _parse_cars(given: dict[str, object], calendar: ScenarioCalendar) -> dict[int, ValueTimeline[CarState]]:
    if "car" in given:
        return {DEFAULT_HOUSE.zappi_serial: parse_car_timeline(given["car"], calendar, "car")}
    zappis = as_mapping(given.get("zappis", {}), "zappis")
    if odd := [serial for serial in zappis if not serial.isdigit()]:
        raise ScenarioError(f"zappis: {odd[0]!r} is no serial number")
    return {int(serial): parse_car_timeline(each, calendar, f"zappi {serial}") for serial, each in zappis.items()}

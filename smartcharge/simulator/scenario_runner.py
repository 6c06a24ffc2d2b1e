"""Plays a scenario minute by minute, as cron would, and remembers what happened."""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import yaml

from smartcharge.simulator.scenario import ModeAndReserve, OwnerAction, Scenario
from smartcharge.simulator.scenario_yaml import LONDON
from smartcharge.simulator.servers import ReceivedMail, ReceivedRequest
from smartcharge.simulator.simulator import Simulator
from smartcharge.simulator.tesla_backends import tesla_config_section

CRON_DELAY = timedelta(seconds=2)
ONE_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How one command ended."""

    exit_code: int
    stdout: str = ""
    stderr: str = ""


CommandRunner = Callable[[list[str], datetime], CommandResult]
"""Runs one command line at a moment; the product's side of a scenario."""


@dataclass(frozen=True, slots=True)
class CommandRun:
    """A command line of a minute, with its outcome."""

    command: tuple[str, ...]
    outcome: CommandResult


@dataclass(frozen=True, slots=True)
class MinuteRecord:
    """How the simulator stood at the end of one minute's commands.

    at: the moment the commands ran.  windows: what the supplier planned, as (start, end) in ISO 8601.
    """

    at: datetime
    battery: ModeAndReserve
    soe_pct: float
    battery_w: float
    car_w: int
    windows: tuple[tuple[str, str], ...]
    ran: tuple[CommandRun, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Everything that happened.

    holds: end of the open hold, by the minutes in which the scenario has an expectation about it.
    counts: as `Expected.at_most` names them.
    """

    minutes: tuple[MinuteRecord, ...]
    holds: Mapping[datetime, datetime | None]
    writes: tuple[tuple[datetime, str, str], ...]
    requests: tuple[ReceivedRequest, ...]
    mails: tuple[ReceivedMail, ...]
    counts: Mapping[str, int]
    unexpected: tuple[str, ...]


def run_scenario(
    scenario: Scenario,
    simulator: Simulator,
    run: CommandRunner,
    *,
    on_minute: Callable[[MinuteRecord], None] | None = None,
) -> ScenarioResult:
    """Play a scenario to its end; `on_minute` sees every minute as it passes."""
    minutes: list[MinuteRecord] = []
    holds: dict[datetime, datetime | None] = {}
    for index in range(scenario.minutes):
        start = scenario.starts_at + index * ONE_MINUTE
        minute = _run_minute(scenario, simulator, run, start)
        minutes.append(minute)
        if on_minute:
            on_minute(minute)
        if any(start <= at < start + ONE_MINUTE for at, _ in scenario.expected.hold):
            holds[start] = _hold_until(run(["status", "--json"], minute.at))
    return ScenarioResult(
        minutes=tuple(minutes),
        holds=holds,
        writes=tuple((write.at, write.kind, str(write.value)) for write in simulator.powerwall.writes),
        requests=tuple(simulator.requests),
        mails=tuple(simulator.mails),
        counts=_count_requests(simulator),
        unexpected=(*simulator.refused, *simulator.writes_to_zappi),
    )


def _run_minute(scenario: Scenario, simulator: Simulator, run: CommandRunner, start: datetime) -> MinuteRecord:
    at = start + CRON_DELAY
    simulator.set_time(at)
    ran = [
        _apply_owner_action(simulator, run, action, at)
        for action in scenario.owner
        if start <= action.at < start + ONE_MINUTE
    ]
    if not scenario.is_minute_missed(start):
        ran += [CommandRun(command, run(list(command), at)) for command in scenario.run]
    powerwall = simulator.powerwall
    plans = [item for plan in simulator.account.plans.values() for item in plan or () if item]
    return MinuteRecord(
        at=at,
        battery=ModeAndReserve(*powerwall.settings),
        soe_pct=powerwall.soe_pct,
        battery_w=powerwall.battery_w,
        car_w=sum(zappi.watts for zappi in simulator.myenergi.zappis),
        windows=tuple((str(item.get("start")), str(item.get("end"))) for item in plans),
        ran=tuple(each for each in ran if each.command),
    )


def _apply_owner_action(simulator: Simulator, run: CommandRunner, action: OwnerAction, at: datetime) -> CommandRun:
    simulator.powerwall.set_manually(mode=action.mode, reserve_pct=action.reserve_pct)
    if action.config and simulator.config_file:
        edit_config(simulator.config_file, action.config)
    return CommandRun(action.command, run(list(action.command), at) if action.command else CommandResult(0))


def _hold_until(status: CommandResult) -> datetime | None:
    hold = json.loads(status.stdout)["hold"]
    return None if hold is None else datetime.fromisoformat(hold["until"])


def _count_requests(simulator: Simulator) -> dict[str, int]:
    return {
        "kraken": simulator.count("kraken"),
        "zappi": simulator.count("myenergi", lambda each: "jstatus-Z" in each.path and each.status != 401),  # noqa: PLR2004 - the Digest challenge
        "tesla": simulator.count("tesla"),
        "sign_ins": simulator.account.sign_ins,
        "writes": len(simulator.powerwall.writes),
        "mails": len(simulator.mails),
    }


def write_simulator_config(folder: Path, simulator: Simulator, scenario: Scenario | None = None) -> Path:
    """Write a configuration for this simulator, 0600, with the scenario's own settings on top."""
    house = simulator.house
    settings: dict[str, object] = {
        "eon_next": {
            "email": house.kraken_email,
            "password": house.kraken_password,
            "import_account": house.account_number,
        },
        "myenergi": {"hub_serial": house.hub_serial, "api_key": house.hub_key},
        "tesla": tesla_config_section(house, scenario.backend if scenario else "cloud"),
        "gcal": {
            "smtp_user": house.mail_user,
            "smtp_pass": house.mail_password,
            "invite_to": house.invite_to,
            "smtp_host": simulator.smtp_host,
            "smtp_port": simulator.smtp_port,
        },
        "database": {"path": "smartcharge.db"},
    }
    path = simulator.config_file = folder / "config.yaml"
    _save_config(path, _merge_settings(settings, scenario.config if scenario else {}))
    return path


def _save_config(path: Path, settings: Mapping[str, object]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        yaml.safe_dump(dict(settings), file, sort_keys=False)


def edit_config(path: Path, changes: Mapping[str, object]) -> None:
    """Edit a configuration as its owner would; a key whose new value is None is taken out."""
    _save_config(path, _without_none(_merge_settings(yaml.safe_load(path.read_text("utf-8")), changes)))


def _without_none(settings: Mapping[str, object]) -> dict[str, object]:
    return {
        key: _without_none(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if value is not None
    }


def _merge_settings(base: Mapping[str, object], override: Mapping[str, object]) -> dict[str, object]:
    merged = dict(base)
    for key, value in override.items():
        existing = merged.get(key)
        merged[key] = (
            _merge_settings(existing, value) if isinstance(existing, Mapping) and isinstance(value, Mapping) else value
        )
    return merged


MINUTE_LENGTH = timedelta(minutes=1)


def check_expectations(result: ScenarioResult, scenario: Scenario) -> list[str]:
    """Name the expectations that were not met; an empty list where all were."""
    parts = (
        _check_battery,
        _check_holds,
        _check_writes,
        _check_output,
        _check_exit_codes,
        _check_counts,
        _check_unexpected_requests,
    )
    return [sentence for part in parts for sentence in part(result, scenario)]


def _check_battery(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    for at, expected_value in scenario.expected.battery:
        found = _minute_at(result, at)
        if found is None:
            yield f"at {_format_clock(at)} nothing was played"
        elif found.battery != expected_value:
            yield f"at {_format_clock(at)} the battery is {_format_settings(found.battery)}, not {_format_settings(expected_value)}"  # noqa: E501


def _check_holds(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    for at, expected_value in scenario.expected.hold:
        start = next((each for each in result.holds if each <= at < each + MINUTE_LENGTH), None)
        if start is None:
            yield f"at {_format_clock(at)} nobody asked for the hold"
        elif result.holds[start] != expected_value:
            yield f"at {_format_clock(at)} the hold ends {_format_clock(result.holds[start])}, not {_format_clock(expected_value)}"  # noqa: E501


def _check_writes(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    if scenario.expected.writes is None:
        return
    found = [f"{_format_clock(at)} {kind} {value}" for at, kind, value in result.writes]
    expected_value = [f"{_format_clock(each.at)} {each.kind} {each.value}" for each in scenario.expected.writes]
    if found != expected_value:
        yield f"the battery was told: {'; '.join(found) or 'nothing'}; expected: {'; '.join(expected_value) or 'nothing'}"  # noqa: E501


def _check_exit_codes(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    for minute in result.minutes:
        for ran in minute.ran:
            if ran.outcome.exit_code not in scenario.expected.exit_codes:
                error_lines = ran.outcome.stderr.strip().splitlines()
                yield (
                    f"at {_format_clock(minute.at)} `{' '.join(ran.command)}` exits {ran.outcome.exit_code}"
                    + (f": {error_lines[-1]}" if error_lines else "")
                )


def _check_output(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    output = "\n".join(f"{ran.outcome.stdout}\n{ran.outcome.stderr}" for minute in result.minutes for ran in minute.ran)
    yield from (f"nothing says {text!r}" for text in scenario.expected.says if text not in output)
    yield from (f"something says {text!r}" for text in scenario.expected.never_says if text in output)


def _check_counts(result: ScenarioResult, scenario: Scenario) -> Iterator[str]:
    for name, most in scenario.expected.at_most.items():
        if result.counts[name] > most:
            yield f"{name}: {result.counts[name]}, at most {most} expected"
    for name, expected_value in scenario.expected.exactly.items():
        if result.counts[name] != expected_value:
            yield f"{name}: {result.counts[name]}, exactly {expected_value} expected"


def _check_unexpected_requests(result: ScenarioResult, _scenario: Scenario) -> Iterator[str]:
    yield from (f"a request to an unknown host or a write to a Zappi: {each}" for each in result.unexpected)


def _minute_at(result: ScenarioResult, at: datetime) -> MinuteRecord | None:
    return next((each for each in result.minutes if each.at.replace(second=0) == at.replace(second=0)), None)


def _format_clock(at: datetime | None) -> str:
    return "none" if at is None else f"{at.astimezone(LONDON):%H:%M}"


def _format_settings(settings: ModeAndReserve) -> str:
    return f"{settings.mode}/{settings.reserve_pct}"

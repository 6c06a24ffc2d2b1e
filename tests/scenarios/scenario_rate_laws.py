"""How Tesla is treated in every story, whatever it does: no storm of commands, its patience, nobody else's battery.

What it comes to, with one run a minute; a command is a mode or a reserve that reaches Tesla, refused or not:

- A run commands each of the two values once at most, and stops at the first that is refused or does not show. Where
  there is no rate plan the refused mode comes on top, at a release and at the midnight reset.
- What Tesla took is looked at for 90 s before it is commanded again: thirty times an hour at most.
- An episode that brings the battery back, of n minutes, costs n + 3 commands at most: one a run, the other value once
  it gets so far, and the refused mode twice.
- One that begins a hold asks in the minutes 0, 1, 2, 3, 5, 9, 14, and every five after that: 10 times in the first
  half hour and 16 in the first hour, so that it costs 11 commands and 17.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from smartcharge.simulator.faults import RETRY_AFTER_S
from smartcharge.simulator.house import DEFAULT_HOUSE
from smartcharge.simulator.scenario import Scenario
from smartcharge.simulator.scenario_runner import ScenarioResult
from smartcharge.simulator.scenario_yaml import LONDON
from smartcharge.simulator.servers import ReceivedRequest

COMMAND_OPERATIONS = ("operation", "backup")
HTTP_GONE, HTTP_TOO_MANY_REQUESTS = 410, 429
NO_STATUS = 0
COMMAND_SETTLE_TIME = timedelta(seconds=90)
MAX_RATE_PLAN_REFUSALS = 2
MAX_EXTRA_COMMANDS = 3
RATE_SPANS = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=1))
MAX_START_COMMANDS = {timedelta(minutes=30): 11, timedelta(hours=1): 17}
RELEASE_MAX_WAIT = timedelta(minutes=3)


def find_broken_rate_laws(
    played: ScenarioResult, scenario: Scenario, should_hold: Callable[[datetime], bool]
) -> Iterator[str]:
    """Name what Tesla would complain of.  should_hold: whether the story wants the battery held in a run's minute."""
    commands = [each for each in played.requests if each.service == "tesla" and each.operation in COMMAND_OPERATIONS]
    told = list(_without_library_retries(commands))
    yield from _commands_go_to_own_site(commands)
    yield from _one_command_per_value(told, {minute.at: len(minute.ran) for minute in played.minutes})
    yield from _accepted_commands_get_time(played, scenario, commands)
    yield from _no_command_bursts(told, most_runs_a_minute=max(len(minute.ran) for minute in played.minutes))
    yield from _start_attempts_back_off([each for each in told if should_hold(each.at)])
    yield from _retry_after_is_respected(played, scenario, should_hold)


def _without_library_retries(commands: list[ReceivedRequest]) -> Iterator[ReceivedRequest]:
    """The commands as they were given: where a line is cut, pypowerwall sends the same once more by itself."""
    for (_, _, status), same in groupby(commands, key=lambda each: (each.at, each.operation, each.status)):
        sent = list(same)
        yield from sent[:: 2 if status == NO_STATUS else 1]


def _commands_go_to_own_site(commands: list[ReceivedRequest]) -> Iterator[str]:
    for each in commands:
        if f"/energy_sites/{DEFAULT_HOUSE.site_id}/" not in each.path:
            yield f"at {_clock(each.at)} another house's battery is told: {each.path}"


def _one_command_per_value(told: list[ReceivedRequest], runs: dict[datetime, int]) -> Iterator[str]:
    for at, given in groupby(told, key=lambda each: each.at):
        counts = Counter("gone" if each.status == HTTP_GONE else each.operation for each in given)
        for kind, count in counts.items():
            if count > (MAX_RATE_PLAN_REFUSALS if kind == "gone" else 1) * runs[at]:
                yield f"at {_clock(at)} Tesla is given the same command {count} times ({kind})"


def _accepted_commands_get_time(
    played: ScenarioResult, scenario: Scenario, commands: list[ReceivedRequest]
) -> Iterator[str]:
    """But the same command once more on a line that was cut is the library's own."""
    cut = {each.at for each in commands if each.status == NO_STATUS}
    meddled = {act.at for act in scenario.owner}
    for kind in ("mode", "reserve"):
        taken = [(at, value) for at, each, value in played.writes if each == kind]
        for (before, old), (after, new) in pairwise(taken):
            young = after - before < COMMAND_SETTLE_TIME and after not in cut
            if old == new and young and not any(before <= each <= after for each in meddled):
                yield f"at {_clock(after)} {kind} {new} is asked for again {after - before} after Tesla took it"


def _no_command_bursts(told: list[ReceivedRequest], *, most_runs_a_minute: int) -> Iterator[str]:
    for span in RATE_SPANS:
        most = span // timedelta(minutes=1) * most_runs_a_minute + MAX_EXTRA_COMMANDS
        yield from _busiest_span(told, span, most)


def _start_attempts_back_off(told: list[ReceivedRequest]) -> Iterator[str]:
    for span, most in MAX_START_COMMANDS.items():
        yield from _busiest_span(told, span, most)


def _busiest_span(told: list[ReceivedRequest], span: timedelta, most: int) -> Iterator[str]:
    """The first span with too many commands in it."""
    for first in told:
        count = sum(first.at <= each.at < first.at + span for each in told)
        if count > most:
            yield f"from {_clock(first.at)} Tesla is given {count} commands in {span}, at most {most} are allowed"
            return


def _retry_after_is_respected(
    played: ScenarioResult, scenario: Scenario, should_hold: Callable[[datetime], bool]
) -> Iterator[str]:
    """In full by whoever begins a hold; for three minutes at a time by whoever brings the battery back."""
    asked = [each for each in played.requests if each.service == "tesla"]
    waits = [
        spell for spell in scenario.fault_periods if spell.fault.service == "tesla" and spell.fault.kind == "http-429"
    ]
    for refused_at in sorted({each.at for each in asked if each.status == HTTP_TOO_MANY_REQUESTS}):
        amount = next(each.fault.amount for each in waits if each.starts_at <= refused_at < each.ends_at)
        wanted = timedelta(seconds=RETRY_AFTER_S if amount is None else amount)
        for at in sorted({each.at for each in asked if each.at > refused_at}):
            if at - refused_at < (wanted if should_hold(at) else min(wanted, RELEASE_MAX_WAIT)):
                yield f"at {_clock(at)} Tesla is asked again {at - refused_at} after it asked for patience"


def _clock(at: datetime) -> str:
    return f"{at.astimezone(LONDON):%H:%M}"

"""`smartcharge demo`: a whole day against the pretend street, with the real libraries and real sockets."""

import io
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from smartcharge.cli_context import CliContext
from smartcharge.errors import ConfigurationError
from smartcharge.formatting import local_time
from smartcharge.policy.slots import local_day

if TYPE_CHECKING:
    from smartcharge.simulator.scenario import Scenario
    from smartcharge.simulator.scenario_runner import CommandResult, CommandRunner, ScenarioResult
    from smartcharge.simulator.simulator import Simulator


DEFAULT_SCENARIO = "evening"
STDOUT_PATH = "-"
DEMO_ZONE = "Europe/London"
DEMO_CHEAP_PENCE, DEMO_STANDARD_PENCE = 6.19, 26.073
MIN_SHOWN_CAR_W = 100


@click.command("demo")
@click.option("--story", "name", default=DEFAULT_SCENARIO, show_default=True, metavar="NAME", help="Which day to play.")
@click.option("--list", "only_list", is_flag=True, help="Name the stories.")
@click.option("--html", "file", metavar="FILE", help="Write the report of the day it began on as a page; - is output.")
@click.pass_obj
def demo_command(
    session: CliContext,  # noqa: ARG001  # a demo needs no configuration
    *,
    name: str,
    only_list: bool,
    file: str | None,
) -> int:
    """Play a whole day in a simulated house."""
    if missing := [each for each in ("trustme", "graphql", "aiosmtpd") if find_spec(each) is None]:
        raise ConfigurationError(
            f"is not installed ({', '.join(missing)})",
            place="the demo's extra",
            right="Install it: pip install 'smartcharge[demo]'",
        )
    from smartcharge.simulator.scenario_file import load_scenario, scenario_files

    known = scenario_files()
    if only_list:
        for each, path in known.items():
            click.echo(f"{each:<28} {' '.join(load_scenario(path).about.split())}")
        return 0
    if name not in known:
        raise click.UsageError(f"there is no story {name!r}; `smartcharge demo --list` names them")
    scenario = load_scenario(known[name])
    should_print_text = file != STDOUT_PATH
    if should_print_text:
        click.echo(f"{name}: {' '.join(scenario.about.split())}\n")
    page: list[CommandResult] = []
    played = run_demo_scenario(
        scenario, lambda run: page.append(write_demo_report(scenario, run, file)) if file else None
    )
    if should_print_text:
        click.echo("\n".join((*timeline_lines(played), "", *savings_lines(played))))
    for outcome in page:
        click.echo(outcome.stdout, nl=False)
        click.echo(outcome.stderr, nl=False, err=True)
    return max((outcome.exit_code for outcome in page), default=0)


def write_demo_report(scenario: "Scenario", run: "CommandRunner", file: str) -> "CommandResult":
    """Let the house that was played in write the page of the day on which the story began."""
    day = local_day(scenario.starts_at, DEMO_ZONE)
    place = file if file == STDOUT_PATH else str(Path(file).absolute())
    return run(["report", "--day", str(day), "--html", place], scenario.starts_at + timedelta(minutes=scenario.minutes))


def run_demo_scenario(scenario: "Scenario", on_finish: "Callable[[CommandRunner], None]") -> "ScenarioResult":
    """Play a story in a folder of its own, with a bar that shows how far it is; `then` is done there at the end."""
    from smartcharge.simulator.scenario_runner import run_scenario

    with (
        tempfile.TemporaryDirectory(prefix="smartcharge-demo-") as name,
        start_simulator(Path(name), scenario) as (simulation, run),
    ):
        bar = click.progressbar(length=scenario.minutes, label=f"{scenario.minutes:,} minutes", file=sys.stderr)
        with bar:
            played = run_scenario(scenario, simulation, run, on_minute=lambda _: bar.update(1))
        on_finish(run)
        return played


@contextmanager
def start_simulator(folder: Path, scenario: "Scenario | None" = None) -> "Iterator[tuple[Simulator, CommandRunner]]":
    """A street that serves, a house set up for it in `folder`, and the way to run a command there at a moment.

    The process's own environment leads to the street meanwhile, and to nowhere else.
    """
    from smartcharge.simulator.scenario_runner import write_simulator_config
    from smartcharge.simulator.simulator import Simulator

    with (
        Simulator(folder, scenario=scenario) as simulation,
        override_environment(simulation.environment, simulation.unset),
    ):
        config = write_simulator_config(folder, simulation, scenario)
        simulation.sign_in_to_tesla(folder, scenario.backend if scenario else "cloud")
        yield simulation, make_command_runner(config)


@contextmanager
def override_environment(given: dict[str, str], without: Sequence[str]) -> Iterator[None]:
    """Change the process's environment for a while."""
    before = dict(os.environ)
    for name in without:
        os.environ.pop(name, None)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def make_command_runner(config: Path) -> "CommandRunner":
    """Run a command line in this process, as cron would at that moment; KeyboardInterrupt where it is broken off."""
    from smartcharge.cli import EXIT_INTERRUPTED, run_cli
    from smartcharge.simulator.scenario_runner import CommandResult

    def run(arguments: list[str], at: datetime) -> "CommandResult":
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run_cli(["--config", str(config), *arguments], clock=lambda: at)
        if code == EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        return CommandResult(code, out.getvalue(), err.getvalue())

    return run


def timeline_lines(played: "ScenarioResult") -> Iterator[str]:
    """What happened, in the order it happened, in local time."""
    watts = 0
    for minute in played.minutes:
        when = f"{minute.at.astimezone(ZoneInfo(DEMO_ZONE)):%a} {local_time(minute.at, DEMO_ZONE)}"
        if (minute.car_w > MIN_SHOWN_CAR_W) != (watts > MIN_SHOWN_CAR_W):
            yield f"{when}  car        {f'draws {minute.car_w:,} W' if minute.car_w > MIN_SHOWN_CAR_W else 'stops'}"
        watts = minute.car_w
        for ran in minute.ran:
            for line in (*ran.outcome.stdout.splitlines(), *ran.outcome.stderr.splitlines()):
                yield f"{when}  {_timeline_text(line, when)}"


def savings_lines(played: "ScenarioResult") -> Iterator[str]:
    """What the day's holds were worth."""
    held = [minute for minute in played.minutes if minute.battery.mode == "backup"]
    taken_kwh = sum(max(-minute.battery_w, 0.0) for minute in held) / 60_000
    car_kwh = sum(minute.car_w for minute in held) / 60_000
    yield f"{len(played.minutes):,} minutes, {len(played.requests):,} requests, {len(played.writes)} settings written."
    if not held:
        yield "The Powerwall was never held, so nothing was saved and nothing was risked."
        return
    saved = taken_kwh * (DEMO_STANDARD_PENCE - DEMO_CHEAP_PENCE)
    yield (
        f"Held for {len(held)} min: the Powerwall took {taken_kwh:.1f} kWh at {DEMO_CHEAP_PENCE} p instead of "
        f"{DEMO_STANDARD_PENCE} p, about {saved:.0f} p saved;"
    )
    yield f"and none of the {car_kwh:.1f} kWh that the car took meanwhile came out of the battery."


def _timeline_text(line: str, when: str) -> str:
    """One line of the program under a heading that a householder finds again."""
    words = line.removeprefix(f"{when.split(maxsplit=1)[1]} ").removeprefix("smartcharge ")
    head, _, rest = words.partition(" ")
    if head in {"planned:", "planned", "moved:", "withdrawn:"}:
        return f"{'plan':<10} {words}"
    if head == "Powerwall" or words.startswith(("the Powerwall", "midnight reset")):
        return f"{'battery':<10} {words.removeprefix('Powerwall ')}"
    return f"{head:<10} {rest}" if head == "invite" else f"{'note':<10} {words}"

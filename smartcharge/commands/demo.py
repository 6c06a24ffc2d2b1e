"""`smartcharge demo`: a whole day in a simulated house, with the real libraries and real connections."""

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
@click.option("--story", "name", default=DEFAULT_SCENARIO, show_default=True, metavar="NAME", help="The day to play.")
@click.option("--list", "only_list", is_flag=True, help="List the days.")
@click.option(
    "--html", "file", metavar="FILE", help="Write the report of its first day as a page; - means standard output."
)
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
            f"needs libraries that are not installed ({', '.join(missing)})",
            place="the demo",
            right="Run `pip install 'smartcharge[demo]'`",
        )
    from smartcharge.simulator.scenario_file import load_scenario, scenario_files

    known = scenario_files()
    if only_list:
        for each, path in known.items():
            click.echo(f"{each:<28} {' '.join(load_scenario(path).about.split())}")
        return 0
    if name not in known:
        raise click.UsageError(f"There is no story {name!r}. `smartcharge demo --list` lists them")
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
    """Write the page of the day on which the story began, with the `report` command of the simulated house."""
    day = local_day(scenario.starts_at, DEMO_ZONE)
    place = file if file == STDOUT_PATH else str(Path(file).absolute())
    return run(["report", "--day", str(day), "--html", place], scenario.starts_at + timedelta(minutes=scenario.minutes))


def run_demo_scenario(scenario: "Scenario", on_finish: "Callable[[CommandRunner], None]") -> "ScenarioResult":
    """Play a story in a temporary folder and show its progress; `on_finish` is called before the folder goes."""
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
    """Start the simulated services, set up a house in `folder`, and give a function that runs a command at a time.

    Meanwhile the environment of this process points to the simulated services only.
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
    """Change the environment of this process during the block."""
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
    """Return a function that runs a command line in this process at a given time; Ctrl-C passes through."""
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
    """Yield what happened, in order and in local time."""
    watts = 0
    for minute in played.minutes:
        when = f"{minute.at.astimezone(ZoneInfo(DEMO_ZONE)):%a} {local_time(minute.at, DEMO_ZONE)}"
        if (minute.car_w > MIN_SHOWN_CAR_W) != (watts > MIN_SHOWN_CAR_W):
            is_charging = minute.car_w > MIN_SHOWN_CAR_W
            yield f"{when}  car        {f'charging at {minute.car_w:,} W' if is_charging else 'stopped charging'}"
        watts = minute.car_w
        for ran in minute.ran:
            for line in (*ran.outcome.stdout.splitlines(), *ran.outcome.stderr.splitlines()):
                yield f"{when}  {_timeline_text(line, when)}"


def savings_lines(played: "ScenarioResult") -> Iterator[str]:
    """Yield what the charges from the grid saved."""
    held = [minute for minute in played.minutes if minute.battery.mode == "backup"]
    taken_kwh = sum(max(-minute.battery_w, 0.0) for minute in held) / 60_000
    car_kwh = sum(minute.car_w for minute in held) / 60_000
    counts = f"{len(played.minutes):,} minutes, {len(played.requests):,} requests"
    yield f"{counts}, {len(played.writes)} Powerwall settings changed."
    if not held:
        yield "The Powerwall was never charged from the grid, so nothing was saved."
        return
    saved = taken_kwh * (DEMO_STANDARD_PENCE - DEMO_CHEAP_PENCE)
    yield (
        f"For {len(held)} min the Powerwall charged from the grid: it took {taken_kwh:.1f} kWh at {DEMO_CHEAP_PENCE} p "
        f"instead of {DEMO_STANDARD_PENCE} p. That saved about {saved:.0f} p."
    )
    yield f"None of the {car_kwh:.1f} kWh that the car took meanwhile came out of the Powerwall."


def _timeline_text(line: str, when: str) -> str:
    """Return one line of output, after the part of the house that it is about."""
    words = line.removeprefix(f"{when.split(maxsplit=1)[1]} ").removeprefix("smartcharge ")
    head, _, rest = words.partition(" ")
    if head in {"planned:", "planned", "moved:", "withdrawn:"}:
        return f"{'schedule':<10} {words}"
    if head == "Powerwall" or words.startswith(("the Powerwall", "midnight reset")):
        return f"{'Powerwall':<10} {words.removeprefix('Powerwall ')}"
    return f"{head:<10} {rest}" if head == "invite" else f"{'note':<10} {words}"

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

from smartcharge.act.words import clock
from smartcharge.core.slots import local_day
from smartcharge.errors import ConfigurationRefused
from smartcharge.session import Session

if TYPE_CHECKING:
    from smartcharge.world.player import Outcome, Played, Run
    from smartcharge.world.story import Story
    from smartcharge.world.street import Street

DAY = "evening"
STDOUT = "-"
ZONE = "Europe/London"
CHEAP_PENCE, STANDARD_PENCE = 6.19, 26.073
WORTH_SAYING_W = 100


@click.command("demo")
@click.option("--story", "name", default=DAY, show_default=True, metavar="NAME", help="Which day to play.")
@click.option("--list", "only_list", is_flag=True, help="Name the stories.")
@click.option("--html", "file", metavar="FILE", help="Write the report of the day it began on as a page; - is output.")
@click.pass_obj
def command(
    session: Session,  # noqa: ARG001  # a demo needs no configuration
    *,
    name: str,
    only_list: bool,
    file: str | None,
) -> int:
    """Play a whole day against a pretend street."""
    if missing := [each for each in ("trustme", "graphql", "aiosmtpd") if find_spec(each) is None]:
        raise ConfigurationRefused(
            f"is not installed ({', '.join(missing)})",
            place="the demo's extra",
            right="Install it: pip install 'smartcharge[demo]'",
        )
    from smartcharge.world.story_file import load_story, stories

    known = stories()
    if only_list:
        for each, path in known.items():
            click.echo(f"{each:<28} {' '.join(load_story(path).about.split())}")
        return 0
    if name not in known:
        raise click.UsageError(f"there is no story {name!r}; `smartcharge demo --list` names them")
    story = load_story(known[name])
    told = file != STDOUT
    if told:
        click.echo(f"{name}: {' '.join(story.about.split())}\n")
    page: list[Outcome] = []
    played = perform(story, lambda run: page.append(report(story, run, file)) if file else None)
    if told:
        click.echo("\n".join((*timeline(played), "", *savings(played))))
    for outcome in page:
        click.echo(outcome.stdout, nl=False)
        click.echo(outcome.stderr, nl=False, err=True)
    return max((outcome.exit_code for outcome in page), default=0)


def report(story: "Story", run: "Run", file: str) -> "Outcome":
    """Let the house that was played in write the page of the day on which the story began."""
    day = local_day(story.starts_at, ZONE)
    place = file if file == STDOUT else str(Path(file).absolute())
    return run(["report", "--day", str(day), "--html", place], story.starts_at + timedelta(minutes=story.minutes))


def perform(story: "Story", then: "Callable[[Run], None]") -> "Played":
    """Play a story in a folder of its own, with a bar that shows how far it is; `then` is done there at the end."""
    from smartcharge.world.player import play

    with tempfile.TemporaryDirectory(prefix="smartcharge-demo-") as name, street(Path(name), story) as (town, run):
        bar = click.progressbar(length=story.minutes, label=f"{story.minutes:,} minutes", file=sys.stderr)
        with bar:
            played = play(story, town, run, on_minute=lambda _: bar.update(1))
        then(run)
        return played


@contextmanager
def street(folder: Path, story: "Story | None" = None) -> "Iterator[tuple[Street, Run]]":
    """A street that serves, a house set up for it in `folder`, and the way to run a command there at a moment.

    The process's own environment leads to the street meanwhile, and to nowhere else.
    """
    from smartcharge.world.player import write_config
    from smartcharge.world.street import Street

    with Street(folder, story=story) as town, environment(town.environment, town.unset):
        config = write_config(folder, town, story)
        town.sign_in_to_tesla(folder, story.backend if story else "cloud")
        yield town, runner(config)


@contextmanager
def environment(given: dict[str, str], without: Sequence[str]) -> Iterator[None]:
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


def runner(config: Path) -> "Run":
    """Run a command line in this process, as cron would at that moment; KeyboardInterrupt where it is broken off."""
    from smartcharge.cli import INTERRUPTED, main
    from smartcharge.world.player import Outcome

    def run(arguments: list[str], at: datetime) -> "Outcome":
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = main(["--config", str(config), *arguments], clock=lambda: at)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        return Outcome(code, out.getvalue(), err.getvalue())

    return run


def timeline(played: "Played") -> Iterator[str]:
    """What happened, in the order it happened, in local time."""
    watts = 0
    for minute in played.minutes:
        when = f"{minute.at.astimezone(ZoneInfo(ZONE)):%a} {clock(minute.at, ZONE)}"
        if (minute.car_w > WORTH_SAYING_W) != (watts > WORTH_SAYING_W):
            yield f"{when}  car        {f'draws {minute.car_w:,} W' if minute.car_w > WORTH_SAYING_W else 'stops'}"
        watts = minute.car_w
        for ran in minute.ran:
            for line in (*ran.outcome.stdout.splitlines(), *ran.outcome.stderr.splitlines()):
                yield f"{when}  {_told(line, when)}"


def savings(played: "Played") -> Iterator[str]:
    """What the day's holds were worth."""
    held = [minute for minute in played.minutes if minute.battery.mode == "backup"]
    taken_kwh = sum(max(-minute.battery_w, 0.0) for minute in held) / 60_000
    car_kwh = sum(minute.car_w for minute in held) / 60_000
    yield f"{len(played.minutes):,} minutes, {len(played.requests):,} requests, {len(played.writes)} settings written."
    if not held:
        yield "The Powerwall was never held, so nothing was saved and nothing was risked."
        return
    saved = taken_kwh * (STANDARD_PENCE - CHEAP_PENCE)
    yield (
        f"Held for {len(held)} min: the Powerwall took {taken_kwh:.1f} kWh at {CHEAP_PENCE} p instead of "
        f"{STANDARD_PENCE} p, about {saved:.0f} p saved;"
    )
    yield f"and none of the {car_kwh:.1f} kWh that the car took meanwhile came out of the battery."


def _told(line: str, when: str) -> str:
    """One line of the program under a heading that a householder finds again."""
    words = line.removeprefix(f"{when.split(maxsplit=1)[1]} ").removeprefix("smartcharge ")
    head, _, rest = words.partition(" ")
    if head in {"planned:", "planned", "moved:", "withdrawn:"}:
        return f"{'plan':<10} {words}"
    if head == "Powerwall" or words.startswith(("the Powerwall", "midnight reset")):
        return f"{'battery':<10} {words.removeprefix('Powerwall ')}"
    return f"{head:<10} {rest}" if head == "invite" else f"{'note':<10} {words}"

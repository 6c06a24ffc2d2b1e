"""The runs: whether cron is firing, by what they have left behind, and what troubles them."""

from collections.abc import Iterator
from datetime import timedelta

from smartcharge.act.doctor import crontabs
from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.act.show.needs import CRON
from smartcharge.act.show.overview import Overview, gather
from smartcharge.act.words import age, clock
from smartcharge.core.politeness import is_blocked, plan_interval
from smartcharge.store import fetches, journal
from smartcharge.toolbox import Toolbox

HERE = Area("runs")
COMMANDS = ("fetch-dispatches", "reconcile", "midnight-reset", "send-invites")
OVERDUE = timedelta(minutes=3)
A_DAY = timedelta(hours=26)
"""From one verified midnight reset to the next, the night of the clock change included."""


def examine(tools: Toolbox) -> Iterator[Finding]:
    """An idle run writes nothing, so a question to Kraken is the surest sign of life."""
    about = gather(tools)
    yield _cron(tools, about)
    yield from _release(tools, about)
    yield from _midnight(tools, about)
    for command in COMMANDS:
        if row := journal.last(tools.peek, command):
            yield HERE.ok(command, f"wrote last into the journal {age(tools.now - row.at)} ago: {row.outcome}")
        else:
            yield HERE.ok(command, "has had nothing to write into the journal yet")
    for episode in about.episodes:
        says = f"trouble with {episode.kind} for {age(tools.now - episode.since)} (attempts: {episode.count})"
        yield HERE.warning(episode.command, says, "`smartcharge history` tells more")


def _cron(tools: Toolbox, about: Overview) -> Finding:
    last_at, asked_at = about.sign_at, fetches.last_asked_at(tools.peek)
    if last_at is None:
        says = f"no run has ever written anything down; {crontabs.told(tools.config.path)}"
        return HERE.warning("cron", says, CRON)
    silence = tools.now - last_at
    said = f"the last sign of a run is {age(silence)} old"
    if asked_at == last_at:
        said = f"Kraken was asked {age(silence)} ago"
    if "kraken" in about.refused or is_blocked(tools.now, about.services["kraken"].not_before):
        says = f"{said}; Kraken is not asked just now, so that there need be no newer one"
        return HERE.ok("cron", f"{says}; {crontabs.told(tools.config.path)}")
    if about.is_silent:
        minutes = plan_interval(about.seen) // timedelta(minutes=1)
        says = f"{said}, and now it should be asked every {minutes} min: nothing runs"
        return HERE.warning("cron", f"{says}; {crontabs.told(tools.config.path)}", CRON)
    return HERE.ok("cron", f"{said}, so cron is firing")


def _release(tools: Toolbox, about: Overview) -> Iterator[Finding]:
    zone = tools.policy.cheap_period.zone
    if about.hold and tools.now > about.hold.hold.until + OVERDUE:
        says = f"the hold should have ended at {clock(about.hold.hold.until, zone)}"
        yield HERE.warning("release", says, f"Run `smartcharge reconcile`. {CRON}")
    elif about.battery.in_doubt_since and tools.now > about.battery.in_doubt_since + OVERDUE:
        says = f"the battery has not confirmed what it was asked {age(tools.now - about.battery.in_doubt_since)} ago"
        yield HERE.warning("release", says, "It is tried again every minute; `smartcharge -v reconcile` tells more")
    if about.battery.rate_plan_missing:
        says = "Tesla has refused time-based control, so the Powerwall rests in self-powered mode"
        yield HERE.warning("release", says, "Set your tariff in the Tesla app; it is tried again at midnight")


def _midnight(tools: Toolbox, about: Overview) -> Iterator[Finding]:
    rested_at = about.battery.rested_at
    everything = tools.config.control.restore == "resting" and tools.sets_battery()
    if rested_at and everything and not about.seen.paused and tools.now - rested_at > A_DAY:
        says = f"the last verified midnight reset is {age(tools.now - rested_at)} old"
        yield HERE.warning("midnight-reset", says, CRON)

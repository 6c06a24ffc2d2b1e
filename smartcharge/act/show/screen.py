"""The one screen of `status`: what the battery does and until when, why, what it goes by, and what is wrong."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from smartcharge.act.show.headline import because, headline
from smartcharge.act.show.layout import GAP, Row, Tone
from smartcharge.act.show.needs import Need
from smartcharge.act.show.overview import Overview
from smartcharge.act.show.plain_words import entry
from smartcharge.act.words import age, clock, span, when
from smartcharge.act.words import stance as in_words
from smartcharge.core.model import contiguous
from smartcharge.core.slots import Span
from smartcharge.core.stance import Stance
from smartcharge.errors import Trouble
from smartcharge.toolbox import Toolbox

MOST_WINDOWS = 4
SHADOW = "control.shadow is true: the Powerwall is read and never set"


def rows(about: Overview, needs: Sequence[Need]) -> Iterator[Row]:
    """The screen, from the top; local time."""
    now, zone = about.seen.now, about.seen.policy.cheap_period.zone
    says, tone = headline(about)
    yield _now(now, zone)
    yield Row("Powerwall", says, tone)
    if about.shadow:
        yield Row("shadow", SHADOW, Tone.DOUBT)
    yield Row("because", because(about))
    for need in needs:
        yield from _wrong(need, now, zone)
    yield GAP
    yield from _facts(about)
    if about.last_runs:
        yield GAP
    for number, run in enumerate(sorted(about.last_runs, key=lambda run: run.at, reverse=True)):
        told = f"{when(run.at, now, zone)} {run.command}: {entry(run)}"
        yield Row("" if number else "last runs", told, Tone.FAINT, most_lines=1)


def _now(now: datetime, zone: str) -> Row:
    return Row("now", f"{now.astimezone(ZoneInfo(zone)):%a %d %b} {clock(now, zone)}", Tone.FAINT)


def _wrong(need: Need, now: datetime, zone: str) -> Iterator[Row]:
    """One thing that is wrong, and what mends it."""
    since = f" (since {when(need.since, now, zone)})" if need.since else ""
    tone = Tone.WRONG if need.is_owners else Tone.DOUBT
    yield Row("needs you" if need.is_owners else "trouble", f"{need.says}{since}", tone)
    yield Row("", need.mend)


def _facts(about: Overview) -> Iterator[Row]:
    yield Row("battery", _battery(about))
    if about.level and about.level.soe_pct is not None:
        yield Row("energy", f"{about.level.soe_pct:.0f} % full ({age(about.seen.now - about.level.at)} ago)")
    yield Row("car", _car(about))
    yield Row("plan", _plan(about), Tone.PLAIN if about.fresh else Tone.DOUBT)
    yield from _windows(about)
    yield from _owners_hand(about)
    if about.outbox.waiting or about.outbox.sent:
        yield Row("invites", f"{about.outbox.waiting} waiting, {about.outbox.sent} sent")


def _battery(about: Overview) -> str:
    if about.would_hold:
        return "as the other controller sets it: `smartcharge agreement` tells what was found"
    memory, zone, now = about.battery, about.seen.policy.cheap_period.zone, about.seen.now
    if memory.confirmed_mode is None or memory.confirmed_reserve_pct is None:
        stands = "being changed: Tesla has not confirmed it yet" if memory.in_doubt_since else "not read yet"
    else:
        stands = in_words(Stance(memory.confirmed_mode, memory.confirmed_reserve_pct))
    if about.hold and about.next_release_at:
        stands += (
            f"; held until {clock(about.hold.hold.until, zone)}, released from {clock(about.next_release_at, zone)}"
        )
    if about.read_back_at and memory.confirmed_mode:
        stands += f" (read {age(now - about.read_back_at)} ago)"
    return stands


def _car(about: Overview) -> str:
    if about.charger is None:
        return "never asked so far: it is asked only inside a window"
    reading = about.charger.reading
    power = f", {reading.watts:,.0f} W" if reading.watts is not None else ""
    forced = "; a charge is forced by hand" if any(d.watched and d.boosting for d in about.devices) else ""
    return f"{reading.state.lower()}{power} ({age(about.seen.now - reading.at)} ago){forced}"


def _plan(about: Overview) -> str:
    if about.fetched_at is None:
        return "Kraken has not answered yet"
    state = "fresh" if about.fresh else "stale: nothing new begins on it"
    return f"answered {age(about.seen.now - about.fetched_at)} ago, {state}"


def _windows(about: Overview) -> Iterator[Row]:
    """What lies ahead, as the owner sees it: adjacent and overlapping windows are one."""
    live = [row for row in about.dispatches if row.live]
    spans = [each for each in contiguous(about.seen.windows) if each.ends_at > about.seen.now]
    if not spans:
        yield Row("windows", "none ahead")
    for number, each in enumerate(spans[:MOST_WINDOWS]):
        energies = [row.energy_kwh for row in live if each.starts_at <= row.starts_at < each.ends_at]
        about_kwh = f", about {sum(kwh for kwh in energies if kwh):.1f} kWh" if any(energies) else ""
        text = f"{span(each.starts_at, each.ends_at, about.seen.policy.cheap_period.zone)}{about_kwh}"
        yield Row("" if number else "windows", f"{text}{_remark(about, each)}")
    if len(spans) > MOST_WINDOWS:
        yield Row("", f"and {len(spans) - MOST_WINDOWS} more")


def _remark(about: Overview, window: Span) -> str:
    if window.covers(about.seen.now):
        return ", now"
    night = about.seen.policy.cheap_period.holding(window.starts_at)
    return ", at the night rate anyway" if night and window.ends_at <= night.ends_at else ""


def _owners_hand(about: Overview) -> Iterator[Row]:
    now, zone = about.seen.now, about.seen.policy.cheap_period.zone
    if about.seen.paused:
        until = about.seen.pause and about.seen.pause.until
        yield Row("paused", f"until {when(until, now, zone) if until else '`smartcharge resume`'}", Tone.DOUBT)
    if about.seen.stood_down_until:
        until = about.seen.stood_down_until
        yield Row("stood down", f"until {when(until, now, zone)}; `smartcharge resume` ends it", Tone.DOUBT)


def blind(tools: Toolbox, trouble: Trouble) -> Iterator[Row]:
    """What can be said where the memory cannot be read: no more than the time, and what mends it."""
    night, zone = tools.policy.cheap_period.holding(tools.now), tools.policy.cheap_period.zone
    yield _now(tools.now, zone)
    yield Row("Powerwall", "not known: what was remembered cannot be read", Tone.WRONG)
    yield from _wrong(Need(trouble.message, trouble.hint or "Try again in a minute"), tools.now, zone)
    yield GAP
    yield Row("night rate", f"applies until {clock(night.ends_at, zone)}" if night else "does not apply now")

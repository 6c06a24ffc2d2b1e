"""What the battery does and until when, and why: the two lines that a householder looks for."""

from datetime import datetime

from smartcharge.act.show.layout import Tone
from smartcharge.act.show.overview import Overview
from smartcharge.act.words import clock
from smartcharge.core.decide import decide
from smartcharge.core.model import Because, ChargerState, Window
from smartcharge.episodes import WAITING


def headline(about: Overview) -> tuple[str, Tone]:
    """What the battery does, and until when."""
    memory = about.battery
    if not about.has_battery:
        return "none is configured: nothing is ever written", Tone.DOUBT
    if any(each.kind == WAITING for each in about.episodes):
        return "is waited for, and left as it is", Tone.DOUBT
    if about.would_hold:
        return _left(about)
    if about.hold:
        return _held(about, about.hold.hold.until)
    if memory.owned:
        return "is being brought back to rest", Tone.DOUBT
    rests = "has not been needed yet, and is" if memory.confirmed_mode is None else "is at rest, and"
    return f"{rests} left alone", Tone.AT_REST


def _left(about: Overview) -> tuple[str, Tone]:
    if about.hold is None:
        return "is left to the other controller", Tone.AT_REST
    until = clock(about.hold.hold.until, about.seen.policy.cheap_period.zone)
    return f"is left to the other controller; from here it would {_asked(about)} until {until}", Tone.DOUBT


def _held(about: Overview, until: datetime) -> tuple[str, Tone]:
    local = clock(until, about.seen.policy.cheap_period.zone)
    if about.seen.now >= until:
        return f"should have been brought back at {local}", Tone.WRONG
    if about.is_held:
        return f"{'fills' if about.fills else 'is kept as it is'} until {local}", Tone.HOLDING
    return f"is asked to {_asked(about)} until {local}", Tone.DOUBT


def _asked(about: Overview) -> str:
    return "fill" if about.fills else "keep as it is"


def because(about: Overview) -> str:
    """Why: the rule that stands, or what is missing for a hold."""
    if about.hold:
        is_over = about.seen.now >= about.hold.hold.until
        return "no run has ended it since" if is_over else about.hold.because.sentence
    decision = decide(about.seen).because
    window = next((w for w in about.seen.windows if w.live and w.covers(about.seen.now)), None)
    if decision is not Because.NOTHING_TO_HOLD or window is None:
        return decision.sentence
    return f"a cheap window is open, but {_missing(about, window)}"


def _missing(about: Overview, window: Window) -> str:
    if not about.seen.is_fresh(window):
        return "the plan is too old to act on"
    if window.boosting:
        return "the charge is forced by hand, at the day rate"
    state = about.charger.reading.state if about.charger else ChargerState.UNKNOWN
    return {
        ChargerState.CHARGING: "there was no time left, or the day's hours are used up",
        ChargerState.IDLE: "the car is not charging",
        ChargerState.UNKNOWN: "it is not known whether the car is charging",
    }[state]

"""Records in words, for the tests of what is decided again."""

from datetime import timedelta

from msgspec.structs import replace
from situations import DAY, HOUSE, at, seconds, situation

from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import ChargerState, Situation
from smartcharge.core.record import Record, Sighting
from smartcharge.core.slots import Span

LAG = seconds(2)


def plan(words: str) -> tuple[Sighting, ...]:
    """Read "13:00-14:00 seen 12:30 gone 13:20", with commas between several."""
    return tuple(_sighting(each.split()) for each in words.split(", ") if each)


def _sighting(words: list[str]) -> Sighting:
    starts, ends = words[0].split("-")
    marks = dict(zip(words[1::2], words[2::2], strict=True))
    gone = at(marks["gone"]) + LAG if "gone" in marks else None
    return Sighting(at(starts), at(ends), at(marks.get("seen", "12:30")) + LAG, "car", gone)


def car(words: str) -> tuple[ChargerReading, ...]:
    """Read "13:05 charging, 13:29 idle"."""
    pairs = (each.split() for each in words.split(", ") if each)
    return tuple(ChargerReading(ChargerState[state.upper()], at(clock) + LAG) for clock, state in pairs)


def knew(clock: str, windows: str = "", charger: str = "unknown", held: str = "nothing") -> Situation:
    """What a decision knew; the words are those of `situation`."""
    return situation(f"{clock}:02", windows, charger, held)


def record(
    windows: str = "",
    readings: str = "",
    known: tuple[Situation, ...] = (),
    stood_down: tuple[str, ...] = (),
    outage: tuple[str, str] | None = None,
) -> Record:
    """A record of the usual day, written up to its end."""
    latest = replace(situation("23:59"), policy=HOUSE)
    left = tuple(at(clock) + LAG for clock in stood_down)
    outages = (Span(at(outage[0]) + LAG, at(outage[1]) + LAG),) if outage else ()
    return Record(plan(windows), car(readings), known, left, outages, latest)


def between(first: str, last: str) -> Span:
    """A span of the usual day."""
    return Span(at(first, DAY), at(last, DAY))


MINUTE = timedelta(minutes=1)

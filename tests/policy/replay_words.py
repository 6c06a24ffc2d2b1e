"""Records in words, for the tests of what is decided again."""

from datetime import timedelta

from msgspec.structs import replace
from state_words import DAY, DEFAULT_POLICY, at, build_state, seconds

from smartcharge.policy.model import ChargerReading, ChargerState, State
from smartcharge.policy.replay import RecordedWindow, ReplayData
from smartcharge.policy.slots import Span

CRON_DELAY = seconds(2)


def parse_windows(words: str) -> tuple[RecordedWindow, ...]:
    """Read "13:00-14:00 seen 12:30 gone 13:20", with commas between several."""
    return tuple(_parse_window(each.split()) for each in words.split(", ") if each)


def _parse_window(words: list[str]) -> RecordedWindow:
    starts, ends = words[0].split("-")
    marks = dict(zip(words[1::2], words[2::2], strict=True))
    gone = at(marks["gone"]) + CRON_DELAY if "gone" in marks else None
    return RecordedWindow(at(starts), at(ends), at(marks.get("seen", "12:30")) + CRON_DELAY, "car", gone)


def parse_readings(words: str) -> tuple[ChargerReading, ...]:
    """Read "13:05 charging, 13:29 idle"."""
    pairs = (each.split() for each in words.split(", ") if each)
    return tuple(ChargerReading(ChargerState[state.upper()], at(clock) + CRON_DELAY) for clock, state in pairs)


def known_state(clock: str, windows: str = "", charger: str = "unknown", held: str = "nothing") -> State:
    """What a decision knew; the words are those of `situation`."""
    return build_state(f"{clock}:02", windows, charger, held)


def build_record(
    windows: str = "",
    readings: str = "",
    known: tuple[State, ...] = (),
    stood_down: tuple[str, ...] = (),
    outage: tuple[str, str] | None = None,
) -> ReplayData:
    """A record of the usual day, written up to its end."""
    latest = replace(build_state("23:59"), policy=DEFAULT_POLICY)
    left = tuple(at(clock) + CRON_DELAY for clock in stood_down)
    outages = (Span(at(outage[0]) + CRON_DELAY, at(outage[1]) + CRON_DELAY),) if outage else ()
    return ReplayData(parse_windows(windows), parse_readings(readings), known, left, outages, latest)


def day_span(first: str, last: str) -> Span:
    """A span of the usual day."""
    return Span(at(first, DAY), at(last, DAY))


MINUTE = timedelta(minutes=1)

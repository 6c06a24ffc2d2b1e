"""How the tests of the ledger write down what happened, and read what became of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from situations import NIGHT, at

from smartcharge.core.answers import BatteryLevel, ChargerReading
from smartcharge.core.calendar import Held
from smartcharge.core.ledger import Energy, HalfHour
from smartcharge.core.ledger.facts import CompletedDispatch, LedgerFacts, PlannedDispatch
from smartcharge.core.model import ChargerState
from smartcharge.core.slots import CheapPeriod, Span

CAR_W = {"charging": 7200.0, "idle": 0.0, "unknown": None}
WHOLE_DAY = Span(at("00:00"), at("24:00"))


def facts(
    now: str = "24:00",
    *,
    plan: str = "",
    told: str = "",
    held: str = "",
    car: str = "",
    battery: str = "",
    night: CheapPeriod = NIGHT,
) -> LedgerFacts:
    """A day in words, with commas between.

    plan: "13:00-14:00", then perhaps the time it was withdrawn. told: "13:00-13:30 3.6 15:00": kWh (or -) and when
    the supplier first said so, then perhaps when it last changed it, and "away". held: "13:05-13:59 14:00": from
    when to when (or "now"), and until when it was meant. car: "13:05 charging 0.1", then perhaps the serials; the
    counter may be -. battery: "13:05 50", then perhaps the capacity in kWh.
    """
    return LedgerFacts(
        now=at(now),
        cheap_period=night,
        planned=tuple(_planned(words) for words in _listed(plan)),
        completed=tuple(_told(words) for words in _listed(told)),
        holds=tuple(_held(words) for words in _listed(held)),
        chargers=tuple(_car(words) for words in _listed(car)),
        batteries=tuple(_battery(words) for words in _listed(battery)),
    )


def _listed(text: str) -> Iterator[list[str]]:
    yield from (words.split() for words in text.split(", ") if words)


def _span(text: str) -> tuple[datetime, datetime]:
    starts, ends = text.split("-")
    return at(starts), at(ends)


def _planned(words: list[str]) -> PlannedDispatch:
    return PlannedDispatch(*_span(words[0]), *(at(each) for each in words[1:]))


def _told(words: list[str]) -> CompletedDispatch:
    moments = [at(each) for each in words[2:] if each != "away"]
    energy_kwh = None if words[1] == "-" else float(words[1])
    return CompletedDispatch(*_span(words[0]), moments[0], moments[-1], energy_kwh, at_home="away" not in words)


def _held(words: list[str]) -> Held:
    opened, closed = words[0].split("-")
    return Held(at(opened), at(words[1]), None if closed == "now" else at(closed))


def _car(words: list[str]) -> ChargerReading:
    clock, state, counter, *serials = words
    return ChargerReading(
        ChargerState[state.upper()],
        at(clock),
        watts=CAR_W[state],
        session_kwh=None if counter == "-" else float(counter),
        serials=tuple(serials) or ("17000001",),
    )


def _battery(words: list[str]) -> BatteryLevel:
    clock, soe, *capacity = words
    return BatteryLevel(at(clock), None if soe == "-" else float(soe), *(float(each) for each in capacity))


def read(entry: HalfHour) -> str:
    """An entry in words: what it was, how long it was held, what flowed, what was lost."""
    flags = {
        "night": entry.night,
        "planned": entry.planned,
        "started": entry.started,
        "extension": entry.extension,
        "completed": entry.completed is True,
        "denied": entry.completed is False,
        "cheap": entry.cheap and not entry.night,
    }
    words = [name for name, stands in flags.items() if stands]
    if entry.held:
        words.append(f"held {entry.held / timedelta(minutes=1):g}")
    words += [f"{name} {_energy(each)}" for name, each in (("car", entry.car), ("battery", entry.battery)) if each]
    return ", ".join([*words, *(f"leak: {leak}" for leak in [entry.leak] if leak)])


def _energy(energy: Energy) -> str:
    return f"{energy.kwh:.2f} {energy.basis}"

"""A short notation for the input and the result of the ledger."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from state_words import CHEAP_PERIOD, at

from smartcharge.policy.calendar import HoldRecord
from smartcharge.policy.energy import CompletedDispatch, Energy, LedgerInputs, PlannedDispatch
from smartcharge.policy.ledger import LedgerEntry, Loss
from smartcharge.policy.model import BatteryLevel, ChargerReading, ChargerState
from smartcharge.policy.slots import CheapPeriod, Span

CAR_W = {"charging": 7200.0, "idle": 0.0, "unknown": None}
LOSSES = {Loss.HELD_AT_STANDARD_RATE: "held at peak rate", Loss.CHEAP_SLOT_MISSED: "slot missed"}
WHOLE_DAY = Span(at("00:00"), at("24:00"))


def build_facts(
    now: str = "24:00",
    *,
    plan: str = "",
    told: str = "",
    held: str = "",
    car: str = "",
    battery: str = "",
    night: CheapPeriod = CHEAP_PERIOD,
) -> LedgerInputs:
    """Build a day from lists with commas between.

    plan: "13:00-14:00", and optionally when it was withdrawn. told: "13:00-13:30 3.6 15:00": kWh (or -) and when it
    was first reported, optionally when the report changed, and "away". held: "13:05-13:59 14:00": from and to (or
    "now"), and until when it was decided. car: "13:05 charging 0.1", and optionally the serials; the counter may be -.
    battery: "13:05 50", and optionally the capacity in kWh.
    """
    return LedgerInputs(
        now=at(now),
        cheap_period=night,
        planned=tuple(_parse_planned(words) for words in _split_list(plan)),
        completed=tuple(_parse_completed(words) for words in _split_list(told)),
        holds=tuple(_parse_held(words) for words in _split_list(held)),
        chargers=tuple(_parse_car(words) for words in _split_list(car)),
        batteries=tuple(_parse_battery(words) for words in _split_list(battery)),
    )


def _split_list(text: str) -> Iterator[list[str]]:
    yield from (words.split() for words in text.split(", ") if words)


def _parse_span(text: str) -> tuple[datetime, datetime]:
    starts, ends = text.split("-")
    return at(starts), at(ends)


def _parse_planned(words: list[str]) -> PlannedDispatch:
    return PlannedDispatch(*_parse_span(words[0]), *(at(each) for each in words[1:]))


def _parse_completed(words: list[str]) -> CompletedDispatch:
    moments = [at(each) for each in words[2:] if each != "away"]
    energy_kwh = None if words[1] == "-" else float(words[1])
    return CompletedDispatch(*_parse_span(words[0]), moments[0], moments[-1], energy_kwh, at_home="away" not in words)


def _parse_held(words: list[str]) -> HoldRecord:
    opened, closed = words[0].split("-")
    return HoldRecord(at(opened), at(words[1]), None if closed == "now" else at(closed))


def _parse_car(words: list[str]) -> ChargerReading:
    clock, state, counter, *serials = words
    return ChargerReading(
        ChargerState[state.upper()],
        at(clock),
        watts=CAR_W[state],
        session_kwh=None if counter == "-" else float(counter),
        serials=tuple(serials) or ("17000001",),
    )


def _parse_battery(words: list[str]) -> BatteryLevel:
    clock, soe, *capacity = words
    return BatteryLevel(at(clock), None if soe == "-" else float(soe), *(float(each) for each in capacity))


def describe_half_hour(entry: LedgerEntry) -> str:
    """Describe an entry: flags, minutes held, energies, and what went wrong."""
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
    words += [
        f"{name} {_describe_energy(each)}" for name, each in (("car", entry.car), ("battery", entry.battery)) if each
    ]
    return ", ".join([*words, *(LOSSES[loss] for loss in [entry.loss] if loss)])


def _describe_energy(energy: Energy) -> str:
    return f"{energy.kwh:.2f} {energy.basis}"

"""The Zappi: whether its cloud answers, which Zappis it knows, and how fresh their records are."""

from collections.abc import Iterator, Sequence

from smartcharge import wiring
from smartcharge.act.doctor.findings import Finding
from smartcharge.act.doctor.masks import tail
from smartcharge.act.doctor.standing import Account, hindrance
from smartcharge.act.words import age
from smartcharge.core.answers import ChargerReading
from smartcharge.core.model import ChargerState
from smartcharge.core.politeness import CHARGER_KEEN, CHARGER_TOLERANCE, has_passed
from smartcharge.errors import SignInRefused
from smartcharge.store import readings
from smartcharge.toolbox import Toolbox

HERE = Account.ZAPPI.area
ONLINE = "See in the myenergi app whether hub and Zappi are online"


def remembered(tools: Toolbox) -> Iterator[Finding]:
    """What is known without asking."""
    return hindrance(tools, Account.ZAPPI, wiring.hub_fingerprint(tools.config))


def asked(tools: Toolbox) -> Iterator[Finding]:
    """One question, unless a run has asked it within the minute."""
    if any(remembered(tools)):
        return
    last = readings.last_charger(tools.peek)
    if last and not last.error and not has_passed(tools.now, last.reading.at, CHARGER_KEEN - CHARGER_TOLERANCE):
        yield _reading(last.reading, f", asked {age(tools.now - last.reading.at)} ago")
        return
    found = _read_each(tools)
    yield HERE.ok("sign-in", "myenergi takes it")
    pinned = tools.config.myenergi.zappi_serial
    yield from _missing(found, pinned)
    for reading in found:
        watched = pinned is None or pinned in reading.serials
        yield _reading(reading) if watched else HERE.ok("Zappi", f"{_names(reading)} is not watched")


def _read_each(tools: Toolbox) -> Sequence[ChargerReading]:
    """A refusal is believed when it comes twice running: a server in trouble refuses too."""
    try:
        return tools.charger.read_each(tools.now)
    except SignInRefused:
        return tools.charger.read_each(tools.now)


def _missing(found: Sequence[ChargerReading], pinned: str | None) -> Iterator[Finding]:
    serials = [serial for reading in found for serial in reading.serials]
    if not found:
        yield HERE.warning("Zappi", "the hub names no Zappi", ONLINE)
    elif pinned is not None and pinned not in serials:
        there = ", ".join(map(tail, serials)) or "none with a serial"
        says = f"myenergi.zappi_serial names {tail(pinned)}, and the hub knows {there}"
        yield HERE.error("Zappi", says, "Mend myenergi.zappi_serial, or leave it out to watch all")


def _reading(reading: ChargerReading, when: str = "") -> Finding:
    says = f"{_names(reading)}: {reading.why}{when}"
    if reading.state is ChargerState.UNKNOWN:
        return HERE.warning("Zappi", f"{says}, which tells nothing of the car", ONLINE)
    return HERE.ok("Zappi", f"{says}, {reading.state.lower()}")


def _names(reading: ChargerReading) -> str:
    return " and ".join(map(tail, reading.serials)) or "a Zappi without a serial"

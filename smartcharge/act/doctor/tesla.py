"""Tesla: whether it takes the sign-in, how the Powerwall stands, and what there would keep a hold from working."""

from collections.abc import Iterator
from typing import NamedTuple

from smartcharge import wiring
from smartcharge.act.access import REFUSED_WAIT
from smartcharge.act.doctor.findings import Finding
from smartcharge.act.doctor.standing import Account, hindrance
from smartcharge.act.words import clock
from smartcharge.act.words import stance as in_words
from smartcharge.core.stance import AUTONOMOUS, BatteryFacts, BatteryReading, Stance, is_already_holding
from smartcharge.store import battery
from smartcharge.toolbox import Toolbox

HERE = Account.TESLA.area


class Way(NamedTuple):
    """A way to the battery: what opens it, how the owner comes by that, and who takes it."""

    key: str
    mend: str
    whom: str


WAYS = {
    "cloud": Way("sign-in", Account.TESLA.mend, "Tesla's cloud"),
    "fleetapi": Way(
        "sign-in for the Fleet API",
        "Run `python -m pypowerwall setup -fleetapi` with that folder as -authpath, then `smartcharge login tesla`",
        "Tesla's Fleet API",
    ),
    "v1r": Way("private key", "Run `python -m pypowerwall register`, and set tesla.rsa_key_path", "the gateway"),
}
LOCK_SECONDS = 5.0
"""Less than a run may wait: it has the lock for a reason, and the doctor can be asked again."""


def remembered(tools: Toolbox) -> Iterator[Finding]:
    """What is known without asking."""
    if tools.config.tesla is None:
        return
    fingerprint = wiring.tesla_fingerprint(tools.config)
    if fingerprint == "absent":
        way = WAYS[tools.config.tesla.backend]
        yield HERE.refused("sign-in", f"there is no {way.key} at {tools.config.tesla_sign_in}", way.mend)
    else:
        yield from hindrance(tools, Account.TESLA, fingerprint, retried_after=REFUSED_WAIT)


def asked(tools: Toolbox) -> Iterator[Finding]:
    """One conversation under the lock, of questions only."""
    if tools.config.tesla is None or any(remembered(tools)):
        return
    with tools.alone(wait_seconds=LOCK_SECONDS), tools.battery as powerwall:
        reading, facts = powerwall.read(), powerwall.facts()
    yield HERE.ok("sign-in", f"taken by {WAYS[tools.config.tesla.backend].whom}")
    yield HERE.ok("site", f"{facts.site or 'a site without a name'}{_one_of(facts.sites)}")
    yield _stance(tools, reading)
    yield from _powers(reading)
    yield from _preserving(tools, reading)
    yield _grid_charging(tools, facts)
    yield from _rate_plan(tools, facts)
    yield from _storm_watch(facts)
    yield HERE.ok("firmware", facts.firmware or "not told")


def _one_of(sites: int | None) -> str:
    return f", one of {sites} sites" if sites and sites > 1 else ""


def _stance(tools: Toolbox, reading: BatteryReading) -> Finding:
    if reading.mode is None or reading.reserve_pct is None:
        says = "Tesla does not tell the operation mode or the backup reserve, so nothing is done"
        return HERE.warning("stance", says, "If it stays so, restart the gateway (see the Tesla app)")
    found = Stance(reading.mode, round(reading.reserve_pct))
    says = f"the Powerwall is in {in_words(found)}"
    if battery.memory(tools.peek).owned:
        return HERE.ok("stance", f"{says}, held by smartcharge{_until(tools, reading)}")
    if reading.leased_until:
        says = (
            f"the Powerwall is in Max Backup{_until(tools, reading)}, and not by smartcharge, which waits"
        )
        return HERE.warning("stance", says, "End it in the Tesla app if nobody wants it so")
    if is_already_holding(reading):
        says = f"{says}, and not by smartcharge, which leaves it to whoever set it until the midnight reset"
        return HERE.warning("stance", says, "Set another mode and reserve in the Tesla app if nobody wants it so")
    differs = "" if found == tools.resting else f"; at rest it would be in {in_words(tools.resting)}"
    return HERE.ok("stance", f"{says}{differs}")


def _powers(reading: BatteryReading) -> Iterator[Finding]:
    if reading.powers is None:
        yield HERE.warning("outside powers", "Tesla does not tell whether Storm Watch or a power cut has the battery")
    for power in sorted(reading.powers or ()):
        yield HERE.warning("outside powers", f"{power} has the battery: nothing is written until it is over")


def _until(tools: Toolbox, reading: BatteryReading) -> str:
    """When the gateway itself ends it, where it does."""
    zone = tools.policy.cheap_period.zone
    return f" until {clock(reading.leased_until, zone)}" if reading.leased_until else ""


def _preserving(tools: Toolbox, reading: BatteryReading) -> Iterator[Finding]:
    if _preserves(tools):
        if reading.soe_pct is None:
            says = "Tesla does not tell the state of energy, so it cannot be kept, and nothing is done"
            yield HERE.warning("hold", says, "If it stays so, restart the gateway (see the Tesla app)")
        else:
            yield HERE.ok("hold", f"the Powerwall is kept as it is; it holds {reading.soe_pct:.0f} % now")


def _preserves(tools: Toolbox) -> bool:
    return tools.config.control.hold == "preserve"


def _grid_charging(tools: Toolbox, facts: BatteryFacts) -> Finding:
    if facts.grid_charging is None:
        return HERE.ok("grid charging", "not told")
    if facts.grid_charging:
        return HERE.ok("grid charging", "allowed")
    if _preserves(tools):
        return HERE.ok("grid charging", "not allowed, and not needed to keep the Powerwall as it is")
    says = "not allowed, so a held Powerwall may not fill from the grid"
    return HERE.warning("grid charging", says, "Allow it in the Tesla app: Settings, Grid Charging")


def _rate_plan(tools: Toolbox, facts: BatteryFacts) -> Iterator[Finding]:
    if facts.rate_plan:
        yield HERE.ok("rate plan", "there is one")
    elif facts.rate_plan is False and tools.resting.mode == AUTONOMOUS:
        says = "there is none, and without one Tesla refuses time-based control"
        yield HERE.warning("rate plan", says, "Set your tariff in the Tesla app")
    else:
        yield HERE.ok("rate plan", "not told" if facts.rate_plan is None else "there is none, and none is needed")


def _storm_watch(facts: BatteryFacts) -> Iterator[Finding]:
    if facts.storm_watch is not None:
        allowed = "allowed: while it lasts nothing is written" if facts.storm_watch else "switched off"
        yield HERE.ok("Storm Watch", allowed)

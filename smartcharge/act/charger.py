"""What is known of the car: asked only where the answer could change the decision, and no more often than is polite."""

from collections.abc import Callable
from datetime import timedelta

from msgspec.structs import replace

from smartcharge import budget, episodes, wiring
from smartcharge.act import patience
from smartcharge.act.words import when
from smartcharge.core.answers import ChargerReading
from smartcharge.core.decide import depends_on_charger
from smartcharge.core.model import ChargerState, Situation
from smartcharge.core.politeness import (
    CHARGER_CALM,
    CHARGER_KEEN,
    SKIPS,
    charger_may_be_asked,
    charger_wait,
    has_passed,
    step,
)
from smartcharge.errors import DatabaseRefused, SignInRefused, Throttled, Trouble, Unreachable
from smartcharge.store import readings, services, transaction
from smartcharge.store.services import SUSPECTED
from smartcharge.toolbox import Toolbox

ZAPPI = "zappi"
COMMAND = "reconcile"


def needs_question(tools: Toolbox, seen: Situation) -> bool:
    """Whether the charger is to be asked now."""
    if not depends_on_charger(seen):
        return False
    row, last = services.service(tools.peek, ZAPPI), readings.last_charger(tools.peek)
    if row.refused_for == wiring.hub_fingerprint(tools.config):
        tools.exit_codes.append(SignInRefused.exit_code)
        patience.explain(tools, ZAPPI)
        return False
    asked_at = last.reading.at if last else None
    may_be_asked = charger_may_be_asked(seen, asked_at, row.failures, row.not_before)
    if not may_be_asked:
        patience.explain(tools, ZAPPI, asked_at and asked_at + charger_wait(seen, row.failures))
    return may_be_asked


def evidence(tools: Toolbox, seen: Situation) -> Situation:
    """The situation with what the charger says, where that matters; lost evidence is UNKNOWN, never an abort."""
    if not depends_on_charger(seen):
        return seen
    if needs_question(tools, seen):
        return replace(seen, charger=ask(tools, seen))
    last = readings.last_charger(tools.peek)
    if last is None or has_passed(seen.now, last.reading.at, CHARGER_CALM):
        return seen
    return replace(seen, charger=last.reading.state)


def ask(tools: Toolbox, seen: Situation) -> ChargerState:
    """Ask the charger, and once more where a release hangs on it; what it says is kept."""
    if tools.is_imagined:
        then = when(tools.now, tools.now, tools.policy.cheap_period.zone)
        tools.say(f"the Zappi can only say how the car is now, and not how it is at {then}: it counts as unknown")
        return ChargerState.UNKNOWN
    tools.charger.prepare()
    try:
        with budget.share(budget.ZAPPI_SECONDS):
            reading = _read(tools, questions=2 if seen.due else 1)
    except budget.OutOfTime:
        return _failed(tools, Unreachable("the myenergi server took too long to answer", service=ZAPPI))
    except Trouble as trouble:
        return _failed(tools, trouble)
    tools.detail(f"the Zappi says {reading.state}: {reading.why}")
    if not tools.dry_run:
        _written_if_possible(tools, lambda: _keep(tools, reading))
    return reading.state


def _written_if_possible(tools: Toolbox, write: Callable[[], None]) -> None:
    """A full disk loses the note of a reading, not the reading: a release may hang on it."""
    try:
        write()
    except DatabaseRefused as refused:
        tools.exit_codes.append(refused.exit_code)
        tools.tell(f"smartcharge: {refused}")


def _read(tools: Toolbox, *, questions: int) -> ChargerReading:
    for left in reversed(range(questions)):
        try:
            with budget.share(budget.ZAPPI_SECONDS / questions):
                return tools.charger.read(tools.now)
        except budget.OutOfTime:
            if not left:
                raise
        except Unreachable as trouble:
            if isinstance(trouble, Throttled) or not left:
                raise
    raise AssertionError("at least one question is asked")


def _keep(tools: Toolbox, reading: ChargerReading) -> None:
    row = services.service(tools.db, ZAPPI)
    with transaction(tools.db):
        readings.record_charger(tools.db, reading)
        if row.failures or row.refused_for:
            services.succeeded(tools.db, ZAPPI, tools.now)
        services.remember_host(tools.db, ZAPPI, tools.charger.host)
    episodes.went_well(tools, COMMAND, ZAPPI)


def _failed(tools: Toolbox, trouble: Trouble) -> ChargerState:
    if tools.dry_run:
        tools.warn(f"smartcharge {COMMAND}: {trouble}")
        tools.exit_codes.append(trouble.exit_code)
        return ChargerState.UNKNOWN
    _written_if_possible(tools, lambda: _note_failure(tools, trouble))
    return ChargerState.UNKNOWN


def _note_failure(tools: Toolbox, trouble: Trouble) -> None:
    row = services.service(tools.db, ZAPPI)
    with transaction(tools.db):
        readings.record_charger(
            tools.db, ChargerReading(ChargerState.UNKNOWN, tools.now, why=trouble.message), error=str(trouble)
        )
        if isinstance(trouble, SignInRefused):
            trouble = _refused(tools, trouble, row.refused_for)
        else:
            wait = timedelta(0)
            if isinstance(trouble, Throttled):
                wait = max(trouble.retry_after or timedelta(0), CHARGER_KEEN / 2 + step(SKIPS, row.failures + 1))
            services.failed(tools.db, ZAPPI, tools.now, str(trouble), tools.now + wait)
        services.remember_host(tools.db, ZAPPI, tools.charger.host)
    episodes.failed(tools, COMMAND, ZAPPI, trouble)


def _refused(tools: Toolbox, trouble: SignInRefused, refused_for: str | None) -> Trouble:
    """Believe a refusal only when it comes twice running; until then it counts as no answer."""
    fingerprint = wiring.hub_fingerprint(tools.config)
    if refused_for == SUSPECTED + fingerprint:
        services.refused(tools.db, ZAPPI, tools.now, fingerprint, str(trouble))
        return trouble
    services.refused(tools.db, ZAPPI, tools.now, SUSPECTED + fingerprint, str(trouble))
    return Unreachable(
        "the myenergi server refused the sign-in once, which a server in trouble does too", service=ZAPPI
    )

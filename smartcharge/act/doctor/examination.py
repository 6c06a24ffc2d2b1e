"""The examination: every part of the house in turn, each guarded and within its share of the time."""

from collections.abc import Callable, Iterator
from functools import partial

from msgspec import Struct

from smartcharge import budget
from smartcharge.act.doctor import (
    clock,
    configuration,
    database,
    environment,
    files,
    kraken,
    locks,
    mail,
    neighbours,
    plan,
    runs,
    tesla,
    zappi,
)
from smartcharge.act.doctor.findings import Area, Finding, Tell
from smartcharge.act.doctor.masks import masked
from smartcharge.errors import SignInRefused, Trouble
from smartcharge.guard import UNFORESEEN, attempt
from smartcharge.toolbox import Toolbox

HERE = Area("doctor")
LOCAL_SECONDS = 4.0
AGAIN = "Try again; if it stays so, look at the network first"


class Part(Struct, frozen=True):
    """One part. seconds: its share; online: it asks somebody; needs_memory: it looks at what was written down."""

    area: Area
    examine: Callable[[Toolbox], Iterator[Finding]]
    seconds: float = LOCAL_SECONDS
    online: bool = False
    needs_memory: bool = False


PARTS = (
    Part(configuration.HERE, configuration.examine),
    Part(environment.HERE, environment.examine),
    Part(files.HERE, files.examine),
    Part(clock.HERE, clock.examine),
    Part(locks.HERE, locks.examine),
    Part(database.HERE, database.examine, needs_memory=True),
    Part(neighbours.HERE, neighbours.examine, needs_memory=True),
    Part(runs.HERE, runs.examine, needs_memory=True),
    Part(plan.HERE, plan.examine, needs_memory=True),
    Part(kraken.HERE, kraken.remembered),
    Part(kraken.HERE, kraken.asked, seconds=13.0, online=True),
    Part(zappi.HERE, zappi.remembered),
    Part(zappi.HERE, zappi.asked, seconds=8.0, online=True),
    Part(tesla.HERE, tesla.remembered),
    Part(tesla.HERE, tesla.asked, seconds=17.0, online=True),
    Part(mail.HERE, mail.remembered),
    Part(mail.HERE, mail.asked, seconds=budget.MAIL_SECONDS, online=True),
)
"""The shares of those that ask come to less than a command's time, so that each has its turn."""


def examine(tools: Toolbox, tell: Tell, *, offline: bool) -> None:
    """Tell what is found, as it is found. The tools only look."""
    told = masked(tools, tell)
    try:
        with budget.share(budget.COMMAND_SECONDS):
            _examine_all(tools, told, offline=offline)
    except budget.OutOfTime:
        told(HERE.warning("time", "there was no time left for the rest", AGAIN))


def _examine_all(tools: Toolbox, tell: Tell, *, offline: bool) -> None:
    refusal = database.refusal(tools)
    if refusal:
        tell(database.HERE.trouble("opens", refusal))
    for part in PARTS:
        if not (offline and part.online) and not (refusal and part.needs_memory):
            _examine(part, tools, tell)


def _examine(part: Part, tools: Toolbox, tell: Tell) -> None:
    try:
        with budget.share(part.seconds):
            code = attempt(partial(_listen, part, tools, tell))
    except budget.OutOfTime:
        tell(part.area.warning("time", f"no answer within {part.seconds:.0f} s", AGAIN))
        return
    if code:
        says = "this could not be examined, which is a mistake in smartcharge: see above"
        tell(part.area.error("doctor", says, "Please report it", UNFORESEEN))


def _listen(part: Part, tools: Toolbox, tell: Tell) -> None:
    try:
        for finding in part.examine(tools):
            tell(finding)
    except Trouble as trouble:
        check = "sign-in" if isinstance(trouble, SignInRefused) else "answers" if part.online else "looks"
        tell(part.area.trouble(check, trouble))
    except OSError as odd:
        mend = "See that this user may read and write there"
        tell(part.area.error("looks", f"{odd.filename or 'something'}: {odd.strerror}", mend))

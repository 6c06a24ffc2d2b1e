"""How we stand with a service by what is remembered of it: whether it may be asked now, or why not."""

from collections.abc import Iterator
from datetime import timedelta
from enum import Enum

from smartcharge.act.doctor.findings import Area, Finding
from smartcharge.act.words import age, clock
from smartcharge.core.politeness import has_passed, is_blocked
from smartcharge.store import services
from smartcharge.toolbox import Toolbox


class Account(Enum):
    """A service that we sign in to: its name in the memory, its area, and the mend of a refused sign-in."""

    KRAKEN = ("kraken", Area("Kraken"), "Run `smartcharge login kraken`, or mend eon_next.email and eon_next.password")
    ZAPPI = ("zappi", Area("Zappi"), "Mend myenergi.hub_serial and myenergi.api_key; a new value is tried at once")
    TESLA = ("tesla", Area("Tesla"), "Run `smartcharge login tesla`")
    MAIL = ("mail", Area("mail"), "Make a new App Password, and put it into gcal.smtp_pass")

    def __init__(self, key: str, area: Area, mend: str) -> None:
        self.key = key
        self.area = area
        self.mend = mend


def hindrance(
    tools: Toolbox, account: Account, fingerprint: str, retried_after: timedelta | None = None
) -> Iterator[Finding]:
    """Give the one reason, if any, why the service is not to be asked now.

    fingerprint: of the sign-in as it is now; retried_after: when a refused one is tried again all the same.
    """
    row = services.service(tools.peek, account.key)
    is_old = retried_after is not None and has_passed(tools.now, row.refused_at, retried_after)
    if row.refused_for == fingerprint and not is_old:
        since = f" {age(tools.now - row.refused_at)} ago" if row.refused_at else ""
        says = f"the sign-in was refused{since} and nothing has changed since, so it is not tried again"
        yield account.area.refused("sign-in", says, account.mend)
    elif row.not_before and is_blocked(tools.now, row.not_before):
        until = clock(row.not_before, tools.policy.cheap_period.zone)
        says = f"it is left in peace until {until}, because: {row.last_error or 'it asked for patience'}"
        yield account.area.warning("patience", says, "Nothing to do; ask the doctor again after that")

"""Half hours in which nothing was set from here, but only looked at: told apart by what the journal says."""

from collections.abc import Iterable, Sequence

from smartcharge.act.report.measured import stance
from smartcharge.act.shadow import COMMAND
from smartcharge.core.ledger import HalfHour
from smartcharge.core.ledger.shadow import overcast
from smartcharge.store.holds import OpenHold
from smartcharge.store.journal import JournalRow

SHADOW_IS = (
    "In another controller's shadow (control.shadow) nothing is set from here. What would have been held then is no "
    "hold, and what was saved is no saving of this program: both are shown apart, and are in no other figure of "
    "holds, savings and leaks. Which half hours these were is known from the looks at the Powerwall in the journal."
)
"""Printed wherever such half hours are among those that are told of."""


def marked(entries: Iterable[HalfHour], noted: Sequence[JournalRow]) -> tuple[HalfHour, ...]:
    """The entries, with those marked that were lived in the shadow. noted: the journal, from a day before them on."""
    looks = [row.at for row in noted if row.command == COMMAND]
    deeds = [row.at for row in noted if (told := stance(row)) is not None and told[0] is not None]
    return tuple(overcast(entries, looks, deeds))


def falls_on(row: OpenHold, entries: Iterable[HalfHour]) -> bool:
    """Whether what is told of a hold begins in the shadow."""
    return next((each.in_shadow for each in entries if row.opened_at < each.ends_at), False)

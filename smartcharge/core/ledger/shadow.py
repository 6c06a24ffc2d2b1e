"""Half hours lived in another controller's shadow, told by when the Powerwall was looked at and when it was set."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec.structs import replace

from smartcharge.core.ledger import HalfHour
from smartcharge.core.slots import DAY

REMEMBERED_FOR = DAY
"""So long does a look speak for the half hours after it in which Tesla gave no answer."""


def overcast(entries: Iterable[HalfHour], looks: Iterable[datetime], deeds: Iterable[datetime]) -> Iterator[HalfHour]:
    """The entries, in the order of time, with those marked that were lived in the shadow.

    looks: when the Powerwall was looked at from there, or should have been. deeds: when it was set from here, or
    should have been. What comes first in a half hour speaks for all of it, and where nothing does, what came last.
    """
    ahead = sorted([*((at, True) for at in looks), *((at, False) for at in deeds)], reverse=True)
    latest: tuple[datetime, bool] | None = None
    for each in entries:
        while ahead and ahead[-1][0] < each.starts_at:
            latest = ahead.pop()
        if ahead and ahead[-1][0] < each.ends_at:
            latest = ahead.pop()
        at, is_look = latest or (each.starts_at, False)
        yield replace(each, in_shadow=is_look and each.ends_at - at <= REMEMBERED_FOR)

"""What flowed into the house battery while it was held: the gain between readings of the same hold."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice, pairwise

from smartcharge.core.answers import BatteryLevel
from smartcharge.core.calendar import Held
from smartcharge.core.ledger import Basis
from smartcharge.core.ledger.flow import LONGEST_GAP, Flow
from smartcharge.core.slots import Span

GUESSED_KWH = 13.5
"""One Powerwall 2 or 3, where Tesla does not say what its batteries hold."""
FULL_PCT = 100


def filled(holds: Sequence[Held], levels: Iterable[BatteryLevel], now: datetime) -> Iterator[Flow]:
    """The gains of every hold; what a held battery loses is its own business.

    Between readings far apart the amount is certain, but not when it flowed; and with a capacity that nobody named
    it is an estimate as well.
    """
    read = tuple(each for each in levels if each.soe_pct is not None)
    known_kwh = next((each.capacity_kwh for each in reversed(read) if each.capacity_kwh is not None), None)
    later, first = (*(each.opened_at for each in holds[1:]), None), 0
    for held, next_opened_at in zip(holds, later, strict=False):
        while first < len(read) and read[first].at < held.opened_at:
            first += 1
        for before, after in pairwise(_of(held, islice(read, first, None), next_opened_at, now)):
            yield _gain(before, after, known_kwh)


def _of(
    held: Held, read: Iterable[BatteryLevel], next_opened_at: datetime | None, now: datetime
) -> Iterator[BatteryLevel]:
    """The readings of one hold, up to the one that its release began with, however late Tesla gave it."""
    closed_at = held.closed_at or now
    for each in read:
        is_next = next_opened_at is not None and each.at >= next_opened_at
        if each.at > closed_at + LONGEST_GAP or (is_next and each.at > closed_at):
            return
        yield each
        if each.at >= closed_at:
            return


def _gain(before: BatteryLevel, after: BatteryLevel, known_kwh: float | None) -> Flow:
    capacity_kwh = after.capacity_kwh or before.capacity_kwh or known_kwh
    is_certain = capacity_kwh is not None and after.at - before.at <= LONGEST_GAP
    gain_pct = max((after.soe_pct or 0.0) - (before.soe_pct or 0.0), 0.0)
    return Flow(
        Span(before.at, after.at),
        gain_pct / FULL_PCT * (capacity_kwh or GUESSED_KWH),
        Basis.MEASURED if is_certain else Basis.ESTIMATED,
    )

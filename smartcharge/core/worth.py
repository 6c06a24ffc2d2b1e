"""What it comes to in pence when other minutes are held: an estimate from what the house battery took in."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from smartcharge.core.ledger import HalfHour, Rates
from smartcharge.core.politeness import MINUTE
from smartcharge.core.replay import Tick
from smartcharge.core.slots import slot_start


class Worth(Struct, frozen=True):
    """What one course of a day is worth against another; an estimate.

    kwh: what the house battery would have taken in more. pence: what would have been saved more. Negative: less.
    usual: whether a half hour's own energy was not known everywhere, and the usual one of the day had to do.
    """

    kwh: float
    pence: float
    usual: bool


def worth(entries: Sequence[HalfHour], was: Iterable[Tick], now: Iterable[Tick], rates: Rates) -> Worth | None:
    """Price the minutes that are held more or less; None where nobody knows what a held minute takes.

    A kWh into the house battery saves the difference of the rates in a half hour that is cheap outside the night,
    loses as much in any other by day, and changes nothing by night. The car's own energy is the same either way.
    """
    more = _minutes(now)
    more.subtract(_minutes(was))
    usual_kwh = _per_minute(entries)
    kwh = pence = 0.0
    guessed = False
    for entry in entries:
        if not (count := more[entry.starts_at]):
            continue
        own_kwh = _per_minute([entry])
        guessed = guessed or own_kwh is None
        each_kwh = usual_kwh if own_kwh is None else own_kwh
        if each_kwh is None:
            return None
        kwh += count * each_kwh
        pence += count * each_kwh * rates.difference_pence * _sign(entry)
    return Worth(kwh, pence, guessed)


def _minutes(ticks: Iterable[Tick]) -> Counter[datetime]:
    """Minutes held, by half hour."""
    return Counter(slot_start(tick.at) for tick in ticks if tick.hold is not None)


def _per_minute(entries: Iterable[HalfHour]) -> float | None:
    """What the house battery took in a held minute (kWh), as far as it was measured."""
    known = [(each.battery.kwh, each.held) for each in entries if each.battery is not None and each.held]
    held = sum((held for _, held in known), timedelta(0))
    return sum(kwh for kwh, _ in known) / (held / MINUTE) if known else None


def _sign(entry: HalfHour) -> int:
    if entry.night:
        return 0
    return 1 if entry.cheap else -1

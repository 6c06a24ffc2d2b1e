"""What the ledger is made from: all of it was written down by the runs, nothing is asked."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from smartcharge.core.answers import BatteryLevel, ChargerReading
from smartcharge.core.calendar import Held
from smartcharge.core.slots import CheapPeriod, Span


class Basis(StrEnum):
    """Where a figure comes from, the firmest first; what is made of several is as firm as the weakest of them."""

    BILLED = "billed"
    MEASURED = "measured"
    ESTIMATED = "estimated"


class Energy(Struct, frozen=True):
    """An amount of energy (kWh, >= 0) and where it is known from."""

    kwh: float
    basis: Basis


def weakest(bases: Iterable[Basis | None]) -> Basis | None:
    """The least firm of several, None where there is none."""
    order = list(Basis)
    return max((basis for basis in bases if basis is not None), key=order.index, default=None)


class PlannedDispatch(Struct, frozen=True):
    """A planned window of any device as it once stood, UTC, half-open; withdrawn_at: None where it stood to its end."""

    starts_at: datetime
    ends_at: datetime
    withdrawn_at: datetime | None = None


class CompletedDispatch(Struct, frozen=True):
    """What the supplier says it dispatched, UTC, half-open.

    first_told_at: when it first said so. told_at: when it last changed anything about it. energy_kwh: into the car,
    None where it is silent. at_home: False where the car charged elsewhere, which this house did not pay.
    """

    starts_at: datetime
    ends_at: datetime
    first_told_at: datetime
    told_at: datetime
    energy_kwh: float | None = None
    at_home: bool = True

    @property
    def span(self) -> Span:
        """From when to when."""
        return Span(self.starts_at, self.ends_at)


class LedgerFacts(Struct, frozen=True):
    """All that a ledger knows.

    now: an open hold counts up to it, and what lies ahead is not judged. The facts reach a day beyond the half hours
    that are asked for, so that what flowed between two readings is found; readings are in the order of time.
    """

    now: datetime
    cheap_period: CheapPeriod
    planned: tuple[PlannedDispatch, ...] = ()
    completed: tuple[CompletedDispatch, ...] = ()
    holds: tuple[Held, ...] = ()
    chargers: tuple[ChargerReading, ...] = ()
    batteries: tuple[BatteryLevel, ...] = ()

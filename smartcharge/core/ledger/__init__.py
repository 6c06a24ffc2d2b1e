"""The ledger's values: what each half hour was, what flowed in it and where that is known from, and what it cost.

The saving, defined once: for each half hour that was paid at the cheap rate outside the cheap period, the energy
into the car and the house battery times the difference of the two rates. What was lost is shown apart.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from smartcharge.core.ledger.facts import Basis, Energy, weakest
from smartcharge.core.slots import DAY, SLOT, Span

SAVING_IS = (
    "The saving: for each half hour paid at the cheap rate outside the nightly cheap period, the kWh into the car "
    "and the house battery, times the difference between the standard and the cheap rate."
)
"""The definition as it is printed wherever a saving is shown."""


class Leak(StrEnum):
    """What was lost in a half hour: the battery was filled at the standard rate, or not at the cheap one."""

    HELD_WITHOUT_CHEAP = "held without a cheap slot"
    CHEAP_MISSED = "cheap slot missed"


class Rates(Struct, frozen=True):
    """Prices of the tariff, pence per kWh."""

    cheap_pence: float
    standard_pence: float

    @property
    def difference_pence(self) -> float:
        """What a kWh is cheaper by."""
        return self.standard_pence - self.cheap_pence


class HalfHour(Struct, frozen=True):
    """One settlement half hour, UTC.

    planned: a planned window covered part of it, and was not withdrawn before that part began. started: the car
    charged in it, by what its charger told. held: how long a hold stood in it. extension: held without a plan, on the
    car's word alone. completed: whether the supplier says that it dispatched; None: it has not said (yet).
    night: inside the cheap period. cheap: paid at the cheap rate, as far as is known. car: into the car; battery:
    into the house battery while held; None: nobody looked. is_over: it lies behind us, so that it can be judged.
    in_shadow: nothing was set from here, beside another controller: held is what would have been.
    """

    starts_at: datetime
    planned: bool = False
    started: bool = False
    held: timedelta = timedelta(0)
    extension: bool = False
    completed: bool | None = None
    night: bool = False
    cheap: bool = False
    car: Energy | None = None
    battery: Energy | None = None
    is_over: bool = True
    in_shadow: bool = False

    @property
    def ends_at(self) -> datetime:
        """When the next one begins."""
        return self.starts_at + SLOT

    @property
    def kwh(self) -> float:
        """Into the car and the house battery together, as far as is known."""
        return sum(energy.kwh for energy in (self.car, self.battery) if energy is not None)

    @property
    def basis(self) -> Basis | None:
        """Where the money of this half hour is known from; None where no energy is known.

        Outside the night, which rate applies is known only once the supplier has said whether it dispatched.
        """
        known = [energy.basis for energy in (self.car, self.battery) if energy is not None]
        if known and self.completed is None and not self.night:
            return Basis.ESTIMATED
        return weakest(known)

    @property
    def saves(self) -> bool:
        """Whether it was cheap where it would not have been cheap anyway."""
        return self.cheap and not self.night

    @property
    def leak(self) -> Leak | None:
        """What was lost in it, if anything; what was not set from here is nothing that we lost."""
        if self.in_shadow:
            return None
        if self.battery is not None and self.battery.kwh > 0 and not self.cheap:
            return Leak.HELD_WITHOUT_CHEAP
        if self.saves and self.is_over and self.held < SLOT / 2:
            return Leak.CHEAP_MISSED
        return None

    def cost_pence(self, rates: Rates) -> float:
        """What its energy cost at the rate that applied."""
        return self.kwh * (rates.cheap_pence if self.cheap else rates.standard_pence)

    def at_standard_pence(self, rates: Rates) -> float:
        """What the same energy would have cost at the standard rate."""
        return self.kwh * rates.standard_pence

    def saving_pence(self, rates: Rates) -> float:
        """What it saved, by the one definition."""
        return self.kwh * rates.difference_pence if self.saves else 0.0

    @property
    def leak_kwh(self) -> float:
        """What the battery took at the standard rate; of a missed half hour nobody knows what it would have taken."""
        return self.battery.kwh if self.battery is not None and self.leak is Leak.HELD_WITHOUT_CHEAP else 0.0

    def leak_pence(self, rates: Rates) -> float:
        """What filling the battery at the standard rate cost too much."""
        return self.leak_kwh * rates.difference_pence


class Totals(Struct, frozen=True):
    """Sums over half hours; energies by where they are known from, firmest first, those that occur.

    held: for how long. cheap: half hours paid at the cheap rate outside the night. basis: where the money is
    known from, None where no energy is. held_without_cheap, cheap_missed: half hours with that leak. Pence are
    None where no prices are configured. in_shadow: whether some were lived in another controller's shadow; what would
    have been held in those, and what was saved in them, is in no other sum of holds, savings and leaks.
    """

    held: timedelta = timedelta(0)
    cheap: int = 0
    extensions: int = 0
    car: tuple[Energy, ...] = ()
    battery: tuple[Energy, ...] = ()
    basis: Basis | None = None
    held_without_cheap: int = 0
    held_without_cheap_kwh: float = 0.0
    cheap_missed: int = 0
    cost_pence: float | None = None
    at_standard_pence: float | None = None
    saving_pence: float | None = None
    leak_pence: float | None = None
    in_shadow: bool = False
    would_have_held: timedelta = timedelta(0)
    saving_in_shadow_pence: float | None = None

    @property
    def kwh(self) -> float:
        """Into the car and the house battery together, whatever it is known from."""
        return sum(energy.kwh for energy in (*self.car, *self.battery))


def totals(entries: Iterable[HalfHour], rates: Rates | None) -> Totals:
    """Add up half hours; rates None: without money."""
    found = tuple(entries)
    ours, others = _parted(found)
    leaks = [each.leak for each in found]
    sums = Totals(
        held=sum((each.held for each in ours), timedelta(0)),
        cheap=sum(each.saves for each in found),
        extensions=sum(each.extension for each in ours),
        car=_by_basis(each.car for each in found),
        battery=_by_basis(each.battery for each in found),
        basis=weakest(each.basis for each in found if each.kwh > 0),
        held_without_cheap=leaks.count(Leak.HELD_WITHOUT_CHEAP),
        held_without_cheap_kwh=sum(each.leak_kwh for each in found),
        cheap_missed=leaks.count(Leak.CHEAP_MISSED),
        in_shadow=bool(others),
        would_have_held=sum((each.held for each in others), timedelta(0)),
    )
    return sums if rates is None else _priced(sums, found, rates)


def _priced(sums: Totals, entries: Iterable[HalfHour], rates: Rates) -> Totals:
    found = tuple(entries)
    ours, others = _parted(found)
    return replace(
        sums,
        cost_pence=sum(each.cost_pence(rates) for each in found),
        at_standard_pence=sum(each.at_standard_pence(rates) for each in found),
        saving_pence=sum(each.saving_pence(rates) for each in ours),
        saving_in_shadow_pence=sum(each.saving_pence(rates) for each in others) if others else None,
        leak_pence=sum(each.leak_pence(rates) for each in found),
    )


def _parted(entries: Iterable[HalfHour]) -> tuple[list[HalfHour], list[HalfHour]]:
    """Those in which it was for us to set the battery, and those in another controller's shadow."""
    parts: tuple[list[HalfHour], list[HalfHour]] = [], []
    for each in entries:
        parts[each.in_shadow].append(each)
    return parts


def days(first: date, last: date, zone: str) -> Span:
    """The local days from one to another, both included; each has 46, 48 or 50 half hours."""
    begins, ends = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last + DAY))
    return Span(begins.astimezone(UTC), ends.astimezone(UTC))


def _by_basis(energies: Iterable[Energy | None]) -> tuple[Energy, ...]:
    known = [energy for energy in energies if energy is not None]
    found = {basis: [each.kwh for each in known if each.basis is basis] for basis in Basis}
    return tuple(Energy(sum(amounts), basis) for basis, amounts in found.items() if amounts)

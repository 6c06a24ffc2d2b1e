"""The ledger in words: its half hours, its sums with the basis of each, and the days of a month."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta

from smartcharge.act.ledger import NO_PRICES
from smartcharge.act.report.words import View, based, count, hours, kwh, money, times, together
from smartcharge.core.ledger import Basis, HalfHour, Leak, Rates, Totals
from smartcharge.core.report import DayCell, Figure, SlotRow
from smartcharge.core.slots import local_day

COUNTED = "counted"


def half_hours(view: View, entries: Iterable[HalfHour], rates: Rates | None) -> Iterator[SlotRow]:
    """The half hours in which anything happened."""
    for each in entries:
        if each.planned or each.held or each.saves or each.kwh or each.leak:
            yield SlotRow(
                when=view.between(each.starts_at, each.ends_at),
                rate=_rate(each),
                held=_held(each),
                car=based(each.car),
                battery=based(each.battery),
                saving="" if each.in_shadow else _saved(each, rates),
                remark=_remark(each, rates),
            )


def figures(sums: Totals) -> Iterator[Figure]:
    """The sums, each with its basis."""
    held = Figure("Held", hours(sums.held) or "never", COUNTED if sums.held else "", chief=True)
    flows = (
        Figure(name, *together(energies), chief=True)
        for name, energies in (("Into the car", sums.car), ("Into the house battery", sums.battery))
    )
    if sums.saving_pence is None:
        yield from (held, *flows)
        yield Figure("Saving", NO_PRICES)
    else:
        basis = str(sums.basis or "")
        yield Figure("Saving", money(sums.saving_pence) if sums.saving_pence else "none", basis, chief=True)
        yield from (held, *flows)
        if sums.kwh:
            yield Figure("Paid for that energy", money(sums.cost_pence), basis)
            yield Figure("The same at the standard rate", money(sums.at_standard_pence), basis)
    yield Figure("Cheap half hours outside the night", str(sums.cheap), COUNTED)
    yield Figure("Extra half hours, on the car's word", str(sums.extensions), COUNTED)
    yield from leaks(sums)
    if sums.in_shadow:
        yield from shadow(sums)


def leaks(sums: Totals) -> Iterator[Figure]:
    """What was lost, apart from what was saved."""
    held = [count(sums.held_without_cheap, "half hour"), kwh(sums.held_without_cheap_kwh), money(sums.leak_pence)]
    lost = ", ".join(part for part in held if part) if sums.held_without_cheap else "none"
    yield Figure(f"Leak: {Leak.HELD_WITHOUT_CHEAP}", lost, str(Basis.ESTIMATED) if sums.held_without_cheap else COUNTED)
    missed = count(sums.cheap_missed, "half hour") if sums.cheap_missed else "none"
    yield Figure(f"Leak: {Leak.CHEAP_MISSED}", missed, COUNTED)


def shadow(sums: Totals) -> Iterator[Figure]:
    """What would have been held beside another controller, and what was saved meanwhile, in no sum above."""
    held = hours(sums.would_have_held) or "never"
    yield Figure("In another controller's shadow: would have been held", held, COUNTED)
    if sums.saving_in_shadow_pence is not None:
        saved = money(sums.saving_in_shadow_pence) if sums.saving_in_shadow_pence else "none"
        yield Figure("In another controller's shadow: saved, not from here", saved, str(sums.basis or ""))


def day_cells(
    days: Sequence[date], sums: Mapping[date, Totals], troubles: Mapping[date, int], today: date
) -> Iterator[DayCell]:
    """The days of a month; those that have not begun are only named."""
    best = max((each.saving_pence or 0.0 for each in sums.values()), default=0.0)
    for day in days:
        found = sums.get(day, Totals())
        lost = found.held_without_cheap + found.cheap_missed
        saved = found.saving_pence or 0.0
        yield DayCell(
            day=day,
            held=" + ".join(part for part in (hours(found.held), would_have(found.would_have_held)) if part),
            saving=money(saved) if saved else "",
            leaks=count(lost, "leak") if lost else "",
            trouble=f"trouble {times(troubles[day])}" if troubles.get(day) else "",
            part=saved / best if best > 0 else 0.0,
            is_ahead=day > today,
        )


def by_day(entries: Iterable[HalfHour], zone: str) -> dict[date, list[HalfHour]]:
    """Half hours by the local day that they begin in."""
    days: dict[date, list[HalfHour]] = {}
    for each in entries:
        days.setdefault(local_day(each.starts_at, zone), []).append(each)
    return days


def would_have(length: timedelta) -> str:
    """A length that nothing was held for; "" for none."""
    return f"{hours(length)} (would have)" if length else ""


def _held(each: HalfHour) -> str:
    held = would_have(each.held) if each.in_shadow else hours(each.held)
    return held + (" (extra)" if each.extension else "")


def _rate(each: HalfHour) -> str:
    if each.night:
        return "night"
    if not each.cheap:
        return "standard"
    return "cheap" if each.completed else "cheap, not yet confirmed"


def _saved(each: HalfHour, rates: Rates | None) -> str:
    return money(each.saving_pence(rates)) if rates and each.saves and each.kwh else ""


def _remark(each: HalfHour, rates: Rates | None) -> str:
    if each.in_shadow and (saved := _saved(each, rates)):
        return f"{saved} saved, not from here"
    if each.leak is None:
        idle = each.planned and each.is_over and not each.started
        return "planned; car not seen charging" if idle else ""
    lost = f", {money(each.leak_pence(rates))}" if rates and each.leak is Leak.HELD_WITHOUT_CHEAP else ""
    return f"{each.leak}{lost}"

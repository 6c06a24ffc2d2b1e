"""What goes on around the house: the supplier plans, the car comes and goes, services fall ill, the owner acts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from soak_faults import FAULTS, Fault, Spell

if TYPE_CHECKING:
    from soak_day import Day

MINUTE = timedelta(minutes=1)
TESLA = [fault for fault in FAULTS if fault.kind in {"tesla", "powers", "clamp", "rate plan"}]

OWNER = ("mode", "reserve", "mode and reserve", "pause", "resume", "resume", "tidy")
WHILE_PENDING = (*OWNER, "pause", "pause")


def goes_on(day: "Day") -> None:
    """One more minute of it."""
    _plans(day)
    _moves(day)
    _car(day)
    day.battery.settle()
    for spell in [spell for spell in day.spells if spell.ends_at <= day.now]:
        day.spells.remove(spell)
        spell.fault.end(day)
        day.tell(f"{spell.fault.name} is over")
    matters = _matters(day)
    if chance := day.happens("trouble", 0.008 * day.busy * (5 if matters else 1)):
        _trouble(day, chance, TESLA if matters and chance.random() < 0.4 else FAULTS)
    if chance := day.happens("owner", 0.1 if day.battery.pending else 0.004):  # most of all with a command on its way
        _owner(day, chance)


def ends(day: "Day") -> None:
    """Nothing is planned, nothing is wrong, and nothing happens any more."""
    day.chances.over = True
    day.fuse.out()
    day.tariff.plans, day.charger.charging = [], False
    for spell in day.spells:
        spell.fault.end(day)
    day.spells.clear()
    day.tell("all is well again")


def _plans(day: "Day") -> None:
    plans = [plan for plan in day.tariff.plans if plan[2] > day.now]
    if chance := day.happens("plan", 0.03 if plans else 0.15):
        offset = chance.choice((-20, -5, 0, 5, 10, 30, 60, 90, 240)) * MINUTE
        start = day.now.replace(minute=chance.choice((0, 30)), second=0) + offset
        plans.append((chance.choice(day.tariff.cars), start, start + chance.choice((10, 30, 60, 90, 150)) * MINUTE))
        day.tell(f"planned {_spans(plans[-1:])}")
    day.tariff.plans = plans


def _moves(day: "Day") -> None:
    """The supplier moves, lengthens, shortens and takes back."""
    chance = day.happens("change of plan", 0.015)
    if chance is None or not day.tariff.plans:
        return
    car, start, end = day.tariff.plans.pop(chance.randrange(len(day.tariff.plans)))
    if chance.random() < 0.6:
        moved = start + chance.choice((-30, 0, 0, 0, 10, 30)) * MINUTE, end + chance.choice((-30, -10, 30, 60)) * MINUTE
        if moved[0] < moved[1]:
            day.tariff.plans.append((car, *moved))
    day.tell(f"plan changed to {_spans(day.tariff.plans)}")


def _car(day: "Day") -> None:
    in_window = any(start <= day.now < end for _, start, end in day.tariff.plans)
    if chance := day.happens("car", 0.1):
        charging = chance.random() < (0.85 if in_window else 0.15)
        if charging != day.charger.charging:
            day.charger.charging = charging
            day.car_since = day.now
            day.tell("car charges" if charging else "car idle")


def _spans(plans: list[tuple[str, datetime, datetime]]) -> str:
    return ", ".join(f"{car} {start:%H:%M}-{end:%H:%M}" for car, start, end in plans) or "nothing"


def _matters(day: "Day") -> bool:
    """Whether the battery is held, or is about to be."""
    is_planned = any(start <= day.now < end for _, start, end in day.tariff.plans)
    return day.laws.known.memory.owned or (is_planned and day.charger.charging)


def _trouble(day: "Day", chance: Random, faults: Sequence[Fault]) -> None:
    fault = chance.choice(faults)
    if any(spell.fault.kind == fault.kind for spell in day.spells):
        return
    minutes = min(chance.choice((1, 2, 3, 5, 8, 15, 30, 60, 90)), fault.longest_minutes)
    day.spells.append(Spell(fault, day.now + minutes * MINUTE))
    day.tally.faults[fault.name] += 1
    day.tell(f"{fault.name} for {minutes} min")
    fault.begin(day)


def _owner(day: "Day", chance: Random) -> None:
    what = chance.choice(WHILE_PENDING if day.battery.pending else OWNER)
    day.tally.faults[f"owner: {what}"] += 1
    if what in {"pause", "resume"}:
        end = f"{day.clock + chance.choice((10, 60, 150)) * MINUTE:%FT%TZ}"
        day.run(what, *(("--until", end) if what == "pause" and chance.random() < 0.9 else ()))
        return
    if what == "tidy":
        mode, reserve = "autonomous", 20
    else:
        mode = chance.choice(("backup", "autonomous", "self_consumption")) if "mode" in what else None
        reserve = chance.choice((0, 20, 35, 80, 90, 100)) if "reserve" in what else None
    day.tell(f"owner sets {mode} {reserve}")
    day.battery.by_hand(mode=mode, reserve=reserve)
    day.laws.on_hand()

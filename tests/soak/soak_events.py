"""What goes on around the house: the supplier plans, the car comes and goes, services fall ill, the owner acts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from soak_faults import SOAK_FAULTS, SoakFault, SoakFaultPeriod

if TYPE_CHECKING:
    from soak_day import SoakDay


MINUTE = timedelta(minutes=1)
TESLA_FAULTS = [fault for fault in SOAK_FAULTS if fault.kind in {"tesla", "powers", "clamp", "rate plan"}]

OWNER_ACTIONS = ("mode", "reserve", "mode and reserve", "pause", "resume", "resume", "tidy")
PENDING_OWNER_ACTIONS = (*OWNER_ACTIONS, "pause", "pause")


def advance_minute(day: "SoakDay") -> None:
    """One more minute of it."""
    _change_plans(day)
    _move_windows(day)
    _change_car(day)
    day.battery.settle()
    for period in [period for period in day.fault_periods if period.ends_at <= day.now]:
        day.fault_periods.remove(period)
        period.fault.end(day)
        day.tell(f"{period.fault.name} is over")
    matters = _is_hold_near(day)
    if chance := day.should_happen("trouble", 0.008 * day.busy * (5 if matters else 1)):
        _start_fault(day, chance, TESLA_FAULTS if matters and chance.random() < 0.4 else SOAK_FAULTS)
    if chance := day.should_happen(
        "owner", 0.1 if day.battery.pending else 0.004
    ):  # most of all with a command on its way
        _owner_acts(day, chance)


def end_events(day: "SoakDay") -> None:
    """Nothing is planned, nothing is wrong, and nothing happens any more."""
    day.chances.over = True
    day.interrupter.disarm()
    day.tariff.plans, day.charger.charging = [], False
    for period in day.fault_periods:
        period.fault.end(day)
    day.fault_periods.clear()
    day.tell("all is well again")


def _change_plans(day: "SoakDay") -> None:
    plans = [plan for plan in day.tariff.plans if plan[2] > day.now]
    if chance := day.should_happen("plan", 0.03 if plans else 0.15):
        offset = chance.choice((-20, -5, 0, 5, 10, 30, 60, 90, 240)) * MINUTE
        start = day.now.replace(minute=chance.choice((0, 30)), second=0) + offset
        plans.append((chance.choice(day.tariff.cars), start, start + chance.choice((10, 30, 60, 90, 150)) * MINUTE))
        day.tell(f"planned {_merged_spans(plans[-1:])}")
    day.tariff.plans = plans


def _move_windows(day: "SoakDay") -> None:
    """The supplier moves, lengthens, shortens and takes back."""
    chance = day.should_happen("change of plan", 0.015)
    if chance is None or not day.tariff.plans:
        return
    car, start, end = day.tariff.plans.pop(chance.randrange(len(day.tariff.plans)))
    if chance.random() < 0.6:
        moved = start + chance.choice((-30, 0, 0, 0, 10, 30)) * MINUTE, end + chance.choice((-30, -10, 30, 60)) * MINUTE
        if moved[0] < moved[1]:
            day.tariff.plans.append((car, *moved))
    day.tell(f"plan changed to {_merged_spans(day.tariff.plans)}")


def _change_car(day: "SoakDay") -> None:
    in_window = any(start <= day.now < end for _, start, end in day.tariff.plans)
    if chance := day.should_happen("car", 0.1):
        charging = chance.random() < (0.85 if in_window else 0.15)
        if charging != day.charger.charging:
            day.charger.charging = charging
            day.car_since = day.now
            day.tell("car charges" if charging else "car idle")


def _merged_spans(plans: list[tuple[str, datetime, datetime]]) -> str:
    return ", ".join(f"{car} {start:%H:%M}-{end:%H:%M}" for car, start, end in plans) or "nothing"


def _is_hold_near(day: "SoakDay") -> bool:
    """Whether the battery is held, or is about to be."""
    is_planned = any(start <= day.now < end for _, start, end in day.tariff.plans)
    return day.laws.known.memory.owned or (is_planned and day.charger.charging)


def _start_fault(day: "SoakDay", chance: Random, faults: Sequence[SoakFault]) -> None:
    fault = chance.choice(faults)
    if any(period.fault.kind == fault.kind for period in day.fault_periods):
        return
    minutes = min(chance.choice((1, 2, 3, 5, 8, 15, 30, 60, 90)), fault.longest_minutes)
    day.fault_periods.append(SoakFaultPeriod(fault, day.now + minutes * MINUTE))
    day.tally.faults[fault.name] += 1
    day.tell(f"{fault.name} for {minutes} min")
    fault.begin(day)


def _owner_acts(day: "SoakDay", chance: Random) -> None:
    what = chance.choice(PENDING_OWNER_ACTIONS if day.battery.pending else OWNER_ACTIONS)
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
    day.laws.on_owner_action()

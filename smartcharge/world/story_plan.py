"""The supplier's part of a story file: plan, history, devices."""

from dataclasses import dataclass
from datetime import datetime

from smartcharge.world.faults import fault
from smartcharge.world.house import HOUSE
from smartcharge.world.kraken_account import Device, Dispatch
from smartcharge.world.story import Planned, Spell, Timeline
from smartcharge.world.story_times import Calendar, StoryError
from smartcharge.world.story_yaml import listed, mapping, words

CAR_KW = 7.2
WINDOW_KEYS = ("window", "type", "energy", "device", "raw")
DEVICE_KEYS = ("id", "name", "type", "provider", "current", "suspended", "state", "kind")


@dataclass(frozen=True, slots=True)
class Answers:
    """What Kraken is asked about plans: windows over time, and the spells in which it fails."""

    plan: Timeline[tuple[Planned, ...]]
    spells: tuple[Spell, ...]


def read_plan(value: object, calendar: Calendar, ends_at: datetime) -> Answers:
    """Read answers by time: each is a list of windows, or the name of a fault, and holds until the next."""
    entries = sorted((calendar.moment(key), each) for key, each in mapping(value, "plan").items())
    until = [*(at for at, _ in entries), ends_at][1:]
    spells = [
        Spell(at, end, fault("kraken", each))
        for (at, each), end in zip(entries, until, strict=True)
        if isinstance(each, str)
    ]
    windows = [
        (at, tuple(_planned(item, calendar) for item in listed(each)))
        for at, each in entries
        if not isinstance(each, str)
    ]
    return Answers(Timeline(tuple(windows)), tuple(spells))


def _planned(value: object, calendar: Calendar) -> Planned:
    if isinstance(value, str):
        value = {"window": value}
    given = mapping(value, "plan", WINDOW_KEYS)
    device = str(given.get("device", HOUSE.device_id))
    if "raw" in given:
        return Planned(device, None if given["raw"] is None else mapping(given["raw"], "plan raw"))
    starts_at, ends_at = calendar.span(given.get("window"))
    usual = f"{-CAR_KW * (ends_at - starts_at).total_seconds() / 3600:.1f}"
    item: Dispatch = {
        "start": starts_at.isoformat(),
        "end": ends_at.isoformat(),
        "type": str(given.get("type", "SMART")),
        "energyAddedKwh": given.get("energy", usual),
    }
    return Planned(device, item)


def read_completed(value: object, calendar: Calendar) -> Timeline[tuple[Dispatch, ...]]:
    """Read the history Kraken tells of, by the time from which it tells so; newest first."""
    entries = sorted((calendar.moment(key), words(each)) for key, each in mapping(value, "completed").items())
    return Timeline(tuple((at, tuple(_done(span, calendar) for span in reversed(spans))) for at, spans in entries))


def _done(span: str, calendar: Calendar) -> Dispatch:
    starts_at, ends_at = calendar.span(span)
    return {
        "start": starts_at.isoformat(),
        "end": ends_at.isoformat(),
        "delta": f"{-CAR_KW * (ends_at - starts_at).total_seconds() / 3600:.2f}",
        "meta": {"source": None, "location": "AT_HOME"},
    }


def read_devices(value: object, calendar: Calendar, starts_at: datetime) -> Timeline[tuple[Device, ...]]:
    """Read the account's devices: one list for the whole story, or lists by time."""
    if isinstance(value, list):
        return Timeline(((starts_at, _devices(value)),))
    entries = sorted((calendar.moment(key), each) for key, each in mapping(value, "devices").items())
    return Timeline(tuple((at, _devices(each)) for at, each in entries))


def _devices(value: object) -> tuple[Device, ...]:
    return tuple(_device(mapping(each, "devices", DEVICE_KEYS)) for each in listed(value))


def _device(given: dict[str, object]) -> Device:
    suspended = given.get("suspended", False)
    if suspended is not None and not isinstance(suspended, bool):
        raise StoryError(f"devices: suspended is true, false or null, not {suspended!r}")
    usual = Device(HOUSE.device_id)
    return Device(
        device_id=str(given.get("id", usual.device_id)),
        name=str(given.get("name", usual.name)),
        device_type=str(given.get("type", usual.device_type)),
        provider=str(given.get("provider", usual.provider)),
        current=str(given.get("current", usual.current)),
        suspended=suspended,
        state=str(given.get("state", usual.state)),
        kind=str(given.get("kind", usual.kind)),
    )

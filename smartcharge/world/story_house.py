"""The house's part of a story file: car, battery, faults, the owner's hand, sleeping cron."""

import shlex
from dataclasses import fields
from datetime import datetime, timedelta
from typing import cast

from smartcharge.world.faults import Details, fault
from smartcharge.world.story import ByHand, Car, PowerwallAtStart, Spell, Timeline
from smartcharge.world.story_times import SPAN, Calendar, StoryError
from smartcharge.world.story_yaml import listed, mapping, number, whole, words

PILOTS = ("A", "B1", "B2", "C1", "C2", "D1", "D2", "E", "F")
CAR_KEYS = ("watts", "pst", "changes", "without")
OWNER_KEYS = ("mode", "reserve", "run")
SPELL_KEYS = ("span", "service", "fault", *Details.__annotations__)
MINUTE = timedelta(minutes=1)


def read_car(value: object, calendar: Calendar, where: str) -> Timeline[Car]:
    """Read what a Zappi sees, by time: watts, a pilot state, `silent`, or a mapping."""
    entries = [(calendar.moment(key), _car(each, f"{where} {key}")) for key, each in mapping(value, where).items()]
    return Timeline(tuple(sorted(entries, key=lambda entry: entry[0])))


def _car(value: object, where: str) -> Car:
    if value == "silent":
        return Car(silent=True)
    if isinstance(value, str) and value in PILOTS:
        return Car(pst=value)
    if isinstance(value, int):
        return Car(whole(value, where), "C2" if value else "B2")
    if isinstance(value, str):
        raise StoryError(f"{where}: {value!r} is no pilot state; there are {', '.join(PILOTS)}, and silent")
    given = mapping(value, where, CAR_KEYS)
    changes = mapping(given.get("changes", {}), where)
    return Car(
        watts=whole(given.get("watts", 0), where),
        pst=str(given.get("pst", "C2")),
        changes=changes,
        without=words(given.get("without")),
    )


def read_powerwall(value: object) -> PowerwallAtStart:
    """Read the battery as the story finds it."""
    kinds = {field.name: field.type for field in fields(PowerwallAtStart)}
    given = mapping(value, "powerwall", kinds)
    for key, each in given.items():
        if kinds[key] is float:
            given[key] = number(each, f"powerwall {key}")
        elif not isinstance(each, cast("type", kinds[key])):
            raise StoryError(f"powerwall {key}: {each!r} is of the wrong kind")
    return PowerwallAtStart(**given)  # type: ignore[arg-type] # checked just above


def read_faults(value: object, calendar: Calendar) -> tuple[Spell, ...]:
    """Read spells of trouble: `14:10-14:16 kraken http-503`, or a mapping with details."""
    return tuple(_spell(each, calendar) for each in listed(value))


def _spell(value: object, calendar: Calendar) -> Spell:
    if isinstance(value, str):
        match = SPAN.match(value)
        parts = value[match.end() :].split() if match else []
        if match is None or len(parts) != 2:  # noqa: PLR2004 - service and fault
            raise StoryError(f"faults: {value!r} is not like '14:10-14:16 kraken http-503'")
        value = {"span": match[0], "service": parts[0], "fault": parts[1]}
    given = mapping(value, "faults", SPELL_KEYS)
    starts_at, ends_at = calendar.span(given.pop("span", None))
    named = fault(str(given.pop("service", "")), str(given.pop("fault", "")), **_details(given))
    return Spell(starts_at, ends_at, named)


def _details(given: dict[str, object]) -> Details:
    details = Details(only=str(given.get("only", "")), device=str(given.get("device", "")))
    if not details["only"]:
        del details["only"]  # so that a fault's own default holds
    details["after"] = given.get("after") is True
    details["times"] = whole(given["times"], "faults times") if "times" in given else None
    details["amount"] = number(given["amount"], "faults amount") if "amount" in given else None
    return details


def read_owner(value: object, calendar: Calendar) -> tuple[ByHand, ...]:
    """Read what the owner does by hand, by time."""
    acts = [_by_hand(calendar.moment(key), each, f"owner {key}") for key, each in mapping(value, "owner").items()]
    return tuple(sorted(acts, key=lambda act: act.at))


def _by_hand(at: datetime, value: object, where: str) -> ByHand:
    given = mapping(value, where, OWNER_KEYS)
    mode, reserve = given.get("mode"), given.get("reserve")
    return ByHand(
        at,
        None if mode is None else str(mode),
        None if reserve is None else whole(reserve, where),
        tuple(shlex.split(str(given.get("run", "")))),
    )


def read_missed(value: object, calendar: Calendar) -> tuple[tuple[datetime, datetime], ...]:
    """Read minutes and spans in which cron is asleep."""
    return tuple(_missed(each, calendar) for each in words(value))


def _missed(text: str, calendar: Calendar) -> tuple[datetime, datetime]:
    if SPAN.fullmatch(text):
        return calendar.span(text)
    at = calendar.moment(text)
    return at, at + MINUTE

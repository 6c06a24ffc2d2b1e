"""The expectations of a story file."""

import re

from smartcharge.world.story import Expected, ExpectedWrite, Stance
from smartcharge.world.story_times import CLOCK, Calendar, StoryError
from smartcharge.world.story_yaml import listed, mapping, whole, words

KEYS = ("battery", "hold", "at_most", "exactly", "writes", "exit_codes", "says", "never_says")
COUNTED = ("kraken", "zappi", "tesla", "sign_ins", "writes", "mails")
STANCE = re.compile(r"(backup|autonomous|self_consumption)/(\d+)")
WRITE = re.compile(rf"({CLOCK}) (mode|reserve|grid_charging) (\w+)")


def read_expected(value: object, calendar: Calendar) -> Expected:
    """Read how a story should stand on its way and end."""
    given = mapping(value, "expect", KEYS)
    battery = mapping(given.get("battery", {}), "expect battery")
    hold = mapping(given.get("hold", {}), "expect hold")
    writes = given.get("writes")
    return Expected(
        battery=tuple((calendar.moment(key), _stance(each)) for key, each in battery.items()),
        hold=tuple(
            (calendar.moment(key), None if each in ("none", None) else calendar.moment(each))
            for key, each in hold.items()
        ),
        at_most=_counts(given.get("at_most", {}), "expect at_most"),
        exactly=_counts(given.get("exactly", {}), "expect exactly"),
        writes=None if writes is None else tuple(_write(each, calendar) for each in words(writes)),
        exit_codes=frozenset(whole(each, "expect exit_codes") for each in listed(given.get("exit_codes", 0))),
        says=words(given.get("says")),
        never_says=words(given.get("never_says")),
    )


def _counts(value: object, where: str) -> dict[str, int]:
    return {key: whole(each, f"{where} {key}") for key, each in mapping(value, where, COUNTED).items()}


def _stance(value: object) -> Stance:
    match = STANCE.fullmatch(str(value))
    if match is None:
        raise StoryError(f"expect battery: {value!r} is not like backup/100")
    return Stance(match[1], int(match[2]))


def _write(text: str, calendar: Calendar) -> ExpectedWrite:
    match = WRITE.fullmatch(text)
    if match is None:
        raise StoryError(f"expect writes: {text!r} is not like '13:05 mode backup'")
    return ExpectedWrite(calendar.moment(match[1]), match[2], match[3])

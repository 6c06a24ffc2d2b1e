"""Compares what happened with what the story expects; every broken expectation is a sentence."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from smartcharge.world.player import Minute, Played
from smartcharge.world.story import Stance, Story
from smartcharge.world.story_times import LONDON

MINUTE = timedelta(minutes=1)


def check(played: Played, story: Story) -> list[str]:
    """Name the expectations that were not met; an empty list where all were."""
    parts = (_battery, _holds, _writes, _words, _exits, _counts, _strays)
    return [sentence for part in parts for sentence in part(played, story)]


def _battery(played: Played, story: Story) -> Iterator[str]:
    for at, wanted in story.expected.battery:
        found = _minute_of(played, at)
        if found is None:
            yield f"at {_clock(at)} nothing was played"
        elif found.battery != wanted:
            yield f"at {_clock(at)} the battery is {_told(found.battery)}, not {_told(wanted)}"


def _holds(played: Played, story: Story) -> Iterator[str]:
    for at, wanted in story.expected.hold:
        start = next((each for each in played.holds if each <= at < each + MINUTE), None)
        if start is None:
            yield f"at {_clock(at)} nobody asked for the hold"
        elif played.holds[start] != wanted:
            yield f"at {_clock(at)} the hold ends {_clock(played.holds[start])}, not {_clock(wanted)}"


def _writes(played: Played, story: Story) -> Iterator[str]:
    if story.expected.writes is None:
        return
    found = [f"{_clock(at)} {kind} {value}" for at, kind, value in played.writes]
    wanted = [f"{_clock(each.at)} {each.kind} {each.value}" for each in story.expected.writes]
    if found != wanted:
        yield f"the battery was told: {'; '.join(found) or 'nothing'}; expected: {'; '.join(wanted) or 'nothing'}"


def _exits(played: Played, story: Story) -> Iterator[str]:
    for minute in played.minutes:
        for ran in minute.ran:
            if ran.outcome.exit_code not in story.expected.exit_codes:
                told = ran.outcome.stderr.strip().splitlines()
                yield (
                    f"at {_clock(minute.at)} `{' '.join(ran.command)}` exits {ran.outcome.exit_code}"
                    + (f": {told[-1]}" if told else "")
                )


def _words(played: Played, story: Story) -> Iterator[str]:
    said = "\n".join(f"{ran.outcome.stdout}\n{ran.outcome.stderr}" for minute in played.minutes for ran in minute.ran)
    yield from (f"nothing says {text!r}" for text in story.expected.says if text not in said)
    yield from (f"something says {text!r}" for text in story.expected.never_says if text in said)


def _counts(played: Played, story: Story) -> Iterator[str]:
    for name, most in story.expected.at_most.items():
        if played.counts[name] > most:
            yield f"{name}: {played.counts[name]}, at most {most} expected"
    for name, wanted in story.expected.exactly.items():
        if played.counts[name] != wanted:
            yield f"{name}: {played.counts[name]}, exactly {wanted} expected"


def _strays(played: Played, _story: Story) -> Iterator[str]:
    yield from (f"something strayed out of the street or wrote to a Zappi: {each}" for each in played.strayed)


def _minute_of(played: Played, at: datetime) -> Minute | None:
    return next((each for each in played.minutes if each.at.replace(second=0) == at.replace(second=0)), None)


def _clock(at: datetime | None) -> str:
    return "none" if at is None else f"{at.astimezone(LONDON):%H:%M}"


def _told(stance: Stance) -> str:
    return f"{stance.mode}/{stance.reserve_pct}"

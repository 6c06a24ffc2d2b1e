"""A story played through the real commands and the unmodified libraries, and what is looked at afterwards."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from smartcharge.commands.demo import street
from smartcharge.world.house import HOUSE
from smartcharge.world.player import Minute, Outcome, Played, Run, play
from smartcharge.world.story import Story
from smartcharge.world.street import Street

SECRETS = (
    *(HOUSE.kraken_password, HOUSE.kraken_api_key, HOUSE.account_number),
    *(HOUSE.hub_key, HOUSE.hub_serial, HOUSE.mail_password),
)
TOKENS = re.compile(r"eyJ[\w-]{10,}|[0-9a-f]{40,}|digest|Bearer |JWT ", re.IGNORECASE)
"""JSON web tokens, refresh tokens, and the words that stand before one in a header."""
MAIL_DUMP = "SMARTCHARGE_MAIL_DUMP"


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of a story.  words: everything any of its commands printed, each with the command line."""

    played: Played
    words: tuple[tuple[str, str], ...]


def perform(story: Story, folder: Path, *, verbose: bool = False) -> Performance:
    """Play a story in this process."""
    with street(folder, story) as (town, run):
        return perform_in(story, town, run, verbose=verbose)


def perform_in(story: Story, town: Street, run: Run, *, verbose: bool = False) -> Performance:
    """Play a story in a street that serves already, with any way to run commands."""
    words: list[tuple[str, str]] = []

    def listening(arguments: list[str], at: datetime) -> Outcome:
        outcome = run(["-v", *arguments] if verbose else arguments, at)
        words.append((f"{at:%H:%M} {' '.join(arguments)}", f"{outcome.stdout}\n{outcome.stderr}"))
        return outcome

    played = play(story, town, listening)
    listening(["status"], played.minutes[-1].at)
    listening(["history"], played.minutes[-1].at)
    _dump_mails(story, played)
    return Performance(played, tuple(words))


def spoken_secrets(words: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Name every command that printed a password, a key, a token or an account number."""
    for command, text in words:
        for secret in (each for each in SECRETS if each in text):
            yield f"`{command}` prints the secret {secret!r}"
        if token := TOKENS.search(text):
            yield f"`{command}` prints what looks like a token: {token[0]!r}"


def stored_secrets(folder: Path) -> Iterator[str]:
    """Name every secret of the configuration that has found its way into the database."""
    stored = b"".join(path.read_bytes() for path in sorted(folder.glob("smartcharge.db*")))
    yield from (f"the database holds the secret {secret!r}" for secret in SECRETS if secret.encode() in stored)


def tracebacks(words: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Name the commands that ended in a traceback, the first of them with its words."""
    ended = [(command, text) for command, text in words if "Traceback" in text]
    for place, (command, text) in enumerate(ended):
        yield f"`{command}` ends in a traceback" + ("" if place else f":\n{text}")


def minutes_with_words(played: Played) -> list[Minute]:
    """The minutes in which anything was printed."""
    return [each for each in played.minutes if any(ran.outcome.stdout or ran.outcome.stderr for ran in each.ran)]


def _dump_mails(story: Story, played: Played) -> None:
    """Leave the story's mails where a calendar program can be let loose on them."""
    if folder := os.environ.get(MAIL_DUMP):
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        for number, mail in enumerate(played.mails, 1):
            (place / f"{story.name}-{number:02}.eml").write_bytes(mail.raw)

"""A story played through the real commands and the unmodified libraries, and what is looked at afterwards."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from smartcharge.commands.demo import street
from smartcharge.quiet import change_count, is_quiet
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
    """What came of a story.

    words: everything any of its commands printed, each with the command line. quiet: how many of its commands would
    have been passed over as idle; wronged: those of them that did something all the same.
    """

    played: Played
    words: tuple[tuple[str, str], ...]
    quiet: int = 0
    wronged: tuple[str, ...] = ()


def perform(story: Story, folder: Path, *, verbose: bool = False) -> Performance:
    """Play a story in this process."""
    with street(folder, story) as (town, run):
        watched = Watched(folder, town, run)
        performance = perform_in(story, town, watched, verbose=verbose)
        return replace(performance, quiet=watched.quiet, wronged=tuple(watched.wronged))


class Watched:
    """Runs every command in full, also where it would be passed over as idle, and sees whether that was right."""

    def __init__(self, folder: Path, town: Street, run: Run) -> None:
        self._config, self._database = folder / "config.yaml", folder / "smartcharge.db"
        self._town, self._run = town, run
        self.quiet = 0
        self.wronged: list[str] = []

    def __call__(self, arguments: list[str], at: datetime) -> Outcome:
        if not is_quiet(["--config", str(self._config), *arguments], os.environ, at):
            return self._run(arguments, at)
        self.quiet += 1
        before = self._state()
        outcome = self._run(arguments, at)
        if outcome != Outcome(0) or self._state() != before:
            self.wronged.append(f"{at:%H:%M} {' '.join(arguments)}: {outcome}")
        return outcome

    def _state(self) -> tuple[int, int]:
        return change_count(str(self._database)), len(self._town.requests) + len(self._town.mails)


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

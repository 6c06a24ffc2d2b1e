"""What happens by chance, and what a day came to.

Each event draws from a spring of its own, made of the seed, the minute and its name: so one can be left out,
and the rest of the day goes on as it was.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from random import Random


@dataclass
class RandomEvents:
    """only: the events that are allowed, None for all; over: nothing happens any more."""

    seed: int
    only: frozenset[str] | None = None
    over: bool = False
    happened: list[str] = field(default_factory=list)

    def of(self, what: str) -> Random:
        """What is drawn once, for the whole day."""
        return Random(f"{self.seed} {what}")  # noqa: S311  # scenarios, not secrets

    def should_happen(self, what: str, now: datetime, share: float) -> Random | None:
        """Whether it happens in this minute; if so, what its details are drawn from."""
        name = f"{now:%d %H:%M} {what}"
        if self.over or (self.only is not None and name not in self.only):
            return None
        chance = self.of(name)
        if chance.random() >= share:
            return None
        self.happened.append(name)
        return chance


@dataclass
class SoakTally:
    """What a day held. broken: the laws it broke, with the moment of each; scenario: what went on, minute by minute.

    happened: the names of all that happened by chance.
    """

    seed: int
    hours: float = 0.0
    runs: int = 0
    quiet: int = 0
    kills: int = 0
    second_runs: int = 0
    holds: int = 0
    writes: int = 0
    mails: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    died_at: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    event_log: list[tuple[datetime, str]] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    @property
    def law(self) -> str:
        """The first law that was broken, by its name; nothing where none was."""
        return self.broken[0].partition(": ")[2].partition(":")[0] if self.broken else ""

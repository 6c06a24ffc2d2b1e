"""What a day asks of the services: `python tests/bench/naive_day.py` counts whole days, beside an ordinary script's.

Both live through every minute of the same days in a street of their own; nothing is scaled up. The ordinary script is
`naive_client.py`. It takes about seven minutes. Exit code 1: a day of ours did not end as its story should.
"""
# ruff: noqa: T201  # tells by printing

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from days import DAYS, as_cron_does, day, machine  # noqa: E402  # the paths come first
from naive_client import minute  # noqa: E402

from smartcharge.commands.demo import street  # noqa: E402
from smartcharge.world.checks import check  # noqa: E402
from smartcharge.world.player import Outcome, Played, play  # noqa: E402

NO_HOLD = '{"hold": null}'
"""What the player, who asks for the state now and then, is told of one who knows no holds."""
CAPTION = """
Every request counts: Digest's challenges, the charger's director, renewed tokens. Every minute was played, nothing is
scaled. The naive client ends where somebody does not answer, and asks nobody else in that minute.
"""


class Lived(NamedTuple):
    """A day of one client. failed: minutes in which a run ended in an error; odd: broken expectations of the story."""

    requests: Counter[str]
    failed: int
    odd: tuple[str, ...] = ()

    def row(self, *names: str) -> str:
        """A line of the table."""
        counts = (*(self.requests[service] for service in ("kraken", "myenergi", "tesla")), self.failed)
        return f"| {' | '.join((*names, *(f'{count:,}' for count in counts)))} |"


def ours(name: str) -> Lived:
    """The day with smartcharge, idle minutes passed over."""
    story = day(name)
    with tempfile.TemporaryDirectory() as folder, street(Path(folder), story) as (town, run):
        played = play(story, town, as_cron_does(Path(folder), run))
    return lived(played, tuple(f"{name}: {sentence}" for sentence in check(played, story)))


def naive(name: str) -> Lived:
    """The day with the naive client."""
    story = day(name)
    with tempfile.TemporaryDirectory() as folder, street(Path(folder), story) as (town, _ours):

        def run(arguments: list[str], at: datetime) -> Outcome:
            if arguments != ["tick"]:
                return Outcome(0, NO_HOLD)
            try:
                minute(town.house, Path(folder), at)
            except Exception as odd:  # noqa: BLE001  # as a script's interpreter would
                return Outcome(1, stderr=repr(odd))
            return Outcome(0)

        return lived(play(story, town, run))


def lived(played: Played, odd: tuple[str, ...] = ()) -> Lived:
    """Count by the first word of the services' names: sign-ins have names of their own."""
    requests = Counter(request.service.partition("-")[0] for request in played.requests)
    failed = sum(any(ran.outcome.exit_code for ran in each.ran) for each in played.minutes)
    return Lived(requests, failed, odd)


def rows() -> Iterator[tuple[str, tuple[str, ...]]]:
    """The lines of the table, as they come, each with what is wrong."""
    yield "| day | client | Kraken posts | Zappi requests | Tesla requests | minutes with an error |", ()
    yield "|---|---|---|---|---|---|", ()
    for title, name in DAYS.items():
        mine = ours(name)
        yield mine.row(title, "smartcharge"), mine.odd
        yield naive(name).row(title, "naive"), ()


def main() -> int:
    """Play and tell."""
    print(f"{machine()}\n")
    faults: list[str] = []
    for row, odd in rows():
        print(row, flush=True)
        faults += odd
    print(CAPTION)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

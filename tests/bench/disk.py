"""What a day costs the disk: `python tests/bench/disk.py` plays whole days under strace and counts what they write.

Exact, not estimated: every write to a file of the house and every sync of one, as the kernel is asked for it. The pages
that SQLite copies to its rollback journal are among them; what a file system adds of its own is not. Idle minutes are
passed over as they are in real life. It takes one to two minutes. Exit code 1: an idle day wrote in a minute without a
reason, or a day did not end as its story should; 2: strace cannot be used here.
"""
# ruff: noqa: T201  # tells by printing

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]

from days import DAYS, LINES, machine  # noqa: E402  # the paths come first
from straced import COMMAND, SYNCS, Touch, touches  # noqa: E402
from traced_day import DATABASE, Told  # noqa: E402

JOURNAL = f"{DATABASE}-journal"
NO_STRACE = "strace is missing, and nothing else sees every write. Install it: sudo apt install strace"
NOT_ALLOWED = "strace may not watch a process here; a container needs --cap-add=SYS_PTRACE for that. Its words:"
COLUMNS = (
    *("day", "bytes to the database", "bytes to its journal", "bytes to other files"),
    *("syncs", "transactions", "minutes that wrote", "of them unasked"),
)
CAPTION = """
Every minute cron runs {}.
The house was set up before: configuration, sign-in at Tesla, an empty database. Syncs are fsync and fdatasync, of files
and of their folder. Unasked: nobody was asked and no midnight reset done.
"""


class NotTracedError(Exception):
    """Strace could not do its work."""


@dataclass(frozen=True)
class OnDisk:
    """A day's traces on the disk, and what else is known of it."""

    touches: tuple[Touch, ...]
    told: Told

    def bytes_to(self, *files: str) -> int:
        """How much was written to these files; none named: to all the others than database and journal."""
        return sum(each.size for each in self.touches if (each.file in (files or (DATABASE, JOURNAL))) == bool(files))

    @property
    def syncs(self) -> int:
        """How often the disk was to be waited for."""
        return sum(each.call in SYNCS for each in self.touches)

    @property
    def wrote(self) -> frozenset[str]:
        """The moments in which anything was written, made, renamed or removed."""
        return frozenset(each.at for each in self.touches)

    def wrote_without(self, *services: str) -> list[str]:
        """The moments that wrote though none of these was asked, and no midnight reset done."""
        asked = {at for at, service in self.told.asked if service.partition("-")[0] in services}
        return sorted(self.wrote - asked - set(self.told.resets))


def traced(story: str, lines: str) -> OnDisk:
    """Play a day in a process of its own; NotTracedError where strace will not, RuntimeError where it breaks off."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        house, trace = base / "house", base / "trace"
        house.mkdir()
        child = (sys.executable, str(HERE / "traced_day.py"), story, str(house), lines)
        done = subprocess.run(
            [*COMMAND, f"--output={trace}", *child],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            is_strace = done.stderr.startswith("strace: ")
            raise NotTracedError(f"{NOT_ALLOWED}\n{done.stderr}") if is_strace else RuntimeError(done.stderr)
        with trace.open(encoding="utf-8", errors="replace") as file:
            return OnDisk(tuple(touches(file, house)), msgspec.json.decode(done.stdout, type=Told))


def table(days: Mapping[str, OnDisk]) -> Iterator[str]:
    """A row for each day."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for name, day in days.items():
        sizes = (day.bytes_to(DATABASE), day.bytes_to(JOURNAL), day.bytes_to())
        unasked = day.wrote_without("kraken", "myenergi", "tesla", "mail")
        counts = (*sizes, day.syncs, day.told.transactions, len(day.wrote), len(unasked))
        yield f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |"


def wrong(days: Mapping[str, OnDisk]) -> Iterator[str]:
    """Sentences about what should not be."""
    for name, day in days.items():
        yield from (f"{name}: {sentence}" for sentence in day.told.odd)
    for at in days["idle"].wrote_without("kraken", "mail"):
        files = sorted({each.file for each in days["idle"].touches if each.at == at})
        yield f"idle: at {at} no plan was fetched, no reset done and no invite posted, and yet these changed: {files}"


def main() -> int:
    """Play and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cron", choices=LINES, default="tick", help="one line in the crontab, or the four")
    given = parser.parse_args()
    if shutil.which(COMMAND[0]) is None:
        print(NO_STRACE, file=sys.stderr)
        return 2
    print(f"{machine()}\n")
    try:
        days = {name: traced(story, given.cron) for name, story in DAYS.items()}
    except NotTracedError as odd:
        print(odd, file=sys.stderr)
        return 2
    print("\n".join(table(days)))
    print(CAPTION.format(", ".join(LINES[given.cron])))
    faults = list(wrong(days))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

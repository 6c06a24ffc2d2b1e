"""What a day costs the disk: `python tests/bench/disk.py` plays whole days under strace and counts what they write.

Exact, not estimated: every write to a file of the house and every sync of one, as the kernel is asked for it. The pages
that SQLite copies to its rollback journal are among them; what a file system adds of its own is not. Idle minutes are
passed over as they are in real life. It takes one to two minutes. Exit code 1: an idle day wrote in a minute without a
reason, or a day did not end as its scenario should; 2: strace cannot be used here.
"""

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
from strace_reader import STRACE_COMMAND, SYNC_CALLS, FileOperation, read_file_operations
from traced_day import DATABASE, TracedDay
from whole_days import CRONTAB_LINES, WHOLE_DAYS, describe_machine

# ruff: noqa: T201  # tells by printing


HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent.parent)]


JOURNAL_FILE = f"{DATABASE}-journal"
NO_STRACE = "strace is missing, and nothing else sees every write. Install it: sudo apt install strace"
STRACE_NOT_ALLOWED = "strace may not watch a process here; a container needs --cap-add=SYS_PTRACE for that. Its words:"
COLUMNS = (
    *("day", "bytes to the database", "bytes to its journal", "bytes to other files"),
    *("syncs", "transactions", "minutes that wrote", "of them unasked"),
)
CAPTION = """
Every minute cron runs {}.
The house was set up before: configuration, sign-in at Tesla, an empty database. Syncs are fsync and fdatasync, of files
and of their folder. Unasked: nobody was asked and no midnight reset done.
"""


class TraceFailedError(Exception):
    """Strace could not do its work."""


@dataclass(frozen=True)
class DiskDay:
    """A day's traces on the disk, and what else is known of it."""

    touches: tuple[FileOperation, ...]
    told: TracedDay

    def bytes_to(self, *files: str) -> int:
        """How much was written to these files; none named: to all the others than database and journal."""
        return sum(
            each.size for each in self.touches if (each.file in (files or (DATABASE, JOURNAL_FILE))) == bool(files)
        )

    @property
    def syncs(self) -> int:
        """How often the disk was to be waited for."""
        return sum(each.call in SYNC_CALLS for each in self.touches)

    @property
    def wrote(self) -> frozenset[str]:
        """The moments in which anything was written, made, renamed or removed."""
        return frozenset(each.at for each in self.touches)

    def wrote_without(self, *services: str) -> list[str]:
        """The moments that wrote though none of these was asked, and no midnight reset done."""
        asked = {at for at, service in self.told.asked if service.partition("-")[0] in services}
        return sorted(self.wrote - asked - set(self.told.resets))


def trace_day(scenario: str, lines: str) -> DiskDay:
    """Play a day in a process of its own; NotTracedError where strace will not, RuntimeError where it breaks off."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name).resolve()
        house, trace = base / "house", base / "trace"
        house.mkdir()
        child = (sys.executable, str(HERE / "traced_day.py"), scenario, str(house), lines)
        done = subprocess.run(
            [*STRACE_COMMAND, f"--output={trace}", *child],
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            is_strace = done.stderr.startswith("strace: ")
            raise TraceFailedError(f"{STRACE_NOT_ALLOWED}\n{done.stderr}") if is_strace else RuntimeError(done.stderr)
        with trace.open(encoding="utf-8", errors="replace") as file:
            return DiskDay(tuple(read_file_operations(file, house)), msgspec.json.decode(done.stdout, type=TracedDay))


def format_disk_table(days: Mapping[str, DiskDay]) -> Iterator[str]:
    """A row for each day."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{'---|' * len(COLUMNS)}"
    for name, day in days.items():
        sizes = (day.bytes_to(DATABASE), day.bytes_to(JOURNAL_FILE), day.bytes_to())
        unasked = day.wrote_without("kraken", "myenergi", "tesla", "mail")
        counts = (*sizes, day.syncs, day.told.transactions, len(day.wrote), len(unasked))
        yield f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |"


def find_disk_errors(days: Mapping[str, DiskDay]) -> Iterator[str]:
    """Sentences about what should not be."""
    for name, day in days.items():
        yield from (f"{name}: {sentence}" for sentence in day.told.odd)
    for at in days["idle"].wrote_without("kraken", "mail"):
        files = sorted({each.file for each in days["idle"].touches if each.at == at})
        yield f"idle: at {at} no plan was fetched, no reset done and no invite posted, and yet these changed: {files}"


def main() -> int:
    """Play and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cron", choices=CRONTAB_LINES, default="tick", help="one line in the crontab, or the four")
    given = parser.parse_args()
    if shutil.which(STRACE_COMMAND[0]) is None:
        print(NO_STRACE, file=sys.stderr)
        return 2
    print(f"{describe_machine()}\n")
    try:
        days = {name: trace_day(scenario, given.cron) for name, scenario in WHOLE_DAYS.items()}
    except TraceFailedError as odd:
        print(odd, file=sys.stderr)
        return 2
    print("\n".join(format_disk_table(days)))
    print(CAPTION.format(", ".join(CRONTAB_LINES[given.cron])))
    faults = list(find_disk_errors(days))
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

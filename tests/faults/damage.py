"""Damage in the middle of a hold: databases with flipped bytes, broken configurations, damaged hold and token files.

Whatever is damaged, the Powerwall is back to normal within two runs as long as a valid token exists, no run ends in a
traceback, and nothing is written to a Powerwall that was never held. A small number runs as a test; more on request:

    python tests/faults/damage.py --databases 1000 --configurations 200 --hold-files 200 --token-files 200 --seed 1
"""

import argparse
import json
import logging
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fault_scene import TESLA_FILE, FaultScene, ForkServer, make_held_scene

NORMAL, HELD = "autonomous/20", "backup/100"
RUNS = ("13:29", "13:30")
HOLD_FILE = "powerwall-hold.json"
FOREIGN_FILES = (
    b"", b"null", b"[]", b"{}", b"\x00" * 512, b"\xff" * 512, b"<!doctype html><title>502</title>", b'"text"', b"1e999",
    b'{"version": 99}', b'{"until": "soon"}', b'{"until": 5, "owns": 7, "set": [], "restore": "x"}', b"[" * 60_000,
    b'{"until": "9999-12-31T23:59:59Z", "written_at": "0001-01-01T00:00:00Z"}', b"{" + b" " * 100_000 + b"}",
)  # fmt: skip
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Trial:
    """kind: what is damaged. seed: of the damage. damage: does it."""

    kind: str
    seed: int
    damage: Callable[[Path, random.Random], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended: the battery's settings, how many runs it took, and what must not be."""

    trial: Trial
    runs: int
    codes: tuple[int, ...]
    wrong: tuple[str, ...]


def flip_bytes(file: Path, chance: random.Random) -> None:
    """Change one to eight bytes anywhere."""
    content = bytearray(file.read_bytes())
    for _ in range(chance.choice((1, 1, 2, 4, 8))):
        content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    file.write_bytes(content)


def cut(file: Path, chance: random.Random) -> None:
    """Leave the beginning alone, as a power cut in mid-write does."""
    content = file.read_bytes()
    file.write_bytes(content[: chance.randrange(len(content))])


def replace_with_foreign_file(file: Path, chance: random.Random) -> None:
    """Put something else in its place."""
    file.write_bytes(chance.choice(FOREIGN_FILES))


def drop_lines(file: Path, chance: random.Random) -> None:
    """Leave out some lines."""
    lines = file.read_text(errors="replace").splitlines(keepends=True)
    for _ in range(chance.choice((1, 2, 5))):
        if lines:
            del lines[chance.randrange(len(lines))]
    file.write_text("".join(lines))


def repeat_a_line(file: Path, chance: random.Random) -> None:
    """Give some line twice, as a slip in an editor does."""
    lines = file.read_text(errors="replace").splitlines(keepends=True)
    place = chance.randrange(len(lines))
    file.write_text("".join((*lines[:place], lines[place], *lines[place:])))


def damage_database(home: Path, chance: random.Random) -> None:
    """Flip bytes of the database."""
    flip_bytes(home / "smartcharge.db", chance)


def damage_config(home: Path, chance: random.Random) -> None:
    """Break the configuration in one of the ways in which files break."""
    chance.choice((flip_bytes, cut, drop_lines, repeat_a_line, replace_with_foreign_file))(home / "config.yaml", chance)


def damage_file(name: str, home: Path, chance: random.Random) -> None:
    """Truncate a file, flip its bytes, or put another one in its place."""
    chance.choice((flip_bytes, cut, replace_with_foreign_file))(home / name, chance)


def damage_hold_file(home: Path, chance: random.Random) -> None:
    """Damage the hold file, half of the time together with the loss of the database."""
    damage_file(HOLD_FILE, home, chance)
    if chance.random() < 0.5:  # half of the time
        (home / "smartcharge.db").unlink()


def read_tokens(home: Path) -> set[str]:
    """The tokens in Tesla's file; none where it cannot be read, so that its last good copy is used."""
    try:
        (sign_in,) = json.loads((home / TESLA_FILE).read_bytes()).values()
        return {sign_in["sso"]["access_token"], sign_in["sso"]["refresh_token"]}
    except (AttributeError, KeyError, TypeError, ValueError):
        return set()


DAMAGES: dict[str, Callable[[Path, random.Random], None]] = {
    "databases": damage_database,
    "configurations": damage_config,
    "hold-files": damage_hold_file,
    "token-files": partial(damage_file, TESLA_FILE),
}


def make_trials(numbers: dict[str, int], seed: int) -> list[Trial]:
    """So many trials of each kind."""
    return [
        Trial(kind, seed * 1_000_003 + number, DAMAGES[kind])
        for kind, count in numbers.items()
        for number in range(count)
    ]


def run_trials(trials: Sequence[Trial], fork_servers: Sequence[ForkServer]) -> Iterator[Outcome]:
    """Run the trials, each worker with a house of its own."""
    with ThreadPoolExecutor(len(fork_servers)) as pool:
        shares = [trials[place :: len(fork_servers)] for place in range(len(fork_servers))]
        for outcomes in pool.map(_run_share, shares, fork_servers):
            yield from outcomes


def _run_share(trials: Sequence[Trial], fork_server: ForkServer) -> list[Outcome]:
    if not trials:
        return []
    with make_held_scene(fork_server, "19:00", last="13:28") as made:
        other = made.simulator.tesla.add_site().powerwall
        assert made.stance == HELD
        made.keep()
        return [_run_trial(trial, made, other.writes) for trial in trials]


def _run_trial(trial: Trial, made: FaultScene, other_writes: list[object]) -> Outcome:
    made.go_back()
    tokens = read_tokens(made.home)
    trial.damage(made.home, random.Random(trial.seed))  # noqa: S311  # repeatable
    if tokens.isdisjoint(read_tokens(made.home)) and read_tokens(made.home):
        return Outcome(trial, 1, (), ())  # every token has become another one: no valid one is left to release by
    ended = []
    for minute in RUNS:
        ended.append(made.run(minute, "reconcile"))
        if made.stance == NORMAL:
            break
    wrong = [f"the Powerwall is {made.stance}"] if made.stance != NORMAL else []
    wrong += [f"a traceback: {run.said[-300:]}" for run in ended if "Traceback" in run.said]
    if other_writes:
        wrong.append(f"written to a Powerwall that was never held: {other_writes}")
    return Outcome(trial, len(ended), tuple(run.code for run in ended), tuple(wrong))


def main(arguments: Sequence[str]) -> int:
    """Run as many trials as asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for kind in DAMAGES:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    asked = vars(parser.parse_args(arguments))
    seed = asked.pop("seed")
    numbers = {name.replace("_", "-"): count for name, count in asked.items()}
    logging.basicConfig(level=logging.ERROR)
    with TemporaryDirectory() as folder:
        folders = [Path(folder, str(number)) for number in range(WORKERS)]
        for each in folders:
            each.mkdir()
        fork_servers = [ForkServer(each) for each in folders]
        try:
            outcomes = list(run_trials(make_trials(numbers, seed), fork_servers))
        finally:
            for each in fork_servers:
                each.close()
    _print_report(outcomes, numbers)
    return int(any(outcome.wrong for outcome in outcomes))


def _print_report(outcomes: Sequence[Outcome], numbers: dict[str, int]) -> None:
    for outcome in outcomes:
        for wrong in outcome.wrong:
            print(f"{outcome.trial.kind} {outcome.trial.seed}: {wrong}")  # noqa: T201  # the report
    for kind in numbers:
        of_kind = [each for each in outcomes if each.trial.kind == kind]
        first = sum(each.runs == 1 and not each.wrong for each in of_kind)
        bad = sum(bool(each.wrong) for each in of_kind)
        print(f"{kind}: {len(of_kind)} tried, {first} released in the first run, {bad} wrong")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

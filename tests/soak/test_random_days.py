"""Random days keep the laws; each is played again by `python tests/soak/run.py --only SEED`."""

import os
import sys

import pytest
from run import format_totals, random_days

SECONDS = float(os.environ.get("SMARTCHARGE_SOAK_SECONDS", "20"))
FIRST_SEED = int(os.environ.get("SMARTCHARGE_SOAK_SEED", "1"))


def test_no_random_day_breaks_a_law(capsys: pytest.CaptureFixture[str]) -> None:
    tallies = list(random_days(FIRST_SEED, seconds=SECONDS))

    with capsys.disabled():
        sys.stderr.write(f"\nseeds {FIRST_SEED} to {FIRST_SEED + len(tallies) - 1}: {format_totals(tallies)}\n")
    assert [broken for tally in tallies for broken in tally.broken] == []
    assert sum(tally.holds for tally in tallies) > len(tallies)  # days in which nothing happens prove nothing

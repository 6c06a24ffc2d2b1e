"""A street and a house on it, with the commands run in this process at chosen moments."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from simulation import Simulation

from smartcharge.commands.demo import start_simulator


@pytest.fixture
def simulation(tmp_path: Path) -> Iterator[Simulation]:
    with start_simulator(tmp_path) as (there, run):
        yield Simulation(there, run, tmp_path, datetime(2026, 12, 9, 12, 0, 2, tzinfo=UTC))

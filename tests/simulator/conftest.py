"""A simulator of its own for every test, with the environment leading into it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from smartcharge.simulator.simulator import Simulator


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """Serve for one test; the variables are set before any client is made."""
    with Simulator(tmp_path) as served:
        for name in served.unset:
            monkeypatch.delenv(name, raising=False)
        for name, value in served.environment.items():
            monkeypatch.setenv(name, value)
        yield served

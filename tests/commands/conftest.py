"""A street and a house on it, with the commands run in this process at chosen moments."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from town_case import Town

from smartcharge.commands.demo import street


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with street(tmp_path) as (there, run):
        yield Town(there, run, tmp_path, datetime(2026, 12, 9, 12, 0, 2, tzinfo=UTC))

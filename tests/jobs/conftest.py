"""A house for each test; the naps between read-backs are not slept."""

from pathlib import Path

import pytest
from fake_house import FakeHouse

from smartcharge.jobs import powerwall


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHouse:
    monkeypatch.setattr(powerwall, "READ_BACK_DELAYS_SECONDS", (0.0,) * len(powerwall.READ_BACK_DELAYS_SECONDS))
    return FakeHouse(tmp_path)

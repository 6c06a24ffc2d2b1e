"""A house for each test; the naps between read-backs are not slept."""

from pathlib import Path

import pytest
from house_case import House

from smartcharge.act import conversation


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr(conversation, "NAPS_SECONDS", (0.0,) * len(conversation.NAPS_SECONDS))
    return House(tmp_path)

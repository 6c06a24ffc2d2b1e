"""The warmed-up processes that all tests here share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_case import Zygote


@pytest.fixture(scope="session")
def zygotes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Zygote]]:
    made = [Zygote(Path(tmp_path_factory.mktemp("zygote"))) for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def zygote(zygotes: list[Zygote]) -> Zygote:
    return zygotes[0]

"""The warmed-up process that all tests here share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults_case import Zygote


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    process = Zygote(Path(tmp_path_factory.mktemp("zygote")))
    yield process
    process.close()

"""The warmed-up processes that all tests here share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_scene import ForkServer


@pytest.fixture(scope="session")
def fork_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ForkServer]]:
    made = [ForkServer(Path(tmp_path_factory.mktemp("zygote"))) for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def fork_server(fork_servers: list[ForkServer]) -> ForkServer:
    return fork_servers[0]

"""The warmed-up processes that all tests here share, one a core; and the cases that only wait, begun first."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from budgets_case import CASES, Played, begin
from faults_case import Zygote

WAITING = "test_budgets.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The cases that wait are looked at last."""
    here = [place for place, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    ordered = sorted((items[place] for place in here), key=lambda item: item.path.name == WAITING)
    for place, item in zip(here, ordered, strict=True):
        items[place] = item


@pytest.fixture(scope="session", autouse=True)
def waiting(request: pytest.FixtureRequest, zygotes: list[Zygote]) -> Iterator[dict[str, Future[Played]]]:
    """The cases that only wait, going on from the first test to the last, where they are wanted at all."""
    if any(item.path.name == WAITING for item in request.session.items):
        with ThreadPoolExecutor(len(CASES)) as pool:
            yield begin(pool, zygotes[0])
    else:
        yield {}


@pytest.fixture(scope="session")
def zygotes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Zygote]]:
    made = [Zygote(Path(tmp_path_factory.mktemp("zygote"))) for _ in range(2)]
    yield made
    for each in made:
        each.close()


@pytest.fixture
def zygote(zygotes: list[Zygote]) -> Zygote:
    return zygotes[0]

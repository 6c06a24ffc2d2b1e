"""Another run that never lets go of the lock is told like any other trouble, and so is its end."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from house_case import SETTINGS, at

from smartcharge import episodes
from smartcharge.config import load_config
from smartcharge.errors import Busy
from smartcharge.store import holds
from smartcharge.toolbox import Toolbox

MINUTE = timedelta(minutes=1)


class Beside(Toolbox):
    """The tools of a run beside another, which has the lock or has let go of it."""

    is_free = False

    @contextmanager
    def alone(self, *, wait_seconds: float = 0.0) -> Iterator[None]:
        if not self.is_free:
            raise Busy("another run holds the lock")
        yield


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Beside]:
    (tmp_path / "config.yaml").write_text(SETTINGS)
    with closing(Beside(load_config(tmp_path / "config.yaml", {}), at("13:00"))) as made:
        yield made


def attempts(tools: Beside, times: int) -> None:
    for _ in range(times):
        with pytest.raises(Busy), episodes.alone(tools, "reconcile"):
            pytest.fail("the lock is not free")
        tools.now += MINUTE


def test_four_times_it_may_be_a_slow_run_the_fifth_time_it_is_told(
    tools: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts(tools, 4)
    assert capsys.readouterr().err == ""

    attempts(tools, 3)

    assert capsys.readouterr().err == (
        "smartcharge reconcile: another run holds the lock. `smartcharge doctor` says who, if it stays so. "
        "(5 times running.)\n"
    )


def test_when_the_lock_is_free_again_that_is_told_and_the_work_is_done(
    tools: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts(tools, 5)
    capsys.readouterr()
    tools.is_free = True

    with episodes.alone(tools, "reconcile"):
        assert holds.current(tools.db) is None

    assert capsys.readouterr().err == "smartcharge reconcile: the lock is well again after 5 min.\n"


def test_without_trouble_nothing_is_written(tools: Beside) -> None:
    tools.is_free = True
    before = tools.db.total_changes

    with episodes.alone(tools, "reconcile"):
        assert tools.db.total_changes == before

    assert tools.db.total_changes == before

"""Another run that never lets go of the lock is told like any other trouble, and so is its end."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, at

from smartcharge.alerts import lock_with_alert
from smartcharge.app import App
from smartcharge.config.load import load_config
from smartcharge.errors import LockBusyError
from smartcharge.store.control import load_open_hold

MINUTE = timedelta(minutes=1)


class Beside(App):
    """The tools of a run beside another, which has the lock or has let go of it."""

    is_free = False

    @contextmanager
    def exclusive_lock(self, *, wait_seconds: float = 0.0) -> Iterator[None]:
        if not self.is_free:
            raise LockBusyError("another run holds the lock")
        yield


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Beside]:
    (tmp_path / "config.yaml").write_text(CONFIG_TEXT)
    with closing(Beside(load_config(tmp_path / "config.yaml", {}), at("13:00"))) as made:
        yield made


def attempts(app: Beside, times: int) -> None:
    for _ in range(times):
        with pytest.raises(LockBusyError), lock_with_alert(app, "reconcile"):
            pytest.fail("the lock is not free")
        app.now += MINUTE


def test_four_times_it_may_be_a_slow_run_the_fifth_time_it_is_told(
    app: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts(app, 4)
    assert capsys.readouterr().err == ""

    attempts(app, 3)

    assert capsys.readouterr().err == (
        "smartcharge reconcile: another run holds the lock. `smartcharge doctor` says who, if it stays so. "
        "(5 times running.)\n"
    )


def test_when_the_lock_is_free_again_that_is_told_and_the_work_is_done(
    app: Beside, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts(app, 5)
    capsys.readouterr()
    app.is_free = True

    with lock_with_alert(app, "reconcile"):
        assert load_open_hold(app.db) is None

    assert capsys.readouterr().err == "smartcharge reconcile: the lock is well again after 5 min.\n"


def test_without_trouble_nothing_is_written(app: Beside) -> None:
    app.is_free = True
    before = app.db.total_changes

    with lock_with_alert(app, "reconcile"):
        assert app.db.total_changes == before

    assert app.db.total_changes == before

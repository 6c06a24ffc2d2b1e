"""Another run that never lets go of the lock is told like any other trouble, and so is its end."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from fake_house import CONFIG_TEXT, at

from smartcharge.app import App
from smartcharge.config.load import Config, load_config
from smartcharge.errors import LockBusyError
from smartcharge.store.control import load_open_hold

MINUTE = timedelta(minutes=1)


class Beside(App):
    """A run beside another one, which has the lock or has let go of it."""

    is_free = False

    @contextmanager
    def exclusive_lock(self, *, wait_seconds: float = 0.0) -> Iterator[None]:
        if not self.is_free:
            raise LockBusyError("another run holds the lock")
        yield


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "config.yaml").write_text(CONFIG_TEXT)
    return load_config(tmp_path / "config.yaml", {})


def fail_to_lock(config: Config, times: int) -> None:
    """One run a minute from 13:00 on, each of which finds the lock taken."""
    for minute in range(times):
        with closing(Beside(config, at("13:00") + minute * MINUTE)) as app:  # noqa: SIM117  # app.alerts needs it
            with pytest.raises(LockBusyError), app.alerts.watch_lock(app.exclusive_lock(), "reconcile"):
                pytest.fail("the lock is not free")


def test_a_taken_lock_is_told_at_the_fifth_failure_running(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    fail_to_lock(config, 4)
    assert capsys.readouterr().err == ""

    fail_to_lock(config, 3)

    told = capsys.readouterr().err
    assert told.startswith("smartcharge reconcile: another run holds the lock. No action unless it persists: ")
    assert told.endswith("(It has failed 5 times in a row.)\n")


def test_when_the_lock_is_free_again_that_is_told_and_the_work_is_done(
    config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_to_lock(config, 5)
    capsys.readouterr()

    with closing(Beside(config, at("13:05"))) as app:
        app.is_free = True
        with app.alerts.watch_lock(app.exclusive_lock(), "reconcile"):
            assert load_open_hold(app.db) is None

    assert capsys.readouterr().err == "smartcharge reconcile: the lock works again after 5 min.\n"


def test_without_trouble_nothing_is_written(config: Config) -> None:
    with closing(Beside(config, at("13:00"))) as app:
        app.is_free = True
        before = app.db.total_changes

        with app.alerts.watch_lock(app.exclusive_lock(), "reconcile"):
            assert app.db.total_changes == before

        assert app.db.total_changes == before

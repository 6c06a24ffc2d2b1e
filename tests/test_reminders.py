"""An overdue release is told at once, after 30 minutes, after two hours, then every six hours, without a database."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from smartcharge.console import should_remind, should_report
from smartcharge.errors import UnreachableError
from smartcharge.jobs import hold_release
from smartcharge.jobs.hold_release import Cause, FileRelease, release_by_file
from smartcharge.store.hold_file import HoldFile, write_hold_file
from smartcharge.store.times import parse_instant

START = parse_instant("2026-12-09T13:29:00Z")
MINUTE = timedelta(minutes=1)
HELD = HoldFile(
    backend="cloud",
    until=START + MINUTE,
    started_at=START - 25 * MINUTE,
    written_at=START - 25 * MINUTE,
    set_mode="backup",
    set_reserve_pct=100,
    restore_mode="self_consumption",
    restore_reserve_pct=35,
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("tesla: {}\n")
    return path


def test_it_is_told_at_the_intervals_of_an_overdue_release(config: Path) -> None:
    told = [n for n in range(15 * 60) if should_remind(config, "a hold", START + n * MINUTE)]

    assert told == [0, 30, 120, 480, 840]


def test_another_hold_and_a_clock_that_has_gone_back_are_told_at_once(config: Path) -> None:
    assert should_remind(config, "a hold", START)
    assert should_remind(config, "another hold", START + MINUTE)
    assert should_remind(config, "a hold", START - MINUTE)


def test_lines_that_are_told_hourly_do_not_shorten_the_interval(config: Path) -> None:
    assert should_remind(config, "a hold", START)
    reported = [n for n in range(180) if should_report(config, "tick", "a line", START + n * MINUTE)]

    assert reported == [0, 60, 120]
    assert not should_remind(config, "a hold", START + MINUTE)
    assert should_remind(config, "a hold", START + 180 * MINUTE)


def test_a_release_by_the_file_tells_with_one_subject_how_to_do_it_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = iter(["Tesla cannot be reached", "Tesla answers with an error"])

    def refuse(*_: object) -> None:
        raise UnreachableError(next(texts), service="tesla")

    monkeypatch.setattr(hold_release, "connect_held_battery", refuse)
    write_hold_file(tmp_path, HELD)
    reminded: list[tuple[str, str]] = []

    def remind(subject: str, line: str) -> None:
        reminded.append((subject, line))

    def release(now: datetime) -> int:
        return release_by_file(FileRelease(tmp_path, now, Cause.DATABASE, pytest.fail, remind))

    assert [release(START), release(START + MINUTE)] == [UnreachableError.exit_code] * 2
    assert len({subject for subject, _ in reminded}) == 1
    assert "Tesla cannot be reached" in reminded[0][1]
    assert "Tesla answers with an error" in reminded[1][1]
    assert all("set it in the Tesla app: Self-Powered" in line and "35 %" in line for _, line in reminded)

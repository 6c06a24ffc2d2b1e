"""The battery comes back, whatever has happened to the database, the configuration, the disk or the clock meanwhile.

Every test plays a hold through the real commands and the real libraries: held from 13:04, due at 13:29.
"""

import errno
import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fault_scene import KILLED, FaultScene, ForkServer, RunResult, make_held_scene
from read_only_mount import can_remount

NORMAL, HELD = "autonomous/20", "backup/100"
REFUSED, UNREACHABLE = 4, 3
HOLD_FILE = "powerwall-hold.json"
CHANGING = re.compile(r"after:(commit|POST|rename|removal|chmod)|before:commit")
"""The points at which a file or a server has changed."""


@pytest.fixture
def scene(fork_server: ForkServer, tmp_path: Path) -> Iterator[FaultScene]:
    """A hold that is due at 13:29, with the last run before that at 13:28."""
    with make_held_scene(fork_server, "19:00", last="13:28") as made:
        made.simulator.environment["TMPDIR"] = str(tmp_path)
        assert made.stance == HELD
        yield made


def hold_file(made: FaultScene) -> Path:
    return made.home / HOLD_FILE


def change_config(made: FaultScene, change: Callable[[str], str]) -> None:
    config = made.home / "config.yaml"
    before = config.read_text()
    config.write_text(change(before))
    assert config.read_text() != before


def without_tesla(text: str) -> str:
    return re.sub(r"(?ms)^tesla:.*?(?=^\S)", "", text)


def put_byte(made: FaultScene, table: str, column: str) -> None:
    """Write a byte that is no UTF-8 into a text column, as a worn memory card does."""
    with closing(sqlite3.connect(made.home / "smartcharge.db", isolation_level=None)) as db:
        changed = db.execute(f"UPDATE {table} SET {column} = CAST(x'ff' || CAST({column} AS BLOB) AS TEXT)")  # noqa: S608
        assert changed.rowcount > 0


def test_the_hold_file_says_which_battery_is_held_and_how_to_release_it(scene: FaultScene) -> None:
    held = json.loads(hold_file(scene).read_text())

    assert hold_file(scene).stat().st_mode & 0o777 == 0o600
    assert (held["version"], held["backend"], held["until"]) == (1, "cloud", "2026-12-09T13:30:00Z")
    assert held["set"] == {"mode": "backup", "reserve_pct": 100}
    assert held["restore"] == {"mode": "autonomous", "reserve_pct": 20}
    assert held["owns"] == {"mode": True, "reserve": True}
    assert held["site"] == str(scene.simulator.house.site_id)
    assert Path(held["auth_path"]) == scene.home
    assert held["written_at"] < "2026-12-09T13:05:00Z"


def test_the_hold_file_is_gone_when_nothing_is_owned(scene: FaultScene) -> None:
    assert scene.run("13:29").code == 0

    assert scene.stance == NORMAL
    assert not hold_file(scene).exists()


@pytest.mark.parametrize(
    ("table", "column"), [("holds", "because"), ("dispatches", "device"), ("battery", "before_mode")]
)
@pytest.mark.parametrize("command", ["tick", "reconcile", "fetch-dispatches"])
def test_r1_an_undecodable_row(scene: FaultScene, table: str, column: str, command: str) -> None:
    put_byte(scene, table, column)

    ended = [scene.run(minute, command) for minute in ("13:29", "13:30")]

    assert scene.stance == NORMAL
    assert "Traceback" not in "".join(run.said for run in ended)
    assert not hold_file(scene).exists()


def test_r3_another_site_in_the_configuration(scene: FaultScene) -> None:
    other = scene.simulator.tesla.add_site()
    change_config(scene, lambda text: re.sub(r"energy_site_id: '\d+'", f"energy_site_id: '{other.site_id}'", text))

    ended = [scene.run(minute) for minute in ("13:29", "13:30", "13:34", "13:59")]

    assert scene.stance == NORMAL
    assert other.powerwall.writes == []
    assert "no longer in your configuration" in ended[0].said
    assert not hold_file(scene).exists()


def test_r3_the_account_lists_another_site_first(scene: FaultScene) -> None:
    change_config(scene, lambda text: re.sub(r"(?m)^  energy_site_id: .*\n", "", text))
    other = scene.simulator.tesla.add_site()

    scene.run("13:29")

    assert scene.stance == NORMAL
    assert other.powerwall.writes == []


def test_r4_the_section_is_gone(scene: FaultScene) -> None:
    change_config(scene, without_tesla)

    ended = [scene.run(minute) for minute in ("13:28", "13:29", "13:30")]

    assert scene.stance == NORMAL
    assert sum("no longer in your configuration" in run.said for run in ended) == 1
    assert not hold_file(scene).exists()


BREAKAGES: dict[str, Callable[[Path], object]] = {
    "a typing mistake": lambda config: config.write_text(config.read_text().replace("hub_serial", "hub_seriel")),
    "not YAML": lambda config: config.write_text("{"),
    "empty": lambda config: config.write_text(""),
    "not UTF-8": lambda config: config.write_bytes(b"\xff\xfe\x00"),
    "gone": lambda config: config.unlink(),
    "a folder": lambda config: (config.unlink(), config.mkdir()),
    "a pipe": lambda config: (config.unlink(), os.mkfifo(config)),
}


@pytest.mark.parametrize("breakage", BREAKAGES.values(), ids=BREAKAGES)
def test_r5_the_configuration_is_refused(scene: FaultScene, breakage: Callable[[Path], object]) -> None:
    breakage(scene.home / "config.yaml")

    early = scene.run("13:28")
    assert (early.code, scene.stance) == (REFUSED, HELD)
    due = scene.run("13:29")
    late = scene.run("13:30")

    assert (due.code, scene.stance) == (REFUSED, NORMAL)
    assert "your configuration cannot be used" in due.said
    assert late.code == REFUSED
    assert "back to normal" not in late.said
    assert not hold_file(scene).exists()


@pytest.mark.parametrize("restore", ["previous", "resting"])
def test_r6_the_database_is_gone(scene: FaultScene, restore: str) -> None:
    change_config(scene, lambda text: f"{text}\ncontrol: {{restore: {restore}}}\n")
    (scene.home / "smartcharge.db").unlink()

    early = scene.run("13:28", "reconcile")
    assert (early.code, scene.stance) == (0, HELD)
    scene.run("13:29", "reconcile")

    assert scene.stance == NORMAL
    assert not hold_file(scene).exists()


def test_r6_an_older_database_is_put_back(fork_server: ForkServer) -> None:
    with make_held_scene(fork_server, "19:00", last="13:00") as made:
        before = (made.home / "smartcharge.db").read_bytes()
        made.run("13:04")
        assert made.stance == HELD
        (made.home / "smartcharge.db").write_bytes(before)

        made.run("13:29", "reconcile")

        assert made.stance == NORMAL


@pytest.mark.skipif(not can_remount(), reason="this system allows no mounts to a test")
@pytest.mark.parametrize("command", ["tick", "reconcile"])
@pytest.mark.parametrize("has_lock_file", [True, False])
def test_r7_a_disk_that_is_read_only(scene: FaultScene, command: str, *, has_lock_file: bool) -> None:
    if not has_lock_file:
        (scene.home / "smartcharge.lock").unlink()

    ended = scene.run("13:29", command, read_only=True)
    asked = scene.simulator.count("tesla")
    again = scene.run("13:30", command, read_only=True)

    assert (ended.code, scene.stance) == (REFUSED, NORMAL)
    assert again.code == REFUSED
    assert scene.simulator.count("tesla") == asked
    assert scene.run("13:31").code == 0
    assert scene.stance == NORMAL
    assert not hold_file(scene).exists()


@pytest.mark.parametrize("back", ["-14 13:12", "10:12", "12:32"], ids=["14 days", "3 hours", "40 minutes"])
def test_r8_a_clock_that_goes_back(fork_server: ForkServer, back: str) -> None:
    with make_held_scene(fork_server, "19:00", last="13:04") as made:
        mails = len(made.simulator.mails)

        first = made.run(back, "tick", true_clock="13:12")
        assert made.stance == NORMAL
        later = [made.run(back, "tick", true_clock=minute) for minute in ("13:13", "13:14")]

        right = made.run("13:15")

        assert len(made.simulator.mails) == mails
        assert "clock reads" in first.said
        assert {run.code for run in (first, *later)} == {UNREACHABLE}
        assert (right.code, "this computer's clock" in right.said) == (0, True)
        assert ["clock" in run.said for run in later] == [False, False]
        assert "cancelled" not in "".join(run.said for run in (first, *later))


@pytest.mark.parametrize("wrong", ["-14 13:12", "10:12", "13:22", "14:12"])
def test_the_supplier_s_clock_is_believed_rather_than_this_computer_s(fork_server: ForkServer, wrong: str) -> None:
    """Nothing is held, so only the supplier can tell that the clock is wrong: nothing begins, nor is cancelled."""
    with make_held_scene(fork_server, "19:00", last="13:00") as made:
        ended = [made.run(wrong, true_clock=minute) for minute in ("13:12", "13:13")]
        cancelled = made.row("SELECT COUNT(*) FROM dispatches WHERE withdrawn_at IS NOT NULL")[0]

        assert made.stance == NORMAL
        assert cancelled == 0
        assert made.simulator.mails == []
        assert sum("clock reads" in run.said for run in ended) == 1
        assert {run.code for run in ended} == {UNREACHABLE}
        assert "this computer's clock" in made.run("13:15").said


@pytest.mark.parametrize("refusal", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_r12_a_file_system_without_locks(scene: FaultScene, refusal: int) -> None:
    early = scene.run("13:28", "reconcile", lock_errno=refusal)
    due = scene.run("13:29", "reconcile", lock_errno=refusal)

    assert early.code in {0, REFUSED}
    assert (due.code, scene.stance) == (REFUSED, NORMAL)
    assert "no file locks" in due.said


@pytest.mark.parametrize("name", [HOLD_FILE, ".config.yaml.quiet", ".config.yaml.told"])
def test_r13_a_pipe_in_the_place_of_a_file_keeps_nothing_waiting(scene: FaultScene, name: str) -> None:
    (scene.home / name).unlink(missing_ok=True)
    os.mkfifo(scene.home / name)

    scene.run("13:29")
    scene.run("13:30")

    assert scene.stance == NORMAL


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\x00", b"[1]", b"{}", b'{"until": "2099-01-01T00:00:00Z"}', b"x" * 100_000, b"[" * 50_000],
    ids=["empty", "cut", "no text", "a list", "no keys", "far ahead", "huge", "deep"],
)
@pytest.mark.parametrize("is_refused", [False, True], ids=["configured", "configuration refused"])
def test_a_damaged_hold_file_still_counts_as_a_hold(scene: FaultScene, content: bytes, *, is_refused: bool) -> None:
    hold_file(scene).write_bytes(content)
    (scene.home / "smartcharge.db").unlink()
    if is_refused:
        (scene.home / "config.yaml").write_text("{")

    ended = [scene.run(minute, "reconcile") for minute in ("13:29", "13:30")]

    assert scene.stance == NORMAL
    assert "Traceback" not in "".join(run.said for run in ended)


def test_an_upgrade_in_the_middle_of_a_hold_writes_the_file(scene: FaultScene) -> None:
    written = json.loads(hold_file(scene).read_text())
    hold_file(scene).unlink()

    scene.run("13:28", "reconcile")

    assert json.loads(hold_file(scene).read_text())["until"] == written["until"]


def break_config(home: Path) -> None:
    (home / "config.yaml").write_text("{")


def delete_database(home: Path) -> None:
    (home / "smartcharge.db").unlink()


def remove_section(home: Path) -> None:
    config = home / "config.yaml"
    config.write_text(without_tesla(config.read_text()))


@pytest.mark.parametrize("damage", [break_config, delete_database, remove_section])
def test_a_release_by_the_hold_file_may_be_killed_anywhere(scene: FaultScene, damage: Callable[[Path], None]) -> None:
    damage(scene.home)
    scene.keep()
    points = [each for each in scene.run("13:29", "reconcile").passed if CHANGING.match(each)]
    wrong = []
    for point in points:
        scene.go_back()
        assert scene.run("13:29", "reconcile", kill_point=point).code == KILLED
        ended = [scene.run(minute, "reconcile") for minute in ("13:30", "13:31")]
        if scene.stance != NORMAL or hold_file(scene).exists() or "Traceback" in "".join(run.said for run in ended):
            wrong.append((point, scene.stance, hold_file(scene).exists(), [run.said for run in ended]))

    assert len(points) > 3
    assert wrong == []


def test_the_hold_file_is_written_once_for_each_promise(fork_server: ForkServer) -> None:
    def writings(run: RunResult) -> int:
        return sum(point.startswith(f"after:rename to {HOLD_FILE}") for point in run.passed)

    with make_held_scene(fork_server, "19:00", last="13:00", car="{11:00: B2, 13:04: 7200}") as made:
        begun, steady = made.run("13:04"), made.run("13:12")
        renewed = [made.run(minute) for minute in ("13:28", "13:29", "13:30")]

        assert made.stance == HELD
        assert (writings(begun), writings(steady)) == (1, 0)
        assert sum(writings(run) for run in renewed) == 1
        assert json.loads(hold_file(made).read_text())["until"] == "2026-12-09T14:00:00Z"

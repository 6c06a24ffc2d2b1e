"""The battery comes back where the installation was changed during the hold, and where two things fail at once."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fault_scene import CAR_THAT_STOPS, HELD_SCENARIO, FaultScene, ForkServer, make_scene
from test_return_cases import HELD, NORMAL, change_config, hold_file, without_tesla

from smartcharge.simulator.faults import make_fault

DOCUMENTED_KEYS = ("version", "backend", "site", "auth_path", "until", "written_at", "set", "restore", "owns")
TOKEN_FILES = (".pypowerwall.auth", ".pypowerwall.auth.good", ".pypowerwall.site")


@contextmanager
def held_house(fork_server: ForkServer, folder: Path, options: str = "") -> Iterator[FaultScene]:
    """A house that holds since 13:04; its hold ends at 13:30."""
    with make_scene(fork_server, f"{HELD_SCENARIO}car: {CAR_THAT_STOPS}\n{options}") as scene:
        scene.simulator.environment["TMPDIR"] = str(folder)
        for minute in ("12:58", "13:00", "13:04", "13:28"):
            scene.run(minute)
        yield scene


def run_past_the_end(scene: FaultScene, *, minutes: tuple[str, ...] = ("13:29", "13:30", "13:31", "13:32")) -> str:
    """Let cron run on; returns the mode and the reserve that the battery has then."""
    for minute in minutes:
        scene.run(minute)
    return scene.stance


def break_config(scene: FaultScene) -> None:
    (scene.home / "config.yaml").write_text("{")


def delete_database(scene: FaultScene) -> None:
    (scene.home / "smartcharge.db").unlink()


def remove_tesla_section(scene: FaultScene) -> None:
    change_config(scene, without_tesla)


def keep_documented_keys(scene: FaultScene, **others: str) -> None:
    """Write the hold file as another program would that knows its documented keys alone."""
    found = json.loads(hold_file(scene).read_text())
    hold_file(scene).write_text(json.dumps({key: found[key] for key in DOCUMENTED_KEYS} | others))


def move_tokens(scene: FaultScene, folder: Path) -> None:
    for name in TOKEN_FILES:
        if (scene.home / name).exists():
            shutil.move(scene.home / name, folder / name)


@pytest.mark.parametrize("damage", [break_config, delete_database, remove_tesla_section])
def test_a_preserve_hold_gives_its_reserve_back(
    fork_server: ForkServer, tmp_path: Path, damage: Callable[[FaultScene], None]
) -> None:
    with held_house(fork_server, tmp_path, "config: {control: {hold: preserve}}\n") as scene:
        damage(scene)

        assert run_past_the_end(scene) == NORMAL


def test_an_empty_hold_file_still_climbs_the_ladder(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        hold_file(scene).write_bytes(b"")
        break_config(scene)
        scene.simulator.active_faults.switch_on(make_fault("tesla", "ignores-autonomous-from-backup"))

        assert run_past_the_end(scene) == NORMAL


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_mode_that_is_forbidden_does_not_keep_the_reserve_waiting(
    fork_server: ForkServer, tmp_path: Path, *, is_broken: bool
) -> None:
    with held_house(fork_server, tmp_path) as scene:
        if is_broken:
            break_config(scene)
        scene.simulator.active_faults.switch_on(make_fault("tesla", "http-403", only="operation"))

        assert run_past_the_end(scene) == "backup/20"


def test_settings_that_cannot_be_read_are_written_all_the_same(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        scene.simulator.active_faults.switch_on(make_fault("tesla", "http-500", only="site_info"))

        assert run_past_the_end(scene) == NORMAL


def test_a_new_address_of_the_same_account_is_no_other_battery(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        tokens = scene.home / ".pypowerwall.auth"
        sign_ins = json.loads(tokens.read_text())
        sign_ins["new@example.com"] = sign_ins.pop("owner@example.com")
        tokens.write_text(json.dumps(sign_ins))
        tokens.with_name(".pypowerwall.auth.good").unlink(missing_ok=True)
        change_config(scene, lambda text: text.replace("account_email: owner@", "account_email: new@"))

        assert run_past_the_end(scene) == NORMAL


def test_a_token_folder_without_tokens_falls_back_on_the_hold_s_own(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        empty = scene.home.parent / "empty"
        empty.mkdir()
        change_config(scene, lambda text: re.sub(r"(?m)^tesla:\n", f"tesla:\n  auth_path: {empty}\n", text))

        assert run_past_the_end(scene) == NORMAL


def test_the_token_file_itself_may_be_named(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        keep_documented_keys(scene, auth_path=str(scene.home / ".pypowerwall.auth"))
        break_config(scene)

        assert run_past_the_end(scene) == NORMAL


def test_the_documented_keys_are_enough_wherever_the_tokens_are(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        elsewhere = scene.home.parent / "tokens"
        elsewhere.mkdir(mode=0o700)
        move_tokens(scene, elsewhere)
        keep_documented_keys(scene, auth_path=str(elsewhere))
        break_config(scene)

        assert run_past_the_end(scene) == NORMAL


def test_tokens_that_were_moved_are_found_beside_the_data_folder(fork_server: ForkServer, tmp_path: Path) -> None:
    with held_house(fork_server, tmp_path) as scene:
        assert scene.stance == HELD
        move_tokens(scene, scene.home.parent)
        break_config(scene)

        assert run_past_the_end(scene) == NORMAL
